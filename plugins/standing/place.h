/* place.h - where something counts: in the windows of its message, and since the account's last beginning.
 *
 * A message has a note of the place in which it was counted when it was accepted; whatever is heard of it later counts there, too:
 * so shares are always of what was sent together.  An account begins anew when it, or its customer, is allowed to send again
 * ("enabled-since"), and when its mail is held ("standing.since").  What belongs to an older beginning counts no more.
 *
 * Each of these three times rises with each of its changes, whatever the clock does, but where the clock was set back the time of a
 * new beginning may be less than another of the three.  So a beginning is named by their sum. */
#pragma once

#include "plugin-api.h"

typedef struct {
	int64_t window, start;                       /* of shares; µs, the start since 1970 */
	int64_t complaints_window, complaints_start; /* of complaints */
	int64_t beginning;                           /* the sum; 0: the account never was disabled or held */
} Place;

/* Of what happens at `at` to an account; `account` and `customer` may be NULL.  By the options at hand. */
Place place_at(PtnHook *h, PtnEntry *account, PtnEntry *customer, int64_t at);
/* Whether what happened at `at` is of before the present beginning.  A beginning that is still to come says nothing of that, as the
 * clock was set back since: false. */
bool place_is_before(PtnHook *h, PtnEntry *account, PtnEntry *customer, int64_t at);
/* Keeps it with the message at hand. */
void place_note(PtnHook *h, const Place *place);
/* Of the message at hand; false: it has none, as it was accepted by an older version, or without this plugin. */
bool place_noted(PtnHook *h, Place *place);
/* The counters of shares, and those of complaints; a window that ends with the key's time. */
const char *place_shares_key(PtnHook *h, const Place *place, const char *login);
const char *place_complaints_key(PtnHook *h, const Place *place, const char *login);
int64_t place_shares_end(const Place *place);
int64_t place_complaints_end(const Place *place);
/* Whether there still is somebody who counts there: for 8 days behind the window of shares, for 30 behind that of complaints. */
bool place_is_open(PtnHook *h, const Place *place);
bool place_is_open_for_complaints(PtnHook *h, const Place *place);
/* ", accepted in the window from …", or "" in the present one. */
const char *place_words(PtnHook *h, int64_t window, int64_t start);

/* Times of entries, "2026-11-29T05:24:22.000001Z"; 0: it is none. */
int64_t place_time(const char *text);
const char *place_time_text(PtnHook *h, int64_t time);
