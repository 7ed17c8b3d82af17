/* log.h - one line per event, as text or as JSON; any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR } LogLevel;
typedef enum { LOG_TEXT, LOG_JSON } LogFormat;

/* `to`: "stderr", "journal" (stderr with the priority as systemd reads it), "syslog:FACILITY", or a
 * file's absolute path, opened for appending.  The one in use stays if this fails.  Called again with the same
 * path it opens the file anew (after a rotation). */
bool log_open(const char *to, LogFormat format, LogLevel least, GError **error);
/* Why log_open() would not take `to`, a sentence; NULL: it would, if the file can be opened.  New. */
char *log_complaint(const char *to);

/* `event` is a short fixed phrase ("message accepted"); then name, value, …, NULL.  A pair whose value
 * is NULL is left out.  Values are quoted as needed: control characters never reach the log raw.
 * The field's names: session queue client login from to plugin stage reply cause error. */
void log_event(LogLevel level, const char *event, ...) G_GNUC_NULL_TERMINATED;

/* The same at the level of errors, for a signal handler: async-signal-safe, takes no lock, and writes to stderr, too.  A log
 * that is syslog gets a datagram (RFC 3164) from a socket that log_open() made; a syslog server that takes streams alone gets
 * none.  `pairs`: name, value, …, NULL; values must be printable ASCII without quotes
 * and backslashes.  A line of more than a thousand octets is cut off. */
void log_from_signal(const char *event, const char *const *pairs);
