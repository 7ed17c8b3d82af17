/* octets.h - what a hop must be able to carry: octets above 127, long lines (RFC 5321 4.5.3.1.6, RFC 6152).  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { LINE_CONTENT_MAX = 998 }; /* octets of a line without its CRLF */

/* Zero it at the start. */
typedef struct {
	bool has_8bit, has_long;
	size_t line; /* octets of the line that has not ended */
} OctetFacts;

/* Adds a piece of a text; LF ends a line, and a CR before it does not count. */
void octets_note(OctetFacts *facts, const char *octets, size_t size);
bool octets_are_ascii(const char *octets, size_t size);
