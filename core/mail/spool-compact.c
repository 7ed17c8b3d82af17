/* spool-compact.c - the oldest segment is emptied and freed, never another one.
 *
 * What still lives in it is appended anew: its content goes, once, to a file (small ones share one),
 * synced before the batch that names its new place; then the committer appends the envelope with its whole
 * state, unless that changed meanwhile.  The segment is free once nothing lives in it any more. */
#include <errno.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "mail/spool-file.h"
#include "mail/spool-private.h"

enum { COMPACT_MESSAGES = 500, COMPACT_OCTETS = 1 << 20 };

#define COMPACT_PAUSE_US (60 * CLOCK_SECOND) /* at most, between attempts to move what cannot be read */

/* Lock held.  What lived in the oldest segment is gone: the keeper takes it.  A newer one must have the mark: else the
 * highest id would go with it. */
static bool
spool_free_oldest(Spool *spool)
{
	SpoolSegment *oldest = g_queue_peek_head(&spool->segments);
	bool is_empty;

	if (oldest == spool->active || oldest->number >= spool->marked_segment)
		return false;
	g_mutex_lock(&spool->index_lock);
	is_empty = oldest->entries == NULL && oldest->live_octets == 0;
	g_mutex_unlock(&spool->index_lock);
	if (!is_empty)
		return false;
	g_queue_push_tail(&spool->freed, g_queue_pop_head(&spool->segments));
	g_cond_signal(&spool->keeper_wakes);
	return true;
}

/* Lock held.  Log size follows max(16 segments, twice the live octets); a full disk asks for more, where that
 * costs little. */
static bool
spool_is_too_long(Spool *spool)
{
	const SpoolSegment *oldest = g_queue_peek_head(&spool->segments);
	const guint n = g_queue_get_length(&spool->segments);
	uint64_t total = 0, live = 0, oldest_live;

	if (oldest == spool->active)
		return false;
	g_mutex_lock(&spool->index_lock);
	oldest_live = oldest->live_octets;
	for (const GList *link = spool->segments.head; link != NULL; link = link->next) {
		total += ((const SpoolSegment *)link->data)->size;
		live += ((const SpoolSegment *)link->data)->live_octets;
	}
	g_mutex_unlock(&spool->index_lock);
	if (spool->has_prepare_failed && oldest_live < oldest->size / 2)
		return true;
	return n > SPOOL_LEAST_SEGMENTS && total > 2 * live;
}

/* Both locks held.  The ids of some that live in it and are not on their way already. */
static GArray *
spool_pick(const SpoolSegment *segment)
{
	GArray *ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	uint64_t octets = 0;

	for (SpoolEntry *entry = segment->entries; entry != NULL && ids->len < COMPACT_MESSAGES;
		 entry = entry->after) {
		if (entry->is_finished || entry->is_moving || entry->is_stuck)
			continue;
		octets += entry->length + (entry->content->segment != NULL ? entry->content->place.size : 0);
		if (octets > COMPACT_OCTETS && ids->len > 0)
			break;
		entry->is_moving = true;
		g_array_append_val(ids, entry->id);
	}
	return ids;
}

/* Index lock held.  A content file that only it names is kept beside its segment. */
static void
spool_keep_file(Spool *spool, const SpoolEntry *entry)
{
	const SpoolPlace *place = &entry->content->place;
	g_autofree char *path = spool_file_path(spool, place->at);

	if (place->kind == SPOOL_IN_FILE && entry->content->refs == 1 && spool_index_file(spool, place->at)->refs == 1)
		(void)spool_lose(spool, path);
}

static void
spool_say_damaged(Spool *spool, SpoolSegment *segment, QueueId id)
{
	char text[ID_TEXT_SIZE];

	g_mutex_lock(&spool->lock);
	segment->has_damage = true;
	g_mutex_unlock(&spool->lock);
	spool_report_damage(spool,
		"segment %" G_GUINT64_FORMAT ": message %s is damaged; the segment is kept in lost/", segment->number,
		id_format(id, text));
}

/* What is damaged cannot be moved: its segment is kept in lost/, and it is said. */
static void
spool_give_up_message(Spool *spool, SpoolSegment *segment, QueueId id)
{
	SpoolEntry *entry;

	spool_say_damaged(spool, segment, id);
	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, id);
	if (entry != NULL && entry->pending == NULL) {
		spool_keep_file(spool, entry);
		spool_index_remove(spool, entry);
	}
	g_mutex_unlock(&spool->index_lock);
}

/* What the disk cannot read now stays, and so does its segment: it is tried again, and may be delivered meanwhile, or be
 * removed by the administrator. */
