/* counters.c - counting over windows of the store, shared by the cluster. */
#include "plugins/blocking/counters.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const Counter counters[COUNTERS] = {
	[COUNT_AUTH_FAILURES] = { "auth-failures", "failed authentications" },
	[COUNT_LOGINS] = { "logins", "many logins tried" },
	[COUNT_LISTED] = { "listed", "refused as a listed client" },
	[COUNT_CONNECTIONS] = { "connections", "too many connections" },
	[COUNT_ERRORS] = { "errors", "protocol errors" },
	[COUNT_NOT_SMTP] = { "not-smtp", "spoke something else than SMTP" },
	[COUNT_PROBES] = { "probes", "connected without ever authenticating" },
	[COUNT_RELAY_ATTEMPTS] = { "relay-attempts", "tried to relay" },
	[COUNT_REJECTS] = { "rejects", "mail against the rules" },
	[COUNT_CONTENT] = { "content", "unwanted content" },
};

/* "90", "10m", "1h", "7d"; 0: not a time. */
static int64_t
parse_time(const char *text)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	char *end;
	const long number = strtol(text, &end, 10);

	if (!isdigit((unsigned char)text[0]) || number <= 0 || number > 1000000)
		return 0;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(end, units[i].unit) == 0)
			return number * units[i].seconds * PTN_SECOND;
	return 0;
}

const char *
counter_parse(PtnHook *h, const char *text, int64_t *most, int64_t *window)
{
	char *slash;
	long number;

	*most = *window = 0;
	if (text == NULL || strcmp(text, "off") == 0 || strcmp(text, "0") == 0)
		return NULL;
	number = strtol(text, &slash, 10);
	if (!isdigit((unsigned char)text[0]) || number <= 0 || number > 1000000 || *slash != '/')
		return ptn_format(h, "\"%s\" is not a number and a time, as 5/10m, or off", text);
	*window = parse_time(slash + 1);
	if (*window == 0)
		return ptn_format(h, "\"%s\": \"%s\" is not a time (10m, 1h, 7d)", text, slash + 1);
	*most = number;
	return NULL;
}

static const char *
counter_key(PtnHook *h, CounterNumber number, const char *who)
{
	return ptn_format(h, "count/%s/%s", counters[number].name, who);
}

/* The chance is such that each threshold from three quarters of `most` to `most` is as likely as any other. */
static bool
is_too_much(PtnHook *h, int64_t total, int64_t most)
{
	const int64_t least = most - most / 4;

	if (total < least)
		return false;
	return total >= most || ptn_random(h, (uint32_t)(most - total + 1)) == 0;
}

bool
counter_add(PtnHook *h, CounterNumber number, const char *who)
{
	int64_t most, window, total;

	if (counter_parse(h, ptn_option(h, counters[number].name), &most, &window) != NULL || most == 0)
		return false;
	if (ptn_store_add(h, counter_key(h, number, who), 1, window, &total) != PTN_OK)
		return false;
	return is_too_much(h, total, most);
}

int64_t
counter_read(PtnHook *h, CounterNumber number, const char *who)
{
	int64_t most, window, total = 0;

	if (counter_parse(h, ptn_option(h, counters[number].name), &most, &window) != NULL || most == 0 ||
		ptn_store_add(h, counter_key(h, number, who), 0, window, &total) != PTN_OK)
		return 0;
	return total;
}

void
counter_forget(PtnHook *h, CounterNumber number, const char *who)
{
	(void)ptn_store_remove(h, counter_key(h, number, who));
}
