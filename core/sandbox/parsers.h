/* parsers.h - parsers as the daemon uses them: a pool for each plugin, a call to one that is idle, and an end to one that
 * does not answer. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/keeper.h"

typedef struct {
	unsigned most;      /* parsers of one plugin at a time; 0: two for each processor */
	unsigned most_uses; /* calls of one parser; then it ends, and a new one takes its place */
	uint64_t memory;    /* octets that one parser may use, its input and its program included */
	size_t answer;      /* octets of an answer */
} ParsersLimits;

typedef struct {
	const char *plugin;
	unsigned running, started, died; /* died: since the start, by a signal or a deadline */
	pid_t idle;                      /* one that is idle; 0: none is */
} ParsersFigures;

typedef struct Parsers Parsers;

/* `load`: see keeper_open().  Takes no plugin in yet.  NULL: an error.  May block for the time of a fork. */
Parsers *parsers_open(KeeperLoad *load, const ParsersLimits *limits, GError **error);
/* All parsers end.  No call is under way.  NULL: nothing. */
void parsers_close(Parsers *parsers);
/* From now on; parsers that run keep the memory that they have, and idle ones that are too many end.  Blocks while the keeper
 * ends them.  Any thread. */
void parsers_set_limits(Parsers *parsers, const ParsersLimits *limits);
/* Makes the parser of a plugin known; once is enough.  Blocks while the keeper loads it.  Any thread. */
bool parsers_load(Parsers *parsers, const char *directory, const char *plugin, GError **error);
/* What the plugin's parse() answers to the parameters and octets: new, or NULL with a sentence that says why there is no answer:
 * the parser died (UNAVAILABLE), or did not answer until `deadline_us` (monotonic; UNAVAILABLE), or answered more than it
 * may, or to no call (INVALID).  Such a parser is ended.  Blocks.  Any thread. */
GByteArray *parsers_call(Parsers *parsers, const char *plugin, GBytes *parameters, const char *octets, size_t size,
	int64_t deadline_us, GError **error);
/* Calls `each` for every plugin that has a parser; it must not call parsers_*().  Any thread. */
void parsers_each(Parsers *parsers, void (*each)(void *data, const ParsersFigures *figures), void *data);
pid_t parsers_keeper(const Parsers *parsers);
/* Why no parser can be started now, a sentence; NULL: they can.  Any thread. */
const char *parsers_trouble(const Parsers *parsers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Parsers, parsers_close)
