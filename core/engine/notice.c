/* notice.c - notices to people. */
#include "engine/notice.h"

#include <string.h>

#include "base/region.h"
#include "engine/submit.h"
#include "proto/date.h"
#include "proto/path.h"
#include "service/template.h"

NoticeSettings
notice_settings(const EngineSettings *settings)
{
	return (
		NoticeSettings){ settings->hostname, settings->service_name, settings->postmaster, settings->templates };
}

/* What the notice gives itself comes first, and counts. */
static GPtrArray *
notice_values(const NoticeSettings *settings, const char *recipient, const char *const *values)
{
	const char *const common[] = { "service-name", settings->service_name, "hostname", settings->hostname,
		"postmaster", settings->postmaster, "recipient", recipient };
	GPtrArray *all = g_ptr_array_new();

	for (; values != NULL && values[0] != NULL; values += 2) {
		g_ptr_array_add(all, (void *)(uintptr_t)values[0]);
		g_ptr_array_add(all, (void *)(uintptr_t)values[1]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		g_ptr_array_add(all, (void *)(uintptr_t)common[i]);
	g_ptr_array_add(all, NULL);
	return all;
}

static bool
notice_render(Engine *engine, const NoticeSettings *settings, const char *recipient, const char *name,
	const char *const *values, char **header, char **body, GError **error)
{
	g_autoptr(GPtrArray) all = notice_values(settings, recipient, values);
	g_autofree char *alarm = g_strdup_printf("template.%s", name);
	g_autofree char *mistake = NULL;
	const bool is_rendered =
		template_render(settings->templates, name, (const char *const *)all->pdata, header, body, &mistake, error);

	metrics_alarm(engine->metrics, alarm, mistake);
	return is_rendered;
}

char *
notice_write(Engine *engine, const NoticeSettings *settings, const char *recipient, const char *name,
	const char *const *values, GError **error)
{
	g_autofree char *header = NULL;
	g_autofree char *body = NULL;
	GString *text;
	char date[DATE_SIZE], id[ID_TEXT_SIZE];

	if (!notice_render(engine, settings, recipient, name, values, &header, &body, error))
		return NULL;
	text = g_string_new(NULL);
	g_string_append_printf(text, "From: %s\r\n", settings->postmaster);
	if (recipient != NULL)
		g_string_append_printf(text, "To: %s\r\n", recipient);
	g_string_append_printf(text, "%sDate: %s\r\nMessage-ID: <%s.%s@%s>\r\nAuto-Submitted: auto-generated\r\n",
		header, date_format(clock_wall(engine->clock), date), id_format(id_next(engine->ids), id), name,
		settings->hostname);
	g_string_append_printf(text,
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n%s",
		g_str_is_ascii(body) ? "7bit" : "8bit", body);
	return g_string_free(text, FALSE);
}

/* Whom it is about: what is sent about one must not lower the alarm about another.  NULL: nobody in particular. */
static const char *
notice_subject(const char *const *values)
{
	static const char *const names[] = { "account", "domain", "who", "customer" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		for (size_t v = 0; values != NULL && values[v] != NULL; v += 2)
			if (strcmp(values[v], names[i]) == 0 && values[v + 1] != NULL && values[v + 1][0] != '\0')
				return values[v + 1];
	return NULL;
}

static char *
notice_alarm_name(const char *name, const char *const *values)
{
	const char *subject = notice_subject(values);
	char *alarm = subject != NULL ? g_strdup_printf("notice.%s.%s", name, subject)
								  : g_strdup_printf("notice.%s", name);

	return g_strdelimit(alarm, " \r\n\t", '/');
}

/* What somebody should know, in a line: who reads alarms acts in place of who has no address. */
static void
notice_raise(Engine *engine, const char *name, const char *const *values, const char *why)
{
	g_autofree char *alarm = notice_alarm_name(name, values);
	GString *text;

	if (why == NULL) {
		metrics_alarm(engine->metrics, alarm, NULL);
		return;
	}
	text = g_string_new("not sent: ");
	g_string_append(text, why);
	for (; values != NULL && values[0] != NULL; values += 2)
		g_string_append_printf(text, "; %s: %.100s", values[0], values[1] != NULL ? values[1] : "");
	g_strdelimit(text->str, "\r\n\t", ' ');
	metrics_alarm(engine->metrics, alarm, text->str);
	g_string_free(text, TRUE);
}

bool
notice_send(Engine *engine, const NoticeSettings *settings, const char *recipient, const char *name,
	const char *const *values)
{
	g_autoptr(Region) region = region_new();
	const char *to = recipient != NULL ? mailbox_parse(region, recipient, true) : NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = to != NULL ? notice_write(engine, settings, to, name, values, &error) : NULL;
	const char *why = NULL;

	if (to == NULL)
		why = recipient != NULL ? "the address to tell is none" : "there is no address to tell";
	else if (text == NULL)
		why = error->message;
	else if (!submit_message(engine, "", to, text))
		why = "it could not be queued";
	notice_raise(engine, name, values, why);
	return why == NULL;
}
