/* scope.h - for whom mail is counted, and how much is allowed: account, customer, client address, recipient domain. */
#pragma once

#include "plugin-api.h"

typedef enum { SCOPE_ACCOUNT, SCOPE_CUSTOMER, SCOPE_CLIENT, SCOPE_DOMAIN, SCOPES } Scope;
typedef enum { KIND_MESSAGES, KIND_RECIPIENTS, KIND_BYTES, KINDS } Kind;

/* What a message is counted for, and as how much. */
typedef struct {
	Scope scope;
	const char *who;
	int64_t amounts[KINDS];
} Share;

/* One limit: of what there is, and what is allowed. */
typedef struct {
	Kind kind;
	int64_t total, most, window;
	int64_t most_now;  /* what it may come to on this node now: less than `most` while the store is unavailable */
	int64_t ends;      /* when its window does */
	const char *words; /* "200 messages per 1h" */
} Limit;

enum { LIMITS_MOST = 12 }; /* of one scope: four windows of each kind */

const char *scope_name(Scope scope);
const char *kind_name(Kind kind);
/* "1h", "90s" */
const char *window_text(PtnHook *h, int64_t window);
/* Those that are set for who is at hand, not counted yet; how many. */
size_t scope_limits(PtnHook *h, Scope scope, Limit *limits);
/* Counts the share in all of its windows, or, where one limit would be passed, in none: TAKEN.  `limits` (LIMITS_MOST long) has
 * what was found, `n` how many there are; that which was passed comes first.  A share of nothing only reads.  `is_beyond`: counts
 * whatever the limits say.  `is_alone`: this node counted without the store. */
PtnStatus scope_count(PtnHook *h, const Share *share, bool is_beyond, Limit *limits, size_t *n, bool *is_alone);
/* Takes it back; what cannot be taken back now is later. */
void scope_uncount(PtnHook *h, const Share *share);
