/* place.c - windows, beginnings, and the keys of the counters. */
#include "plugins/standing/place.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>

#define DAY (86400 * PTN_SECOND)
#define SHARES_KEPT (8 * DAY)      /* longer than mail stays in a queue */
#define COMPLAINTS_KEPT (30 * DAY)
#define CLOCKS_DIFFER DAY          /* the store's and ours, at most */

/* ---- times ---- */

int64_t
place_time(const char *text)
{
	g_autoptr(GDateTime) time = text != NULL ? g_date_time_new_from_iso8601(text, NULL) : NULL;

	return time != NULL ? g_date_time_to_unix(time) * PTN_SECOND + g_date_time_get_microsecond(time) : 0;
}

const char *
place_time_text(PtnHook *h, int64_t time)
{
	g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(time / PTN_SECOND);
	g_autofree char *seconds = date != NULL ? g_date_time_format(date, "%Y-%m-%dT%H:%M:%S") : g_strdup("");

	return ptn_format(h, "%s.%06dZ", seconds, (int)(time % PTN_SECOND));
}

/* ---- places ---- */

enum { PLACE_TIMES = 3 };

static void
place_read_times(PtnEntry *account, PtnEntry *customer, int64_t times[PLACE_TIMES])
{
	times[0] = account != NULL ? place_time(ptn_get(account, "enabled-since")) : 0;
	times[1] = account != NULL ? place_time(ptn_get(account, "standing.since")) : 0;
	times[2] = customer != NULL ? place_time(ptn_get(customer, "enabled-since")) : 0;
}

static int64_t
place_beginning(PtnEntry *account, PtnEntry *customer)
{
	int64_t times[PLACE_TIMES], sum = 0;

	place_read_times(account, customer, times);
	for (size_t i = 0; i < PLACE_TIMES; i++)
		sum += times[i];
	return sum;
}

bool
place_is_before(PtnHook *h, PtnEntry *account, PtnEntry *customer, int64_t at)
{
	int64_t times[PLACE_TIMES], latest = 0;

	place_read_times(account, customer, times);
	for (size_t i = 0; i < PLACE_TIMES; i++)
		latest = MAX(latest, times[i]);
	return at < latest && latest <= ptn_now(h);
}

Place
place_at(PtnHook *h, PtnEntry *account, PtnEntry *customer, int64_t at)
{
	Place place = { .window = ptn_option_number(h, "window"), .beginning = place_beginning(account, customer) };
	PtnRate rate = { .window = 7 * DAY };

	(void)ptn_option_rates(h, "complaints", &rate, 1);
	place.start = at - at % place.window;
	place.complaints_window = rate.window;
	place.complaints_start = at - at % rate.window;
	return place;
}

void
place_note(PtnHook *h, const Place *place)
{
	ptn_note(h, "place",
		ptn_format(h, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64, place->window, place->start,
			place->complaints_window, place->complaints_start, place->beginning));
}

bool
place_noted(PtnHook *h, Place *place)
{
	const char *text = ptn_noted(h, "place");

	return text != NULL &&
		   sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &place->window, &place->start,
			   &place->complaints_window, &place->complaints_start, &place->beginning) == 5 &&
		   place->window > 0 && place->complaints_window > 0;
}

/* ---- keys ---- */

const char *
place_shares_key(PtnHook *h, const Place *place, const char *login)
{
	return ptn_format(h, "shares/%s/%" PRId64 "/%" PRId64 "/%" PRId64, login, place->window / PTN_SECOND,
		place->start / PTN_SECOND, place->beginning);
}

const char *
place_complaints_key(PtnHook *h, const Place *place, const char *login)
{
	return ptn_format(h, "complaints/%s/%" PRId64 "/%" PRId64 "/%" PRId64, login,
		place->complaints_window / PTN_SECOND, place->complaints_start / PTN_SECOND, place->beginning);
}

/* The windows of the store are aligned to 1970: one as long as from there to a moment ends at that moment, and whoever counts
 * until then counts in it. */
int64_t
place_shares_end(const Place *place)
{
	return place->start + place->window + SHARES_KEPT + CLOCKS_DIFFER;
}

int64_t
place_complaints_end(const Place *place)
{
	return place->complaints_start + place->complaints_window + COMPLAINTS_KEPT + CLOCKS_DIFFER;
}

bool
place_is_open(PtnHook *h, const Place *place)
{
	return ptn_now(h) < place_shares_end(place) - CLOCKS_DIFFER;
}

bool
place_is_open_for_complaints(PtnHook *h, const Place *place)
{
	return ptn_now(h) < place_complaints_end(place) - CLOCKS_DIFFER;
}

const char *
place_words(PtnHook *h, int64_t window, int64_t start)
{
	g_autoptr(GDateTime) date = NULL;
	g_autofree char *words = NULL;

	if (ptn_now(h) < start + window)
		return "";
	date = g_date_time_new_from_unix_utc(start / PTN_SECOND);
	words = g_date_time_format(date, ", accepted in the window from %Y-%m-%d %H:%M");
	return ptn_format(h, "%s", words);
}
