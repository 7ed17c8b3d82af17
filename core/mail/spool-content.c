/* spool-content.c - the content of a message: verified as a whole first, then read in steps.
 *
 * Nothing is mapped: a page that the disk cannot read would kill the process.  What was verified once may be read
 * differently the next time; so each step has a checksum, noted when the whole was verified, and is passed on only if
 * it is the same still. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "mail/spool-file.h"
#include "mail/spool-private.h"
#include "proto/header.h"

enum { CONTENT_STEP = 256 << 10 };

/* Private to its message; reading through it changes nothing, so that several threads may. */
struct SpoolReader {
	SpoolSegment *
		segment; /* NULL: in a file, which is open only while it is read: thousands of messages may wait */
	uint64_t number, offset;
	GArray *checks; /* of uint32_t, one for each step */
};

static void
spool_reader_free(SpoolReader *reader)
{
	if (reader == NULL)
		return;
	if (reader->segment != NULL)
		spool_segment_unref(reader->segment);
	g_array_unref(reader->checks);
	g_free(reader);
}

void
spool_content_release(SpoolMessage *message)
{
	if (message->accounted > 0)
		spool_memory_add(message->spool, -(int64_t)message->accounted);
	g_free(message->octets);
	spool_reader_free(message->reader);
	message->octets = NULL;
	message->content = NULL;
	message->reader = NULL;
	message->accounted = 0;
}

static SpoolReader *
spool_reader_new(const Whereabouts *found)
{
	const bool is_file = found->place.kind == SPOOL_IN_FILE;
	SpoolReader *reader = g_new0(SpoolReader, 1);

	reader->segment = is_file ? NULL : spool_segment_ref(found->content_segment);
	reader->number = found->place.at;
	reader->offset = is_file ? found->place.offset : found->place.at;
	reader->checks = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	return reader;
}

/* To read from, until spool_reader_leave(); -1: it cannot be opened. */
static int
spool_reader_enter(Spool *spool, const SpoolReader *reader, GError **error)
{
	g_autofree char *path = NULL;
	int fd;

	if (reader->segment != NULL)
		return reader->segment->fd;
	path = spool_file_path(spool, reader->number);
	fd = spool->disk->open(spool->disk, path, O_RDONLY, 0);
	if (fd < 0)
		(void)error_set(error, errno == ENOENT ? POSTERN_ERROR_DAMAGED : POSTERN_ERROR_IO,
			"cannot open %s: %s", path, g_strerror(errno));
	return fd;
}

static void
spool_reader_leave(Spool *spool, const SpoolReader *reader, int fd)
{
	if (reader->segment == NULL)
		(void)spool->disk->close(spool->disk, fd);
}

static bool
spool_reader_read(const SpoolMessage *message, const SpoolReader *reader, int fd, char *to,
	uint64_t at, size_t size, GError **error)
{
	Spool *spool = message->spool;
	int number;

	if (spool_pread(spool->disk, fd, to, size, reader->offset + at))
		return true;
	number = errno;
	if (number == ENODATA)
		return error_set(
			error, POSTERN_ERROR_DAMAGED, "the content of a message is shorter than it was");
	(void)error_set(
		error, POSTERN_ERROR_IO, "cannot read the content of a message: %s", g_strerror(number));
	errno = number;
	if (reader->segment != NULL)
		spool_report_unread(spool, reader->segment, reader->offset + at);
	else
		spool_report_damage(spool,
			"content file %016" G_GINT64_MODIFIER "x, octet %" G_GUINT64_FORMAT
			" cannot be read: %s; its messages are deferred",
			reader->number, reader->offset + at, g_strerror(number));
	return false;
}

static size_t
spool_step_size(const SpoolMessage *message, uint64_t step)
{
	return (size_t)MIN(CONTENT_STEP, message->size - step * CONTENT_STEP);
}

/* A step that is what it was when the whole was verified. */
static bool
spool_reader_step(const SpoolMessage *message, int fd, uint64_t step, char *to, GError **error)
{
	const size_t size = spool_step_size(message, step);
	char text[ID_TEXT_SIZE];

	if (!spool_reader_read(message, message->reader, fd, to, step * CONTENT_STEP, size, error))
		return false;
	return crc32c(0, to, size) == g_array_index(message->reader->checks, uint32_t, step) ||
		   error_set(error, POSTERN_ERROR_DAMAGED, "the content of %s changed while it was read",
			   id_format(message->envelope->id, text));
}

/* ---- verifying ---- */

static bool
spool_content_is_wrong(const SpoolMessage *message, GError **error)
{
	char text[ID_TEXT_SIZE];

	return error_set(error, POSTERN_ERROR_DAMAGED,
		"the content of %s does not agree with its checksum",
		id_format(message->envelope->id, text));
}

