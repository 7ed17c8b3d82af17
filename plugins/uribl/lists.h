/* lists.h - the items: which zone each asks, and which answers of it are listings. */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "plugin-api.h"

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
	char *name;                  /* may be a secret: logs show the first item */
	GPtrArray *items;            /* of Item*, in the order of the file */
	bool has_bits;               /* one of them goes by bits */
	atomic_uint failures;        /* in a row */
	atomic_llong left_out_until; /* of ptn_now() */
	atomic_bool is_alarmed, is_down;
} Zone;

typedef enum { ANSWER_IS_CODE, ANSWER_IS_ERROR } AnswerKind;

/* The zones of the items of this plugin; NULL after ptn_fail(), whose text is in `why`.  New. */
GPtrArray *lists_read(PtnHook *h, const char **why);
/* "127.0.0.2", "127.0.0.4-127.0.0.7", "127.0.1.0/24". */
bool code_range_parse(const char *text, CodeRange *range);
/* Errors are answers outside 127/8, 127.0.0.1, 127.0.0.255 and 127.255.255/24: the list refuses to tell; where items
 * go by bits, all that have bit 1. */
AnswerKind answer_parse(const Zone *zone, const char *text, uint32_t *address);
bool item_lists(const Item *item, uint32_t address);
