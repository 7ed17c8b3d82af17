/* api-notice.c - notices of plugins: templates filled in, submitted. */
#include "host/host-private.h"

/* name, value, …, as the host hands them on. */
static GPtrArray *
api_values(const char *name, va_list more)
{
	GPtrArray *values = g_ptr_array_new();

	while (name != NULL) {
		g_ptr_array_add(values, (void *)(uintptr_t)name);
		g_ptr_array_add(values, va_arg(more, char *));
		name = va_arg(more, const char *);
	}
	g_ptr_array_add(values, NULL);
	return values;
}

static const char *
api_value(const GPtrArray *values, const char *name)
{
	for (guint i = 0; i + 1 < values->len; i += 2)
		if (g_strcmp0(values->pdata[i], name) == 0)
			return values->pdata[i + 1];
	return NULL;
}

/* False: this run must go on where it may wait, or the plugin has no engine behind it. */
static bool
api_may_notify(PtnHook *h)
{
	if (!h->call->may_wait)
		h->call->would_have_waited = true;
	return h->call->may_wait && h->set != NULL && h->set->services.engine != NULL;
}

const char *
ptn_render(PtnHook *h, const char *template_name, const char *name, ...)
{
	g_autoptr(GPtrArray) values = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	va_list more;

	va_start(more, name);
	values = api_values(name, more);
	va_end(more);
	if (!api_may_notify(h))
		return NULL;
	text = notice_write(h->set->services.engine, &h->set->services.notices, api_value(values, "recipient"),
		template_name, (const char *const *)values->pdata, &error);
	if (text == NULL)
		ptn_log(h, PTN_WARNING, "ptn_render(): %s", error->message);
	return region_strdup(h->call->region, text);
}

const char *
ptn_notice_address(PtnEntry *customer)
{
	static const char *const names[] = { "alert", "postmaster", "primary" };

	for (size_t i = 0; customer != NULL && i < G_N_ELEMENTS(names); i++) {
		const char *address = ptn_get(customer, names[i]);

		if (address != NULL && address[0] != '\0')
			return address;
	}
	return NULL;
}

bool
ptn_notify(PtnHook *h, const char *recipient, const char *template_name, const char *name, ...)
{
	g_autoptr(GPtrArray) values = NULL;
	va_list more;

	va_start(more, name);
	values = api_values(name, more);
	va_end(more);
	if (!api_may_notify(h))
		return false;
	if (call_is_rehearsed(h)) {
		call_note(h, "would send the notice %s to %s", template_name, recipient != NULL ? recipient : "nobody");
		return true;
	}
	return notice_send(h->set->services.engine, &h->set->services.notices, recipient, template_name,
		(const char *const *)values->pdata);
}
