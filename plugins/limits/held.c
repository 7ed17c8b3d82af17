/* held.c - mail that was held for a limit: counted once when it is let go, whatever number of
 * recipients and attempts it has.
 *
 * That a message was counted is remembered here, and in the store under "passed/QUEUE-ID", for a
 * restart and for a node that adopts the message.  A release before the end of its hold is the
 * operator's: such a message is counted, and goes whatever the limits say.  Copies wait for their
 * original. */
#include <stdlib.h>
#include <string.h>

#include "plugins/limits/limits.h"

#define HELD_NOTE "held"
#define HELD_PASSED \
	(100 * 86400 * PTN_SECOND) /* how long the store remembers; begins anew with each attempt */
#define HELD_AGAIN (86400 * PTN_SECOND)
#define HELD_UNSURE (60 * PTN_SECOND)
#define HELD_COPY (10 * PTN_SECOND)
#define HELD_EARLY (PTN_SECOND / 2) /* queue and clock may disagree by less */

enum { HELD_MOST = 50000 };

typedef struct {
	bool is_passed;
	int64_t stored;       /* when the store was told last that it is */
	int64_t until;        /* the end of its last hold */
	unsigned long number; /* of the recipient at which it was held last */
	char reason[200];
} HeldState;

void
held_start(Limits *limits)
{
	limits->held = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, g_free);
}

void
held_stop(Limits *limits)
{
	g_hash_table_unref(limits->held);
}

/* ---- what is known ---- */

static bool
held_find(PtnHook *h, const char *id, HeldState *state)
{
	Limits *limits = ptn_instance(h);
	const HeldState *found;

	g_mutex_lock(&limits->lock);
	found = g_hash_table_lookup(limits->held, id);
	if (found != NULL)
		*state = *found;
	g_mutex_unlock(&limits->lock);
	return found != NULL;
}

/* What is forgotten when there are too many is asked of the store. */
static void
held_set(PtnHook *h, const char *id, HeldState state)
{
	Limits *limits = ptn_instance(h);

	g_mutex_lock(&limits->lock);
	if (g_hash_table_size(limits->held) >= HELD_MOST)
		g_hash_table_remove_all(limits->held);
	g_hash_table_replace(limits->held, g_strdup(id), g_memdup2(&state, sizeof state));
	g_mutex_unlock(&limits->lock);
}

static const char *
passed_key(PtnHook *h, const char *id)
{
	return ptn_format(h, "passed/%s", id);
}

/* OK: it was counted; NONE: it was not; UNSURE: the store cannot say.  While the store is
 * unavailable this node's word counts. */
static PtnStatus
held_is_passed(PtnHook *h, const char *id)
{
	HeldState state = { 0 };
	const char *value;
	PtnStatus status;

	if (held_find(h, id, &state) && state.is_passed)
		return PTN_OK;
	status = ptn_store_get(h, passed_key(h, id), &value);
	if (status == PTN_OK)
		held_set(h, id, (HeldState){ .is_passed = true });
	return status == PTN_UNSURE && ptn_fact(h, "store.away") != NULL ? PTN_NONE : status;
}

/* The store may have been unavailable before, and forgets in the end: it is told again. */
static void
held_pass(PtnHook *h, const char *id)
{
	HeldState state = { 0 };

	(void)held_find(h, id, &state);
	if (state.is_passed && state.stored + HELD_AGAIN > ptn_now(h))
		return;
	state = (HeldState){ .is_passed = true };
	if (ptn_fact(h, "store.away") == NULL &&
		ptn_store_set(h, passed_key(h, id), "1", HELD_PASSED) == PTN_OK)
		state.stored = ptn_now(h);
	held_set(h, id, state);
}

/* ---- holding ---- */

static void
hold_for(PtnHook *h, const Share *whose, const Limit *passed)
{
	ptn_hold(h,
		ptn_format(h, "limit of %s %s: %s", scope_name(whose->scope), whose->who, passed->words),
		passed->ends);
}

void
held_begin(PtnHook *h, const Message *message, const Share *whose, const Limit *passed)
{
	ptn_count(h, "held", 1);
	ptn_note(h, HELD_NOTE,
		ptn_format(h, "%lld %lld %s %lld", (long long)message->recipients,
			(long long)message->octets, message->client, (long long)message->size));
	hold_for(h, whose, passed);
}

/* Of the note; earlier versions wrote no size. */
static Message
held_message(PtnHook *h, const char *note)
{
	Message message = { 0 };
	char *rest;
	size_t length;

	message.recipients = strtoll(note, &rest, 10);
	message.octets = strtoll(rest, &rest, 10);
	rest += strspn(rest, " ");
	length = strcspn(rest, " ");
	message.client = ptn_format(h, "%.*s", (int)length, rest);
	message.size = rest[length] != '\0' ? strtoll(rest + length, NULL, 10) : message.octets;
	return message;
}

