/* limits.h - what the files of the plugin share. */
#pragma once

#include <glib.h>

#include "plugins/limits/scope.h"

typedef struct {
	GMutex lock;
	GHashTable *passed; /* "SCOPE/WHO" -> Passed*: who cannot send before its window ends; so MAIL can say so at once */
} Limits;

/* ---- known.c ---- */
void known_start(Limits *limits);
void known_stop(Limits *limits);
/* Remembers that a limit of `who` was passed. */
void known_add(PtnHook *h, Scope scope, const char *who, const Limit *limit);
/* In words, new in the hook's memory; NULL: nothing is known of it. */
const char *known_find(PtnHook *h, Scope scope, const char *who);

/* ---- notice.c ---- */
/* Tells the customer, once a day, that `percent` of a limit are used up; beside, so that the client does not wait. */
void notice_tell(PtnHook *h, const Share *share, const Limit *limit, int percent);

/* ---- usage.c ---- */
PtnVerdict usage_show(PtnHook *h);
