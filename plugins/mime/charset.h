/* charset.h - a character set that is turned into UTF-8 as its octets come; for the files of mime only. */
#pragma once

#include <glib.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct CharsetTable CharsetTable;

typedef struct {
	const CharsetTable *table; /* NULL: `iconv` converts */
	iconv_t iconv; /* (iconv_t)-1: octets stay as they are */
	bool is_near;  /* ASCII octets stand for themselves */
} Charset;

/* Separated by blanks. */
extern const char charset_names[];
/* Opens all of them, for good: later, in a process without files, their modules are found in memory. */
void charsets_open(void);

/* ---- tables.c: sets of one octet for each character ---- */

/* Makes the tables, once.  Any thread. */
void charset_tables_make(void);
/* NULL: it is no such set, or unknown. */
const CharsetTable *charset_table(const char *charset);
/* An octet that stands for nothing becomes a blank; false: there was one. */
bool charset_table_add(const CharsetTable *table, const char *text, size_t size, GString *out);

/* ---- charset.c ---- */

/* `text`: the first octets, which may begin with a mark that tells more than `charset` (NULL: not said). */
void charset_open(Charset *set, const char *text, size_t size, const char *charset);
void charset_close(Charset *set);
/* Adds to `out`; returns how many octets were taken: fewer where the last character is not whole, and more may come. */
size_t charset_add(Charset *set, const char *text, size_t size, bool is_last, GString *out);
