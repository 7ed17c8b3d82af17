/* data.c - the octets after DATA or BDAT, and the way back.
 *
 * Both directions go from one CR or LF to the next; what lies between is not looked at.  The run from `from`
 * to `at` is handed on only where the output departs from the input, or where the input ends.  A step for
 * an AFTER_… state finds an empty run: what it stands for was held back. */
#include "proto/data.h"

#include <string.h>

typedef enum {
	AT_START, /* of a line, behind CRLF or at the very start                 */
	AT_LOOSE, /* of a line, behind a bare CR or LF: a dot here ends nothing  */
	IN_TEXT,
	AFTER_CR,
	AFTER_DOT, /* the first octet of a line                                   */
	AFTER_LOOSE_DOT,
	AFTER_DOT_CR,
	AT_END,
} DataState;

typedef struct {
	const char *input;
	size_t size, at, from;
	size_t next_cr, next_lf; /* looked for again only when passed: many of one kind must not cost a search each */
	void (*sink)(void *data, const char *octets, size_t size);
	void *data;
} DataWalk;

static size_t
data_find(const DataWalk *walk, char c)
{
	const char *found = memchr(walk->input + walk->at, c, walk->size - walk->at);

	return found != NULL ? (size_t)(found - walk->input) : walk->size;
}

static void
data_walk_start(DataWalk *walk)
{
	if (walk->size == 0)
		return;
	walk->next_cr = data_find(walk, '\r');
	walk->next_lf = data_find(walk, '\n');
}

static void
data_walk_to_line_end(DataWalk *walk)
{
	if (walk->next_cr < walk->at)
		walk->next_cr = data_find(walk, '\r');
	if (walk->next_lf < walk->at)
		walk->next_lf = data_find(walk, '\n');
	walk->at = walk->next_cr < walk->next_lf ? walk->next_cr : walk->next_lf;
}

static bool
data_is_at_crlf(const DataWalk *walk)
{
	return walk->input[walk->at] == '\r' && walk->at + 1 < walk->size && walk->input[walk->at + 1] == '\n';
}

/* Hands on the run, then `octets`, and leaves out the next `skip` octets of the input. */
static void
data_put(DataWalk *walk, const char *octets, size_t skip)
{
	if (walk->at > walk->from)
		walk->sink(walk->data, walk->input + walk->from, walk->at - walk->from);
	if (octets[0] != '\0')
		walk->sink(walk->data, octets, strlen(octets));
	walk->at += skip;
	walk->from = walk->at;
}

static DataState
data_at_start(DataDecoder *decoder, DataWalk *walk)
{
	if (decoder->is_chunk || walk->input[walk->at] != '.')
		return IN_TEXT;
	data_put(walk, "", 1);
	return decoder->state == AT_LOOSE ? AFTER_LOOSE_DOT : AFTER_DOT;
}

static DataState
data_in_text(DataDecoder *decoder, DataWalk *walk)
{
	data_walk_to_line_end(walk);
	if (walk->at == walk->size)
		return IN_TEXT;
	if (data_is_at_crlf(walk)) {
		walk->at += 2;
		return AT_START;
	}
	if (walk->input[walk->at] == '\r') {
		data_put(walk, "", 1);
		return AFTER_CR;
	}
	if (decoder->is_lenient) {
		data_put(walk, "\r\n", 1);
		return AT_LOOSE;
	}
	decoder->has_bare = true;
	walk->at++;
	return IN_TEXT;
}

static DataState
data_after_cr(DataDecoder *decoder, DataWalk *walk)
{
	const char c = walk->input[walk->at];

	if (c == '\n') {
		data_put(walk, "\r\n", 1);
		return AT_START;
	}
	if (decoder->is_lenient && c != '\r') {
		data_put(walk, "\r\n", 0);
		return AT_LOOSE;
	}
	if (!decoder->is_lenient)
		decoder->has_bare = true;
	data_put(walk, decoder->is_lenient ? "" : "\r", c == '\r');
	return c == '\r' ? AFTER_CR : IN_TEXT;
}

