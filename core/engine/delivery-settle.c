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

/* The time that a message was held does not count.  While it is not known that the clock is right nothing expires: see
 * queue_was_attempted(). */
static bool
settle_is_older(const ActiveMessage *active, int64_t most_us)
{
	const Engine *engine = active->delivery->engine;
	const int64_t age_us = clock_wall(engine->clock) - active->message->envelope->arrived_us -
						   active->state->held_total_us;

	return age_us > most_us && queue_was_attempted(engine->queue, active->state->id);
}

static void
settle_deferred(ActiveMessage *active, guint i)
{
	SentResult *result = &active->recipients[i].result;

	if (settle_is_older(active, active->snapshot->delivery->expire_us)) {
		g_autofree char *reply = g_strdup_printf("4.4.7 it could not be delivered in time; last: %s",
			result->reply != NULL ? result->reply : "it was never tried");

		sent_result_set(result, SENT_FAILED, result->is_remote, reply);
		settle_failed(active, i);
		return;
	}
	message_state_set_recipient(active->state, i, RECIPIENT_PENDING, result->reply);
	active->has_changes = true;
	active->deferred++;
	settle_log(active, i, "deferred");
	settle_count(active, "messages.deferred");
	settle_observe(active, i, PTN_DEFERRED);
}

void
settle_recipient(ActiveMessage *active, guint place)
{
	DeliveryRecipient *recipient = &active->recipients[place];

	if (!recipient->has_result || recipient->is_settled)
		return;
	recipient->is_settled = true;
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
		active->held++;
		break;
	}
}

/* ---- the message ---- */

bool
settle_is_late(const ActiveMessage *active)
{
	const int64_t warn_after_us = active->snapshot->delivery->warn_after_us;

	return warn_after_us > 0 && !active->state->is_warned && settle_is_older(active, warn_after_us);
}

/* Doubling from the least to the most, a tenth of it by chance, so that what failed together does not come back
 * together. */
static int64_t
settle_back_off(const DeliverySettings *settings, unsigned attempts)
{
	int64_t wait_us = settings->retry_least_us;

	for (unsigned i = 1; i < attempts && wait_us < settings->retry_most_us; i++)
		wait_us *= 2;
	wait_us = MIN(wait_us, settings->retry_most_us);
	return wait_us - (int64_t)(g_random_double() * (double)wait_us / 10);
}

/* The reason is the last one's; released it is when the first of them wants that. */
static void
settle_hold_for(ActiveMessage *active, guint i)
{
	const RouteAnswer *way = &active->ways[i];
	const DeliveryRecipient *recipient = &active->recipients[i];
	MessageState *state = active->state;
	int64_t release_at_us = way->release_at_us;

	if (!recipient->has_result || recipient->result.status != SENT_HELD)
		return;
	g_free(state->hold_reason);
	if (way->result == ROUTE_HELD) {
		state->hold_reason = g_strdup(way->reply);
	} else { /* its host does not exist; one day it may */
		g_autofree char *reason = stay_reason(way->way.domain);

		state->hold_reason = g_strdup_printf("%s: %s", recipient->result.reply, reason);
		release_at_us = state->held_since_us + active->snapshot->delivery->retry_most_us;
	}
	if (release_at_us != 0 && (state->release_at_us == 0 || release_at_us < state->release_at_us))
		state->release_at_us = release_at_us;
}

/* What was not tried in this attempt, as it waits for its next hop or the attempt was broken off, is not held. */
static bool
settle_is_all_held(const ActiveMessage *active)
{
	const MessageState *state = active->state;

	for (guint i = 0; i < state->n_recipients; i++) {
		const DeliveryRecipient *recipient = &active->recipients[i];

		if (state->recipients[i].status == RECIPIENT_PENDING &&
			(!recipient->has_result || recipient->result.status != SENT_HELD))
			return false;
	}
	return active->held > 0;
}

void
settle_schedule(ActiveMessage *active)
{
	const int64_t now_us = clock_wall(active->delivery->engine->clock);
	MessageState *state = active->state;

	if (active->deferred > 0) {
		state->attempts++;
		state->next_us = now_us + settle_back_off(active->snapshot->delivery, state->attempts);
	} else if (settle_is_all_held(active)) {
		active->has_changes = true;
		state->is_held = true;
		state->held_since_us = now_us;
		for (guint i = 0; i < state->n_recipients; i++)
			settle_hold_for(active, i);
	}
	if (delivery_is_cut_off(active))
		state->next_us = now_us;
}

void
settle_stay(const ActiveMessage *active)
{
	const MessageState *state = active->state;
	const SpoolSummary summary = { .id = state->id,
		.size = active->message->size,
		.arrived_us = active->message->envelope->arrived_us };

	for (guint i = 0; i < state->n_recipients; i++)
		if (state->recipients[i].status == RECIPIENT_PENDING && active->ways[i].way.domain != NULL)
			stay_add(active->delivery->engine->stay, &active->ways[i].way, &summary, state->is_held);
}
