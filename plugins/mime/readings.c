/* readings.c - which readings of a message are tried. */
#include <string.h>

#include "plugins/mime/reading.h"

/* False: habits that exclude each other, or of which one leaves the other without effect. */
static bool
reading_is_sensible(unsigned reading)
{
	static const unsigned own = READING_OF_BOUNDARIES | READING_LAST_PARAMETER | READING_SEMICOLONS |
								READING_OF_PADDING | READING_SOFT_BLANKS;

	return (reading & READING_OF_PADDING) != READING_OF_PADDING &&
		   ((reading & READING_BY_LIBRARY) == 0 || (reading & own) == 0) &&
		   ((reading & READING_RAW) == 0 || (reading & READING_OF_PADDING) == 0);
}

/* The next one of these doubts that was not tried, those with few habits first; READING_ALL + 1:
 * there is none. */
static unsigned
reading_next(unsigned doubts, const bool *tried)
{
	unsigned next = READING_ALL + 1, reading = 0;
	int fewest = READING_HABITS + 1;

	do {
		reading = (reading - doubts) & doubts; /* each subset of the doubts, the empty one at last */
		if (__builtin_popcount(reading) < fewest && !tried[reading] && reading_is_sensible(reading)) {
			fewest = __builtin_popcount(reading);
			next = reading;
		}
	} while (reading != 0);
	return next;
}

static int
key_compare(const void *a, const void *b, void *data)
{
	(void)data;
	return strcmp(a, b);
}

MimeResult
mime_walk_readings(
	const char *content, size_t size, const MimeLimits *limits, MimeVisit *visit, void *data)
{
	const size_t most_octets = MAX(READINGS_OCTETS, READINGS_SIZES * size);
	bool tried[READING_ALL + 1] = { false }, is_cut = false;
	g_autoptr(GTree) visited = g_tree_new_full(key_compare, NULL, g_free, NULL);
	Readings readings = { visited, READINGS_VISITS * size, READINGS_FIELD_OCTETS };
	unsigned doubts = 0, reading = 0;

	for (size_t n = 0; reading <= READING_ALL; n++) {
		ReadingResult found;

		if (n == READINGS_MOST || n * size > most_octets)
			return MIME_CUT;
		found = mime_walk_reading(content, size, limits, reading, &readings, visit, data);
		tried[reading] = true;
		doubts |= found.doubts;
		is_cut |= found.result == MIME_CUT;
		reading = reading_next(doubts, tried);
	}
	return is_cut ? MIME_CUT : MIME_WHOLE;
}
