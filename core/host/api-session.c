/* api-session.c - getters: the instance, the session, the envelope. */
#include <string.h>

#include "host/host-private.h"
#include "proto/header.h"

bool
ptn_is_check(const PtnHook *h)
{
	return h->instance->services->is_check;
}

void *
ptn_instance(PtnHook *h)
{
	return h->instance->memory;
}

static void *
api_state(PtnHook *h, void **states, Region *region, size_t size)
{
	void **place;

	if (states == NULL || region == NULL || size == 0)
		return NULL;
	place = &states[h->instance->core.place];
	if (*place == NULL)
		*place = region_alloc(region, size);
	return *place;
}

void *
ptn_session(PtnHook *h)
{
	return api_state(h, h->call->session_states, h->call->session_region, h->instance->plugin->session_size);
}

void *
ptn_message(PtnHook *h)
{
	return api_state(h, h->call->message_states, h->call->message_region, h->instance->plugin->message_size);
}

const char *
ptn_client(PtnHook *h)
{
	char text[IP_TEXT_SIZE];

	return h->call->facts != NULL ? region_strdup(h->call->region, ip_format(&h->call->facts->client, text))
								  : NULL;
}

const char *
ptn_helo(PtnHook *h)
{
	return h->call->facts != NULL ? h->call->facts->helo : NULL;
}

const char *
ptn_login(PtnHook *h)
{
	if (h->call->stage == PTN_AUTH || (h->call->stage == PTN_EVENT && h->call->login != NULL))
		return h->call->login;
	if (h->call->facts != NULL)
		return h->call->facts->login;
	return h->call->envelope != NULL ? envelope_note(h->call->envelope, "account") : NULL;
}

const char *
ptn_password(PtnHook *h)
{
	return h->call->stage == PTN_AUTH ? h->call->password : NULL;
}

static const char *
api_queue_id(PtnHook *h)
{
	char text[ID_TEXT_SIZE];

	return h->call->envelope != NULL ? region_strdup(h->call->region, id_format(h->call->envelope->id, text))
									 : NULL;
}

static bool
api_client_is_blocked(PtnHook *h)
{
	const Engine *engine = h->instance->services->engine;

	return engine != NULL && engine->blocks != NULL &&
		   blocks_test(engine->blocks, &h->call->facts->client) != BLOCKS_FREE;
}

static const char *
api_session_fact(PtnHook *h, const char *name)
{
	const SessionFacts *facts = h->call->facts;

	if (strcmp(name, "session") == 0)
		return facts->id;
	if (strcmp(name, "client.name") == 0)
		return facts->client_name;
	if (strcmp(name, "client.monitor") == 0)
		return facts->is_monitor ? "yes" : NULL;
	if (strcmp(name, "client.blocked") == 0)
		return api_client_is_blocked(h) ? "yes" : NULL;
	if (strcmp(name, "client.port") == 0)
		return region_printf(h->call->region, "%u", facts->client_port);
	if (strcmp(name, "listener") == 0)
		return facts->listener;
	if (strcmp(name, "listener.auth") == 0)
		return facts->takes_auth ? "yes" : NULL;
	if (strcmp(name, "listener.inbound") == 0)
		return facts->is_inbound ? "yes" : NULL;
	if (strcmp(name, "tls.version") == 0)
		return facts->tls_version;
	if (strcmp(name, "tls.cipher") == 0)
		return facts->tls_cipher;
	if (strcmp(name, "tls.client-name") == 0)
		return facts->tls_client_name;
	if (g_str_has_prefix(name, "proxy."))
		return facts->proxy != NULL ? g_hash_table_lookup(facts->proxy, name + strlen("proxy.")) : NULL;
	if (strcmp(name, "session.accepted") == 0)
		return facts->accepted > 0 ? region_printf(h->call->region, "%u", facts->accepted) : NULL;
	if (strcmp(name, "client.at-work") == 0)
		return facts->is_at_work ? "yes" : NULL;
	if (strcmp(name, "session.only-quit") == 0)
		return facts->has_only_quit ? "yes" : NULL;
	return NULL;
}

