/* delivery-settle.c - what became of a message: its new state, reports to its sender, the log, the observers. */
#include <string.h>

#include "base/log.h"
#include "engine/bounce.h"
#include "engine/delivery-private.h"
#include "engine/submit.h"
#include "proto/path.h"

typedef struct {
	InHand *in_hand;
	MessageState *state;    /* the new one */
	GArray *reports[4];     /* of DsnRecipient, by action */
	int64_t now_us, age_us; /* time held does not count */
	bool is_expired;
	unsigned deferred, held;
} Settling;

/* ---- one recipient ---- */

static void
settle_log(const Settling *settling, guint i, const char *event)
{
	const InHand *in_hand = settling->in_hand;
	const Envelope *envelope = in_hand->message->envelope;
	const Recipient *recipient = g_ptr_array_index(envelope->recipients, i);
	char id[ID_TEXT_SIZE], delay[24];

	g_snprintf(delay, sizeof delay, "%.3f", (double)(settling->now_us - envelope->arrived_us) / 1e6);
	log_event(LOG_LEVEL_INFO, event, "queue", id_format(envelope->id, id), "session",
		envelope_note(envelope, "session"), "login", envelope_note(envelope, "account"), "from", envelope->sender,
		"to", recipient->address, "forwarded-to", in_hand->ways[i].recipient, "relay", in_hand->peers[i], "delay",
		delay, "reply", in_hand->results[i].reply, NULL);
}

static void
settle_observe(const Settling *settling, guint i, PtnStage stage)
{
	const InHand *in_hand = settling->in_hand;
	const char *reply = in_hand->results[i].reply;
	const Observation observation = { .snapshot = in_hand->snapshot,
		.stage = stage,
		.envelope = in_hand->message->envelope,
		.recipient = i,
		.code = reply != NULL ? atoi(reply) : 0,
		.cause = PTN_REMOTE,
		.text = reply,
		.is_ours = !in_hand->results[i].is_remote };

	if (chain_has(in_hand->snapshot->chain, stage))
		observer_tell(in_hand->delivery->engine->observer, &observation);
}

static void
settle_report(Settling *settling, guint i, DsnAction action)
{
	const InHand *in_hand = settling->in_hand;
	const DsnRecipient told = { .place = i,
		.action = action,
		.reply = in_hand->results[i].reply,
		.is_remote = in_hand->results[i].is_remote,
		.peer = in_hand->peers[i] };

	if (!dsn_is_wanted(in_hand->message->envelope, i, action))
		return;
	if (settling->reports[action] == NULL)
		settling->reports[action] = g_array_new(FALSE, FALSE, sizeof(DsnRecipient));
	g_array_append_val(settling->reports[action], told);
}

static void
settle_delivered(Settling *settling, guint i)
{
	message_state_set_recipient(settling->state, i, RECIPIENT_DELIVERED, settling->in_hand->results[i].reply);
	settle_log(settling, i, "delivered");
	metrics_add(settling->in_hand->delivery->engine->metrics, "messages.delivered", 1);
	settle_observe(settling, i, PTN_DELIVERED);
	if (settling->in_hand->results[i].is_final)
		settle_report(settling, i, DSN_DELIVERED);
	else if (!settling->in_hand->can_dsn[i])
		settle_report(settling, i, DSN_RELAYED);
}

static void
settle_failed(Settling *settling, guint i)
{
	message_state_set_recipient(settling->state, i, RECIPIENT_BOUNCED, settling->in_hand->results[i].reply);
	settle_log(settling, i, "bounced");
	metrics_add(settling->in_hand->delivery->engine->metrics, "messages.bounced", 1);
	settle_observe(settling, i, PTN_BOUNCED);
	settle_report(settling, i, DSN_FAILED);
}

static void
settle_deferred(Settling *settling, guint i)
{
	InHand *in_hand = settling->in_hand;
	const DeliverySettings *settings = in_hand->snapshot->delivery;

	if (settling->is_expired) {
		g_autofree char *reply = g_strdup_printf("4.4.7 it could not be delivered in time; last: %s",
			in_hand->results[i].reply != NULL ? in_hand->results[i].reply : "it was never tried");

		sent_result_set(&in_hand->results[i], SENT_FAILED, in_hand->results[i].is_remote, reply);
		settle_failed(settling, i);
		return;
	}
	message_state_set_recipient(settling->state, i, RECIPIENT_PENDING, in_hand->results[i].reply);
	settling->deferred++;
	settle_log(settling, i, "deferred");
	metrics_add(in_hand->delivery->engine->metrics, "messages.deferred", 1);
	settle_observe(settling, i, PTN_DEFERRED);
	if (settings->warn_after_us > 0 && settling->age_us > settings->warn_after_us && !settling->state->is_warned)
		settle_report(settling, i, DSN_DELAYED);
}

