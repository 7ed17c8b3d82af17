/* signal-text.c - numbers and times by hand: printf() and gmtime_r() may take locks. */
#include "base/signal-text.h"

#include <string.h>
#include <time.h>

void
signal_text_add(SignalText *to, const char *text)
{
	for (; *text != '\0' && to->length < SIGNAL_TEXT_SIZE - 1; text++)
		to->text[to->length++] = *text;
	to->text[to->length] = '\0';
	if (*text != '\0')
		to->text[SIGNAL_TEXT_SIZE - 2] = '\n';
}

static void
signal_text_add_digits(SignalText *to, uint64_t number, int digits)
{
	char text[24];
	char *at = text + sizeof text - 1;

	*at = '\0';
	while (number > 0 || digits > 0) {
		*--at = (char)('0' + number % 10);
		number /= 10;
		digits--;
	}
	signal_text_add(to, at);
}

void
signal_text_add_number(SignalText *to, uint64_t number)
{
	signal_text_add_digits(to, number, 1);
}

typedef struct {
	uint64_t year, month, day; /* from 1 on */
} SignalDate;

/* The calendar by years that begin in March: the leap day is the last day of such a year, and the
 * months before it have the same lengths in each. */
static SignalDate
signal_date(uint64_t days)
{
	const uint64_t since = days + 719468; /* days since 1 March of the year 0 */
	const uint64_t era = since / 146097, day = since % 146097; /* of 400 years */
	const uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	const uint64_t day_of_year = day - (365 * year + year / 4 - year / 100);
	const uint64_t month = (5 * day_of_year + 2) / 153; /* 0: March */

	return (SignalDate){ year + era * 400 + (month >= 10), month < 10 ? month + 3 : month - 9,
		day_of_year - (153 * month + 2) / 5 + 1 };
}

static void
signal_text_add_clock(SignalText *to, uint64_t second)
{
	signal_text_add_digits(to, second / 3600 % 24, 2);
	signal_text_add(to, ":");
	signal_text_add_digits(to, second / 60 % 60, 2);
	signal_text_add(to, ":");
	signal_text_add_digits(to, second % 60, 2);
}

void
signal_text_add_time(SignalText *to, uint64_t ms)
{
	const uint64_t second = ms / 1000;
	const SignalDate date = signal_date(second / 86400);

	signal_text_add_digits(to, date.year, 4);
	signal_text_add(to, "-");
	signal_text_add_digits(to, date.month, 2);
	signal_text_add(to, "-");
	signal_text_add_digits(to, date.day, 2);
	signal_text_add(to, "T");
	signal_text_add_clock(to, second);
	signal_text_add(to, ".");
	signal_text_add_digits(to, ms % 1000, 3);
	signal_text_add(to, "Z");
}

void
signal_text_add_stamp(SignalText *to, uint64_t second)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
		"Nov", "Dec" };
	const SignalDate date = signal_date(second / 86400);

	signal_text_add(to, months[date.month - 1]);
	signal_text_add(to, date.day < 10 ? "  " : " ");
	signal_text_add_number(to, date.day);
	signal_text_add(to, " ");
	signal_text_add_clock(to, second);
}

void
signal_text_add_now(SignalText *to)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	signal_text_add_time(to, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}
