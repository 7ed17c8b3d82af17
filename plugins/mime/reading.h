/* reading.h - where mail readers differ.
 *
 * What breaks the rules is shown by one reader in one way and by the next in another, and a sender
 * who wants to hide something chooses what the filter does not see.  So a message is walked once
 * for each way in which a reader may take it: a reading is a set of these habits, none of them being
 * what the standards say.  A walk notes the habits that would have changed it, its doubts, and
 * mime_walk_readings() tries their combinations.  A message without mistakes has no doubts, and is
 * walked once.  For the files of mime only. */
#pragma once

#include <glib.h>

#include "plugins/mime/mime.h"

typedef enum {
	/* Of two fields of a name the last one holds, not the first. */
	READING_LAST_FIELD = 1 << 0,
	/* The same of parameters. */
	READING_LAST_PARAMETER = 1 << 1,
	/* A line without a colon does not end the header. */
	READING_SKIPS_LINES = 1 << 2,
	/* base64 goes on behind padding, with a new group. */
	READING_GOES_ON = 1 << 3,
	/* "=" in base64 is skipped, as other octets are that stand for nothing. */
	READING_IGNORES_PADDING = 1 << 4,
	/* "= " before a line end joins the lines, too. */
	READING_SOFT_BLANKS = 1 << 5,
	/* A boundary in quotes is what stands there, with backslashes and other quotes. */
	READING_VERBATIM = 1 << 6,
	/* Fields are what GMime makes of them. */
	READING_BY_LIBRARY = 1 << 7,
	/* An encoding that is written oddly, or does not fit, counts as none. */
	READING_RAW = 1 << 8,
	/* A blank before its colon makes a line no field: it ends the header. */
	READING_STRICT_NAMES = 1 << 9,
	/* A boundary without quotes does not end at a blank. */
	READING_WITH_BLANKS = 1 << 10,
	/* Blanks at the end of a boundary in quotes belong to it. */
	READING_FINAL_BLANKS = 1 << 11,
	/* Of two open multiparts with the same boundary its lines belong to the outer one. */
	READING_OUTER_FIRST = 1 << 12,
	/* A parameter without a semicolon in front is none. */
	READING_SEMICOLONS = 1 << 13,
	READING_HABITS = 14,
	READING_ALL = (1 << READING_HABITS) - 1,
	READING_OF_BOUNDARIES = READING_VERBATIM | READING_WITH_BLANKS | READING_FINAL_BLANKS,
	READING_OF_PADDING = READING_GOES_ON | READING_IGNORES_PADDING,
} Reading;

enum {
	/* Walks of a message; octets walked, or as many as so many times the message. */
	READINGS_MOST = 64,
	READINGS_OCTETS = 16 << 20,
	READINGS_SIZES = 4,
	/* Octets of parts that are visited, and of encoded messages that are decoded: so many times the
	 * message.  One reading takes three times its size at most. */
	READINGS_VISITS = 10,
	READINGS_FIELD_OCTETS = 1 << 19, /* of all of them; of each FIELDS_MOST_OCTETS */
};

/* What the readings of a message share. */
typedef struct {
	GTree *visited; /* keys of parts */
	/* What is left: of parts, as they stand in the message, and of fields. */
	size_t octets, field_octets;
} Readings;

typedef struct {
	MimeResult result;
	unsigned doubts;
} ReadingResult;

/* One of them, in a parser.  What others visited is not visited again, nor what is beyond the limits
 * of `readings`; NULL: all parts are visited. */
ReadingResult mime_walk_reading(const char *content, size_t size, const MimeLimits *limits,
	unsigned reading, Readings *readings, MimeVisit *visit, void *data);
/* All that the message gives reason to; what is left out for the limits above counts as cut. */
MimeResult mime_walk_readings(
	const char *content, size_t size, const MimeLimits *limits, MimeVisit *visit, void *data);
