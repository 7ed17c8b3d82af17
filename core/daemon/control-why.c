/* control-why.c - posternctl why: what was refused of somebody, newest first. */
#include <string.h>

#include "base/error.h"
#include "base/ip.h"
#include "daemon/control.h"

enum { WHY_ROWS = 100, WHY_ROWS_MOST = 1000000 };

static const char *
why_or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static void
why_put_row(void *data, const Refusal *refusal)
{
	g_autofree char *time = cell_time(refusal->time_us);

	answer_row(data, time, why_or_empty(refusal->session), why_or_empty(refusal->client),
		why_or_empty(refusal->login), why_or_empty(refusal->sender), why_or_empty(refusal->recipient),
		why_or_empty(refusal->stage), why_or_empty(refusal->plugin), why_or_empty(refusal->cause),
		why_or_empty(refusal->reply), NULL);
}

/* A client that is blocked now: what for, and until when. */
static void
why_put_blocks(Daemon *daemon, const IpAddress *client, Answer *answer)
{
	g_autoptr(GPtrArray) blocks = blocks_list(daemon->engine.blocks, client);

	for (guint i = 0; i < blocks->len; i++) {
		const Block *block = g_ptr_array_index(blocks, i);
		g_autofree char *since = cell_time(block->since_us);
		g_autofree char *end = block->until_us != 0 ? control_format_time(block->until_us) : NULL;
		g_autofree char *network = ip_network_format(&block->network);
		g_autofree char *text =
			end != NULL ? g_strdup_printf("blocked until %s", end) : g_strdup("blocked until it is lifted");

		answer_row(answer, since, "", network, "", "", "", "connect", block->by, block->reason, text, NULL);
	}
}

static bool
why_read_words(char *const *words, const char **what, guint64 *limit, GError **error)
{
	for (; *words != NULL; words++) {
		if (g_str_has_prefix(*words, "limit=")) {
			if (!g_ascii_string_to_unsigned(*words + strlen("limit="), 10, 1, WHY_ROWS_MOST, limit, NULL))
				return error_set(error, POSTERN_ERROR_INVALID, "limit is a number, 1 to %d", WHY_ROWS_MOST);
		} else if (*what != NULL) {
			return error_set(
				error, POSTERN_ERROR_INVALID, "why asks for one thing at a time: %s or %s?", *what, *words);
		} else {
			*what = *words;
		}
	}
	return *what != NULL ||
		   error_set(error, POSTERN_ERROR_INVALID,
			   "why what?  Give an address, a login, a client's address, a session or a queue id");
}

void
control_why(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(GError) error = NULL;
	const char *what = NULL;
	guint64 limit = WHY_ROWS;
	char client[IP_TEXT_SIZE];
	IpAddress address;

	if (why_read_words(request->words + 1, &what, &limit, &error)) {
		const bool is_client = ip_parse(what, &address);

		if (is_client)
			what = ip_format(&address, client); /* as it was noted */
		answer_columns(answer, "time:time", "session", "client", "login", "sender", "recipient", "stage", "plugin",
			"cause", "reply", NULL);
		if (is_client)
			why_put_blocks(daemon, &address, answer);
		if (refusals_find(daemon->engine.refusals, what, (size_t)limit, why_put_row, answer, &error))
			return;
	}
	answer_fail(answer, "%s", error->message);
}
