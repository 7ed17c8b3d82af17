/* parser.h - a process that parses what strangers wrote: it reads a call, runs the plugin's function, writes the answer, and waits
 * for the next.  It has no network, no files and nothing of the daemon.
 *
 * A call is a ParserCall, the parameters, and the octets; an answer is a ParserAnswer and its octets.  Both ends are one
 * program on one machine, so numbers go as they are. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin-api.h"

typedef struct {
	uint64_t number; /* drawn at random */
	uint64_t parameters_size, size;
} ParserCall;

typedef struct {
	uint64_t number; /* of the call: nothing that was written before the call was read is its answer */
	uint64_t size;
} ParserAnswer;

/* What a plugin's parse() adds its answer to, by ptn_parsed(); it begins with a ParserAnswer. */
struct PtnParse {
	GByteArray *answer;
};

/* The exit code of a parser that cannot be closed off, or whose call makes no sense. */
enum { PARSER_UNUSABLE = 71 };

/* Gives up all that the process has but `fd`, at most `memory` octets of it from now on, then serves calls until the other end is
 * closed.  Does not return. */
_Noreturn void parser_run(int fd, const PtnPlugin *plugin, void *state, uint64_t memory);
