/* cmd-data.c - DATA and BDAT (RFC 5321 4.1.1.4, RFC 3030). */
#include <string.h>

#include "engine/session-private.h"

bool
cmd_data_check(Session *session, const Command *command)
{
	if (command->argument[0] == '\0')
		return true;
	session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: DATA");
	return false;
}

void
cmd_data_proceed(Session *session)
{
	session_reply(session, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	session_start_data(session);
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP "LAST" ] */
static bool
cmd_bdat_parse(const Command *command, uint64_t *size, bool *is_last)
{
	g_auto(GStrv) words = g_strsplit(command->argument, " ", 3);
	const guint n = g_strv_length(words);
	guint64 parsed;

	if (n < 1 || n > 2 || !g_ascii_string_to_unsigned(words[0], 10, 0, G_MAXINT64, &parsed, NULL) ||
		(n == 2 && g_ascii_strcasecmp(words[1], "LAST") != 0))
		return false;
	*size = parsed;
	*is_last = n == 2;
	return true;
}

/* After a bad one nobody knows where commands begin again. */
bool
cmd_bdat_check(Session *session, const Command *command)
{
	if (!cmd_bdat_parse(command, &session->chunk_left, &session->chunk_is_last)) {
		session_close_with(session, PTN_PROTOCOL, 521, "5.5.4", "Syntax: BDAT size [LAST]");
		return false;
	}
	if (session->state != STATE_CHUNK)
		return true;
	cmd_bdat_proceed(session); /* the hooks have seen the first chunk's */
	return false;
}

void
cmd_bdat_proceed(Session *session)
{
	session_start_chunk(session, session->chunk_left, session->chunk_is_last);
}

/* The client sends the octets whatever we answered (RFC 3030 2). */
void
cmd_bdat_refused(Session *session)
{
	session_skip_chunk(session, session->chunk_left);
}

void
cmd_bdat_skip(Session *session, const Command *command)
{
	bool is_last;

	if (cmd_bdat_parse(command, &session->chunk_left, &is_last))
		session_skip_chunk(session, session->chunk_left);
	else
		session->is_closing = true;
}