static const char *
api_text_or(const char *text, const char *preset)
{
	return text != NULL ? text : preset;
}

/* How many copies the message has so far. */
static const char *
api_copies(PtnHook *h)
{
	const Transaction *transaction = h->call->transaction;

	return transaction != NULL
			   ? region_printf(h->call->region, "%u", transaction->copies != NULL ? transaction->copies->len : 0)
			   : NULL;
}

/* Without having the content read into memory. */
static const char *
api_content_size(PtnHook *h)
{
	const Transaction *transaction = h->call->transaction;

	if (h->call->content != NULL)
		return region_printf(h->call->region, "%zu", h->call->content_size);
	return transaction != NULL && transaction->content != NULL
			   ? region_printf(h->call->region, "%" G_GUINT64_FORMAT, content_size(transaction->content))
			   : NULL;
}

static const char *
api_instance(PtnHook *h)
{
	const Engine *engine = h->instance->services->engine;

	return engine != NULL && engine->spool != NULL ? spool_instance(engine->spool) : "";
}

static bool
api_store_is_away(PtnHook *h)
{
	const Engine *engine = h->instance->services->engine;

	return engine != NULL && engine->store != NULL && store_is_away(engine->store);
}

/* What a plugin held at its acceptance is known to it alone. */
static const char *
api_hold_note(PtnHook *h, const char *name)
{
	const Envelope *envelope = h->call->envelope;

	if (envelope == NULL || g_strcmp0(envelope_note(envelope, "held-by"), h->instance->plugin->name) != 0)
		return NULL;
	return envelope_note(envelope, name);
}

/* NULL, too, when the original has left the queue. */
static const char *
api_original(PtnHook *h)
{
	const Engine *engine = h->instance->services->engine;
	const char *original = api_hold_note(h, "original");
	SpoolSummary summary;
	QueueId id;

	if (original == NULL || engine == NULL || !id_parse(original, &id) ||
		!spool_summary(engine->spool, id, &summary))
		return NULL;
	return original;
}

const char *
ptn_fact(PtnHook *h, const char *name)
{
	const Envelope *envelope = h->call->envelope;

	if (strcmp(name, "header-prefix") == 0)
		return api_text_or(call_services(h)->header_prefix, "X-Postern");
	if (strcmp(name, "node") == 0)
		return region_printf(h->call->region, "%u", call_services(h)->node);
	if (strcmp(name, "instance") == 0)
		return api_instance(h);
	if (strcmp(name, "monitors") == 0)
		return api_text_or(call_services(h)->monitors, "127.0.0.0/8 ::1");
	if (strcmp(name, "service-name") == 0)
		return h->set != NULL ? h->set->services.notices.service_name : NULL;
	if (strcmp(name, "postmaster") == 0)
		return h->set != NULL ? h->set->services.notices.postmaster : NULL;
	if (strcmp(name, "queue-id") == 0)
		return api_queue_id(h);
	if (strcmp(name, "rehearsal") == 0)
		return call_is_rehearsed(h) ? "yes" : NULL;
	if (strcmp(name, "content-exempt") == 0)
		return h->call->is_content_exempt ? "yes" : NULL;
	if (strcmp(name, "content-size") == 0)
		return api_content_size(h);
	if (strcmp(name, "copies") == 0)
		return api_copies(h);
	if (strcmp(name, "store.away") == 0)
		return api_store_is_away(h) ? "yes" : NULL;
	if (strcmp(name, "recipient") == 0)
		return h->call->stage == PTN_ROUTE ? region_printf(h->call->region, "%zu", h->call->recipient) : NULL;
	if (strcmp(name, "held-until") == 0)
		return api_hold_note(h, name);
	if (strcmp(name, "original") == 0)
		return api_original(h);
	if (strcmp(name, "event") == 0)
		return h->call->stage == PTN_EVENT ? h->call->about : NULL;
	if (strcmp(name, "refused-by") == 0)
		return h->call->stage == PTN_REPLY ? h->call->about : NULL;
	if (strcmp(name, "submit-id") == 0)
		return envelope != NULL ? envelope_note(envelope, "submit") : NULL;
	if (strcmp(name, "session") == 0 && h->call->facts == NULL)
		return envelope != NULL ? envelope_note(envelope, "session") : NULL;
	return h->call->facts != NULL ? api_session_fact(h, name) : NULL;
}

