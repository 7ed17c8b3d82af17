/* error.h - the one GError domain of the core. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define POSTERN_ERROR postern_error_quark()

/* What a caller may want to tell apart; the message says the rest in a sentence that names the thing. */
typedef enum {
	POSTERN_ERROR_INVALID = 1, /* what was given makes no sense: config, argument, format  */
	POSTERN_ERROR_IO,          /* the system refused: file, socket, disk                   */
	POSTERN_ERROR_FULL,        /* no space, or a bound is reached                          */
	POSTERN_ERROR_DAMAGED,     /* stored data does not agree with its checksum             */
	POSTERN_ERROR_NOT_FOUND,
	POSTERN_ERROR_EXISTS,      /* somebody was first, or it changed since it was read      */
	POSTERN_ERROR_UNAVAILABLE, /* cannot be found out now: server away, deadline passed    */
	POSTERN_ERROR_UNTRUSTED,   /* a peer's certificate is not accepted                     */
	POSTERN_ERROR_REFUSED,     /* a server works, and does not do this now                 */
} PosternError;

GQuark postern_error_quark(void);

/* Sets `*error` to "TEXT: strerror(errno)" with code IO (FULL for ENOSPC and EDQUOT); returns false. */
bool error_set_errno(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Sets `*error`; returns false, so that a function may end with it. */
bool error_set(GError **error, PosternError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
