/* control-explain.c - posternctl explain: a message goes through the chain, and each plugin says what it thinks. */
#include <string.h>

#include "base/error.h"
#include "base/region.h"
#include "daemon/control.h"
#include "engine/explain.h"
#include "proto/path.h"

static const char explain_content[] = "Subject: explain\r\n\r\nThis message is sent to nobody.\r\n";

typedef struct {
	const char *client, *login, *helo, *listener, *from;
	GPtrArray *to; /* ends with NULL */
} ExplainWords;

static bool
explain_take_option(ExplainWords *given, const char *option, const char *value, GError **error)
{
	const struct {
		const char *name;
		const char **place;
	} options[] = { { "--client", &given->client }, { "--login", &given->login }, { "--helo", &given->helo },
		{ "--listener", &given->listener }, { "--from", &given->from } };

	if (value == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "%s needs a value", option);
	if (strcmp(option, "--to") == 0) {
		g_ptr_array_add(given->to, (void *)(uintptr_t)value);
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		if (strcmp(options[i].name, option) == 0) {
			*options[i].place = value;
			return true;
		}
	return error_set(error, POSTERN_ERROR_INVALID, "explain has no option %s", option);
}

/* A word that is no option names the file, which posternctl has read already. */
static bool
explain_read_words(char *const *words, ExplainWords *given, GError **error)
{
	for (; *words != NULL; words++) {
		if (strncmp(*words, "--", 2) != 0)
			continue;
		if (!explain_take_option(given, words[0], words[1], error))
			return false;
		words++;
	}
	if (given->client == NULL || given->from == NULL || given->to->len == 0)
		return error_set(error, POSTERN_ERROR_INVALID,
			"explain what?  Give --client IP --from ADDRESS --to ADDRESS, and --login LOGIN of who sends it");
	g_ptr_array_add(given->to, NULL);
	return true;
}

static bool
explain_check_addresses(const ExplainWords *given, GError **error)
{
	g_autoptr(Region) region = region_new();

	if (given->from[0] != '\0' && mailbox_parse(region, given->from, true) == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "--from: \"%s\" is not a mail address", given->from);
	for (guint i = 0; given->to->pdata[i] != NULL; i++)
		if (mailbox_parse(region, given->to->pdata[i], true) == NULL)
			return error_set(
				error, POSTERN_ERROR_INVALID, "--to: \"%s\" is not a mail address", (char *)given->to->pdata[i]);
	if (given->helo != NULL && !domain_is_valid(given->helo))
		return error_set(error, POSTERN_ERROR_INVALID, "--helo: \"%s\" is not a host name", given->helo);
	return true;
}

/* The one that is named; else the first that takes AUTH if there is a login, that takes none if there is not. */
static const ListenerSettings *
explain_listener(const Snapshot *snapshot, const ExplainWords *given, GError **error)
{
	const GPtrArray *listeners = snapshot->settings->listeners;

	for (guint i = 0; i < listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(listeners, i);

		if (given->listener != NULL ? strcmp(listener->name, given->listener) == 0
									: listener->takes_auth == (given->login != NULL))
			return listener;
	}
	if (given->listener == NULL && listeners->len > 0)
		return g_ptr_array_index(listeners, 0);
	(void)error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no [listener %s]",
		given->listener != NULL ? given->listener : "");
	return NULL;
}

static void
explain_tell(const Explanation *explanation, Answer *answer)
{
	answer_columns(answer, "stage", "plugin", "answer", "ms:number", "asked", NULL);
	for (guint i = 0; i < explanation->rows->len; i++) {
		const ExplainRow *row = g_ptr_array_index(explanation->rows, i);
		g_autofree char *took = g_strdup_printf("%.1f", (double)row->took_us / 1000);

		answer_row(
			answer, row->stage, row->plugin != NULL ? row->plugin : "", row->answer, took, row->asked, NULL);
	}
	if (!explanation->is_accepted) {
		answer_text(answer, "It would be refused: %s", explanation->reply);
		return;
	}
	answer_text(answer, "It would be accepted.  The message");
	for (guint i = 0; i < explanation->changes->len; i++)
		answer_text(answer, "  %s", (const char *)g_ptr_array_index(explanation->changes, i));
}

static bool
explain_run_request(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(Snapshot) snapshot = control_take_snapshot(daemon);
	g_autoptr(GPtrArray) to = g_ptr_array_new();
	g_autoptr(Explanation) explanation = NULL;
	g_autoptr(DirectoryEntry) account = NULL;
	ExplainWords given = { .to = to };
	ExplainRequest asked = { 0 };

	if (!explain_read_words(request->words + 1, &given, error) || !explain_check_addresses(&given, error))
		return false;
	if (!ip_parse(given.client, &asked.client))
		return error_set(error, POSTERN_ERROR_INVALID, "--client: \"%s\" is not an IP address", given.client);
	asked.listener = explain_listener(snapshot, &given, error);
	if (asked.listener == NULL)
		return false;
	if (given.login != NULL &&
		directory_find(daemon->engine.directory, PTN_ACCOUNT, given.login, CLOCK_NEVER, &account) == PTN_NONE)
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no account %s", given.login);
	asked.login = given.login;
	asked.helo = given.helo != NULL ? given.helo : "client.invalid";
	asked.sender = given.from;
	asked.recipients = (const char *const *)to->pdata;
	asked.content = request->input != NULL ? request->input : explain_content;
	explanation = explain(&daemon->engine, snapshot, &asked);
	explain_tell(explanation, answer);
	return true;
}

void
control_explain(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(GError) error = NULL;

	if (!explain_run_request(daemon, request, answer, &error))
		answer_fail(answer, "%s", error->message);
}
