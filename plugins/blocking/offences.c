/* offences.c - the history of a client in the store: "COUNT LAST", kept as long as it counts; and what of it the store does not
 * know yet. */
#include "plugins/blocking/offences.h"

#include <arpa/inet.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWED_MOST = 10000 }; /* clients whose offences wait to be written */

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

typedef struct {
	long count;
	int64_t last; /* of the latest */
} History;

/* `owed`: written, as far as we know, by nobody. */
struct Offences {
	GMutex lock;
	GHashTable *owed; /* client -> History* */
};

Offences *
offences_new(void)
{
	Offences *offences = g_new0(Offences, 1);

	g_mutex_init(&offences->lock);
	offences->owed = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, g_free);
	return offences;
}

void
offences_free(Offences *offences)
{
	g_hash_table_unref(offences->owed);
	g_mutex_clear(&offences->lock);
	g_free(offences);
}

static History
history_owed(Offences *offences, const char *who)
{
	const History *owed;
	History history = { 0 };

	g_mutex_lock(&offences->lock);
	owed = g_hash_table_lookup(offences->owed, who);
	if (owed != NULL)
		history = *owed;
	g_mutex_unlock(&offences->lock);
	return history;
}

static void
history_owe(Offences *offences, const char *who, History history)
{
	g_mutex_lock(&offences->lock);
	if (g_hash_table_size(offences->owed) >= OWED_MOST)
		g_hash_table_remove_all(offences->owed);
	g_hash_table_replace(offences->owed, g_strdup(who), g_memdup2(&history, sizeof history));
	g_mutex_unlock(&offences->lock);
}

static void
history_settle(Offences *offences, const char *who)
{
	g_mutex_lock(&offences->lock);
	g_hash_table_remove(offences->owed, who);
	g_mutex_unlock(&offences->lock);
}

/* What the memory that stands in for the store says is not what it has. */
static PtnStatus
history_stored(PtnHook *h, const char *who, History *history)
{
	const char *value = NULL;
	char *space;
	PtnStatus status = PTN_UNSURE;

	*history = (History){ 0 };
	if (ptn_fact(h, "store.away") == NULL)
		status = ptn_store_get(h, history_key(h, who), &value);
	if (status != PTN_OK)
		return status;
	history->count = strtol(value, &space, 10);
	history->last = strtoll(space, NULL, 10);
	return PTN_OK;
}

/* What the store has and what is owed, unless a write that was not answered was done.  UNSURE: only what is owed. */
static PtnStatus
history_read(PtnHook *h, Offences *offences, const char *who, History *history)
{
	const History owed = history_owed(offences, who);
	const PtnStatus status = history_stored(h, who, history);

	if (owed.count > 0 && ptn_now(h) - owed.last > ptn_option_number(h, "memory"))
		history_settle(offences, who);
	else if (owed.count > 0 && history->last != owed.last)
		*history = (History){ history->count + owed.count, MAX(history->last, owed.last) };
	return status;
}

long
offences_read(PtnHook *h, Offences *offences, const char *who)
{
	History history;

	(void)history_read(h, offences, who, &history);
	return history.count;
}

void
offences_forget(PtnHook *h, Offences *offences, const char *who)
{
	history_settle(offences, who);
	(void)ptn_store_remove(h, history_key(h, who));
	(void)ptn_store_remove(h, ptn_format(h, "plugins/blocking/%s", who));
}

/* One more; how many there are. */
static long
history_add(PtnHook *h, Offences *offences, const char *who)
{
	const int64_t now = ptn_now(h);
	History history;
	PtnStatus status = history_read(h, offences, who, &history);
	const long known = history.count;

	if (status != PTN_UNSURE)
		status = ptn_store_set(h, history_key(h, who), ptn_format(h, "%ld %lld", known + 1, (long long)now),
			ptn_option_number(h, "memory"));
	if (status == PTN_UNSURE)
		history_owe(offences, who, (History){ history_owed(offences, who).count + 1, now });
	else
		history_settle(offences, who);
	return known + 1;
}

/* The store's own are read anew: another node may have added one. */
static void
history_write_owed(PtnHook *h, Offences *offences, const char *who)
{
	const History owed = history_owed(offences, who);
	History history;

	if (owed.count == 0 || history_read(h, offences, who, &history) == PTN_UNSURE)
		return;
	if (ptn_store_set(h, history_key(h, who), ptn_format(h, "%ld %lld", history.count, (long long)history.last),
			ptn_option_number(h, "memory")) == PTN_OK)
		history_settle(offences, who);
}

void
offences_settle(PtnHook *h, Offences *offences)
{
	g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	void *who;

	g_mutex_lock(&offences->lock);
	g_hash_table_iter_init(&iter, offences->owed);
	while (g_hash_table_iter_next(&iter, &who, NULL))
		g_ptr_array_add(clients, g_strdup(who));
	g_mutex_unlock(&offences->lock);
	if (ptn_fact(h, "store.away") != NULL)
		return;
	for (guint i = 0; i < clients->len && ptn_time_left(h) > PTN_SECOND; i++)
		history_write_owed(h, offences, clients->pdata[i]);
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
offence(PtnHook *h, Offences *offences, const char *who, const char *reason)
{
	long count;

	if (ptn_store_claim(h, ptn_format(h, "plugins/blocking/%s", who), "1", OFFENCE_ONCE) == PTN_TAKEN)
		return;
	count = history_add(h, offences, who);
	ptn_count(h, "blocks", 1);
	(void)ptn_block(h, who, block_time(h, count), ptn_format(h, "%s (offence %ld)", reason, count));
}
