/* smtp-dialog.c - commands out, replies in. */
#include "engine/smtp-dialog.h"

#include <string.h>

#include "base/wipe.h"
#include "base/error.h"

void
smtp_reply_init(ServerReply *reply)
{
	*reply = (ServerReply){ .text = g_string_new(NULL) };
}

void
smtp_reply_clear(ServerReply *reply)
{
	if (reply->text != NULL)
		g_string_free(reply->text, TRUE);
	reply->text = NULL;
}

bool
smtp_read_reply(Wire *wire, SmtpNoise noise, ServerReply *reply, GError **error)
{
	size_t left = SMTP_REPLY_OCTETS_MAX;

	reply->code = 0;
	reply->enhanced[0] = '\0';
	reply->n_lines = 0;
	reply->is_odd = reply->is_torn = false;
	g_string_truncate(reply->text, 0);
	for (;;) {
		g_autoptr(GError) failure = NULL;
		const char *line;
		const bool is_whole = wire_read_cut(wire, REPLY_LINE_MAX, &left, &line, &failure);
		const ReplyResult result = reply_take_line(reply, line, strlen(line));

		reply->is_torn = !is_whole;
		reply->is_odd |= !is_whole || result == REPLY_BAD;
		if (reply->n_lines > 0 && (result == REPLY_LAST || !is_whole))
			return true;
		if (!is_whole) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return false;
		}
		if (result == REPLY_BAD && reply->n_lines == 0 && noise == NOISE_FAILS)
			return error_set(error, POSTERN_ERROR_INVALID, "the server sent something that is no SMTP reply");
	}
}

char *
smtp_reply_text(const ServerReply *reply)
{
	size_t size = MIN(reply->text->len, REPLY_SHOWN_MAX);

	while (size > 0 && (reply->text->str[size] & 0xc0) == 0x80) /* not within a character */
		size--;
	return g_strdelimit(g_strndup(reply->text->str, size), "\n", ' ');
}

bool
smtp_write_command(Wire *wire, GError **error, const char *format, ...)
{
	char *command;
	bool is_written;
	va_list arguments;

	va_start(arguments, format);
	command = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	is_written = strpbrk(command, "\r\n") == NULL
					 ? wire_write(wire, command, strlen(command), error) && wire_write(wire, "\r\n", 2, error)
					 : error_set(error, POSTERN_ERROR_INVALID, "a command of more than one line was not sent");
	wipe_free_text(command); /* AUTH is one, too */
	return is_written;
}

static unsigned
smtp_auth_mechanisms(char **words)
{
	unsigned found = 0;

	for (; *words != NULL; words++) {
		if (g_ascii_strcasecmp(*words, "PLAIN") == 0)
			found |= SMTP_AUTH_PLAIN;
		else if (g_ascii_strcasecmp(*words, "LOGIN") == 0)
			found |= SMTP_AUTH_LOGIN;
	}
	return found;
}

static unsigned
smtp_capability(char **words, uint64_t *size)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = { { "PIPELINING", SMTP_PIPELINING }, { "8BITMIME", SMTP_8BITMIME }, { "SMTPUTF8", SMTP_SMTPUTF8 },
		{ "DSN", SMTP_DSN }, { "CHUNKING", SMTP_CHUNKING }, { "STARTTLS", SMTP_STARTTLS },
		{ "ENHANCEDSTATUSCODES", SMTP_ENHANCED } };

	if (words[0] == NULL)
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (g_ascii_strcasecmp(words[0], known[i].name) == 0)
			return known[i].bit;
	if (g_ascii_strcasecmp(words[0], "AUTH") == 0)
		return smtp_auth_mechanisms(words + 1);
	if (g_ascii_strcasecmp(words[0], "SIZE") != 0)
		return 0;
	if (words[1] != NULL)
		(void)g_ascii_string_to_unsigned(words[1], 10, 0, G_MAXINT64, size, NULL);
	return SMTP_SIZE;
}

/* The first line is the server's name. */
unsigned
smtp_capabilities(const ServerReply *reply, uint64_t *size)
{
	g_auto(GStrv) lines = g_strsplit(reply->text->str, "\n", -1);
	unsigned found = 0;

	*size = 0;
	for (guint i = 1; lines[0] != NULL && lines[i] != NULL; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);

		found |= smtp_capability(words, size);
	}
	return found;
}
