/* limits.h - what the files of the plugin share. */
#pragma once

#include <glib.h>

#include "plugins/limits/scope.h"

typedef struct {
	GMutex lock;
	GHashTable
		*passed; /* "SCOPE/WHO" -> Passed*: who cannot send before its window ends; so MAIL can say so at once */
	GHashTable *held; /* queue id -> HeldState*: messages that were held, as this node knows */
} Limits;

/* What is counted of a message. */
typedef struct {
	const char *client;
	int64_t recipients, size, octets; /* `octets`: with its copies */
} Message;

/* ---- known.c ---- */
void known_start(Limits *limits);
void known_stop(Limits *limits);
/* Remembers that a limit of `who` was passed. */
void known_add(PtnHook *h, Scope scope, const char *who, const Limit *limit);
/* In words, new in the hook's memory; NULL: nothing is known of it. */
const char *known_find(PtnHook *h, Scope scope, const char *who);

/* ---- count.c ---- */
/* How a limit that would be passed is taken: it refuses, or, for mail that was let go, is counted beyond. */
typedef enum { COUNT_WITHIN, COUNT_BEYOND } CountHow;
/* Counts the message for the account, the customer, the client and each recipient domain: all of it, or nothing: then `passed`
 * is the limit, and `whose` its share (both for TAKEN). */
PtnStatus count_message(PtnHook *h, const Message *message, CountHow how, Limit *passed, Share *whose);
/* A limit that the message exceeds by itself, so that no window has room for it. */
bool count_is_too_large(PtnHook *h, const Message *message, Limit *passed, Share *whose);

/* ---- held.c ---- */
void held_start(Limits *limits);
void held_stop(Limits *limits);
/* Holds the message, which is at MESSAGE, until the limit's window ends. */
void held_begin(PtnHook *h, const Message *message, const Share *whose, const Limit *passed);
/* ROUTE: what was held goes when it could be counted. */
PtnVerdict held_route(PtnHook *h);

/* ---- notice.c ---- */
/* Tells the customer, once a day, that `percent` of a limit are used up; beside, so that the client does not wait. */
void notice_tell(PtnHook *h, const Share *share, const Limit *limit, int percent);

/* ---- usage.c ---- */
PtnVerdict usage_show(PtnHook *h);
