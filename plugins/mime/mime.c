/* mime.c - from part to part: delimiter lines, header sections, what is a container and what is content. */
#include "plugins/mime/mime.h"

#include <string.h>
#include <strings.h>

#include "plugins/mime/charset.h"
#include "plugins/mime/field.h"
#include "plugins/mime/transfer.h"

/* A message within a message may be encoded, against the rules; so many times we look inside. */
enum { MOST_ENCODED = 2, ENCODED_SIZE_MOST = 16 << 20 };

typedef struct {
	char *boundary;
	size_t size;
	unsigned depth;
	bool is_digest;
} Level;

typedef struct {
	const char *at, *end;
	const MimeLimits *limits;
	MimeMeans means;
	MimeVisit *visit; /* NULL: it only looks whether the message is plain */
	void *data;
	Level levels[MIME_DEPTH_MAX + 1];
	unsigned n_levels;
	unsigned *parts;      /* so far, of all walks within each other */
	size_t *field_octets; /* that may still be given to GMime's parsers */
	unsigned encoded;     /* how many encoded messages this walk is within */
	unsigned base_depth;
	bool is_cut, is_not_plain;
} Walk;

static void
walk_pop(Walk *walk, unsigned n)
{
	while (walk->n_levels > n)
		g_free(walk->levels[--walk->n_levels].boundary);
}

/* ---- delimiters ---- */

/* The level whose delimiter this line is, or -1.  `line` begins behind "--". */
static int
walk_level_of(const Walk *walk, const char *line, size_t size, bool *is_close)
{
	while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r'))
		size--;
	for (int i = (int)walk->n_levels - 1; size > 0 && i >= 0; i--) {
		const Level *level = &walk->levels[i];

		if (size != level->size && size != level->size + 2)
			continue;
		if (line[0] != level->boundary[0] || memcmp(line, level->boundary, level->size) != 0)
			continue;
		*is_close = size != level->size;
		if (!*is_close || memcmp(line + level->size, "--", 2) == 0)
			return i;
	}
	return -1;
}

static const char *
line_end(const char *at, const char *end)
{
	const char *found = memchr(at, '\n', (size_t)(end - at));

	return found != NULL ? found : end;
}

/* The next delimiter line of an open level from `at`, the beginning of a line, on; `end` if there is none. */
static const char *
walk_find_delimiter(const Walk *walk, const char *at, int *level, bool *is_close)
{
	*level = -1;
	while (walk->n_levels > 0 && at < walk->end) {
		const char *stop = line_end(at, walk->end);

		if (stop - at > 2 && at[0] == '-' && at[1] == '-') {
			*level = walk_level_of(walk, at + 2, (size_t)(stop - at - 2), is_close);
			if (*level >= 0)
				return at;
		}
		at = stop < walk->end ? stop + 1 : stop;
	}
	return walk->end;
}

/* Goes to the header section behind the next delimiter; false: there is none. */
static bool
walk_next_part(Walk *walk)
{
	int level;
	bool is_close = false;

	do {
		const char *line = walk_find_delimiter(walk, walk->at, &level, &is_close);

		if (level < 0)
			return false;
		walk->at = line_end(line, walk->end);
		walk->at += walk->at < walk->end;
		walk_pop(walk, (unsigned)level + !is_close);
	} while (is_close);
	return true;
}

/* ---- header sections ---- */

/* "Name:", "Name :", and the line that mailboxes begin messages with. */
static bool
is_field(const char *line, const char *end)
{
	const char *at = line;

	while (at < end && *at != ':' && *at != ' ' && *at != '\t')
		at++;
	if (at > line && end - line > 6 && (memcmp(line, "From ", 5) == 0 || memcmp(line, ">From ", 6) == 0))
		return true;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at > line && at < end && *at == ':';
}