const char *
ptn_reply(PtnHook *h, int *code, PtnCause *cause, bool *is_ours)
{
	if (code != NULL)
		*code = h->call->code;
	if (cause != NULL)
		*cause = h->call->cause;
	if (is_ours != NULL)
		*is_ours = h->call->is_ours;
	return h->call->text;
}

const char *
ptn_sender(PtnHook *h)
{
	return h->call->envelope != NULL ? h->call->envelope->sender : NULL;
}

const char *
ptn_sender_submitted(PtnHook *h)
{
	if (h->call->transaction != NULL)
		return h->call->transaction->submitted_sender;
	return h->call->envelope != NULL ? envelope_note(h->call->envelope, "submitted-sender") : NULL;
}

size_t
ptn_recipients(PtnHook *h)
{
	return h->call->envelope != NULL ? h->call->envelope->recipients->len : 0;
}

const char *
ptn_recipient(PtnHook *h, size_t i)
{
	const Envelope *envelope = h->call->envelope;

	if (i == PTN_THIS)
		i = h->call->recipient;
	if (envelope == NULL || i >= envelope->recipients->len)
		return NULL;
	return ((const Recipient *)g_ptr_array_index(envelope->recipients, i))->address;
}

/* Notes are kept under the plugin's name: one does not read another's. */
const char *
ptn_noted(PtnHook *h, const char *name)
{
	g_autofree char *key = g_strdup_printf("%s.%s", h->instance->plugin->name, name);

	return h->call->envelope != NULL ? envelope_note(h->call->envelope, key) : NULL;
}

const char *
ptn_header(PtnHook *h, const char *name, size_t nth)
{
	g_autofree char *value = NULL;

	if (h->call->transaction == NULL || h->call->transaction->content == NULL)
		return NULL;
	value = transaction_header(h->call->transaction, name, nth);
	return region_strdup(h->call->region, value);
}

const char *
ptn_header_received(PtnHook *h, const char *name, size_t nth)
{
	g_autofree char *value = NULL;

	if (h->call->transaction == NULL || h->call->transaction->content == NULL)
		return NULL;
	value = transaction_header_received(h->call->transaction, name, nth);
	return region_strdup(h->call->region, value);
}

bool
ptn_header_at(PtnHook *h, size_t i, const char **name, const char **raw_value)
{
	g_autofree char *found_name = NULL;
	g_autofree char *found_value = NULL;

	if (h->call->transaction == NULL || h->call->transaction->content == NULL ||
		!transaction_header_at(h->call->transaction, i, &found_name, &found_value))
		return false;
	*name = region_strdup(h->call->region, found_name);
	*raw_value = region_strdup(h->call->region, found_value);
	return true;
}

const char *
ptn_content(PtnHook *h, size_t *size, size_t *body)
{
	Transaction *transaction = h->call->transaction;
	const char *content;

	*size = *body = 0;
	if (h->call->content != NULL) {
		*size = h->call->content_size;
		*body = header_body(h->call->content, *size);
		return h->call->content;
	}
	if (transaction == NULL || transaction->content == NULL)
		return NULL;
	*body = transaction->body_offset;
	content = content_data(transaction->content, size);
	if (content == NULL)
		h->call->missing = "the content cannot be read now";
	return content;
}
