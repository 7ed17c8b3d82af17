/* delivery-retry.c - what waits for a domain is due at once, as ETRN asks for. */
#include "engine/delivery-private.h"
#include "proto/path.h"

static bool
delivery_collect_id(void *data, const SpoolSummary *summary)
{
	if (!summary->is_held)
		g_array_append_val((GArray *)data, summary->id);
	return true;
}

static bool
delivery_is_for(const SpoolMessage *message, const char *domain)
{
	for (guint i = 0; i < message->state->n_recipients; i++) {
		const Recipient *recipient = g_ptr_array_index(message->envelope->recipients, i);

		if (message->state->recipients[i].status == RECIPIENT_PENDING &&
			g_ascii_strcasecmp(mailbox_domain(recipient->address), domain) == 0)
			return true;
	}
	return false;
}

typedef struct {
	Work work;
	Delivery *delivery;
	char *domain;
} Retry;

static void
delivery_run_retry(void *data)
{
	Retry *retry = data;
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));

	spool_each(retry->delivery->engine->spool, delivery_collect_id, ids);
	for (guint i = 0; i < ids->len; i++) {
		g_autoptr(SpoolMessage) message =
			spool_read(retry->delivery->engine->spool, g_array_index(ids, QueueId, i), NULL);

		if (message != NULL && delivery_is_for(message, retry->domain))
			(void)queue_do(retry->delivery->engine->queue, g_array_index(ids, QueueId, i), QUEUE_RETRY, NULL);
	}
	g_free(retry->domain);
	g_free(retry);
}

void
delivery_retry_domain(void *data, const char *domain)
{
	Delivery *delivery = data;
	Retry *retry = g_new0(Retry, 1);

	retry->delivery = delivery;
	retry->domain = g_strdup(domain);
	retry->work.run = delivery_run_retry;
	retry->work.data = retry;
	if (!workers_run(delivery->engine->waiters, &retry->work)) {
		g_free(retry->domain);
		g_free(retry);
	}
}
