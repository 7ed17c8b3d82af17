/* delivery-settle.c - what became of each recipient: its state, the log, the observers; and when the message is tried
 * again. */
#include <stdlib.h>

#include "base/log.h"
#include "engine/delivery-private.h"

/* ---- one recipient ---- */

static void
settle_log(const ActiveMessage *active, guint i, const char *event)
{
	const Envelope *envelope = active->message->envelope;
	const Recipient *recipient = g_ptr_array_index(envelope->recipients, i);
	const int64_t now_us = clock_wall(active->delivery->engine->clock);
	char id[ID_TEXT_SIZE], delay[24];

	g_snprintf(delay, sizeof delay, "%.3f", (double)(now_us - envelope->arrived_us) / 1e6);
	log_event(LOG_LEVEL_INFO, event, "queue", id_format(envelope->id, id), "session",
		envelope_note(envelope, "session"), "login", envelope_note(envelope, "account"), "from",
		envelope->sender, "to", recipient->address, "forwarded-to", active->ways[i].recipient, "relay",
		active->recipients[i].peer, "delay", delay, "reply", active->recipients[i].result.reply, NULL);
}

static void
settle_observe(const ActiveMessage *active, guint i, PtnStage stage)
{
	const SentResult *result = &active->recipients[i].result;
	const Observation observation = { .snapshot = active->snapshot,
		.stage = stage,
		.envelope = active->message->envelope,
		.recipient = i,
		.code = result->reply != NULL ? atoi(result->reply) : 0,
		.cause = PTN_REMOTE,
		.text = result->reply,
		.is_ours = !result->is_remote };

	if (chain_has(active->snapshot->chain, stage))
		observer_tell(active->delivery->engine->observer, &observation);
}

static void
settle_count(const ActiveMessage *active, const char *metric)
{
	metrics_add(active->delivery->engine->metrics, metric, 1);
}

static void
settle_delivered(ActiveMessage *active, guint i)
{
	message_state_set_recipient(
		active->state, i, RECIPIENT_DELIVERED, active->recipients[i].result.reply);
	active->has_results = true;
	settle_log(active, i, "delivered");
	settle_count(active, "messages.delivered");
	settle_observe(active, i, PTN_DELIVERED);
}

static void
settle_failed(ActiveMessage *active, guint i)
{
	const bool is_to_report = dsn_is_wanted(active->message->envelope, i, DSN_FAILED);

	message_state_set_recipient(active->state, i, is_to_report ? RECIPIENT_FAILED : RECIPIENT_BOUNCED,
		active->recipients[i].result.reply);
	active->has_results = true;
	settle_log(active, i, "bounced");
	settle_count(active, "messages.bounced");
	settle_observe(active, i, PTN_BOUNCED);
}

/* The time that a recipient was held does not count.  `failures`: attempts for it that failed; one that failed for the
 * first time is not old, however late the attempt came.  While it is not known that the clock is right nothing expires:
 * see queue_was_attempted(). */
static bool
settle_is_older(const ActiveMessage *active, guint i, unsigned failures, int64_t most_us)
{
	const Engine *engine = active->delivery->engine;
	const int64_t now_us = clock_wall(engine->clock);
	const int64_t age_us = now_us - active->message->envelope->arrived_us -
						   message_state_held_us(active->state, i, now_us);

	return failures > 1 && age_us > most_us && queue_was_attempted(engine->queue, active->state->id);
}

static void
settle_deferred(ActiveMessage *active, guint i)
{
	SentResult *result = &active->recipients[i].result;
	RecipientState *recipient = &active->state->recipients[i];

	if (settle_is_older(active, i, recipient->attempts + 1, active->snapshot->delivery->expire_us)) {
		g_autofree char *reply = g_strdup_printf("4.4.7 it could not be delivered in time; last: %s",
			result->reply != NULL ? result->reply : "it was never tried");

		sent_result_set(result, SENT_FAILED, result->is_remote, reply);
		settle_failed(active, i);
		return;
	}
	message_state_set_recipient(active->state, i, RECIPIENT_PENDING, result->reply);
	recipient->attempts++;
	recipient->way = stay_digest(active->ways[i].ways);
	active->has_changes = true;
	active->deferred++;
	settle_log(active, i, "deferred");
	settle_count(active, "messages.deferred");
	settle_observe(active, i, PTN_DEFERRED);
}

/* Why the recipient is held, and until when; CLOCK_NEVER: until its domain changes.  New. */
static char *
settle_hold_reason(const ActiveMessage *active, guint i, int64_t now_us, int64_t *until_us)
{
	const RouteAnswer *way = &active->ways[i];
	g_autofree char *reason = NULL;

	if (way->result == ROUTE_HELD) {
		*until_us = way->release_at_us != 0 ? way->release_at_us : CLOCK_NEVER;
		return g_strdup(way->reply);
	}
	/* its host does not exist; one day it may */
	*until_us = now_us + active->snapshot->delivery->retry_most_us;
	reason = stay_reason(stay_last_domain(way->ways));
	return g_strdup_printf("%s: %s", active->recipients[i].result.reply, reason);
}

