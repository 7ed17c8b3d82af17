/* offences.c - the history of a client in the store: "COUNT LAST", kept as long as it counts. */
#include "plugins/blocking/offences.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFENCE_ONCE (5 * PTN_SECOND) /* what a client had under way when it was blocked is one offence */

/* ---- who it is ---- */

/* "/64" or "64"; 0: not a length. */
static unsigned
prefix_length(const char *text)
{
	char *end;
	const long length = strtol(text + (text[0] == '/'), &end, 10);

	return *end == '\0' && length >= 16 && length <= 128 ? (unsigned)length : 0;
}

const char *
offender_check(PtnHook *h, const char *length)
{
	return prefix_length(length) != 0
			   ? NULL
			   : ptn_format(h, "\"%s\" is not the length of an IPv6 prefix: /16 to /128", length);
}

const char *
offender(PtnHook *h, const char *client)
{
	const unsigned length = prefix_length(ptn_option(h, "ipv6-as"));
	unsigned char octets[16];
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, client, octets) != 1)
		return client;
	for (unsigned bit = length; bit < 128; bit++)
		octets[bit / 8] &= (unsigned char)~(0x80 >> (bit % 8));
	(void)inet_ntop(AF_INET6, octets, text, sizeof text);
	return length == 128 ? client : ptn_format(h, "%s/%u", text, length);
}

/* `list`: networks with blanks or commas between them. */
static bool
is_within_any(PtnHook *h, const char *client, const char *list)
{
	while (*list != '\0') {
		const size_t length = strcspn(list, " \t,");

		if (length > 0 && ptn_is_within(client, ptn_format(h, "%.*s", (int)length, list)))
			return true;
		list += length + (list[length] != '\0');
	}
	return false;
}

bool
offender_is_exempt(PtnHook *h, const char *client)
{
	for (const char *const *network = ptn_option_list(h, "never"); *network != NULL; network++)
		if (ptn_is_within(client, *network))
			return true;
	return ptn_fact(h, "client.monitor") != NULL || is_within_any(h, client, ptn_fact(h, "monitors"));
}

/* ---- what it did ---- */

static const char *
history_key(PtnHook *h, const char *who)
{
	return ptn_format(h, "history/%s", who);
}

long
offences(PtnHook *h, const char *who, int64_t *last)
{
	const char *value = NULL;
	char *space;
	long count;

	*last = 0;
	if (ptn_store_get(h, history_key(h, who), &value) != PTN_OK)
		return 0;
	count = strtol(value, &space, 10);
	*last = strtoll(space, NULL, 10);
	return count;
}

void
offences_forget(PtnHook *h, const char *who)
{
	(void)ptn_store_remove(h, history_key(h, who));
	(void)ptn_store_remove(h, ptn_format(h, "plugins/blocking/%s", who));
}

/* Anywhere between the two ends of a range. */
static int64_t
time_within(PtnHook *h, const char *option)
{
	const int64_t least = ptn_option_number(h, option), most = ptn_option_most(h, option);

	return least + (int64_t)ptn_random(h, (uint32_t)((most - least) / PTN_SECOND + 1)) * PTN_SECOND;
}

/* 0: until it is lifted. */
static int64_t
block_time(PtnHook *h, long count)
{
	const int64_t forever_after = ptn_option_number(h, "forever-after");

	if (count <= 1)
		return time_within(h, "first");
	return forever_after > 0 && count > forever_after + 1 ? 0 : time_within(h, "repeat");
}

void
offence(PtnHook *h, const char *who, const char *reason)
{
	int64_t last;
	long count;

	if (ptn_store_claim(h, ptn_format(h, "plugins/blocking/%s", who), "1", OFFENCE_ONCE) == PTN_TAKEN)
		return;
	count = offences(h, who, &last) + 1;
	(void)ptn_store_set(h, history_key(h, who), ptn_format(h, "%ld %lld", count, (long long)ptn_now(h)),
		ptn_option_number(h, "memory"));
	ptn_count(h, "blocks", 1);
	(void)ptn_block(h, who, block_time(h, count), ptn_format(h, "%s (offence %ld)", reason, count));
}
