/* bcc-mirror.h - what the files of this plugin share. */
#pragma once

#include <glib.h>

#include "plugins/bcc-mirror/address.h"
#include "plugin-api.h"

#define DAY (24 * 3600 * PTN_SECOND)

typedef struct {
	GMutex lock;       /* guards `known` */
	GHashTable *known; /* login -> int64_t*: until when the store tells whose address it is */
} BccMirror;

/* Stages of bounce.c. */
PtnFunction bounce_at_rcpt, bounce_route, bounce_deliver, bounce_hear;
/* Writes down for all nodes whose account an address of a copy is. */
void bounce_expect(PtnHook *h, const char *login);
/* Of an account: "2026-11-22 14:05 archive@example.org: 550 no such user"; NULL: none is known. */
const char *bounce_last(PtnHook *h, const char *login);