static void
settle_one(Settling *settling, guint i)
{
	if (!settling->in_hand->was_tried[i])
		return; /* finished before */
	switch (settling->in_hand->results[i].status) {
	case SENT_OK:
		settle_delivered(settling, i);
		break;
	case SENT_FAILED:
		settle_failed(settling, i);
		break;
	case SENT_DEFERRED:
		settle_deferred(settling, i);
		break;
	case SENT_HELD:
		settling->held++;
		break;
	}
}

/* ---- the message ---- */

/* Doubling from the least to the most, a tenth of it by chance, so that what failed together does not come back together. */
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
settle_hold_for(Settling *settling, guint i)
{
	const InHand *in_hand = settling->in_hand;
	const RouteAnswer *way = &in_hand->ways[i];
	MessageState *state = settling->state;
	int64_t release_at_us = way->release_at_us;

	if (!in_hand->was_tried[i] || in_hand->results[i].status != SENT_HELD)
		return;
	g_free(state->hold_reason);
	if (way->result == ROUTE_HELD) {
		state->hold_reason = g_strdup(way->reply);
	} else { /* its host does not exist; one day it may */
		g_autofree char *reason = stay_reason(way->way.domain);

		state->hold_reason = g_strdup_printf("%s: %s", in_hand->results[i].reply, reason);
		release_at_us = settling->now_us + in_hand->snapshot->delivery->retry_most_us;
	}
	if (release_at_us != 0 && (state->release_at_us == 0 || release_at_us < state->release_at_us))
		state->release_at_us = release_at_us;
}

static void
settle_schedule(Settling *settling)
{
	const DeliverySettings *settings = settling->in_hand->snapshot->delivery;
	MessageState *state = settling->state;

	if (settling->deferred > 0) {
		state->attempts++;
		state->next_us = settling->now_us + settle_back_off(settings, state->attempts);
		if (settling->reports[DSN_DELAYED] != NULL)
			state->is_warned = true;
	} else if (settling->held > 0) {
		state->is_held = true;
		state->held_since_us = settling->now_us;
		for (guint i = 0; i < state->n_recipients; i++)
			settle_hold_for(settling, i);
	}
}

/* Those that are left wait for the next change of their domains, too. */
static void
settle_stay(const Settling *settling)
{
	const InHand *in_hand = settling->in_hand;
	const MessageState *state = settling->state;
	const SpoolSummary summary = {
		.id = state->id, .size = in_hand->message->size, .arrived_us = in_hand->message->envelope->arrived_us
	};

	for (guint i = 0; i < state->n_recipients; i++)
		if (state->recipients[i].status == RECIPIENT_PENDING && in_hand->ways[i].way.domain != NULL)
			stay_add(in_hand->delivery->engine->stay, &in_hand->ways[i].way, &summary, state->is_held);
}

static SpoolTransaction *
settle_write_report(Settling *settling, DsnAction action, QueueId *id)
{
	InHand *in_hand = settling->in_hand;
	const Envelope *envelope = in_hand->message->envelope;
	const GArray *recipients = settling->reports[action];
	const DsnReport report = { .message = in_hand->message,
		.settings = in_hand->snapshot->delivery,
		.recipients = (const DsnRecipient *)(void *)recipients->data,
		.n = recipients->len,
		.now_us = settling->now_us,
		.expires_us = envelope->arrived_us + in_hand->snapshot->delivery->expire_us };
	g_autofree char *text = NULL;
	char name[ID_TEXT_SIZE + 2];

	id_format(envelope->id, name);
	g_strlcat(name, action == DSN_FAILED ? "F" : action == DSN_DELAYED ? "D" : "R", sizeof name);
	if (!spool_read_content(in_hand->message, NULL))
		return NULL;
	text = dsn_write(&report, name);
	if (text == NULL)
		return NULL;
	return submit_prepare(in_hand->delivery->engine, "", envelope->sender, text, id);
}

