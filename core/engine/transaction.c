/* transaction.c - a message while it is being made. */
#include "engine/transaction.h"

#include <string.h>

#include "base/keyed-hash.h"
#include "engine/stay.h"
#include "proto/header.h"
#include "proto/octets.h"

static void
transaction_copy_free(TransactionCopy *copy)
{
	g_clear_pointer(&copy->envelope, envelope_free);
	g_string_free(copy->headers, TRUE);
	g_free(copy);
}

Transaction *
transaction_new(QueueId id, const char *sender, unsigned n_plugins)
{
	Transaction *transaction = g_new0(Transaction, 1);

	transaction->id = id;
	transaction->envelope = envelope_new(id);
	g_free(transaction->envelope->sender);
	transaction->envelope->sender = g_strdup(sender);
	transaction->submitted_sender = g_strdup(sender);
	transaction->declared_size = -1;
	transaction->top = g_string_new(NULL);
	transaction->bottom = g_string_new(NULL);
	transaction->n_plugins = n_plugins;
	return transaction;
}

void
transaction_free(Transaction *transaction)
{
	if (transaction == NULL)
		return;
	envelope_free(transaction->envelope);
	g_free(transaction->submitted_sender);
	g_clear_pointer(&transaction->content, content_free);
	g_string_free(transaction->top, TRUE);
	g_string_free(transaction->bottom, TRUE);
	g_clear_pointer(&transaction->removed, g_hash_table_unref);
	g_clear_pointer(&transaction->copies, g_ptr_array_unref);
	g_clear_pointer(&transaction->copies_barred, g_free);
	g_free(transaction->hold_reason);
	g_free(transaction->held_by);
	region_free(transaction->region);
	g_free(transaction->plugin_states);
	g_free(transaction);
}

/* ---- acts ---- */

static void
transaction_replace_recipient(Transaction *transaction, size_t i, const char *const *addresses)
{
	Envelope *envelope = transaction->envelope;
	Recipient *recipient = i < envelope->recipients->len ? g_ptr_array_index(envelope->recipients, i) : NULL;

	if (recipient == NULL || addresses == NULL || addresses[0] == NULL)
		return;
	for (const char *const *more = addresses + 1; *more != NULL; more++)
		envelope_add_recipient(envelope, *more, recipient->original, recipient->notify);
	g_free(recipient->address);
	recipient->address = g_strdup(addresses[0]);
}

static void
transaction_add_copy(Transaction *transaction, const CopyAct *act, IdSource *ids)
{
	TransactionCopy *copy;

	if (transaction->copies_barred != NULL)
		return;
	copy = g_new0(TransactionCopy, 1);
	copy->id = id_next(ids);
	copy->envelope = envelope_new(copy->id);
	g_free(copy->envelope->sender);
	copy->envelope->sender = g_strdup(act->sender);
	envelope_add_recipient(copy->envelope, act->recipient, NULL, 0);
	for (const CopyNote *note = act->notes; note != NULL; note = note->next)
		envelope_set_note(copy->envelope, note->name, note->value);
	copy->headers = g_string_new(act->headers);
	if (transaction->copies == NULL)
		transaction->copies = g_ptr_array_new_with_free_func((GDestroyNotify)transaction_copy_free);
	g_ptr_array_add(transaction->copies, copy);
}

static void
transaction_remove_lines(GString *lines, const char *name)
{
	HeaderScan scan;
	HeaderField field;

	header_scan_start(&scan, lines->str, lines->len);
	while (header_scan_next(&scan, &field)) {
		if (!header_is(&field, name))
			continue;
		g_string_erase(lines, (gssize)field.offset, (gssize)field.size);
		header_scan_start(&scan, lines->str, lines->len);
	}
}

static void
transaction_remove_headers(Transaction *transaction, const char *name)
{
	if (transaction->removed == NULL)
		transaction->removed = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	g_hash_table_add(transaction->removed, g_ascii_strdown(name, -1));
	transaction_remove_lines(transaction->top, name);
	transaction_remove_lines(transaction->bottom, name);
}

