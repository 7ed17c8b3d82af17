/* mime.c - from part to part: delimiter lines, header sections, what is a container and what is content. */
#include "plugins/mime/mime.h"

#include <string.h>
#include <strings.h>

#include "plugins/mime/charset.h"
#include "plugins/mime/field.h"
#include "plugins/mime/reading.h"
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
	unsigned reading, doubts; /* reading.h */
	Readings *readings;       /* NULL: it is the only one */
	const char *begin, *within; /* keys of parts have their offsets, and the encoded message around them */
	MimeVisit *visit;           /* NULL: it only looks whether the message is plain */
	void *data;
	Level levels[MIME_DEPTH_MAX + 1];
	unsigned n_levels;
	unsigned *parts;      /* so far, of all walks within each other */
	size_t *field_octets; /* that may still be given to GMime's parsers */
	unsigned encoded;     /* how many encoded messages this walk is within */
	unsigned base_depth;
	bool is_cut, is_not_plain;
} Walk;

/* What is walked, once for each reading. */
typedef struct {
	const char *content;
	size_t size;
	const MimeLimits *limits;
	MimeMeans means;
} Message;

static void
walk_pop(Walk *walk, unsigned n)
{
	while (walk->n_levels > n)
		g_free(walk->levels[--walk->n_levels].boundary);
}

/* ---- delimiters ---- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* "BOUNDARY" or, closing, "BOUNDARY--". */
static bool
level_has_delimiter(const Level *level, const char *line, size_t size, bool *is_close)
{
	if ((size != level->size && size != level->size + 2) ||
		memcmp(line, level->boundary, level->size) != 0)
		return false;
	*is_close = size != level->size;
	return !*is_close || memcmp(line + level->size, "--", 2) == 0;
}

/* The level whose delimiter this line is, or -1.  `line` begins behind "--".  Blanks at its end do
 * not count, unless the boundary itself ends with one. */
