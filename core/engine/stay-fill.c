/* stay-fill.c - what waited before the start: whose domains changed meanwhile is due at once, the rest is entered.
 *
 * What is held is entered before the first message is taken, for it counts against held-per-domain; what was deferred
 * follows bit by bit. */
#include "base/error.h"
#include "base/log.h"
#include "engine/domain.h"
#include "engine/stay-private.h"

#define STAY_READ_AGAIN_US (60 * CLOCK_SECOND)
#define STAY_FILL_US (CLOCK_SECOND / 5) /* so long the start's messages are looked at in one go */

void
stay_keep_unread(Stay *stay, QueueId id)
{
	g_array_append_val(stay->unread, id);
}

/* ---- one recipient ---- */

/* Of a hold that says nothing of the way it was made by: the domain where the way ends does not hold (any more). */
static bool
stay_is_held_in_vain(const Engine *engine, const GPtrArray *ways)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	const char *last = stay_last_domain(ways);
	PtnStatus status;

	return last == NULL ||
		   g_strcmp0(domain_mode(engine, last, &status, &entry), directory_modes[MODE_HOLD]) != 0;
}

/* `is_ours`: a domain holds it. */
static StayAnswer
stay_fill_recipient(
	const Engine *engine, const SpoolSummary *summary, const char *address, uint64_t digest, bool is_ours)
{
	g_autoptr(GPtrArray) ways = NULL;
	StayAnswer answer = stay_ways_compare(engine, address, digest, &ways);

	for (guint i = 0; ways != NULL && i < ways->len; i++)
		stay_add(engine->stay, ways->pdata[i], summary, is_ours && i + 1 == ways->len);
	if (answer == STAY_SAME && digest == 0 && is_ours && stay_is_held_in_vain(engine, ways))
		answer = STAY_CHANGED;
	return answer;
}

/* ---- one message ---- */

/* CHANGED: of one recipient at least; else UNSURE: of one. */
static StayAnswer
stay_fill_message(const Engine *engine, const SpoolSummary *summary, const SpoolMessage *message)
{
	const MessageState *state = message->state;
	StayAnswer all = STAY_SAME;

	for (unsigned i = 0; i < state->n_recipients; i++) {
		const RecipientState *recipient = &state->recipients[i];
		const Recipient *to = g_ptr_array_index(message->envelope->recipients, i);
		const bool is_ours =
			state->is_held || (recipient_state_is_held(recipient) && stay_is_ours(recipient->reply));
		StayAnswer one;

		if (recipient->status != RECIPIENT_PENDING)
			continue;
		one = stay_fill_recipient(engine, summary, to->address, recipient->way, is_ours);
		if (one == STAY_CHANGED || all == STAY_SAME)
			all = one;
	}
	return all;
}

/* CHANGED: the message is due.  UNSURE: the directory cannot be reached. */
static StayAnswer
stay_fill_one(Engine *engine, QueueId id)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(SpoolMessage) message = NULL;
	SpoolSummary summary;
	StayAnswer answer;

	if (!spool_summary(engine->spool, id, &summary))
		return STAY_SAME;
	message = spool_read(engine->spool, id, &error);
	if (g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_IO))
		stay_keep_unread(engine->stay, id);
	if (message == NULL || (message->state->is_held && !stay_is_ours(message->state->hold_reason)))
		return STAY_SAME;
	answer = stay_fill_message(engine, &summary, message);
	if (answer != STAY_SAME || !spool_summary(engine->spool, id, &summary))
		stay_forget(engine->stay, id);
	return answer;
}

static void
stay_go_on(Engine *engine, QueueId id)
{
	char text[ID_TEXT_SIZE];

	log_event(LOG_LEVEL_INFO, "domain changed while the mail waited", "queue", id_format(id, text), NULL);
	stay_let_go(engine, id);
}

/* ---- all of them ---- */

static bool
stay_is_held(const SpoolSummary *summary)
{
	return summary->is_held || summary->has_held;
}

static bool
stay_collect_held(void *data, const SpoolSummary *summary)
{
	if (stay_is_held(summary))
		g_array_append_val((GArray *)data, summary->id);
	return true;
}

static bool
stay_collect_deferred(void *data, const SpoolSummary *summary)
{
	if (!stay_is_held(summary) && summary->attempts > 0)
		g_array_append_val((GArray *)data, summary->id);
	return true;
}

/* Those that changed are due when stay_look() comes round: nothing is delivered yet. */
void
stay_fill(Engine *engine)
{
	g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(QueueId));
	GArray *later = engine->stay->deferred;

	spool_each(engine->spool, stay_collect_deferred, later);
	spool_each(engine->spool, stay_collect_held, held);
	for (guint i = 0; i < held->len; i++) {
		const QueueId id = g_array_index(held, QueueId, i);

		if (stay_fill_one(engine, id) != STAY_SAME)
			g_array_append_val(later, id);
	}
	engine->stay->unread_us = clock_monotonic(engine->clock) + STAY_READ_AGAIN_US;
}

/* What could not be read is looked at again with the others. */
static void
stay_read_again(Engine *engine)
{
	Stay *stay = engine->stay;

	if (stay->unread->len == 0 || clock_monotonic(engine->clock) < stay->unread_us)
		return;
	g_array_append_vals(stay->deferred, stay->unread->data, stay->unread->len);
	g_array_set_size(stay->unread, 0);
	stay->unread_us = clock_monotonic(engine->clock) + STAY_READ_AGAIN_US;
}

static void
stay_take_noted(Stay *stay)
{
	g_mutex_lock(&stay->lock);
	g_array_append_vals(stay->deferred, stay->noted->data, stay->noted->len);
	g_array_set_size(stay->noted, 0);
	g_mutex_unlock(&stay->lock);
}

void
stay_fill_more(Engine *engine)
{
	const int64_t until_us = g_get_monotonic_time() + STAY_FILL_US;
	GArray *deferred = engine->stay->deferred;

	stay_read_again(engine);
	stay_take_noted(engine->stay);
	while (deferred->len > 0 && g_get_monotonic_time() < until_us) {
		const QueueId id = g_array_index(deferred, QueueId, deferred->len - 1);
		const StayAnswer answer = stay_fill_one(engine, id);

		if (answer == STAY_UNSURE)
			return; /* the next look begins with this one */
		g_array_set_size(deferred, deferred->len - 1);
		if (answer == STAY_CHANGED)
			stay_go_on(engine, id);
	}
}