/* Small ones are kept. */
static bool
spool_read_small(SpoolMessage *message, const SpoolReader *reader, int fd, const SpoolPlace *place,
	GError **error)
{
	g_autofree char *octets = g_malloc(place->size + 1);

	if (!spool_reader_read(message, reader, fd, octets, 0, place->size, error))
		return false;
	if (crc32c(0, octets, place->size) != place->crc)
		return spool_content_is_wrong(message, error);
	octets[place->size] = '\0';
	message->facts = (OctetFacts){ 0 };
	octets_note(&message->facts, octets, place->size);
	message->octets = g_steal_pointer(&octets);
	message->content = message->octets;
	return true;
}

static bool
spool_verify_large(
	SpoolMessage *message, SpoolReader *reader, int fd, const SpoolPlace *place, GError **error)
{
	g_autofree char *octets = g_malloc(CONTENT_STEP);
	uint32_t whole = 0;

	message->facts = (OctetFacts){ 0 };
	for (uint64_t step = 0; step * CONTENT_STEP < place->size; step++) {
		const size_t size = spool_step_size(message, step);
		uint32_t check;

		if (!spool_reader_read(message, reader, fd, octets, step * CONTENT_STEP, size, error))
			return false;
		whole = crc32c(whole, octets, size);
		check = crc32c(0, octets, size);
		g_array_append_val(reader->checks, check);
		octets_note(&message->facts, octets, size);
	}
	return whole == place->crc || spool_content_is_wrong(message, error);
}

/* The first `size` octets, to look for the end of the header; false: that takes more, or an error. */
static bool
spool_look_for_header_end(
	SpoolMessage *message, const SpoolReader *reader, int fd, size_t size, GError **error)
{
	g_autofree char *octets = NULL;
	bool is_found = false;

	if (!spool_memory_take(message->spool, size))
		return error_set(error, POSTERN_ERROR_FULL,
			"no memory for a header of more than %zu octets ([spool] memory)", size / 2);
	octets = g_malloc(size);
	if (spool_reader_read(message, reader, fd, octets, 0, size, error)) {
		is_found = header_is_within(octets, size, &message->header_end) || size == message->size;
		if (is_found)
			message->header_end = header_end(octets, size);
	}
	spool_memory_add(message->spool, -(int64_t)size);
	return is_found;
}

/* Where lines at the end of the header go: to be known before the first piece is. */
static bool
spool_find_header_end(SpoolMessage *message, const SpoolReader *reader, int fd, GError **error)
{
	g_autoptr(GError) failure = NULL;

	if (message->envelope->bottom[0] == '\0')
		return true;
	for (uint64_t size = CONTENT_STEP; failure == NULL; size *= 2)
		if (spool_look_for_header_end(
				message, reader, fd, (size_t)MIN(size, message->size), &failure))
			return true;
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

static bool
spool_verify(SpoolMessage *message, SpoolReader *reader, const SpoolPlace *place, GError **error)
{
	const int fd = spool_reader_enter(message->spool, reader, error);
	bool is_good;

	if (fd < 0)
		return false;
	if (place->size <= SPOOL_LARGE)
		is_good = spool_read_small(message, reader, fd, place, error);
	else
		is_good = spool_verify_large(message, reader, fd, place, error) &&
				  spool_find_header_end(message, reader, fd, error);
	spool_reader_leave(message->spool, reader, fd);
	return is_good;
}

bool
spool_read_content(SpoolMessage *message, GError **error)
{
	char text[ID_TEXT_SIZE];
	Whereabouts found;
	SpoolReader *reader;
	bool is_read;

	if (message->content != NULL || message->reader != NULL)
		return true;
	if (!spool_look_up(message->spool, message->envelope->id, &found))
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "no message %s",
			id_format(message->envelope->id, text));
	reader = spool_reader_new(&found);
	is_read = spool_verify(message, reader, &found.place, error);
	if (is_read && message->content == NULL)
		message->reader = reader;
	else
		spool_reader_free(reader);
	spool_let_go(&found);
	return is_read;
}

static bool
spool_load_steps(const SpoolMessage *message, char *octets, GError **error)
{
	const int fd = spool_reader_enter(message->spool, message->reader, error);
	bool is_read = fd >= 0;

	for (uint64_t step = 0; is_read && step * CONTENT_STEP < message->size; step++)
		is_read = spool_reader_step(message, fd, step, octets + step * CONTENT_STEP, error);
	if (fd >= 0)
		spool_reader_leave(message->spool, message->reader, fd);
	return is_read;
}

