/* call.c - calling a plugin's function with a PtnHook around it. */
#include "host/host-private.h"

const HostServices *
call_services(const PtnHook *h)
{
	return h->set != NULL ? &h->set->services : h->instance->services;
}

bool
call_is_rehearsed(const PtnHook *h)
{
	return h->call->asked != NULL;
}

/* Names that are asked for may have a key in them. */
static char *
call_hide_secrets(const PtnHook *h, char *text /* takes */)
{
	g_autofree char *own = g_strdup_printf("plugin %s", h->instance->plugin->name);
	g_autofree char *items = g_strconcat(own, "/", NULL);

	return config_hide(h->instance->config, items, config_hide(h->instance->config, own, text));
}

void
call_note(PtnHook *h, const char *format, ...)
{
	va_list arguments;

	if (!call_is_rehearsed(h))
		return;
	va_start(arguments, format);
	g_ptr_array_add(h->call->asked, call_hide_secrets(h, g_strdup_vprintf(format, arguments)));
	va_end(arguments);
}

const char *
call_status_name(PtnStatus status)
{
	static const char *const names[] = { "ok", "none", "unsure", "taken" };

	return status < G_N_ELEMENTS(names) ? names[status] : "?";
}

void
call_let_go(PtnHook *h)
{
	g_clear_pointer(&h->streams, g_ptr_array_unref);
	api_end_walk(h);
	g_clear_pointer(&h->entries, g_ptr_array_unref);
}

void
call_begin(const PtnHook *h, ActivityView *before)
{
	const HookCall *call = h->call;
	const ActivityHook what = { .plugin = h->instance->plugin->name,
		.stage = h->purpose != NULL ? h->purpose : stage_name(call->stage),
		.session = call->facts != NULL ? call->facts->id : NULL,
		.queue = call->envelope != NULL ? call->envelope->id : 0,
		.since_us = call->begun_us != 0 ? call->begun_us : g_get_monotonic_time(),
		.deadline_us = call->deadline_us };

	activity_begin(&what, before);
}

PtnVerdict
call_prepared(PtnHook *h, PtnFunction *function)
{
	g_autoptr(Lookups) lookups = NULL;
	ActivityView before;
	PtnVerdict verdict;

	if (h->call->lookups == NULL)
		h->call->lookups = lookups = lookups_new(NULL);
	call_begin(h, &before);
	verdict = function(h);
	activity_end(&before);
	call_let_go(h);
	lookups_end(h->call->lookups, LOOKUPS_OF_HOOK);
	if (lookups != NULL)
		h->call->lookups = NULL;
	return verdict;
}

PtnVerdict
call_function(Binding *binding, PtnFunction *function, HookCall *call)
{
	PtnHook h = { .call = call, .instance = binding->instance, .set = binding->set };

	return call_prepared(&h, function);
}

PtnVerdict
call_hook(const HookRow *row, HookCall *call)
{
	const Binding *binding = row->data;
	PtnHook h = { .call = call,
		.instance = binding->instance,
		.set = binding->set,
		.is_inline = (row->flags & PTN_INLINE) != 0 };

	return call_prepared(&h, binding->function);
}
