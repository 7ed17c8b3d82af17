/* fuzz-reply.c - what a server answers, line by line. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/reply.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *ours = g_strndup(at, size);
	ServerReply reply = { .text = text };
	ReplyResult result = REPLY_MORE;

	while (at < end && result == REPLY_MORE) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		const char *line_end = lf != NULL ? lf : end;

		result = reply_take_line(&reply, at, (size_t)(line_end - at));
		at = lf != NULL ? lf + 1 : end;
		g_assert(text->len <= REPLY_TEXT_MAX && g_utf8_validate(text->str, (gssize)text->len, NULL));
		g_assert(strlen(text->str) == text->len && strlen(reply.enhanced) < sizeof reply.enhanced);
		g_assert(result == REPLY_BAD || (reply.code >= 100 && reply.code <= 999));
		g_assert(reply.enhanced[0] == '\0' || reply.enhanced[0] - '0' == reply.code / 100);
	}
	if (reply_is_valid(550, "5.7.1", ours, true))
		g_assert(strpbrk(ours, "\r\n") == NULL && strlen(ours) <= REPLY_OURS_MAX);
	g_assert(!reply_is_valid(250, ours, "Ok", false) || (strlen(ours) >= 5 && ours[0] == '2'));
	return 0;
}