void
transaction_apply(Transaction *transaction, const char *plugin, const Act *act, IdSource *ids)
{
	g_autofree char *note = NULL;

	switch (act->kind) {
	case ACT_SET_SENDER:
		g_free(transaction->envelope->sender);
		transaction->envelope->sender = g_strdup(act->text);
		break;
	case ACT_PERMIT:
		transaction->is_permitted = true;
		break;
	case ACT_REPLACE_RECIPIENT:
		transaction_replace_recipient(transaction, act->index, act->list);
		break;
	case ACT_NOTE:
		note = g_strdup_printf("%s.%s", plugin, act->name);
		envelope_set_note(transaction->envelope, note, act->text);
		break;
	case ACT_ADD_HEADER:
		g_string_append_printf(transaction->bottom, "%s: %s\r\n", act->name, act->text);
		break;
	case ACT_REMOVE_HEADERS:
		transaction_remove_headers(transaction, act->name);
		break;
	case ACT_COPY:
		transaction_add_copy(transaction, act->copy, ids);
		break;
	case ACT_HOLD:
		g_free(transaction->hold_reason);
		transaction->hold_reason = stay_reason_of_plugin(plugin, act->text);
		g_free(transaction->held_by);
		transaction->held_by = g_strdup(plugin);
		transaction->release_at_us = act->time_us;
		break;
	case ACT_BAR_COPIES:
		g_clear_pointer(&transaction->copies, g_ptr_array_unref);
		g_free(transaction->copies_barred);
		transaction->copies_barred = g_strdup(act->text);
		break;
	case ACT_ROUTE:
	case ACT_IDENTIFY:
		break; /* of other stages */
	}
}

/* ---- headers as they are now ---- */

static bool
transaction_is_removed(const Transaction *transaction, const HeaderField *field)
{
	g_autofree char *name = NULL;

	if (transaction->removed == NULL)
		return false;
	name = g_ascii_strdown(field->name, (gssize)field->name_size);
	return g_hash_table_contains(transaction->removed, name);
}

typedef bool FieldVisitor(void *data, const HeaderField *field);

static bool
transaction_visit(const char *octets, size_t size, FieldVisitor *visit, void *data)
{
	HeaderScan scan;
	HeaderField field;

	header_scan_start(&scan, octets, size);
	while (header_scan_next(&scan, &field))
		if (!visit(data, &field))
			return false;
	return true;
}

typedef struct {
	Transaction *transaction;
	const char *name; /* NULL: any */
	size_t left;
	bool is_content;
	char *found_name, *found_value;
} FieldSearch;

static bool
transaction_match(void *data, const HeaderField *field)
{
	FieldSearch *search = data;

	if (search->name != NULL && !header_is(field, search->name))
		return true;
	if (search->is_content && transaction_is_removed(search->transaction, field))
		return true;
	if (search->left-- > 0)
		return true;
	search->found_name = g_strndup(field->name, field->name_size);
	search->found_value = g_strndup(field->value, field->value_size);
	return false;
}

static bool
transaction_search(FieldSearch *search)
{
	Transaction *transaction = search->transaction;
	size_t size = 0;
	const char *content = transaction->content != NULL ? content_head(transaction->content, &size) : NULL;

	if (!transaction_visit(transaction->top->str, transaction->top->len, transaction_match, search))
		return true;
	search->is_content = true;
	if (content != NULL &&
		!transaction_visit(content, MIN(size, transaction->body_offset), transaction_match, search))
		return true;
	search->is_content = false;
	return !transaction_visit(transaction->bottom->str, transaction->bottom->len, transaction_match, search);
}

/* RFC 5322 2.2.3: unfolding is removing the CRLF before a blank. */
static char *
transaction_unfold(const char *raw)
{
	GString *text = g_string_new(NULL);

	for (const char *c = raw; *c != '\0'; c++)
		if (*c != '\r' && *c != '\n')
			g_string_append_c(text, *c);
	return g_strstrip(g_string_free(text, FALSE));
}

char *
transaction_header(Transaction *transaction, const char *name, size_t nth)
{
	FieldSearch search = { .transaction = transaction, .name = name, .left = nth };
	g_autofree char *raw = NULL;

	if (!transaction_search(&search))
		return NULL;
	g_free(search.found_name);
	raw = search.found_value;
	return transaction_unfold(raw);
}

char *
transaction_header_received(Transaction *transaction, const char *name, size_t nth)
{
	FieldSearch search = { .transaction = transaction, .name = name, .left = nth };
	size_t size = 0;
	const char *content = transaction->content != NULL ? content_head(transaction->content, &size) : NULL;

	if (content == NULL ||
		transaction_visit(content, MIN(size, transaction->body_offset), transaction_match, &search))
		return NULL;
	g_free(search.found_name);
	return search.found_value;
}

bool
transaction_header_at(Transaction *transaction, size_t i, char **name, char **value)
{
	FieldSearch search = { .transaction = transaction, .left = i };

	if (!transaction_search(&search))
		return false;
	*name = search.found_name;
	*value = search.found_value;
	return true;
}

/* ---- the end ---- */

typedef struct {
	const Transaction *transaction;
	GArray *cuts;
} CutSearch;

static bool
transaction_add_cut(void *data, const HeaderField *field)
{
	CutSearch *search = data;
	const Cut cut = { field->offset, field->size };

	if (transaction_is_removed(search->transaction, field))
		g_array_append_val(search->cuts, cut);
	return true;
}

