/* list.h - one DNS list: what is asked of it, what its answers mean, and how it is called where others can read it.
 *
 * The zone may contain a key (a subscriber's secret); `shown` is the zone without it, and all that replies, logs and
 * alarms may say. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugin-api.h"
#include "plugins/list-health/health.h"

typedef enum { ACTION_REJECT, ACTION_DEFER, ACTION_TAG, ACTION_WARN } Action; /* places in `actions` of dnsbl.c */

typedef struct {
	guint32 first, last; /* addresses as numbers */
} Codes;

typedef struct {
	char *name; /* of the item */
	char *zone; /* a secret */
	char *shown;
	char *text; /* NULL: what the list itself says */
	GArray *codes;
	gint64 weight;
	Action action;
	bool takes_ipv6;
	char *label; /* "NAME (SHOWN)" */
	ListHealth health;
} List;

/* Complaints are sentences, new; NULL: nothing is wrong.  They do not repeat what may be a secret. */
char *list_zone_complaint(const char *zone);
char *list_key_complaint(const char *key);
char *list_codes_complaint(const char *const *codes);

/* What the items of the configuration say, which was checked; an array that frees its lists. */
GPtrArray *list_read_all(PtnHook *h);

/* The name to ask for `ip`. */
const char *list_name(PtnHook *h, const List *list, const char *ip);
/* `value` gets the code that decided; borrowed from the answer. */
Meaning list_meaning(const List *list, const PtnAnswer *answer, const char **value);
/* Why the client is listed, for people; may wait.  "" : nobody says. */
const char *list_reason(PtnHook *h, const List *list, const char *ip);