static void
spool_leave_message(Spool *spool, SpoolSegment *segment, QueueId id, const char *why)
{
	SpoolEntry *entry;
	char text[ID_TEXT_SIZE];

	g_mutex_lock(&spool->lock);
	segment->has_damage = true;
	g_mutex_unlock(&spool->lock);
	spool_report_damage(spool,
		"segment %" G_GUINT64_FORMAT
		": message %s cannot be moved: %s; it is tried again, and the log does not shrink "
		"until then, or until the message is removed",
		segment->number, id_format(id, text), why);
	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, id);
	if (entry != NULL)
		entry->is_stuck = true;
	g_mutex_unlock(&spool->index_lock);
}

/* ---- content ---- */

/* One content that goes to the file. */
typedef struct {
	QueueId id;
	SpoolPlace from, to;
} Carry;

/* Content that does not agree with its CRC goes as it is, with the CRC that tells; its segment is kept, too. */
static bool
spool_carry_one(Spool *spool, SpoolSegment *segment, GByteArray *octets, Carry *carry)
{
	const guint start = octets->len;

	if (carry->from.at > segment->size || carry->from.size > segment->size - carry->from.at) {
		spool_give_up_message(spool, segment, carry->id);
		return false;
	}
	g_byte_array_set_size(octets, start + (guint)carry->from.size);
	if (!spool_pread(spool->disk, segment->fd, octets->data + start, carry->from.size, carry->from.at)) {
		const int number = errno;

		g_byte_array_set_size(octets, start);
		if (number == ENODATA)
			spool_give_up_message(spool, segment, carry->id);
		else
			spool_leave_message(spool, segment, carry->id, g_strerror(number));
		return false;
	}
	if (crc32c(0, octets->data + start, carry->from.size) != carry->from.crc)
		spool_say_damaged(spool, segment, carry->id);
	carry->to = carry->from;
	carry->to.kind = SPOOL_IN_FILE;
	carry->to.offset = start;
	return true;
}

static GByteArray *
spool_carry_all(Spool *spool, SpoolSegment *segment, const GArray *ids, GArray *carries)
{
	GByteArray *octets = g_byte_array_new();

	for (guint i = 0; i < ids->len; i++) {
		Carry carry = { .id = g_array_index(ids, QueueId, i) };
		Whereabouts found;

		if (!spool_look_up(spool, carry.id, &found))
			continue;
		carry.from = found.place;
		if (found.content_segment == segment && spool_carry_one(spool, segment, octets, &carry))
			g_array_append_val(carries, carry);
		spool_let_go(&found);
	}
	return octets;
}

static bool
spool_write_pack(Spool *spool, const GByteArray *octets, uint64_t *number)
{
	const Disk *disk = spool->disk;
	const int fd = spool_file_create(spool, number, NULL);
	bool is_written;

	if (fd < 0)
		return false;
	is_written = spool_file_write(disk, fd, octets->data, octets->len, 0) && disk->fsync(disk, fd) == 0 &&
				 spool_file_sync_names(spool, NULL);
	(void)disk->close(disk, fd);
	if (!is_written)
		spool_file_forget(spool, *number);
	return is_written;
}

/* Copies share their content: who comes second finds it moved. */
static void
spool_switch_content(Spool *spool, const GArray *carries, uint64_t number)
{
	g_mutex_lock(&spool->index_lock);
	spool_index_file(spool, number)->refs++; /* ours, so that it stays till all are switched */
	for (guint i = 0; i < carries->len; i++) {
		const Carry *carry = &g_array_index(carries, Carry, i);
		SpoolEntry *entry = spool_index_find(spool, carry->id);
		SpoolPlace to = carry->to;

		to.at = number;
		if (entry != NULL && memcmp(&entry->content->place, &carry->from, sizeof to) == 0 &&
			entry->content->place.kind == SPOOL_IN_SEGMENT)
			spool_index_move_content(spool, entry->content, &to);
	}
	spool_index_drop_file(spool, number);
	g_mutex_unlock(&spool->index_lock);
}

static bool
spool_move_contents(Spool *spool, SpoolSegment *segment, const GArray *ids)
{
	g_autoptr(GArray) carries = g_array_new(FALSE, FALSE, sizeof(Carry));
	g_autoptr(GByteArray) octets = spool_carry_all(spool, segment, ids, carries);
	uint64_t number;

	if (carries->len == 0)
		return true;
	if (!spool_write_pack(spool, octets, &number))
		return false;
	spool_switch_content(spool, carries, number);
	return true;
}

