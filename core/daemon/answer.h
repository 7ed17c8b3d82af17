/* answer.h - what the daemon is asked by posternctl, and how it answers: text, tables, octets, an error.
 *
 * On the wire (a Unix stream socket) a request is a number of counted words and a counted input; an
 * answer is lines, each a letter and escaped fields between tabs:
 *   C column …   R cell …   T text   B base64   E error   A audience   X exit-code (the last one) */
#pragma once

#include <gio/gio.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/audit.h"

typedef struct Answer Answer;

typedef struct {
	char **words;     /* "queue", "list", …; NULL-terminated, options taken out */
	char *input;      /* a password, a file; NULL: none. Wiped when the request ends */
	bool is_dry, says_yes, says_hold, is_check;
	char *login_user; /* who became root to ask, as posternctl says; NULL: not said */
	size_t n_named;   /* set by the daemon: how many of the words name the command, of "account add …" two */
	Actor *actor;     /* set by the daemon, borrowed: who asks, and for which command */
} Request;

/* Reads a request; NULL with a sentence. */
Request *request_read(GInputStream *stream, GError **error);
/* What root's posternctl adds to say who became root. */
#define REQUEST_LOGIN_USER "--login-user="
/* Writes one; `words` as given on the command line. */
bool request_write(GOutputStream *stream, const char *const *words, const char *input, GError **error);
void request_free(Request *request);

Answer *answer_new(GOutputStream *stream);
/* Sends what is gathered and the exit code. */
void answer_finish(Answer *answer);

typedef enum { FOR_ALL, FOR_PEOPLE, FOR_PROGRAMS } AnswerAudience;

/* What follows is shown to people alone, or is in JSON alone; FOR_ALL: both again. */
void answer_set_audience(Answer *answer, AnswerAudience audience);
/* Begins a table.  Columns are lower case with hyphens, and with a type unless they are text: "size:octets", see cell.h.  Their
 * names are shown in upper case, and are keys of JSON. */
void answer_columns(Answer *answer, const char *column, ...) G_GNUC_NULL_TERMINATED;
/* As many cells as columns, each in the syntax of its column's type; "" is none. */
void answer_row(Answer *answer, const char *cell, ...) G_GNUC_NULL_TERMINATED;
void answer_row_v(Answer *answer, const char *const *cells);
void answer_columns_v(Answer *answer, const char *const *columns);
void answer_text(Answer *answer, const char *format, ...) G_GNUC_PRINTF(2, 3);
void answer_octets(Answer *answer, const void *data, size_t size);
/* The exit code of a command that tells something by it; 0 unless it is set, or the command fails. */
void answer_set_code(Answer *answer, int code);
/* The texts of the answer so far, errors included, on one line; the first two thousand octets or so. */
const char *answer_said(const Answer *answer);
/* The command failed: exit code 1. */
void answer_fail(Answer *answer, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)
