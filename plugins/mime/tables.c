/* tables.c - character sets of one octet for each character.  Their tables are made by iconv at the start, from nothing that a
 * stranger wrote; text is then converted without it. */
#include "plugins/mime/charset.h"

#include <string.h>

enum { OCTETS = 256, OCTET_ROOM = 3 };

struct CharsetTable {
	char text[OCTETS][OCTET_ROOM]; /* in UTF-8; a blank for an octet that stands for nothing */
	uint8_t sizes[OCTETS];
	bool is_nothing[OCTETS];
};

/* In all of them ASCII stands for itself.  Those of one row are names of one set, and iconv knows the first. */
static const char *const table_names[][3] = { { "iso-8859-1", "latin1", "iso8859-1" },
	{ "iso-8859-2", "latin2", "iso8859-2" }, { "iso-8859-3" }, { "iso-8859-4" }, { "iso-8859-5" },
	{ "iso-8859-7" },
	{ "iso-8859-9" }, { "iso-8859-10" }, { "iso-8859-13" }, { "iso-8859-14" },
	{ "iso-8859-15", "latin-9", "iso8859-15" }, { "iso-8859-16" }, { "windows-1250", "cp1250" },
	{ "windows-1251", "cp1251" }, { "windows-1252", "cp1252" }, { "windows-1253", "cp1253" },
	{ "windows-1254", "cp1254" }, { "windows-1257", "cp1257" }, { "koi8-r" }, { "koi8-u" } };

static struct CharsetTable *tables[G_N_ELEMENTS(table_names)]; /* NULL: this system does not have it */

static struct CharsetTable *
table_new(const char *charset)
{
	const iconv_t set = iconv_open("UTF-8", charset);
	struct CharsetTable *table;

	if (set == (iconv_t)-1)
		return NULL;
	table = g_new0(struct CharsetTable, 1);
	for (unsigned i = 0; i < OCTETS; i++) {
		char octet = (char)i, *from = &octet, *to = table->text[i];
		size_t left = 1, room = OCTET_ROOM;

		if (iconv(set, &from, &left, &to, &room) == (size_t)-1 || room == OCTET_ROOM) {
			(void)iconv(set, NULL, NULL, NULL, NULL);
			table->is_nothing[i] = true;
			table->text[i][0] = ' ';
			room = OCTET_ROOM - 1;
		}
		table->sizes[i] = (uint8_t)(OCTET_ROOM - room);
	}
	(void)iconv_close(set);
	return table;
}

static void *
tables_make(void *data)
{
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		tables[i] = table_new(table_names[i][0]);
	return data;
}

void
charset_tables_make(void)
{
	static GOnce once = G_ONCE_INIT;

	(void)g_once(&once, tables_make, NULL);
}

const CharsetTable *
charset_table(const char *charset)
{
	for (size_t i = 0; i < G_N_ELEMENTS(table_names); i++)
		for (size_t n = 0; n < G_N_ELEMENTS(table_names[i]) && table_names[i][n] != NULL; n++)
			if (g_ascii_strcasecmp(charset, table_names[i][n]) == 0)
				return tables[i];
	return NULL;
}

bool
charset_table_add(const CharsetTable *table, const char *text, size_t size, GString *out)
{
	const size_t before = out->len;
	bool are_known = true;
	char *to;

	g_string_set_size(out, before + OCTET_ROOM * size);
	to = out->str + before;
	for (size_t i = 0; i < size; i++) {
		const unsigned char octet = (unsigned char)text[i];

		memcpy(to, table->text[octet], OCTET_ROOM); /* there is room for all of it */
		to += table->sizes[octet];
		are_known &= !table->is_nothing[octet];
	}
	g_string_truncate(out, (size_t)(to - out->str));
	return are_known;
}