/* RFC 5321 4.5.2: the dot goes if there are other characters on the line. */
static DataState
data_after_dot(DataDecoder *decoder, DataWalk *walk)
{
	const char c = walk->input[walk->at];
	const bool is_loose = decoder->state == AFTER_LOOSE_DOT;

	if (c == '\r') {
		data_put(walk, is_loose ? "." : "", 1);
		return is_loose ? AFTER_CR : AFTER_DOT_CR;
	}
	if (c != '\n')
		return IN_TEXT;
	if (!decoder->is_lenient)
		decoder->has_bare = true;
	data_put(walk, decoder->is_lenient ? ".\r\n" : ".\n", 1);
	return decoder->is_lenient ? AT_LOOSE : IN_TEXT;
}

static DataState
data_after_dot_cr(DataWalk *walk)
{
	const bool is_end = walk->input[walk->at] == '\n';

	data_put(walk, is_end ? "" : ".", is_end);
	return is_end ? AT_END : AFTER_CR;
}

static DataState
data_step(DataDecoder *decoder, DataWalk *walk)
{
	switch ((DataState)decoder->state) {
	case AT_START:
	case AT_LOOSE:
		return data_at_start(decoder, walk);
	case AFTER_CR:
		return data_after_cr(decoder, walk);
	case AFTER_DOT:
	case AFTER_LOOSE_DOT:
		return data_after_dot(decoder, walk);
	case AFTER_DOT_CR:
		return data_after_dot_cr(walk);
	default:
		return data_in_text(decoder, walk);
	}
}

DataResult
data_decode(DataDecoder *decoder, const char *input, size_t size, size_t *used,
	void (*sink)(void *data, const char *octets, size_t size), void *data)
{
	DataWalk walk = { .input = input, .size = size, .sink = sink, .data = data };

	data_walk_start(&walk);
	while (walk.at < size && decoder->state != AT_END)
		decoder->state = (uint8_t)data_step(decoder, &walk);
	data_put(&walk, "", 0);
	*used = walk.at;
	return decoder->state == AT_END ? DATA_END : DATA_MORE;
}

void
data_decode_finish(DataDecoder *decoder, void (*sink)(void *data, const char *octets, size_t size), void *data)
{
	if (decoder->state == AFTER_CR && decoder->is_lenient)
		sink(data, "\r\n", 2);
	else if (decoder->state == AFTER_CR)
		sink(data, "\r", 1);
	decoder->has_bare = decoder->has_bare || (decoder->state == AFTER_CR && !decoder->is_lenient);
	decoder->state = AT_START;
}

static DataState
data_encode_step(DataState state, DataWalk *walk)
{
	const char c = walk->input[walk->at];

	if (state == AT_START) {
		if (c == '.')
			data_put(walk, ".", 0);
		return IN_TEXT;
	}
	if (state == AFTER_CR) {
		data_put(walk, c == '\r' ? "" : "\r\n", c == '\r' || c == '\n');
		return c == '\r' ? AFTER_CR : AT_START;
	}
	data_walk_to_line_end(walk);
	if (walk->at == walk->size)
		return IN_TEXT;
	if (data_is_at_crlf(walk)) {
		walk->at += 2;
		return AT_START;
	}
	data_put(walk, walk->input[walk->at] == '\n' ? "\r\n" : "", 1);
	return walk->input[walk->at - 1] == '\n' ? AT_START : AFTER_CR;
}

void
data_encode(uint8_t *state, const char *input, size_t size,
	void (*sink)(void *data, const char *octets, size_t size), void *data)
{
	DataWalk walk = { .input = input, .size = size, .sink = sink, .data = data };

	data_walk_start(&walk);
	while (walk.at < size)
		*state = (uint8_t)data_encode_step((DataState)*state, &walk);
	data_put(&walk, "", 0);
}

const char *
data_encode_end(uint8_t state)
{
	return state == AT_START ? ".\r\n" : "\r\n.\r\n";
}
