/* config-read.h - the text of a configuration file as sections, keys and lines, nothing of it checked. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
	char *key, *value; /* without quotes and comments; continued lines joined by one blank */
	char *where;       /* "postern.conf:12" */
} ConfigKey;

typedef struct {
	char *title;     /* what the brackets hold, its words joined by one blank */
	char *where;
	GPtrArray *keys; /* ConfigKey* in file order */
	bool is_repeated; /* a mistake named already */
} ConfigText;

/* New, empty; frees what is in it. */
GPtrArray *config_text_new(void);
/* Appends the sections of `text` (`size` octets of the file `name`) to `sections`, and one sentence per mistake to
 * `mistakes`.  A section or key that was there already is a mistake. */
void config_read(const char *text, size_t size, const char *name, GPtrArray *sections, GPtrArray *mistakes);