static const char *
until_key(PtnHook *h, const char *id)
{
	return ptn_format(h, "until/%s", id);
}

/* When the last hold of the message ends or ended, as far as is known; 0: it is not. */
static int64_t
held_until(PtnHook *h, const char *id)
{
	const char *until = ptn_fact(h, "held-until"), *kept;
	HeldState state = { 0 };

	if (held_find(h, id, &state))
		return state.until;
	if (ptn_store_get(h, until_key(h, id), &kept) == PTN_OK)
		until = kept;
	return until != NULL ? strtoll(until, NULL, 10) : 0;
}

static bool
held_is_released_early(PtnHook *h, const char *id)
{
	return held_until(h, id) > ptn_now(h) + HELD_EARLY;
}

static unsigned long
recipient_number(PtnHook *h)
{
	const char *number = ptn_fact(h, "recipient");

	return number != NULL ? strtoul(number, NULL, 10) : 0;
}

static void
hold_on(PtnHook *h, const char *id, const char *reason, int64_t until)
{
	HeldState state = { .until = until, .number = recipient_number(h) };

	(void)g_strlcpy(state.reason, reason, sizeof state.reason);
	held_set(h, id, state);
	(void)ptn_store_set(h, until_key(h, id), ptn_format(h, "%lld", (long long)until),
		until - ptn_now(h) + HELD_UNSURE);
	ptn_hold(h, reason, until);
}

/* Recipients are routed in their order: one behind that for which the message was held is of the
 * same attempt. */
static bool
held_goes_on(PtnHook *h, const char *id)
{
	HeldState state = { 0 };

	if (!held_find(h, id, &state) || state.until <= ptn_now(h) ||
		recipient_number(h) <= state.number)
		return false;
	ptn_hold(h, state.reason, state.until);
	return true;
}

/* A limit that was lowered meanwhile to less than the message has room for it when nothing else
 * was sent. */
static void
held_fit(PtnHook *h, Message *message)
{
	Limit passed;
	Share whose;

	while (count_is_too_large(h, message, &passed, &whose)) {
		if (passed.kind == KIND_RECIPIENTS && message->recipients > passed.most)
			message->recipients = passed.most;
		else if (passed.kind == KIND_BYTES && whose.scope == SCOPE_DOMAIN)
			message->size = passed.most;
		else if (passed.kind == KIND_BYTES)
			message->octets = passed.most;
		else
			return;
	}
}

static PtnVerdict
route_original(PtnHook *h, const char *id, const char *note)
{
	const bool is_released = held_is_released_early(h, id);
	Message message = held_message(h, note);
	Limit passed;
	Share whose;

	held_fit(h, &message);
	switch (
		count_message(h, &message, is_released ? COUNT_BEYOND : COUNT_WITHIN, &passed, &whose)) {
	case PTN_OK:
		held_pass(h, id);
		return PTN_NEXT;
	case PTN_TAKEN:
		hold_on(h, id,
			ptn_format(h, "limit of %s %s: %s", scope_name(whose.scope), whose.who, passed.words),
			passed.ends);
		return PTN_NEXT;
	default:
		if (is_released)
			held_pass(h, id);
		else
			hold_on(h, id, "limits cannot be counted now", ptn_now(h) + HELD_UNSURE);
		return PTN_NEXT;
	}
}

/* A copy that the operator releases goes, too. */
static PtnVerdict
route_copy(PtnHook *h, const char *id, const char *original)
{
	const int64_t now = ptn_now(h);
	HeldState state = { 0 };

	if (held_is_released_early(h, id)) {
		held_pass(h, id);
		return PTN_NEXT;
	}
	(void)held_find(h, original, &state);
	hold_on(h, id, ptn_format(h, "copy of %s, which is held", original),
		MAX(state.until, now) + HELD_COPY);
	return PTN_NEXT;
}

PtnVerdict
held_route(PtnHook *h)
{
	const char *note = ptn_noted(h, HELD_NOTE), *original = ptn_fact(h, "original");
	const char *id = ptn_fact(h, "queue-id");
	PtnStatus status;

	if (note == NULL && original == NULL)
		return PTN_NEXT;
	status = held_is_passed(h, id);
	if (status == PTN_NONE && note == NULL)
		status = held_is_passed(h, original);
	if (status == PTN_OK) {
		held_pass(h, id);
		return PTN_NEXT;
	}
	if (held_goes_on(h, id))
		return PTN_NEXT;
	if (status != PTN_NONE && !held_is_released_early(h, id)) {
		hold_on(h, id, "limits cannot be counted now", ptn_now(h) + HELD_UNSURE);
		return PTN_NEXT;
	}
	return note != NULL ? route_original(h, id, note) : route_copy(h, id, original);
}
