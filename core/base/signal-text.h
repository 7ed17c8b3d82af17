/* signal-text.h - a line of text made in a signal handler: no allocation, no lock, no locale;
 * async-signal-safe. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SIGNAL_TEXT_SIZE = 1024 };

typedef struct {
	size_t length;
	char text[SIGNAL_TEXT_SIZE]; /* always ends with a NUL */
} SignalText;

/* What does not fit is left out; the last octet that fits is a line feed then. */
void signal_text_add(SignalText *to, const char *text);
void signal_text_add_number(SignalText *to, uint64_t number);
/* The time of day in UTC: "2026-11-22T08:00:00.000Z". */
void signal_text_add_now(SignalText *to);
/* The same of a time of the wall clock, in milliseconds since 1970. */
void signal_text_add_time(SignalText *to, uint64_t ms);
/* As RFC 3164 (4.1.2) has it, "Nov  2 08:00:00"; seconds since 1970 with the offset of the zone added. */
void signal_text_add_stamp(SignalText *to, uint64_t second);
