/* id.h - ids that are never used twice: of messages in the queue, of sessions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

/* 42 bits of milliseconds since 2020, 10 bits of node, 12 bits of sequence; 0 is none.  Later ids of
 * one node are greater. */
typedef uint64_t QueueId;

enum { ID_TEXT_SIZE = 16, ID_NODES = 1024 };

typedef struct IdSource IdSource;

/* New.  `node`: 0 … 1023.  Any thread may draw from it. */
IdSource *id_source_new(const Clock *clock, unsigned node);
void id_source_free(IdSource *source);
QueueId id_next(IdSource *source);
/* Ids drawn from now on are greater than `id` (the highest one found in the spool). */
void id_source_pass(IdSource *source, QueueId id);

/* Whether a source that passed `a` would draw more than one that passed `b`: by time and sequence, whatever the node.
 * (Ids of several nodes meet in one spool by adoption; as numbers they rank by node before sequence.) */
bool id_is_later(QueueId a, QueueId b);

unsigned id_node(QueueId id);
/* 13 characters of "0-9A-Z" without I, L, O and U (Crockford's base 32).  Returns `text`. */
const char *id_format(QueueId id, char text[ID_TEXT_SIZE]);
/* Either case.  False: not an id. */
bool id_parse(const char *text, QueueId *id);
