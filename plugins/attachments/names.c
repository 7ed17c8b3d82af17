/* names.c - what a reader's system would make of the name of a file. */
#include "plugins/attachments/names.h"

#include <fnmatch.h>
#include <string.h>

enum { NAME_MOST = 255, SHOWN_MOST = 100 };

/* Directions, joiners, soft hyphens and controls: they change how a name looks, not what it opens. */
static bool
is_unseen(gunichar c)
{
	switch (g_unichar_type(c)) {
	case G_UNICODE_CONTROL:
	case G_UNICODE_FORMAT:
	case G_UNICODE_UNASSIGNED:
	case G_UNICODE_PRIVATE_USE:
	case G_UNICODE_LINE_SEPARATOR:
	case G_UNICODE_PARAGRAPH_SEPARATOR:
		return true;
	default:
		return c == 0x3164 || c == 0xffa0; /* fillers */
	}
}

static char *
without_unseen(const char *name)
{
	GString *seen = g_string_new(NULL);

	for (const char *at = name; *at != '\0'; at = g_utf8_next_char(at))
		if (!is_unseen(g_utf8_get_char(at)))
			g_string_append_unichar(seen, g_utf8_get_char(at));
	return g_string_free(seen, FALSE);
}

static const char *
last_part(const char *path)
{
	for (const char *c = path; *c != '\0'; c++)
		if ((*c == '/' || *c == '\\') && c[1] != '\0')
			path = c + 1;
	return path;
}

/* Systems drop final dots and blanks; a name ends where a stream is named, and a drive is none of it. */
static void
strip_end(char *name)
{
	char *colon = strchr(name, ':');
	size_t size;

	if (colon != NULL && colon - name > 1)
		*colon = '\0';
	for (size = strlen(name); size > 0 && strchr(". \"'/\\", name[size - 1]) != NULL;)
		name[--size] = '\0';
}

/* Of a name that is too long for a file the end counts: there it says what it is. */
static const char *
cut_start(const char *name)
{
	const size_t size = strlen(name);

	name = last_part(size > NAME_MOST ? name + size - NAME_MOST : name);
	while (((unsigned char)*name & 0xc0) == 0x80)
		name++;
	return name;
}

static char *
fold_beyond_ascii(const char *name)
{
	g_autofree char *valid = g_utf8_make_valid(name, -1);
	g_autofree char *plain = g_utf8_normalize(valid, -1, G_NORMALIZE_ALL_COMPOSE);
	g_autofree char *seen = without_unseen(plain);

	return g_utf8_casefold(seen, -1);
}

/* The same, of what has no controls in it. */
static bool
is_plain(const char *name)
{
	while (*name >= ' ' && *name <= '~')
		name++;
	return *name == '\0';
}

char *
name_fold(const char *name)
{
	const char *start = cut_start(name);
	g_autofree char *folded = is_plain(start) ? g_ascii_strdown(start, -1) : fold_beyond_ascii(start);

	strip_end(folded);
	return g_strdup(last_part(folded));
}

char *
name_shown(const char *name)
{
	g_autofree char *valid = g_utf8_make_valid(name, -1);
	GString *shown = g_string_new(NULL);

	for (name = valid; *name != '\0' && shown->len < SHOWN_MOST; name = g_utf8_next_char(name))
		g_string_append_c(shown, g_ascii_isprint(*name) ? *name : '?');
	if (*name != '\0')
		g_string_append(shown, "...");
	return g_string_free(shown, FALSE);
}

GPtrArray *
patterns_new(const char *const *texts)
{
	GPtrArray *patterns = g_ptr_array_new_with_free_func(g_free);

	for (; *texts != NULL; texts++)
		g_ptr_array_add(patterns, g_utf8_casefold(*texts, -1));
	return patterns;
}

bool
patterns_match(const GPtrArray *patterns, const char *folded)
{
	for (guint i = 0; i < patterns->len; i++)
		if (fnmatch(g_ptr_array_index(patterns, i), folded, 0) == 0)
			return true;
	return false;
}