/* Takes the fields that matter; walk->at is then where the body begins. */
static void
walk_read_fields(Walk *walk, Fields *fields)
{
	FieldText *open = NULL;

	while (walk->at < walk->end) {
		const char *line = walk->at, *end = line_end(line, walk->end);
		bool is_close;

		if (end == line || (end == line + 1 && *line == '\r')) {
			walk->at = end < walk->end ? end + 1 : end;
			return;
		}
		if (*line == '-' && end - line > 2 && line[1] == '-' &&
			walk_level_of(walk, line + 2, (size_t)(end - line - 2), &is_close) >= 0)
			return;
		if (*line != ' ' && *line != '\t')
			open = fields_begin(fields, line, end);
		if (open == NULL && *line != ' ' && *line != '\t' && !is_field(line, end))
			return; /* no blank line before the body: readers take it so */
		if (open != NULL)
			field_text_add(open, line, end);
		walk->at = end < walk->end ? end + 1 : end;
	}
}

/* ---- parts ---- */

/* Nothing more is visited. */
static void
walk_stop(Walk *walk)
{
	walk->is_not_plain = true;
	walk->at = walk->end;
	walk_pop(walk, 0);
}

/* The mark of UTF-16 says more than the field. */
static bool
part_is_plain(const MimePart *part)
{
	g_autofree char *begin = NULL;
	size_t size;

	if (part->charset != NULL && g_ascii_strcasecmp(part->charset, "utf-8") != 0 &&
		g_ascii_strcasecmp(part->charset, "us-ascii") != 0 && charset_table(part->charset) == NULL)
		return false;
	if (!transfer_is_usual(part->encoding, part->data, part->size))
		return false;
	begin = mime_decode(part, 2, &size);
	return size < 2 || (memcmp(begin, "\xff\xfe", 2) != 0 && memcmp(begin, "\xfe\xff", 2) != 0);
}

static void
walk_give(Walk *walk, const MimePart *part)
{
	if (walk->visit != NULL)
		walk->visit(part, walk->data);
	else if (!part_is_plain(part))
		walk_stop(walk);
}

static void
walk_show(Walk *walk, const Fields *fields, const char *data, size_t size, unsigned depth)
{
	const MimePart part = { .type = fields->type,
		.charset = fields->charset,
		.names = { fields->names[0], fields->names[1] },
		.encoding = fields->encoding,
		.data = data,
		.size = size,
		.depth = depth,
		.means = walk->means };

	walk_give(walk, &part);
}

static void
walk_show_rest(Walk *walk)
{
	const MimePart part = { .type = "text/plain",
		.data = walk->at,
		.size = (size_t)(walk->end - walk->at),
		.depth = walk->limits->most_depth,
		.is_rest = true,
		.means = walk->means };

	walk->is_cut = true;
	walk_pop(walk, 0);
	if (part.size > 0)
		walk_give(walk, &part);
	walk->at = walk->end;
}

static void walk_run(Walk *walk, unsigned depth);

/* A message that was encoded as a whole is walked as what it is. */
static void
walk_encoded_message(Walk *outer, const Fields *fields, size_t size, unsigned depth)
{
	const MimePart part = { .encoding = fields->encoding, .data = outer->at, .size = size, .means = outer->means };
	g_autofree char *decoded = NULL;
	size_t decoded_size;
	Walk walk = { .limits = outer->limits,
		.means = outer->means,
		.visit = outer->visit,
		.data = outer->data,
		.parts = outer->parts,
		.field_octets = outer->field_octets,
		.encoded = outer->encoded + 1,
		.base_depth = depth + 1 };

	if (outer->visit == NULL && !part_is_plain(&part)) {
		walk_stop(outer);
		return;
	}
	decoded = mime_decode(&part, ENCODED_SIZE_MOST, &decoded_size);
	walk.at = decoded;
	walk.end = decoded + decoded_size;
	walk_run(&walk, depth + 1);
	outer->is_cut |= walk.is_cut || decoded_size == ENCODED_SIZE_MOST;
	if (walk.is_not_plain)
		walk_stop(outer);
}

static bool
is_identity(GMimeContentEncoding encoding)
{
	return encoding <= GMIME_CONTENT_ENCODING_BINARY;
}

