/* reply.c - SMTP replies.
 *
 *	Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
 *	status-code = class "." subject "." detail      (RFC 3463 2; subject and detail of 1 to 3 digits) */
#include "proto/reply.h"

#include <string.h>

/* Size of the status code that `text` begins with, 0 if none of this class. */
static size_t
reply_enhanced_size(const char *text, size_t size, int class)
{
	size_t at = 1;

	if (size == 0 || text[0] != '0' + class || class == 3)
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (at == size || text[at++] != '.')
			return 0;
		while (at < size && g_ascii_isdigit(text[at])) {
			at++;
			digits++;
		}
		if (digits < 1 || digits > 3)
			return 0;
	}
	return at == size || text[at] == ' ' ? at : 0;
}

static int
reply_code(const char *line, size_t size)
{
	if (size < 3 || line[0] < '1' || line[0] > '9' || !g_ascii_isdigit(line[1]) || !g_ascii_isdigit(line[2]))
		return 0;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

static void
reply_put_text(GString *text, const char *octets, size_t size)
{
	const bool is_utf8 = g_utf8_validate(octets, (gssize)size, NULL);

	for (size_t i = 0; i < size; i++) {
		const unsigned char c = (unsigned char)octets[i];
		const bool is_c1 = c == 0xc2 && is_utf8 && (unsigned char)octets[i + 1] < 0xa0;
		const bool is_control = c < ' ' || c == 0x7f || is_c1;

		if (is_c1)
			i++;
		g_string_append_c(text, is_control || (c > 0x7f && !is_utf8) ? '?' : (char)c);
	}
	if (text->len <= REPLY_TEXT_MAX)
		return;
	size = REPLY_TEXT_MAX;
	while (size > 0 && (text->str[size] & 0xc0) == 0x80)
		size--;
	g_string_truncate(text, size);
}

/* `gives_status`: the first line with this code. */
static void
reply_take_text(ServerReply *reply, bool gives_status, const char *text, size_t size)
{
	const size_t enhanced = reply_enhanced_size(text, size, reply->code / 100);
	const bool is_first = reply->n_lines == 0;

	if (gives_status)
		memcpy(reply->enhanced, text, enhanced);
	if (gives_status)
		reply->enhanced[enhanced] = '\0';
	if (enhanced > 0 && strlen(reply->enhanced) == enhanced && memcmp(text, reply->enhanced, enhanced) == 0) {
		text += enhanced;
		size -= enhanced;
		if (size > 0 && *text == ' ') {
			text++;
			size--;
		}
	}
	if (!is_first && reply->text->len < REPLY_TEXT_MAX)
		g_string_append_c(reply->text, '\n');
	if (reply->text->len < REPLY_TEXT_MAX)
		reply_put_text(reply->text, text, size);
}

ReplyResult
reply_take_line(ServerReply *reply, const char *line, size_t size)
{
	const int code = reply_code(line, size);
	const bool is_last = size == 3 || (size > 3 && line[3] == ' ');
	bool gives_status;

	if (code == 0 || (!is_last && line[3] != '-'))
		return REPLY_BAD;
	gives_status = reply->code != code;
	reply->is_odd |= (reply->n_lines > 0 && gives_status) || code < 200 || code > 599;
	reply->code = code;
	size = MIN(size, REPLY_LINE_MAX);
	reply_take_text(reply, gives_status, size > 4 ? line + 4 : "", size > 4 ? size - 4 : 0);
	reply->n_lines++;
	return is_last ? REPLY_LAST : REPLY_MORE;
}

static bool
reply_text_is_valid(const char *text, bool is_utf8)
{
	if (*text == '\0' || strlen(text) > REPLY_OURS_MAX || !g_utf8_validate(text, -1, NULL))
		return false;
	for (; *text != '\0'; text = g_utf8_next_char(text)) {
		const gunichar c = g_utf8_get_char(text);

		if (g_unichar_iscntrl(c) || c == 0x2028 || c == 0x2029 || (c > '~' && !is_utf8))
			return false;
	}
	return true;
}

bool
reply_is_valid(int code, const char *enhanced, const char *text, bool is_utf8)
{
	const size_t size = enhanced != NULL ? strlen(enhanced) : 0;

	if (code < 200 || code > 599 || text == NULL || !reply_text_is_valid(text, is_utf8))
		return false;
	if (code / 100 == 3)
		return size == 0;
	return size > 0 && reply_enhanced_size(enhanced, size, code / 100) == size;
}
