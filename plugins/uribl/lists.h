/* lists.h - the items: which zone each asks, and which answers of it are listings. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugin-api.h"
#include "plugins/list-health/health.h"

typedef enum { ACTION_REJECT, ACTION_DEFER, ACTION_TAG, ACTION_WARN } Action;

typedef struct {
	uint32_t first, last;
} CodeRange;

typedef struct {
	const char *name; /* of the item */
	unsigned bits;    /* 0: none */
	GArray *codes;    /* of CodeRange */
	char *text;
	Action action;
} Item;

/* Items that ask the same zone share one question, and its troubles. */
typedef struct {
	char *name;        /* may be a secret: logs and alarms show the first item */
	GPtrArray *items;  /* of Item*, in the order of the file */
	bool has_bits;     /* one of them goes by bits */
	ListHealth health; /* under the name of the first item */
} Zone;

/* The zones of the items of this plugin; NULL after ptn_fail(), whose text is in `why`.  New. */
GPtrArray *lists_read(PtnHook *h, const char **why);
/* "127.0.0.2", "127.0.0.4-127.0.0.7", "127.0.1.0/24". */
bool code_range_parse(const char *text, CodeRange *range);
/* Of all items.  Errors are answers outside 127/8, 127.0.0.1, 127.0.0.255 and 127.255.255/24: the
 * list refuses to tell; where items go by bits, all that have bit 1.  One error makes the whole
 * answer one. */
Meaning zone_meaning(const Zone *zone, const PtnAnswer *answer, const char **value);
/* Of an answer that is no error. */
bool item_lists_answer(const Item *item, const PtnAnswer *answer);
