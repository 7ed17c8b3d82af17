/* mutate.h - a mutator for inputs that are lines: libFuzzer alone rarely finds the next command that is legal.
 *
 * A fuzzer that links mutate.c defines fuzz_grammar.  Without libFuzzer nothing of it is built. */
#pragma once

#include <stddef.h>

/* One way to write `symbol`; symbols of others stand in `text` as '$' and their letter.  Rules of one symbol stand
 * together; 'L' is a line, or several that belong together, each with its end. */
typedef struct {
	char symbol;
	const char *text;
} FuzzRule;

typedef struct {
	size_t head;           /* octets in front of the lines that choose settings */
	const FuzzRule *rules; /* ends with a symbol of 0 */
} FuzzGrammar;

extern const FuzzGrammar fuzz_grammar;
