/* api-parse.c - the parser of a plugin: asking it, and, in its process, answering. */
#include "base/log.h"
#include "host/host-private.h"
#include "sandbox/parser.h"

enum { PARSED_MOST = 1 << 30 }; /* more than any setting of parser-answer */

void
ptn_parsed(PtnParse *parse, const void *data, size_t size)
{
	const size_t most = (size_t)PARSED_MOST + 1 + sizeof(ParserAnswer);
	const size_t room = most - MIN(parse->answer->len, most);

	g_byte_array_append(parse->answer, data, (guint)MIN(size, room)); /* more is refused as too much */
}

/* Whatever the plugin makes of it: somebody may be trying to take parsers over. */
static void
api_log_parser(PtnHook *h, const char *why)
{
	const HookCall *call = h->call;
	char id[ID_TEXT_SIZE];

	if (call_is_rehearsed(h) || !hook_may_log(call, "parser failed"))
		return;
	log_event(LOG_LEVEL_WARNING, "parser failed", "session", call->facts != NULL ? call->facts->id : NULL, "queue",
		call->envelope != NULL ? id_format(call->envelope->id, id) : NULL, "plugin", h->instance->plugin->name,
		"error", why, NULL);
}

const void *
ptn_parse(PtnHook *h, const void *parameters, size_t parameters_size, const char *octets, size_t size,
	size_t *answer_size)
{
	g_autoptr(GBytes) head = g_bytes_new_static(parameters, parameters_size);
	g_autoptr(GByteArray) answer = NULL;
	g_autoptr(GError) error = NULL;
	static const guint8 end = 0;

	*answer_size = 0;
	if (!h->call->may_wait) {
		h->call->would_have_waited = true;
		return NULL;
	}
	if (h->instance->services->parsers != NULL)
		answer = parsers_call(h->instance->services->parsers, h->instance->plugin->name, head, octets, size,
			h->call->deadline_us, &error);
	if (answer == NULL) {
		h->call->missing = h->call->failure =
			region_strdup(h->call->region, error != NULL ? error->message : "there are no parsers");
		api_log_parser(h, h->call->missing);
		return NULL;
	}
	*answer_size = answer->len;
	g_byte_array_append(answer, &end, 1);
	return region_copy(h->call->region, answer->data, answer->len);
}
