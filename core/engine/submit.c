/* submit.c - messages of our own making. */
#include "engine/submit.h"

#include <string.h>

SpoolTransaction *
submit_prepare(Engine *engine, const char *sender, const char *recipient, const char *text, QueueId *id)
{
	g_autoptr(Content) content = content_new(engine->spool);
	g_autoptr(GError) error = NULL;
	SpoolTransaction *transaction;
	Envelope *envelope;

	content_append(content, text, strlen(text));
	if (content_wants_flush(content) && !(content_flush(content, &error) && content_finish(content, &error)))
		return NULL;
	*id = id_next(engine->ids);
	envelope = envelope_new(*id);
	envelope->arrived_us = clock_wall(engine->clock);
	g_free(envelope->sender);
	envelope->sender = g_strdup(sender);
	envelope->body = g_str_is_ascii(text) ? BODY_7BIT : BODY_8BITMIME;
	envelope->is_smtputf8 = !g_str_is_ascii(sender) || !g_str_is_ascii(recipient);
	envelope_add_recipient(envelope, recipient, NULL, 0);
	transaction = spool_transaction_new();
	spool_transaction_set_content(transaction, g_steal_pointer(&content));
	spool_transaction_add(transaction, envelope, NULL);
	return transaction;
}

bool
submit_message(Engine *engine, const char *sender, const char *recipient, const char *text)
{
	g_autoptr(MessageState) state = NULL;
	QueueId id;
	SpoolTransaction *transaction = submit_prepare(engine, sender, recipient, text, &id);

	if (transaction == NULL || spool_commit_wait(engine->spool, transaction) != SPOOL_COMMITTED)
		return false;
	state = message_state_new(id, 1);
	queue_enter(engine->queue, state);
	return true;
}
