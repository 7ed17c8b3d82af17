/* delivery-report.c - reports to the sender of a message: failures, delays, and deliveries where that was asked for.
 *
 * A report of failures or deliveries is committed together with the state that says so: both or neither. */
#include <string.h>

#include "base/error.h"
#include "engine/delivery-private.h"
#include "engine/submit.h"

/* Of a recipient that has a result of this attempt, or failed in an earlier one that did not come to its report. */
static DsnRecipient
report_recipient(const ActiveMessage *active, guint place, DsnAction action)
{
	const DeliveryRecipient *recipient = &active->recipients[place];
	const char *reply = active->state->recipients[place].reply;
	const int64_t now_us = clock_wall(active->delivery->engine->clock);
	const int64_t held_us = message_state_held_us(active->state, place, now_us);
	DsnRecipient reported = { .place = place,
		.action = action,
		.reply = reply,
		.expires_us = active->message->envelope->arrived_us + active->snapshot->delivery->expire_us + held_us };

	if (recipient->has_result) {
		reported.is_remote = recipient->result.is_remote;
		reported.peer = recipient->peer;
	} else {
		reported.is_remote = reply != NULL && strspn(reply, "0123456789") == 3;
	}
	return reported;
}

static char
report_letter(DsnAction action)
{
	return action == DSN_FAILED ? 'F' : action == DSN_DELAYED ? 'D' : 'R';
}

/* False: it cannot be read now.  `has_content` is false where it is damaged: the report then goes without it. */
static bool
report_read_content(ActiveMessage *active, bool *has_content)
{
	g_autoptr(GError) error = NULL;

	g_mutex_lock(&active->content_lock);
	*has_content = spool_read_content(active->message, &error);
	g_mutex_unlock(&active->content_lock);
	return *has_content || g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_DAMAGED);
}

/* NULL: it cannot be written now. */
static SpoolTransaction *
report_write(ActiveMessage *active, const GArray *recipients, QueueId *id)
{
	const Envelope *envelope = active->message->envelope;
	DsnReport report = { .message = active->message,
		.settings = active->snapshot->delivery,
		.recipients = (const DsnRecipient *)(void *)recipients->data,
		.n = recipients->len,
		.now_us = clock_wall(active->delivery->engine->clock) };
	const char letter[] = { report_letter(report.recipients[0].action), '\0' };
	g_autofree char *text = NULL;
	char name[ID_TEXT_SIZE + sizeof letter];

	if (!report_read_content(active, &report.has_content))
		return NULL;
	id_format(envelope->id, name);
	g_strlcat(name, letter, sizeof name);
	text = dsn_write(&report, name);
	if (text == NULL)
		return NULL;
	return submit_prepare(active->delivery->engine, "", envelope->sender, text, id);
}

/* The report of that transaction is due; `state` may be NULL: nothing changes with it.  True: it is durable. */
static bool
report_commit(ActiveMessage *active, const GArray *recipients, const MessageState *state)
{
	Engine *engine = active->delivery->engine;
	g_autoptr(MessageState) first = NULL;
	SpoolTransaction *transaction;
	QueueId id;

	transaction = report_write(active, recipients, &id);
	if (transaction == NULL)
		return false;
	if (state != NULL)
		spool_transaction_add_state(transaction, message_state_copy(state));
	if (spool_commit_wait(engine->spool, transaction) != SPOOL_COMMITTED)
		return false;
	first = message_state_new(id, 1);
	queue_enter(engine->queue, first);
	return true;
}

static GArray *
report_new_list(void)
{
	return g_array_new(FALSE, FALSE, sizeof(DsnRecipient));
}

static void
report_add(const ActiveMessage *active, GArray *recipients, guint place, DsnAction action)
{
	const DsnRecipient recipient = report_recipient(active, place, action);

	g_array_append_val(recipients, recipient);
}

/* ---- deliveries ---- */

static bool
report_is_success(const ActiveMessage *active, guint place, DsnAction action)
{
	const DeliveryRecipient *recipient = &active->recipients[place];

	if (!recipient->has_result || recipient->result.status != SENT_OK ||
		!dsn_is_wanted(active->message->envelope, place, action))
		return false;
	return recipient->result.is_final ? action == DSN_DELIVERED
									  : action == DSN_RELAYED && !recipient->can_dsn;
}

/* One that cannot be written now is left out: the mail is there, and sending it again would be worse. */
void
report_successes(ActiveMessage *active, const GArray *places)
{
	static const DsnAction actions[] = { DSN_DELIVERED, DSN_RELAYED };

	for (size_t k = 0; k < G_N_ELEMENTS(actions); k++) {
		g_autoptr(GArray) recipients = report_new_list();

		for (guint i = 0; i < places->len; i++) {
			const guint place = g_array_index(places, guint, i);

			if (report_is_success(active, place, actions[k]))
				report_add(active, recipients, place, actions[k]);
		}
		if (recipients->len > 0 && report_commit(active, recipients, active->state))
			active->has_results = active->has_changes = false;
	}
}

/* ---- delays ---- */

/* It is a courtesy: one that cannot be written now is tried at the next attempt. */
void
report_delay(ActiveMessage *active)
{
	g_autoptr(GArray) recipients = report_new_list();

	for (guint i = 0; i < active->state->n_recipients && active->deferred > 0; i++)
		if (active->recipients[i].has_result && active->recipients[i].result.status == SENT_DEFERRED &&
			settle_is_late(active, i) && dsn_is_wanted(active->message->envelope, i, DSN_DELAYED))
			report_add(active, recipients, i, DSN_DELAYED);
	if (recipients->len == 0 || !report_commit(active, recipients, NULL))
		return;
	for (guint k = 0; k < recipients->len; k++) {
		RecipientState *recipient =
			&active->state->recipients[g_array_index(recipients, DsnRecipient, k).place];

		recipient->is_warned = recipient->is_changed = true;
	}
}

/* ---- failures ---- */

/* The state as it is once the failures are reported; new. */
static MessageState *
report_state_after(const MessageState *state)
{
	MessageState *after = message_state_copy(state);

	for (unsigned i = 0; i < after->n_recipients; i++)
		if (after->recipients[i].status == RECIPIENT_FAILED)
			message_state_set_recipient(after, i, RECIPIENT_BOUNCED, after->recipients[i].reply);
	return after;
}

bool
report_failures(ActiveMessage *active)
{
	g_autoptr(GArray) recipients = report_new_list();
	g_autoptr(MessageState) after = NULL;

	for (guint i = 0; i < active->state->n_recipients; i++)
		if (active->state->recipients[i].status == RECIPIENT_FAILED &&
			dsn_is_wanted(active->message->envelope, i, DSN_FAILED))
			report_add(active, recipients, i, DSN_FAILED);
	if (recipients->len == 0 && message_state_count(active->state, RECIPIENT_FAILED) == 0)
		return true;
	after = report_state_after(active->state);
	if (recipients->len > 0 && !report_commit(active, recipients, after))
		return false;
	active->has_results = recipients->len == 0;
	active->has_changes = active->has_changes && recipients->len == 0;
	message_state_free(active->state);
	active->state = g_steal_pointer(&after);
	return true;
}
