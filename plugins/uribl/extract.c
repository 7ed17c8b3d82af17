/* extract.c - each part that is read: without transfer encoding, in UTF-8, as text or as HTML. */
#include "plugins/uribl/extract.h"

#include <string.h>

#include "plugins/mime/mime.h"
#include "plugins/uribl/html.h"

typedef struct {
	LinkFinder finder;
	size_t left; /* octets of text that may still be looked at */
	bool is_cut;
} Extract;

static bool
is_html(const char *type)
{
	return strcmp(type, "text/html") == 0 || strcmp(type, "application/xhtml+xml") == 0 ||
		   strcmp(type, "text/xml") == 0 || strcmp(type, "image/svg+xml") == 0;
}

/* "multipart/…" and "message/…" come here only if they are none: readers show them as text. */
static bool
is_read(const char *type)
{
	return g_str_has_prefix(type, "text/") || g_str_has_prefix(type, "multipart/") ||
		   g_str_has_prefix(type, "message/") || is_html(type);
}

/* What has no type, or says it is plain, may be HTML all the same: some readers look. */
static bool
looks_like_html(const char *text, size_t size)
{
	const size_t looked = MIN(size, 512);

	for (const char *at = text; (at = memchr(at, '<', (size_t)(text + looked - at))) != NULL; at++)
		if (g_ascii_strncasecmp(at, "<html", 5) == 0 || g_ascii_strncasecmp(at, "<!doctype html", 14) == 0 ||
			g_ascii_strncasecmp(at, "<body", 5) == 0)
			return true;
	return false;
}

static void
extract_part(const MimePart *part, void *data)
{
	Extract *extract = data;
	g_autofree char *text = NULL;
	size_t size;

	if (!is_read(part->type) || part->size == 0)
		return;
	if (extract->left == 0) {
		extract->is_cut = true;
		return;
	}
	text = mime_decode(part, extract->left, &size);
	extract->is_cut |= size == extract->left;
	extract->left -= size;
	text = mime_to_utf8(text, &size, part->charset);
	if (is_html(part->type) || looks_like_html(text, size))
		html_find(&extract->finder, text, size);
	else
		text_find(&extract->finder, text, size, 0);
}

bool
extract_hosts(Hosts *hosts, const char *content, size_t size, const ExtractLimits *limits)
{
	const MimeLimits mime = { .most_parts = limits->most_parts, .most_depth = limits->most_depth };
	Extract extract = { .finder = { hosts, limits->takes_bare, limits->takes_addresses },
		.left = limits->most_octets };
	const bool is_whole = mime_walk(content, size, &mime, extract_part, &extract);

	return is_whole && !extract.is_cut && !hosts_are_cut(hosts);
}