bool
spool_read_whole(SpoolMessage *message, GError **error)
{
	char text[ID_TEXT_SIZE];
	char *octets;

	if (!spool_read_content(message, error))
		return false;
	if (message->content != NULL)
		return true;
	if (!spool_memory_take(message->spool, message->size))
		return error_set(error, POSTERN_ERROR_FULL,
			"no memory for the content of %s, %" G_GUINT64_FORMAT " octets ([spool] memory)",
			id_format(message->envelope->id, text), message->size);
	octets = g_try_malloc(message->size + 1);
	if (octets == NULL || !spool_load_steps(message, octets, error)) {
		if (octets == NULL)
			(void)error_set(error, POSTERN_ERROR_FULL, "out of memory");
		spool_memory_add(message->spool, -(int64_t)message->size);
		g_free(octets);
		return false;
	}
	octets[message->size] = '\0';
	message->accounted = message->size;
	message->content = message->octets = octets;
	return true;
}

/* ---- as it is sent ---- */

/* One walk over a content; `loaded` is the step in `buffer`.  Of a message that several threads send
 * each has its own. */
typedef struct {
	const SpoolMessage *message;
	SpoolPiece *piece;
	void *data;
	char *buffer;
	uint64_t loaded;
	int fd; /* -1: not open yet */
	GError **error;
} Walk;

static bool
spool_walk_load(Walk *walk, uint64_t step)
{
	const SpoolMessage *message = walk->message;

	if (walk->fd < 0)
		walk->fd = spool_reader_enter(message->spool, message->reader, walk->error);
	if (walk->buffer == NULL)
		walk->buffer = g_malloc(CONTENT_STEP);
	return walk->fd >= 0 && spool_reader_step(message, walk->fd, step, walk->buffer, walk->error);
}

static void
spool_walk_end(Walk *walk)
{
	if (walk->fd >= 0)
		spool_reader_leave(walk->message->spool, walk->message->reader, walk->fd);
	g_free(walk->buffer);
}

static bool
spool_walk_range(Walk *walk, uint64_t from, uint64_t to)
{
	const SpoolMessage *message = walk->message;

	if (message->reader == NULL)
		return from >= to || walk->piece(walk->data, message->content + from, to - from);
	while (from < to) {
		const uint64_t step = from / CONTENT_STEP, start = step * CONTENT_STEP;
		const uint64_t until = MIN(to, start + CONTENT_STEP);

		if (walk->loaded != step && !spool_walk_load(walk, step))
			return false;
		walk->loaded = step;
		if (!walk->piece(walk->data, walk->buffer + (from - start), until - from))
			return false;
		from = until;
	}
	return true;
}

/* The content from `from` to `to`, without what is cut. */
static bool
spool_walk_part(Walk *walk, uint64_t from, uint64_t to)
{
	const GArray *cuts = walk->message->envelope->cuts;

	for (guint i = 0; i < cuts->len && from < to; i++) {
		const Cut *cut = &g_array_index(cuts, Cut, i);
		const uint64_t cut_end = cut->offset + cut->length;

		if (cut_end <= from)
			continue;
		if (!spool_walk_range(walk, from, MIN(cut->offset, to)))
			return false;
		from = MAX(from, cut_end);
	}
	return spool_walk_range(walk, from, to);
}

static uint64_t
spool_header_end(const SpoolMessage *message)
{
	if (message->envelope->bottom[0] == '\0')
		return 0;
	return message->reader != NULL ? message->header_end
								   : header_end(message->content, message->size);
}

bool
spool_message_pieces(const SpoolMessage *message, SpoolPiece *piece, void *data, GError **error)
{
	const Envelope *envelope = message->envelope;
	const size_t top = strlen(envelope->top), bottom = strlen(envelope->bottom);
	const uint64_t at = spool_header_end(message);
	Walk walk = { .message = message,
		.piece = piece,
		.data = data,
		.loaded = UINT64_MAX,
		.fd = -1,
		.error = error };
	const bool is_done = (top == 0 || piece(data, envelope->top, top)) &&
						 spool_walk_part(&walk, 0, at) &&
						 (bottom == 0 || piece(data, envelope->bottom, bottom)) &&
						 spool_walk_part(&walk, at, message->size);

	spool_walk_end(&walk);
	return is_done;
}

bool
spool_content_pieces(const SpoolMessage *message, SpoolPiece *piece, void *data, GError **error)
{
	Walk walk = { .message = message,
		.piece = piece,
		.data = data,
		.loaded = UINT64_MAX,
		.fd = -1,
		.error = error };
	const bool is_done = spool_walk_range(&walk, 0, message->size);

	spool_walk_end(&walk);
	return is_done;
}

uint64_t
spool_message_octets(const SpoolMessage *message)
{
	const Envelope *envelope = message->envelope;
	uint64_t octets = strlen(envelope->top) + strlen(envelope->bottom) + message->size;

	for (guint i = 0; i < envelope->cuts->len; i++) {
		const Cut *cut = &g_array_index(envelope->cuts, Cut, i);

		if (cut->offset < message->size)
			octets -= MIN(cut->length, message->size - cut->offset);
	}
	return octets;
}
