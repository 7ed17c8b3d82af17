/* clamd.c - the protocol of clamd, with lines: see its manual page, "COMMANDS".
 *
 * INSTREAM: pieces, each behind its length in four octets of network order; a length of zero ends them.  The answer is
 * "stream: OK", "stream: NAME FOUND", or "… ERROR"; a stream that is too long is answered before its end. */
#include "plugins/clamav/clamd.h"

#include <arpa/inet.h>
#include <glib.h>
#include <stdint.h>
#include <string.h>

enum { PIECE = 64 * 1024, TEXT_MOST = 100 };

#define UNIX_START "unix:"
/* clamd guesses by the first octets: what begins with a header field named "GIF89a" is a picture to it, and nothing in
 * it is decoded.  This makes a mail of it, whatever follows. */
#define PRELUDE "Received: by postern\r\n"
#define ANSWER_START "stream: "

/* ---- addresses ---- */

bool
clamd_address_parse(const char *text, ClamdAddress *address)
{
	const char *colon = strrchr(text, ':');
	g_autofree char *host = NULL;
	guint64 port;
	size_t size;

	if (g_str_has_prefix(text, UNIX_START "/")) {
		*address = (ClamdAddress){ g_strdup(text), g_strdup(text), 0 };
		return true;
	}
	if (colon == NULL || !g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL))
		return false;
	host = g_strndup(text, (size_t)(colon - text));
	size = strlen(host);
	if (host[0] == '[' && host[size - 1] == ']') {
		host[size - 1] = '\0';
		memmove(host, host + 1, size - 1);
	} else if (strpbrk(host, ":[]/") != NULL) {
		return false;
	}
	if (host[0] == '\0')
		return false;
	*address = (ClamdAddress){ g_strdup(text), g_steal_pointer(&host), (int)port };
	return true;
}

void
clamd_address_clear(ClamdAddress *address)
{
	g_free(address->name);
	g_free(address->host);
}

/* ---- answers ---- */

/* It stands in replies, headers and logs. */
static const char *
clamd_printable(PtnHook *h, const char *text, size_t size)
{
	g_autofree char *clean = g_strndup(text, MIN(size, TEXT_MOST));

	for (char *c = clean; *c != '\0'; c++)
		if (!g_ascii_isprint(*c))
			*c = '?';
	return ptn_format(h, "%s", g_strstrip(clean));
}

static ClamdAnswer
clamd_read_answer(PtnHook *h, const char *line)
{
	const size_t size = strlen(line);

	if (strcmp(line, ANSWER_START "OK") == 0)
		return (ClamdAnswer){ CLAMD_CLEAN, "" };
	if (g_str_has_prefix(line, ANSWER_START) && g_str_has_suffix(line, " FOUND") &&
		size > strlen(ANSWER_START) + strlen(" FOUND"))
		return (ClamdAnswer){ CLAMD_FOUND,
			clamd_printable(h, line + strlen(ANSWER_START), size - strlen(ANSWER_START) - strlen(" FOUND")) };
	if (strstr(line, "size limit exceeded") != NULL)
		return (ClamdAnswer){ CLAMD_TOO_LARGE, clamd_printable(h, line, size) };
	return (ClamdAnswer){ CLAMD_ERROR, ptn_format(h, "answers \"%s\"", clamd_printable(h, line, size)) };
}

/* ---- questions ---- */

static bool
clamd_send_piece(PtnHook *h, PtnStream *stream, const char *data, size_t size)
{
	const uint32_t length = htonl((uint32_t)size);

	return ptn_write(h, stream, &length, sizeof length) && (size == 0 || ptn_write(h, stream, data, size));
}

/* A clamd that takes it octet by octet would keep the writer beyond its deadline: asked between the pieces. */
static bool
clamd_send(PtnHook *h, PtnStream *stream, const char *content, size_t size)
{
	static const char command[] = "nINSTREAM\n";

	if (!ptn_write(h, stream, command, strlen(command)) || !clamd_send_piece(h, stream, PRELUDE, strlen(PRELUDE)))
		return false;
	for (size_t sent = 0; sent < size; sent += PIECE)
		if (ptn_time_left(h) == 0 || !clamd_send_piece(h, stream, content + sent, MIN(size - sent, PIECE)))
			return false;
	return clamd_send_piece(h, stream, NULL, 0);
}

ClamdAnswer
clamd_scan(PtnHook *h, const ClamdAddress *address, const char *content, size_t size)
{
	PtnStream *stream = ptn_open(h, address->host, address->port, PTN_PLAIN | PTN_ANYWHERE);
	const char *line;

	if (stream == NULL)
		return (ClamdAnswer){ CLAMD_SILENT, "cannot be reached" };
	(void)clamd_send(h, stream, content, size); /* if it takes no more, it says why */
	line = ptn_read_line(h, stream);
	if (line != NULL)
		return clamd_read_answer(h, line);
	return (ClamdAnswer){ CLAMD_SILENT, ptn_time_left(h) == 0 ? "does not answer in time" : "hangs up" };
}

const char *
clamd_ask(PtnHook *h, const ClamdAddress *address, const char *command)
{
	PtnStream *stream = ptn_open(h, address->host, address->port, PTN_PLAIN | PTN_ANYWHERE);
	const char *words = ptn_format(h, "n%s\n", command), *line;

	if (stream == NULL || !ptn_write(h, stream, words, strlen(words)))
		return NULL;
	line = ptn_read_line(h, stream);
	return line != NULL ? clamd_printable(h, line, strlen(line)) : NULL;
}
