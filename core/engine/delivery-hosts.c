/* delivery-hosts.c - the servers of a next hop: one after the other until each recipient has its result (RFC 5321 5.1). */
#include "engine/delivery-private.h"

/* ---- a connection ---- */

static bool
hosts_were_tried(const DeliveryThread *thread, const char *address)
{
	return g_ptr_array_find_with_equal_func(thread->tried, address, g_str_equal, NULL);
}

static SmtpClient *
hosts_open_one(DeliveryThread *thread, const SmtpOpening *opening, char **reply)
{
	DeliveryTrust *trust = thread->delivery->trust;
	const NextHop *hop = opening->hop;
	bool is_untrusted = false;
	SmtpClient *client;

	g_clear_pointer(reply, g_free);
	client = smtp_client_open(opening, reply, &is_untrusted);
	if (client != NULL && hop->tls == TLS_VERIFY)
		delivery_trust_succeeded(trust, hop->text);
	if (is_untrusted)
		delivery_trust_failed(trust, hop->text, *reply, g_get_monotonic_time());
	return client;
}

static SmtpClient *
hosts_try(DeliveryThread *thread, const DeliverySettings *settings, const GPtrArray *addresses, bool is_known,
	char **reply)
{
	SmtpOpening opening = { .settings = settings,
		.hop = thread->destination->hop,
		.is_known = is_known,
		.quirks = thread->delivery->quirks };

	for (guint i = 0; i < addresses->len && thread->tried->len < settings->max_addresses; i++) {
		g_autofree char *address = NULL;
		SmtpClient *client;

		opening.to = g_ptr_array_index(addresses, i);
		address = hop_address_text(opening.hop, opening.to);
		if (hosts_were_tried(thread, address) ||
			!delivery_enter_address(thread, opening.to, settings->per_destination))
			continue;
		g_ptr_array_add(thread->tried, g_steal_pointer(&address));
		client = hosts_open_one(thread, &opening, reply);
		if (client != NULL)
			return client;
		delivery_leave_address(thread);
	}
	return NULL;
}

SmtpClient *
delivery_open(
	DeliveryThread *thread, const DeliverySettings *settings, const GPtrArray *addresses, char **reply)
{
	Destination *destination = thread->destination;
	SmtpClient *client;
	bool is_known;

	g_mutex_lock(&thread->delivery->lock);
	is_known = destination->service_us != 0 || destination->open > 0;
	destination->opening++;
	g_mutex_unlock(&thread->delivery->lock);
	client = hosts_try(thread, settings, addresses, is_known, reply);
	g_mutex_lock(&thread->delivery->lock);
	destination->opening--;
	destination->open += client != NULL;
	g_mutex_unlock(&thread->delivery->lock);
	return client;
}

/* ---- what is sent over it ---- */

SmtpTask
delivery_task(const Job *job)
{
	return (SmtpTask){ .message = job->active->message,
		.places = (const guint *)(void *)job->places->data,
		.n = job->places->len,
		.sender = job->sender,
		.ways = job->active->ways };
}

static DeliveryRecipient *
hosts_recipient(const Job *job, guint i)
{
	return &job->active->recipients[g_array_index(job->places, guint, i)];
}

static void
hosts_take_result(const DeliveryThread *thread, DeliveryRecipient *recipient, const SentResult *result)
{
	g_free(recipient->peer);
	g_free(recipient->result.reply);
	recipient->has_result = true;
	recipient->peer = g_strdup(smtp_client_peer(thread->client));
	recipient->can_dsn = smtp_client_relays_dsn(thread->client);
	recipient->result = *result;
}

void
delivery_take_results(DeliveryThread *thread, const Job *job, const SentResult *results)
{
	for (guint i = 0; i < job->places->len; i++)
		hosts_take_result(thread, hosts_recipient(job, i), &results[i]);
}

/* ---- the next server ---- */

/* The mailbox itself, or a server that may have the message already, is asked again later. */
static bool
hosts_may_ask_again(const SentResult *result)
{
	return result->status == SENT_DEFERRED && !result->is_final && (result->is_remote || result->is_cut_off);
}

/* New: of the job's recipients, those that another server is asked for. */
static GArray *
hosts_left(const Job *job)
{
	GArray *left = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = 0; i < job->places->len; i++)
		if (hosts_may_ask_again(&hosts_recipient(job, i)->result))
			g_array_append_val(left, g_array_index(job->places, guint, i));
	return left;
}

static bool
hosts_is_stopping(const DeliveryThread *thread)
{
	bool is_stopping;

	g_mutex_lock(&thread->delivery->lock);
	is_stopping = thread->delivery->is_stopping;
	g_mutex_unlock(&thread->delivery->lock);
	return is_stopping;
}

/* The server said nothing of the recipient: it hung up, or is one that this message cannot go to (as it has no SMTPUTF8, say),
 * while an earlier one may take it later. */
static bool
hosts_is_no_answer(const SentResult *result, const SentResult *before)
{
	return !result->is_remote && (result->status == SENT_FAILED || (result->is_cut_off && before->is_remote));
}

/* A recipient of whom the server says nothing keeps the result it has. */
static void
hosts_send(DeliveryThread *thread, const Job *part)
{
	const SmtpTask task = delivery_task(part);
	g_autofree SentResult *results = g_new0(SentResult, task.n);

	(void)smtp_client_send(thread->client, &task, NULL, results);
	for (guint i = 0; i < task.n; i++) {
		DeliveryRecipient *recipient = hosts_recipient(part, i);

		if (hosts_is_no_answer(&results[i], &recipient->result))
			g_free(results[i].reply);
		else
			hosts_take_result(thread, recipient, &results[i]);
	}
}

void
delivery_ask_others(DeliveryThread *thread, const Job *job)
{
	const Snapshot *snapshot = job->active->snapshot;
	DeliveryThread other = {
		.delivery = thread->delivery, .destination = thread->destination, .tried = thread->tried
	};
	g_autoptr(GPtrArray) addresses = NULL;
	Job part = { .active = job->active, .places = hosts_left(job), .sender = job->sender };
	const guint n_tried = thread->tried->len;
	g_autofree char *unused = NULL;

	if (part.places->len > 0 && thread->destination->hop->path == NULL &&
		route_addresses(snapshot->dns, snapshot->delivery, thread->destination->hop,
			g_get_monotonic_time() + snapshot->delivery->connect_us, &addresses, &unused) == HOP_OK) {
		while (part.places->len > 0 && !hosts_is_stopping(thread) &&
			   (other.client = delivery_open(&other, snapshot->delivery, addresses, &unused)) != NULL) {
			GArray *tried = part.places;

			hosts_send(&other, &part);
			delivery_hang_up(&other);
			part.places = hosts_left(&part);
			g_array_unref(tried);
		}
	}
	g_array_unref(part.places);
	g_ptr_array_set_size(thread->tried, (int)n_tried); /* the next message may be offered to those again */
}