/* ---- envelopes ---- */

/* New; NULL: it is gone, or cannot be read now, or is damaged (and then given up). */
static SpoolMove *
spool_make_move(Spool *spool, SpoolSegment *segment, QueueId id)
{
	g_autoptr(SpoolMessage) message = NULL;
	g_autoptr(GError) error = NULL;
	Whereabouts found;
	SpoolMove *move;

	if (!spool_look_up(spool, id, &found))
		return NULL;
	message = spool_read_at(spool, id, &found, &error);
	if (message == NULL || found.place.kind != SPOOL_IN_FILE) {
		spool_let_go(&found);
		if (g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_IO))
			spool_leave_message(spool, segment, id, error->message);
		else if (message == NULL)
			spool_give_up_message(spool, segment, id);
		return NULL;
	}
	move = g_new0(SpoolMove, 1);
	move->id = id;
	move->version = found.version;
	move->octets = g_byte_array_new();
	spool_message_encode(move->octets, &found.place, message->envelope, message->state, &move->row);
	spool_let_go(&found);
	return move;
}

static void
spool_forget_moving(Spool *spool, QueueId id)
{
	SpoolEntry *entry;

	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, id);
	if (entry != NULL)
		entry->is_moving = false;
	g_mutex_unlock(&spool->index_lock);
}

static void
spool_enqueue_move(Spool *spool, SpoolMove *move)
{
	g_mutex_lock(&spool->lock);
	*spool->last_move = move;
	spool->last_move = &move->next;
	spool->n_moves++;
	g_cond_signal(&spool->committer_wakes);
	g_mutex_unlock(&spool->lock);
}

/* What was stuck may be read by now. */
static void
spool_forget_stuck(Spool *spool, SpoolSegment *segment)
{
	g_mutex_lock(&spool->index_lock);
	for (SpoolEntry *entry = segment->entries; entry != NULL; entry = entry->after)
		entry->is_stuck = false;
	g_mutex_unlock(&spool->index_lock);
}

/* False: nothing could be moved now. */
static bool
spool_compact_some(Spool *spool, SpoolSegment *segment)
{
	g_autoptr(GArray) ids = NULL;
	bool has_moved = false, has_content;

	g_mutex_lock(&spool->index_lock);
	ids = spool_pick(segment);
	g_mutex_unlock(&spool->index_lock);
	has_content = ids->len > 0 && spool_move_contents(spool, segment, ids);
	for (guint i = 0; i < ids->len; i++) {
		const QueueId id = g_array_index(ids, QueueId, i);
		SpoolMove *move = has_content ? spool_make_move(spool, segment, id) : NULL;

		if (move == NULL) {
			spool_forget_moving(spool, id);
			continue;
		}
		spool_enqueue_move(spool, move);
		has_moved = true;
	}
	return has_moved;
}

/* Lock held; gives it up meanwhile. */
static void
spool_compact(Spool *spool)
{
	SpoolSegment *oldest = spool_segment_ref(g_queue_peek_head(&spool->segments));
	bool has_moved;

	g_mutex_unlock(&spool->lock);
	has_moved = spool_compact_some(spool, oldest);
	if (!has_moved)
		spool_forget_stuck(spool, oldest);
	spool_segment_unref(oldest);
	g_mutex_lock(&spool->lock);
	g_cond_signal(&spool->keeper_wakes);
	while (spool->n_moves > 0 && !spool->is_stopping)
		g_cond_wait(&spool->compactor_wakes, &spool->lock);
	spool->compact_pause_us =
		has_moved ? 0 : CLAMP(2 * spool->compact_pause_us, SPOOL_STATE_DELAY_US, COMPACT_PAUSE_US);
	spool->compact_due_us = g_get_monotonic_time() + spool->compact_pause_us;
}

gpointer
spool_compactor(gpointer data)
{
	Spool *spool = data;

	g_mutex_lock(&spool->lock);
	while (!spool->is_stopping) {
		const int64_t now_us = g_get_monotonic_time();
		int64_t until_us = now_us + 10 * SPOOL_RETRY_US;

		if (spool_free_oldest(spool))
			continue;
		if (spool_is_too_long(spool) && !spool->is_closed) {
			if (now_us >= spool->compact_due_us) {
				spool_compact(spool);
				continue;
			}
			until_us = MIN(until_us, spool->compact_due_us);
		}
		(void)g_cond_wait_until(&spool->compactor_wakes, &spool->lock, until_us);
	}
	g_mutex_unlock(&spool->lock);
	return NULL;
}