static void
walk_leaf(Walk *walk, const Fields *fields, unsigned depth)
{
	int level;
	bool is_close;
	const char *end = walk_find_delimiter(walk, walk->at, &level, &is_close);
	const char *start = walk->at;
	size_t size = (size_t)(end - start);

	if (level >= 0 && size > 0) { /* the line end before a delimiter is the delimiter's */
		size--;
		if (size > 0 && start[size - 1] == '\r')
			size--;
	}
	if (fields_are_message(fields) && walk->encoded < MOST_ENCODED && depth < walk->limits->most_depth)
		walk_encoded_message(walk, fields, size, depth);
	else
		walk_show(walk, fields, start, size, depth);
	if (!walk->is_not_plain)
		walk->at = end;
}

/* A multipart whose delimiter never comes is shown as text: that is what readers do. */
static void
walk_multipart(Walk *walk, Fields *fields, unsigned depth)
{
	Level *level = &walk->levels[walk->n_levels];
	const char *line;
	int found;
	bool is_close;

	*level = (Level){ .boundary = g_steal_pointer(&fields->boundary),
		.depth = depth,
		.is_digest = strcmp(fields->type, "multipart/digest") == 0 };
	level->size = strlen(level->boundary);
	walk->n_levels++;
	line = walk_find_delimiter(walk, walk->at, &found, &is_close);
	if (found == (int)walk->n_levels - 1)
		return;
	walk_pop(walk, walk->n_levels - 1);
	fields->type = "text/plain";
	walk_show(walk, fields, walk->at, (size_t)(line - walk->at), depth);
	if (!walk->is_not_plain)
		walk->at = line;
}

/* One header section, and those of the messages that follow it directly. */
static void
walk_part(Walk *walk, unsigned depth, bool is_digest)
{
	for (;; depth++) {
		g_auto(Fields)
			fields = { .octets = walk->field_octets, .default_type = is_digest ? "message/rfc822" : NULL };

		if (++*walk->parts > walk->limits->most_parts || depth > walk->limits->most_depth) {
			walk_show_rest(walk);
			return;
		}
		walk_read_fields(walk, &fields);
		if (walk->means == MIME_LIBRARY)
			fields_parse(&fields);
		else if (!fields_parse_plain(&fields)) {
			walk_stop(walk);
			return;
		}
		walk->is_cut |= fields.is_cut;
		if (fields.boundary != NULL && walk->n_levels < MIME_DEPTH_MAX) {
			walk_multipart(walk, &fields, depth);
			return;
		}
		if (!fields_are_message(&fields) || !is_identity(fields.encoding)) {
			walk_leaf(walk, &fields, depth);
			return;
		}
		if (fields.names[0] != NULL || fields.names[1] != NULL)
			walk_show(walk, &fields, walk->at, 0, depth); /* a message has a file's name, too */
		if (walk->is_not_plain)
			return;
		is_digest = false;
	}
}

static void
walk_run(Walk *walk, unsigned depth)
{
	walk_part(walk, depth, false);
	while (walk_next_part(walk)) {
		const Level *level = &walk->levels[walk->n_levels - 1];

		walk_part(walk, level->depth + 1, level->is_digest);
	}
	walk_pop(walk, 0);
}

MimeResult
mime_walk(
	const char *content, size_t size, const MimeLimits *limits, MimeMeans means, MimeVisit *visit, void *data)
{
	unsigned parts = 0;
	size_t field_octets = FIELDS_MOST_OCTETS;
	const Walk fresh = { .at = content,
		.end = content + size,
		.limits = limits,
		.means = means,
		.parts = &parts,
		.field_octets = &field_octets };
	Walk walk = fresh;

	if (means == MIME_PLAIN) {
		walk_run(&walk, 0);
		if (walk.is_not_plain)
			return MIME_NOT_PLAIN;
		parts = 0;
		field_octets = FIELDS_MOST_OCTETS;
		walk = fresh;
	}
	walk.visit = visit;
	walk.data = data;
	walk_run(&walk, 0);
	return walk.is_cut ? MIME_CUT : MIME_WHOLE;
}

bool
mime_text_is_encoded(const char *text, size_t size)
{
	return memmem(text, size, "=?", 2) != NULL || !g_utf8_validate_len(text, size, NULL);
}
