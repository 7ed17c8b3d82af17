/* api-edit.c - verbs: what takes effect when the hook returns. */
#include <string.h>

#include "base/log.h"
#include "engine/submit.h"
#include "host/host-private.h"
#include "proto/header.h"
#include "proto/path.h"

enum { NOTE_MAX = 1024 };

static Region *
api_region(PtnHook *h)
{
	return h->call->region;
}

static void
api_warn(PtnHook *h, const char *what)
{
	ptn_log(h, PTN_WARNING, "%s", what);
}

PtnVerdict
ptn_identify(PtnHook *h, const char *login)
{
	if (h->call->stage != PTN_AUTH)
		return ptn_fail(h, "ptn_identify() belongs to the stage auth");
	hook_add_act(h->call, ACT_IDENTIFY)->text = region_strdup(api_region(h), login);
	return PTN_DONE;
}

void
ptn_set_sender(PtnHook *h, const char *address)
{
	const char *parsed = address[0] == '\0' ? "" : mailbox_parse(api_region(h), address, true);

	if (parsed == NULL) {
		api_warn(h, "ptn_set_sender(): not an address, left as it was");
		return;
	}
	hook_add_act(h->call, ACT_SET_SENDER)->text = parsed;
}

void
ptn_permit(PtnHook *h)
{
	(void)hook_add_act(h->call, ACT_PERMIT);
}

void
ptn_replace_recipient(PtnHook *h, size_t i, const char *const *addresses)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	Act *act;

	for (; addresses != NULL && *addresses != NULL; addresses++) {
		const char *parsed = mailbox_parse(api_region(h), *addresses, true);

		if (parsed == NULL) {
			api_warn(h, "ptn_replace_recipient(): not an address, left as it was");
			return;
		}
		g_ptr_array_add(list, (void *)(uintptr_t)parsed);
	}
	if (list->len == 0)
		return;
	g_ptr_array_add(list, NULL);
	act = hook_add_act(h->call, ACT_REPLACE_RECIPIENT);
	act->index = i == PTN_THIS ? h->call->recipient : i;
	act->list = region_copy(api_region(h), list->pdata, list->len * sizeof *list->pdata);
}

void
ptn_note(PtnHook *h, const char *name, const char *value)
{
	Act *act;

	if (value != NULL && strlen(value) > NOTE_MAX) {
		api_warn(h, "ptn_note(): longer than 1 KiB, not kept");
		return;
	}
	act = hook_add_act(h->call, ACT_NOTE);
	act->name = region_strdup(api_region(h), name);
	act->text = region_strdup(api_region(h), value);
}

/* A header value of a plugin is one logical line: folds are kept, anything else that ends lines is not. */
static char *
api_header_value(PtnHook *h, const char *value)
{
	GString *text = g_string_new(NULL);
	char *kept;

	for (const char *c = value; *c != '\0'; c++) {
		const bool is_fold = c[0] == '\r' && c[1] == '\n' && (c[2] == ' ' || c[2] == '\t');

		if (is_fold) {
			g_string_append(text, "\r\n");
			c++;
		} else if (*c == '\r' || *c == '\n') {
			g_string_append_c(text, ' ');
		} else {
			g_string_append_c(text, *c);
		}
	}
	kept = region_strdup(api_region(h), text->str);
	g_string_free(text, TRUE);
	return kept;
}

void
ptn_add_header(PtnHook *h, const char *name, const char *format, ...)
{
	g_autofree char *value = NULL;
	va_list arguments;
	Act *act;

	if (!header_name_is_valid(name)) {
		api_warn(h, "ptn_add_header(): not the name of a header field");
		return;
	}
	va_start(arguments, format);
	value = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	act = hook_add_act(h->call, ACT_ADD_HEADER);
	act->name = region_strdup(api_region(h), name);
	act->text = api_header_value(h, value);
}

void
ptn_remove_headers(PtnHook *h, const char *name)
{
	hook_add_act(h->call, ACT_REMOVE_HEADERS)->name = region_strdup(api_region(h), name);
}

/* ---- copies ---- */

struct PtnCopy {
	PtnHook *h;
	CopyAct act;
	bool is_good; /* false: what it is told goes nowhere */
};

PtnCopy *
ptn_copy(PtnHook *h, const char *sender, const char *recipient)
{
	PtnCopy *copy = region_alloc(api_region(h), sizeof *copy);
	const char *to = mailbox_parse(api_region(h), recipient, true);
	const char *from = sender[0] == '\0' ? "" : mailbox_parse(api_region(h), sender, true);

	copy->h = h;
	copy->is_good = to != NULL && from != NULL && h->call->transaction != NULL;
	if (!copy->is_good) {
		api_warn(h, "ptn_copy(): not an address, or no message to copy");
		return copy;
	}
	copy->act.sender = region_strdup(api_region(h), from);
	copy->act.recipient = region_strdup(api_region(h), to);
	copy->act.headers = "";
	hook_add_act(h->call, ACT_COPY)->copy = &copy->act;
	return copy;
}

void
ptn_copy_header(PtnCopy *copy, const char *name, const char *value)
{
	if (copy->is_good && header_name_is_valid(name))
		copy->act.headers = region_printf(
			api_region(copy->h), "%s%s: %s\r\n", copy->act.headers, name, api_header_value(copy->h, value));
}

void
ptn_copy_note(PtnCopy *copy, const char *name, const char *value)
{
	Region *region = api_region(copy->h);
	CopyNote *note;

	if (!copy->is_good || strlen(value) > NOTE_MAX)
		return;
	note = region_alloc(region, sizeof *note);
	note->name = region_printf(region, "%s.%s", copy->h->instance->plugin->name, name);
	note->value = region_strdup(region, value);
	note->next = copy->act.notes;
	copy->act.notes = note;
}

/* ---- the queue ---- */

void
ptn_hold(PtnHook *h, const char *reason, int64_t release_at)
{
	Act *act = hook_add_act(h->call, ACT_HOLD);

	act->text = region_strdup(api_region(h), reason);
	act->time_us = release_at;
}

PtnVerdict
ptn_route(PtnHook *h, const char *next_hop)
{
	if (h->call->stage != PTN_ROUTE)
		return ptn_fail(h, "ptn_route() belongs to the stage route");
	hook_add_act(h->call, ACT_ROUTE)->text = region_strdup(api_region(h), next_hop);
	return PTN_DONE;
}

bool
ptn_submit(PtnHook *h, const char *sender, const char *recipient, const char *content)
{
	const char *to = mailbox_parse(api_region(h), recipient, true);
	const char *from = sender[0] == '\0' ? "" : mailbox_parse(api_region(h), sender, true);

	if (!h->call->may_wait) {
		h->call->would_have_waited = true;
		return false;
	}
	if (to == NULL || from == NULL || h->set == NULL)
		return false;
	if (call_is_rehearsed(h)) {
		call_note(h, "would submit a message from <%s> to <%s>", from, to);
		return true;
	}
	return submit_message(h->set->services.engine, from, to, content);
}
