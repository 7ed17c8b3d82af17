/* charset.h - a character set that is turned into UTF-8 as its octets come; of decode and pieces alone. */
#pragma once

#include <glib.h>
#include <iconv.h>
#include <stdbool.h>

typedef struct {
	iconv_t iconv; /* (iconv_t)-1: octets stay as they are */
	bool is_near;  /* ASCII octets stand for themselves */
} Charset;

/* Separated by blanks. */
extern const char charset_names[];
/* Opens all of them, for good: later, in a process without files, their modules are found in memory. */
void charsets_open(void);

/* `text`: the first octets, which may begin with a mark that tells more than `charset` (NULL: not said). */
void charset_open(Charset *set, const char *text, size_t size, const char *charset);
void charset_close(Charset *set);
/* Adds to `out`; returns how many octets were taken: fewer where the last character is not whole, and more may come. */
size_t charset_add(Charset *set, const char *text, size_t size, bool is_last, GString *out);
