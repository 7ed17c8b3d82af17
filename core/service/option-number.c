/* option-number.c - numbers, sizes and times, with their units and ranges. */
#include "service/option-private.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"

typedef struct {
	const char *suffix;
	int64_t factor;
} Unit;

/* The greatest first: formatting takes the first one that divides the number. */
static const Unit option_sizes[] = { { "T", INT64_C(1) << 40 }, { "G", 1 << 30 }, { "M", 1 << 20 },
	{ "K", 1 << 10 }, { "", 1 }, { NULL, 0 } };
static const Unit option_times[] = { { "d", 86400 * CLOCK_SECOND }, { "h", 3600 * CLOCK_SECOND },
	{ "m", 60 * CLOCK_SECOND }, { "s", CLOCK_SECOND }, { "ms", 1000 }, { "us", 1 }, { "", CLOCK_SECOND },
	{ NULL, 0 } };
static const Unit option_plain[] = { { "", 1 }, { NULL, 0 } };

static const Unit *
option_units(unsigned type)
{
	switch (type) {
	case PTN_SIZE:
		return option_sizes;
	case PTN_TIME:
	case PTN_TIME_RANGE:
		return option_times;
	default:
		return option_plain;
	}
}

static bool
option_read_number(const Unit *units, const char *text, int64_t *number)
{
	char *end;
	gint64 value;

	if (!g_ascii_isdigit(*text) && !(*text == '-' && g_ascii_isdigit(text[1])))
		return false;
	value = g_ascii_strtoll(text, &end, 10);
	if (value == G_MAXINT64 || value == G_MININT64)
		return false;
	for (; units->suffix != NULL; units++)
		if (g_ascii_strcasecmp(end, units->suffix) == 0)
			return !__builtin_mul_overflow(value, units->factor, number);
	return false;
}

static const char *
option_number_example(unsigned type)
{
	switch (type) {
	case PTN_SIZE:
		return "a size (as 64K, 200M, 10G)";
	case PTN_TIME:
	case PTN_TIME_RANGE:
		return "a time (as 300ms, 30s, 5m, 12h, 31d)";
	default:
		return "a number";
	}
}

bool
option_parse_number(const PtnOption *option, const char *text, int64_t *number, GError **error)
{
	const unsigned type = option->type & ~(unsigned)PTN_LIST;
	const bool is_list = (option->type & PTN_LIST) != 0;
	g_autofree char *wanted = NULL;
	int64_t value;

	if (!option_read_number(option_units(type), text, &value))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not %s", text, option_number_example(type));
	if (type != PTN_NUMBER && value < 0)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is negative", text);
	if (!is_list &&
		((option->least != 0 && value < option->least) || (option->most != 0 && value > option->most) ||
			(option->most != 0 && value < option->least))) {
		wanted = option_describe_type(option);
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is out of range (%s)", text, wanted);
	}
	*number = value;
	return true;
}

bool
option_parse_time_range(const PtnOption *option, const char *text, int64_t *least, int64_t *most, GError **error)
{
	g_auto(GStrv) ends = g_strsplit(text, "..", 2);
	const char *first, *last;

	if (ends[0] == NULL)
		return error_set(
			error, POSTERN_ERROR_INVALID, "\"%s\" is not a time or a range of times (as 5m .. 15m)", text);
	first = g_strstrip(ends[0]);
	last = ends[1] != NULL ? g_strstrip(ends[1]) : first;
	if (!option_parse_number(option, first, least, error) || !option_parse_number(option, last, most, error))
		return false;
	if (*least > *most)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\": the range ends before it starts", text);
	return true;
}

bool
option_parse_rate(const char *text, int64_t *number, int64_t *window_us, GError **error)
{
	const char *slash = strchr(text, '/');
	g_autofree char *left = slash != NULL ? g_strndup(text, (size_t)(slash - text)) : NULL;

	*number = *window_us = 0;
	if (strcmp(text, "off") == 0)
		return true;
	if (left == NULL || !option_read_number(option_sizes, left, number) || *number <= 0 ||
		!option_read_number(option_times, slash + 1, window_us) || *window_us < CLOCK_SECOND)
		return error_set(error, POSTERN_ERROR_INVALID,
			"\"%s\" is not a number and the time it is for (as 200/1h, 10G/1d), or \"off\"", text);
	return true;
}

static char *
option_format_units(const Unit *units, int64_t number)
{
	for (; units->suffix != NULL; units++)
		if (number % units->factor == 0)
			return g_strdup_printf("%" G_GINT64_FORMAT "%s", (gint64)(number / units->factor), units->suffix);
	return g_strdup_printf("%" G_GINT64_FORMAT, (gint64)number);
}

char *
option_format_time(int64_t us)
{
	return us == 0 ? g_strdup("0s") : option_format_units(option_times, us);
}

char *
option_format_size(int64_t octets)
{
	return octets == 0 ? g_strdup("0") : option_format_units(option_sizes, octets);
}

char *
option_format_number(unsigned type, int64_t number)
{
	switch (type) {
	case PTN_SIZE:
		return option_format_size(number);
	case PTN_TIME:
	case PTN_TIME_RANGE:
		return option_format_time(number);
	default:
		return option_format_units(option_plain, number);
	}
}