static void
settle_held(ActiveMessage *active, guint i)
{
	const int64_t now_us = clock_wall(active->delivery->engine->clock);
	RecipientState *recipient = &active->state->recipients[i];
	const uint64_t way = stay_digest(active->ways[i].ways);
	int64_t until_us;
	g_autofree char *reason = settle_hold_reason(active, i, now_us, &until_us);

	active->held++;
	if (recipient_state_is_held(recipient) && recipient->next_us == until_us && recipient->way == way &&
		g_strcmp0(recipient->reply, reason) == 0)
		return;
	message_state_set_recipient(active->state, i, RECIPIENT_PENDING, reason);
	message_state_hold_recipient(active->state, i, until_us, now_us);
	recipient->way = way;
	active->has_changes = true;
}

void
settle_recipient(ActiveMessage *active, guint place)
{
	DeliveryRecipient *recipient = &active->recipients[place];

	if (!recipient->has_result || recipient->is_settled)
		return;
	recipient->is_settled = true;
	if (recipient->result.status != SENT_HELD)
		message_state_end_hold(active->state, place, clock_wall(active->delivery->engine->clock));
	switch (recipient->result.status) {
	case SENT_OK:
		settle_delivered(active, place);
		break;
	case SENT_FAILED:
		settle_failed(active, place);
		break;
	case SENT_DEFERRED:
		settle_deferred(active, place);
		break;
	case SENT_HELD:
		settle_held(active, place);
		break;
	}
}

/* ---- the message ---- */

bool
settle_is_late(const ActiveMessage *active, guint i)
{
	const int64_t warn_after_us = active->snapshot->delivery->warn_after_us;
	const RecipientState *recipient = &active->state->recipients[i];

	return warn_after_us > 0 && !recipient->is_warned &&
		   settle_is_older(active, i, recipient->attempts, warn_after_us);
}

/* Doubling from the least to the most, a tenth of it by chance (`share`), so that what failed together does not come back
 * together. */
static int64_t
settle_back_off(const DeliverySettings *settings, unsigned attempts, double share)
{
	int64_t wait_us = settings->retry_least_us;

	for (unsigned i = 1; i < attempts && wait_us < settings->retry_most_us; i++)
		wait_us *= 2;
	wait_us = MIN(wait_us, settings->retry_most_us);
	return wait_us - (int64_t)(share * (double)wait_us / 10);
}

/* Recipients of one message with equally many attempts stay together.  One that was to be tried in this attempt, and was
 * not, is due still. */
static void
settle_times(ActiveMessage *active, int64_t now_us)
{
	const double share = g_random_double();
	MessageState *state = active->state;

	for (unsigned i = 0; i < state->n_recipients; i++) {
		const DeliveryRecipient *result = &active->recipients[i];
		RecipientState *recipient = &state->recipients[i];

		if (recipient->status != RECIPIENT_PENDING)
			continue;
		state->attempts = MAX(state->attempts, recipient->attempts);
		if (result->has_result && result->result.status == SENT_DEFERRED)
			recipient->next_us = now_us + settle_back_off(active->snapshot->delivery, recipient->attempts, share);
		else if (!result->has_result && state->tries_all && recipient->held_since_us == 0)
			recipient->next_us = 0;
		else
			continue;
		recipient->is_changed = true;
	}
	state->tries_all = false;
}

static bool
settle_has_unreported(const MessageState *state)
{
	return message_state_count(state, RECIPIENT_FAILED) > 0;
}

void
settle_hold(ActiveMessage *active)
{
	MessageState *state = active->state;
	const int64_t first_us = message_state_first(state);
	const char *reason = NULL;

	if (state->is_held || !message_state_is_all_held(state) || settle_has_unreported(state))
		return;
	for (unsigned i = 0; i < state->n_recipients; i++)
		if (recipient_state_is_held(&state->recipients[i]))
			reason = state->recipients[i].reply;
	message_state_hold(state, reason, first_us != CLOCK_NEVER ? first_us : 0,
		clock_wall(active->delivery->engine->clock));
	active->has_changes = true;
}

void
settle_schedule(ActiveMessage *active)
{
	const int64_t now_us = clock_wall(active->delivery->engine->clock);
	MessageState *state = active->state;

	if (!active->is_routed || message_state_count(state, RECIPIENT_PENDING) == 0)
		return;
	settle_times(active, now_us);
	if (!message_state_is_all_held(state))
		state->next_us = message_state_first(state);
	else if (settle_has_unreported(state)) /* should the report not be written now, it is tried again */
		state->next_us = now_us + DELIVERY_UNREPORTED_US;
	if (delivery_is_cut_off(active))
		state->next_us = now_us;
}

/* Domains on the way of a recipient; what is held counts where its way ends. */
static void
settle_stay_recipient(const ActiveMessage *active, guint i, const SpoolSummary *summary)
{
	const GPtrArray *ways = active->ways[i].ways;
	const bool is_held = active->state->is_held || recipient_state_is_held(&active->state->recipients[i]);

	for (guint k = 0; ways != NULL && k < ways->len; k++)
		stay_add(active->delivery->engine->stay, ways->pdata[k], summary, is_held && k + 1 == ways->len);
}

/* What was noted at an earlier attempt holds until now, while the message is under way. */
void
settle_stay(const ActiveMessage *active)
{
	const MessageState *state = active->state;
	const SpoolSummary summary = { .id = state->id,
		.size = active->message->size,
		.arrived_us = active->message->envelope->arrived_us };

	if (!active->is_routed)
		return;
	stay_forget(active->delivery->engine->stay, state->id);
	for (unsigned i = 0; i < state->n_recipients; i++)
		if (state->recipients[i].status == RECIPIENT_PENDING)
			settle_stay_recipient(active, i, &summary);
}