/* A message that begins with its body has no empty line that our last header field could end at. */
static bool
transaction_needs_separator(const Transaction *transaction, const char *content, size_t size)
{
	const size_t body = transaction->body_offset;

	if (body >= 4 && memcmp(content + body - 4, "\r\n\r\n", 4) == 0)
		return false;
	return !(size >= 2 && body == 2 && memcmp(content, "\r\n", 2) == 0);
}

/* A content may end within its header (BDAT), so that our first line would go on with its last field. */
static bool
transaction_needs_line_end(
	const Transaction *transaction, const CutSearch *search, const char *content, size_t size)
{
	const Cut *last = search->cuts->len > 0 ? &g_array_index(search->cuts, Cut, search->cuts->len - 1) : NULL;

	if (size == 0 || transaction->body_offset < size || content[size - 1] == '\n')
		return false;
	return last == NULL || last->offset + last->length < size; /* that field is left out */
}

/* Clients say SMTPUTF8 of every message; a message that does not need it can go where it is not known (RFC 6531 3.2, 3.3). */
static bool
transaction_needs_utf8(const Transaction *transaction, const Envelope *envelope, const char *content, size_t size)
{
	if (!g_str_is_ascii(envelope->sender) || !g_str_is_ascii(envelope->top) || !g_str_is_ascii(envelope->bottom))
		return true;
	for (guint i = 0; i < envelope->recipients->len; i++)
		if (!g_str_is_ascii(((const Recipient *)g_ptr_array_index(envelope->recipients, i))->address))
			return true;
	return content == NULL || !octets_are_ascii(content, MIN(size, transaction->body_offset));
}

static void
transaction_seal_edits(Transaction *transaction, Envelope *envelope, const char *extra)
{
	size_t size = 0;
	const char *content = content_head(transaction->content, &size);
	CutSearch search = { transaction, envelope->cuts };

	if (transaction->removed != NULL && content != NULL)
		(void)transaction_visit(content, MIN(size, transaction->body_offset), transaction_add_cut, &search);
	g_free(envelope->top);
	g_free(envelope->bottom);
	envelope->top = g_strdup(transaction->top->str);
	envelope->bottom = g_strconcat(
		content != NULL && transaction_needs_line_end(transaction, &search, content, size) ? "\r\n" : "",
		transaction->bottom->str, extra,
		content != NULL && transaction_needs_separator(transaction, content, size) ? "\r\n" : "", NULL);
	envelope->is_smtputf8 = envelope->is_smtputf8 && transaction_needs_utf8(transaction, envelope, content, size);
}

/* Whatever held the message holds its copies, and can tell later whose copies they are.  New; NULL: nothing did. */
static MessageState *
transaction_seal_hold(const Transaction *transaction, Envelope *envelope)
{
	char id[ID_TEXT_SIZE], until[24];
	MessageState *state;

	if (transaction->hold_reason == NULL)
		return NULL;
	g_snprintf(until, sizeof until, "%" G_GINT64_FORMAT, (gint64)transaction->release_at_us);
	envelope_set_note(envelope, "held-by", transaction->held_by);
	envelope_set_note(envelope, "held-until", until);
	if (envelope->id != transaction->envelope->id)
		envelope_set_note(envelope, "original", id_format(transaction->envelope->id, id));
	state = message_state_new(envelope->id, envelope->recipients->len);
	state->is_held = true;
	state->hold_reason = g_strdup(transaction->hold_reason);
	state->release_at_us = transaction->release_at_us;
	state->held_since_us = envelope->arrived_us;
	return state;
}

static void
transaction_seal_copy(Transaction *transaction, SpoolTransaction *sealed, TransactionCopy *copy)
{
	static const char *const shared[] = { "account", "customer", "session" };
	Envelope *envelope = g_steal_pointer(&copy->envelope);
	const Envelope *original = transaction->envelope;

	envelope->arrived_us = original->arrived_us;
	envelope->body = original->body;
	envelope->is_smtputf8 = original->is_smtputf8;
	for (size_t i = 0; i < G_N_ELEMENTS(shared); i++)
		envelope_set_note(envelope, shared[i], envelope_note(original, shared[i]));
	transaction_seal_edits(transaction, envelope, copy->headers->str);
	spool_transaction_add(sealed, envelope, transaction_seal_hold(transaction, envelope));
}

SpoolTransaction *
transaction_seal(Transaction *transaction)
{
	SpoolTransaction *sealed = spool_transaction_new();
	Envelope *envelope = envelope_copy(transaction->envelope);

	transaction_seal_edits(transaction, envelope, "");
	spool_transaction_add(sealed, envelope, transaction_seal_hold(transaction, envelope));
	for (guint i = 0; transaction->copies != NULL && i < transaction->copies->len; i++)
		transaction_seal_copy(transaction, sealed, g_ptr_array_index(transaction->copies, i));
	spool_transaction_set_content(sealed, g_steal_pointer(&transaction->content));
	return sealed;
}
