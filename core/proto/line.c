/* line.c - cutting a stream of octets into lines. */
#include "proto/line.h"

#include <glib.h>
#include <string.h>

static LineResult
line_give(LineResult result, size_t line_size, size_t line_used, size_t *size, size_t *used)
{
	*size = line_size;
	*used = line_used;
	return result;
}

/* A CR at the very end may be half of the line's end: it is neither bare nor thrown away. */
static LineResult
line_unfinished(const char *data, size_t available, size_t limit, size_t *size, size_t *used)
{
	if (available < limit)
		return LINE_MORE;
	return line_give(LINE_TOO_LONG, 0, data[limit - 1] == '\r' ? limit - 1 : limit, size, used);
}

LineResult
line_find(const char *data, size_t available, size_t limit, bool is_lenient, size_t *size, size_t *used)
{
	const size_t seen = MIN(available, limit);
	const char *lf = memchr(data, '\n', seen);
	const size_t before = lf != NULL ? (size_t)(lf - data) : seen;
	const char *cr = is_lenient ? NULL : memchr(data, '\r', before);
	const size_t content = before > 0 && lf != NULL && data[before - 1] == '\r' ? before - 1 : before;

	if (cr != NULL && (size_t)(cr - data) + 1 < before)
		return line_give(LINE_BARE, (size_t)(cr - data), (size_t)(cr - data) + 1, size, used);
	if (lf == NULL)
		return line_unfinished(data, available, limit, size, used);
	if (content == before && !is_lenient)
		return line_give(LINE_BARE, before, before + 1, size, used);
	return line_give(LINE_OK, content, before + 1, size, used);
}