/* A report that does not say "failed" may be lost; the failure's is committed together with the state. */
static void
settle_send_other_reports(Settling *settling)
{
	static const DsnAction others[] = { DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED };

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		SpoolTransaction *transaction;
		QueueId id;

		if (settling->reports[others[i]] == NULL)
			continue;
		transaction = settle_write_report(settling, others[i], &id);
		if (transaction != NULL &&
			spool_commit_wait(settling->in_hand->delivery->engine->spool, transaction) == SPOOL_COMMITTED) {
			g_autoptr(MessageState) state = message_state_new(id, 1);

			queue_enter(settling->in_hand->delivery->engine->queue, state);
		}
	}
}

/* Without its report a recipient is not given up; what was delivered stays delivered. */
static void
settle_keep_failed(Settling *settling)
{
	const InHand *in_hand = settling->in_hand;

	for (guint i = 0; i < in_hand->message->envelope->recipients->len; i++)
		if (in_hand->was_tried[i] && in_hand->results[i].status == SENT_FAILED)
			message_state_set_recipient(settling->state, i, RECIPIENT_PENDING, in_hand->results[i].reply);
	settling->state->next_us = settling->now_us + in_hand->snapshot->delivery->retry_least_us;
}

static void
settle_commit(Settling *settling)
{
	Engine *engine = settling->in_hand->delivery->engine;
	SpoolTransaction *transaction = NULL;
	SpoolSummary summary;
	QueueId id = 0;

	if (settling->reports[DSN_FAILED] != NULL) {
		transaction = settle_write_report(settling, DSN_FAILED, &id);
		if (transaction == NULL)
			settle_keep_failed(settling);
	}
	settle_stay(settling);
	if (queue_update(engine->queue, g_steal_pointer(&settling->state), transaction) && transaction != NULL) {
		g_autoptr(MessageState) state = message_state_new(id, 1);

		queue_enter(engine->queue, state);
	}
	/* a verb of the administrator may have removed it meanwhile */
	if (!spool_summary(engine->spool, settling->in_hand->message->envelope->id, &summary))
		stay_forget(engine->stay, settling->in_hand->message->envelope->id);
}

static void
settle_free(InHand *in_hand)
{
	Delivery *delivery = in_hand->delivery;
	const guint n = in_hand->message->envelope->recipients->len;

	for (guint i = 0; i < n; i++) {
		route_answer_clear(&in_hand->ways[i]);
		g_free(in_hand->results[i].reply);
		g_free(in_hand->peers[i]);
	}
	g_free(in_hand->results);
	g_free(in_hand->peers);
	g_free(in_hand->was_tried);
	g_free(in_hand->can_dsn);
	g_free(in_hand->ways);
	spool_message_free(in_hand->message);
	g_mutex_clear(&in_hand->lock);
	snapshot_unref(in_hand->snapshot);
	g_free(in_hand);
	g_mutex_lock(&delivery->lock);
	if (delivery->in_hand-- >= DELIVERY_IN_HAND) {
		delivery->is_awake = true;
		g_cond_signal(&delivery->wake);
	}
	g_mutex_unlock(&delivery->lock);
}

static void
settle_message(InHand *in_hand)
{
	const Envelope *envelope = in_hand->message->envelope;
	Settling settling = { .in_hand = in_hand,
		.state = message_state_copy(in_hand->message->state),
		.now_us = clock_wall(in_hand->delivery->engine->clock) };

	settling.age_us = settling.now_us - envelope->arrived_us - settling.state->held_total_us;
	settling.is_expired = settling.age_us > in_hand->snapshot->delivery->expire_us;
	for (guint i = 0; i < envelope->recipients->len; i++)
		settle_one(&settling, i);
	settle_schedule(&settling);
	settle_send_other_reports(&settling);
	settle_commit(&settling);
	for (size_t i = 0; i < G_N_ELEMENTS(settling.reports); i++)
		if (settling.reports[i] != NULL)
			g_array_unref(settling.reports[i]);
	g_clear_pointer(&settling.state, message_state_free);
}

void
delivery_job_done(InHand *in_hand)
{
	if (atomic_fetch_sub(&in_hand->jobs, 1) != 1)
		return;
	settle_message(in_hand);
	settle_free(in_hand);
}
