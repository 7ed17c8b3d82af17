/* session-reply.c - what the session says. */
#include <stdio.h>

#include "base/log.h"
#include "engine/session-private.h"

void
session_put_line(Session *session, int code, char separator, const char *enhanced, const char *text)
{
	if (session->out == NULL)
		session->out = g_string_sized_new(200);
	if (enhanced != NULL && enhanced[0] != '\0')
		g_string_append_printf(session->out, "%d%c%s %s\r\n", code, separator, enhanced, text);
	else
		g_string_append_printf(session->out, "%d%c%s\r\n", code, separator, text);
}

void
session_reply(Session *session, int code, const char *enhanced, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	session_put_line(session, code, ' ', enhanced, text);
}

bool
session_may_log(const Session *session, const char *reason)
{
	return client_budget_log(session->facts.client_budget, session->facts.client_limits, reason);
}

void
session_event(Session *session, const char *name)
{
	g_autofree char *metric = g_strdup_printf("event.%s", name);
	char client[IP_TEXT_SIZE];

	metrics_add(session->engine->metrics, metric, 1);
	if (session->explanation != NULL)
		return;
	session_observe(session, (Observation){ .stage = PTN_EVENT, .about = name, .login = session->sasl_login });
	if (session_may_log(session, metric))
		log_event(LOG_LEVEL_INFO, "event", "session", session->facts.id, "name", name, "client",
			ip_format(&session->facts.client, client), "login", session->facts.login, NULL);
}
