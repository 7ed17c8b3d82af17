/* option.h - typed options: one table row says all there is to know of one (see PtnOption). */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugin-api.h"

/* A checked value; immutable.  What it does not have is 0 or NULL. */
typedef struct {
	char *text;     /* as given, without quotes; a list's words joined by one blank               */
	int64_t number; /* BOOL 0/1, NUMBER, SIZE in octets, TIME in µs, CHOICE its place; of a TIME_RANGE the least; of a
	                 * PER_TIME how many (0: off) */
	int64_t number_most; /* of a TIME_RANGE; of a PER_TIME the time                                   */
	char **list;    /* of PTN_LIST: its words, NULL-terminated                                    */
} OptionValue;

/* New; NULL with a sentence in `error` that says what is wrong and what would be right.  Reads no file.
 * Sizes: 64K 200M 10G (1024).  Times: 300ms 30s 5m 12h 31d, a bare number is seconds. */
OptionValue *option_parse(const PtnOption *option, const char *text, GError **error);
/* "1", "TRUE", "on": "yes"; the same for "no".  NULL: the text is no boolean. */
const char *option_boolean(const char *text);
/* True: "@/…", the path of a file that has the value. */
bool option_is_reference(const char *text);
/* What a configuration file says, for every type: of "@FILE" (an absolute path) the first line of that file, without its
 * end; else `text` itself.  For the reader of the configuration alone, who has the rights of the administrator: whoever
 * else gives a value could read any file by it.  May block on the disk.  New; NULL with a sentence that names the file
 * and nothing of what is in it. */
char *option_expand(const char *text, GError **error);
void option_value_free(OptionValue *value);

/* The row named `name`; tables end with an empty row. */
const PtnOption *option_find(const PtnOption *table, const char *name);
/* The known word nearest to `word` (edit distance at most a third of its length), or NULL. */
const char *option_nearest(const char *word, const char *const *known);
/* "time, 1s to 1d", "yes or no", …: for manuals and messages.  New. */
char *option_describe_type(const PtnOption *option);
/* µs and octets as an administrator would write them: "5m", "64K".  New. */
char *option_format_time(int64_t us);
char *option_format_size(int64_t octets);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(OptionValue, option_value_free)