static int
walk_level_of(const Walk *walk, const char *line, size_t size, bool *is_close)
{
	size_t trimmed;

	while (size > 0 && line[size - 1] == '\r')
		size--;
	for (trimmed = size; trimmed > 0 && is_blank(line[trimmed - 1]);)
		trimmed--;
	for (unsigned n = 0; n < walk->n_levels; n++) {
		const unsigned i = (walk->reading & READING_OUTER_FIRST) != 0 ? n : walk->n_levels - 1 - n;
		const Level *level = &walk->levels[i];
		const bool has_blanks = is_blank(level->boundary[level->size - 1]);

		if (line[0] == level->boundary[0] &&
			level_has_delimiter(level, line, has_blanks ? size : trimmed, is_close))
			return (int)i;
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

typedef enum { LINE_FIELD, LINE_ODD_FIELD, LINE_OTHER } LineKind;

/* Odd ones are "Name :", and the line that mailboxes begin messages with. */
static LineKind
line_kind(const char *line, const char *end)
{
	const char *at = line;

	if (end - line > 6 && (memcmp(line, "From ", 5) == 0 || memcmp(line, ">From ", 6) == 0))
		return LINE_ODD_FIELD;
	while (at < end && *at != ':' && *at != ' ' && *at != '\t')
		at++;
	if (at == end)
		return LINE_OTHER;
	if (*at == ':')
		return LINE_FIELD;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at < end && *at == ':' ? LINE_ODD_FIELD : LINE_OTHER;
}

/* False: the header ends before this line, without a blank line.  Most readers take it so. */
static bool
walk_takes_line(Walk *walk, const char *line, const char *end)
{
	LineKind kind = line_kind(line, end);

	if (kind == LINE_ODD_FIELD) {
		walk->doubts |= READING_STRICT_NAMES;
		if ((walk->reading & READING_STRICT_NAMES) != 0)
			kind = LINE_OTHER;
	}
	if (kind != LINE_OTHER)
		return true;
	walk->doubts |= READING_SKIPS_LINES;
	return (walk->reading & READING_SKIPS_LINES) != 0;
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
		if (*line != ' ' && *line != '\t') {
			if (!walk_takes_line(walk, line, end))
				return;
			open = fields_begin(fields, line, end);
		}
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
	if (!mime_transfer_is_usual(part->encoding, part->data, part->size))
		return false;
	begin = mime_decode(part, 2, &size);
	return size < 2 || (memcmp(begin, "\xff\xfe", 2) != 0 && memcmp(begin, "\xfe\xff", 2) != 0);
}

/* Its octets, and how they are decoded. */
static GString *
walk_key(const Walk *walk, const MimePart *part)
{
	const unsigned doubts = mime_transfer_doubts(part->encoding, part->data, part->size);
	const unsigned habits = doubts != 0 ? part->reading & (doubts | READING_BY_LIBRARY) : 0;
	GString *key = g_string_new(walk->within);

	g_string_append_printf(key, "%zx %zx %x %d/", (size_t)(part->data - walk->begin), part->size, habits,
		(int)part->encoding);
	return key;
}

/* With its length, since a sender chooses it: else parts with different texts could have one key. */
static void
key_add(GString *key, const char *text)
{
	g_string_append_printf(key, "%zu %s", strlen(text), text);
}

/* False: this is beyond what all readings together may visit. */
static bool
walk_spend(Walk *walk, size_t octets)
{
	if (walk->readings == NULL)
		return true;
	if (octets > walk->readings->octets) {
		walk->is_cut = true;
		return false;
	}
	walk->readings->octets -= octets;
	return true;
}

/* Whether another reading showed the same; or there are too many. */
static bool
walk_leaves_out(Walk *walk, const MimePart *part)
{
	Readings *readings = walk->readings;
	GString *key;

	if (readings == NULL)
		return false;
	key = walk_key(walk, part);
	key_add(key, part->type);
	key_add(key, part->charset != NULL ? part->charset : "");
	for (const char *const *name = part->names; *name != NULL; name++)
		key_add(key, *name);
	if (g_tree_lookup(readings->visited, key->str) != NULL) {
		g_string_free(key, TRUE);
		return true;
	}
	g_tree_insert(readings->visited, key->str, key->str);
	(void)g_string_free(key, FALSE);
	return !walk_spend(walk, part->size);
}

static void
walk_give(Walk *walk, const MimePart *part)
{
	if (walk->visit == NULL) {
		if (!part_is_plain(part))
			walk_stop(walk);
		return;
	}
	if (!walk_leaves_out(walk, part))
		walk->visit(part, walk->data);
}

static GMimeContentEncoding
walk_encoding(Walk *walk, const Fields *fields, const char *data, size_t size)
{
	unsigned doubts = 0;

	if (walk->means == MIME_LIBRARY)
		doubts = mime_transfer_doubts(fields->encoding, data, size);
	walk->doubts |= doubts;
	return (walk->reading & doubts & READING_RAW) != 0 ? GMIME_CONTENT_ENCODING_DEFAULT
													   : fields->encoding;
}

static void
walk_show(Walk *walk, const Fields *fields, const char *data, size_t size, unsigned depth)
{
	const MimePart part = { .type = fields->type,
		.charset = fields->charset,
		.names = (const char *const *)fields->names,
		.encoding = walk_encoding(walk, fields, data, size),
		.data = data,
		.size = size,
		.depth = depth,
		.means = walk->means,
		.reading = walk->reading };

	walk_give(walk, &part);
}

static void
walk_show_rest(Walk *walk)
{
	static const char *const no_names[] = { NULL };
	const MimePart part = { .type = "text/plain",
		.names = no_names,
		.data = walk->at,
		.size = (size_t)(walk->end - walk->at),
		.depth = walk->limits->most_depth,
		.is_rest = true,
		.means = walk->means,
		.reading = walk->reading };

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
	const MimePart part = { .encoding = fields->encoding,
		.data = outer->at,
		.size = size,
		.means = outer->means,
		.reading = outer->reading };
	g_autofree char *decoded = NULL;
	g_autoptr(GString) key = walk_key(outer, &part);
	size_t decoded_size;
	Walk walk = { .limits = outer->limits,
		.means = outer->means,
		.reading = outer->reading,
		.doubts = READING_RAW | mime_transfer_doubts(fields->encoding, outer->at, size),
		.readings = outer->readings,
		.within = key->str,
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
	if (!walk_spend(outer, size))
		return;
	decoded = mime_decode(&part, ENCODED_SIZE_MOST, &decoded_size);
	walk.at = walk.begin = decoded;
	walk.end = decoded + decoded_size;
	walk_run(&walk, depth + 1);
	outer->doubts |= walk.doubts;
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
	bool is_close = false;

	*level = (Level){ .boundary = g_steal_pointer(&fields->boundary),
		.depth = depth,
		.is_digest = strcmp(fields->type, "multipart/digest") == 0 };
	level->size = strlen(level->boundary);
	for (unsigned i = 0; i < walk->n_levels; i++)
		if (strcmp(walk->levels[i].boundary, level->boundary) == 0)
			walk->doubts |= READING_OUTER_FIRST;
	walk->n_levels++;
	line = walk_find_delimiter(walk, walk->at, &found, &is_close);
	if (found == (int)walk->n_levels - 1 && !is_close)
		return;
	walk_pop(walk, walk->n_levels - 1);
	fields->type = "text/plain";
	walk_show(walk, fields, walk->at, (size_t)(line - walk->at), depth);
	if (!walk->is_not_plain)
		walk->at = line;
}

/* False: it has another form than a plain message. */
static bool
walk_take_fields(Walk *walk, Fields *fields)
{
	walk_read_fields(walk, fields);
	fields_begin_parse(fields);
	if (walk->means == MIME_LIBRARY) {
		fields_parse(fields);
	} else if (!fields_parse_plain(fields) || (fields->doubts | walk->doubts) != 0) {
		walk_stop(walk);
		return false;
	}
	walk->doubts |= fields->doubts;
	walk->is_cut |= fields->is_cut;
	return true;
}

/* One header section, and those of the messages that follow it directly. */
static void
walk_part(Walk *walk, unsigned depth, bool is_digest)
{
	for (;; depth++) {
		g_auto(Fields)
			fields = { .octets = walk->field_octets,
				.default_type = is_digest ? "message/rfc822" : NULL,
				.reading = walk->reading };

		if (++*walk->parts > walk->limits->most_parts || depth > walk->limits->most_depth) {
			walk_show_rest(walk);
			return;
		}
		if (!walk_take_fields(walk, &fields))
			return;
		if (fields.boundary != NULL && walk->n_levels < MIME_DEPTH_MAX) {
			walk_multipart(walk, &fields, depth);
			return;
		}
		if (!fields_are_message(&fields) ||
			(!is_identity(fields.encoding) && (walk->reading & READING_RAW) == 0)) {
			walk_leaf(walk, &fields, depth);
			return;
		}
		if (fields.n_names > 0)
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

static MimeResult
walk_result(const Walk *walk)
{
	return walk->is_not_plain ? MIME_NOT_PLAIN : walk->is_cut ? MIME_CUT : MIME_WHOLE;
}

/* A walk from the beginning: the parts that it may see are its own.  Returns its state at the end. */
static Walk
walk_message(const Message *message, unsigned reading, MimeVisit *visit, void *data, Readings *readings)
{
	const size_t most = readings != NULL ? MIN(readings->field_octets, FIELDS_MOST_OCTETS) : FIELDS_MOST_OCTETS;
	unsigned parts = 0;
	size_t field_octets = most;
	Walk walk = { .at = message->content,
		.begin = message->content,
		.within = "",
		.end = message->content + message->size,
		.limits = message->limits,
		.means = message->means,
		.reading = reading,
		.readings = readings,
		.visit = visit,
		.data = data,
		.parts = &parts,
		.field_octets = &field_octets };

	walk_run(&walk, 0);
	if (readings != NULL)
		readings->field_octets -= most - field_octets;
	return walk;
}

ReadingResult
mime_walk_reading(const char *content, size_t size, const MimeLimits *limits, unsigned reading,
	Readings *readings, MimeVisit *visit, void *data)
{
	const Message message = { content, size, limits, MIME_LIBRARY };
	const Walk walk = walk_message(&message, reading, visit, data, readings);

	return (ReadingResult){ walk_result(&walk), walk.doubts };
}

MimeResult
mime_walk(const char *content, size_t size, const MimeLimits *limits, MimeMeans means,
	MimeVisit *visit, void *data)
{
	const Message message = { content, size, limits, means };
	Walk walk;

	if (means == MIME_LIBRARY)
		return mime_walk_readings(content, size, limits, visit, data);
	walk = walk_message(&message, 0, NULL, NULL, NULL);
	if (!walk.is_not_plain)
		walk = walk_message(&message, 0, visit, data, NULL);
	return walk_result(&walk);
}

bool
mime_text_is_encoded(const char *text, size_t size)
{
	return memmem(text, size, "=?", 2) != NULL || !g_utf8_validate_len(text, size, NULL);
}
