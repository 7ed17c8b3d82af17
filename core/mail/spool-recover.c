/* spool-recover.c - the start: from summaries and the tail to the index.
 *
 * First every header is read (which segments ended early, and is the format ours), then each segment's
 * batches or summary, and then, from the oldest in use on, what they say is put into the index.  What was read is
 * synced again (spool-tail.c) before a file goes because nothing names it. */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "mail/spool-private.h"

/* ---- what the segments say ---- */

static void
spool_scan_found(Spool *spool, Found *found)
{
	if (found->is_ended || spool->is_read_only ||
		spool_scan_summary(spool, found->segment, &found->scan) != SPOOL_SUMMARY_GOOD)
		spool_scan_batches(spool, found->segment,
			found->is_ended ? MAX(found->limit, SPOOL_NO_BATCH) : 0, &found->scan);
	if (id_is_later(found->scan.highest, spool->highest_id))
		spool->highest_id = found->scan.highest;
	if (found->scan.has_summary)
		spool_scan_drop_rows(&found->scan);
}

/* The rows of one segment take megabytes: only one at a time has them in memory. */
static void
spool_scan_all(Spool *spool, Recovery *recovery)
{
	for (guint i = 0; i < recovery->found->len; i++) {
		Found *found = &g_array_index(recovery->found, Found, i);

		spool_scan_found(spool, found);
		if (found->scan.last_batch == 0)
			continue;
		recovery->n_used = i + 1;
		if (found->scan.last_batch > recovery->highest_batch) {
			recovery->highest_batch = found->scan.last_batch;
			recovery->oldest = found->scan.oldest;
		}
	}
}

static bool
spool_replay_all(Spool *spool, Recovery *recovery, GError **error)
{
	for (guint i = 0; i < recovery->n_used; i++) {
		Found *found = &g_array_index(recovery->found, Found, i);

		if (found->segment->number >= recovery->oldest &&
			!spool_replay(spool, recovery, found, error))
			return false;
	}
	return true;
}

/* ---- which segment becomes what ---- */

/* One that was made ready and never written to.  A torn header, or one of which another says that it
 * ended, gets a new number before it is used. */
static void
spool_recover_unused(Spool *spool, Found *found)
{
	SpoolSegment *segment = found->segment;
	g_autofree char *path = spool_segment_path(spool, "", segment->number);
	g_autofree char *spare = spool_segment_path(spool, "spare-", segment->number);

	if (segment->has_damage) {
		g_queue_push_tail(&spool->freed, segment); /* to lost/ */
		return;
	}
	if (found->has_header && segment->size == spool->segment_size && !found->is_ended) {
		g_queue_push_tail(&spool->ready, segment);
		return;
	}
	if (!spool->is_read_only && spool->disk->rename(spool->disk, path, spare) == 0)
		g_queue_push_tail(&spool->spares, g_memdup2(&segment->number, sizeof segment->number));
	spool_segment_close(spool, segment);
}

/* The last segment with batches goes on where it stood, unless it is sealed, ended, damaged, or from a time without
 * marks. */
static void
spool_recover_tail(Spool *spool, Recovery *recovery)
{
	Found *tail =
		recovery->n_used > 0 ? &g_array_index(recovery->found, Found, recovery->n_used - 1) : NULL;

	if (tail == NULL || tail->scan.has_summary || tail->is_ended || !tail->has_header ||
		tail->segment->has_damage || !tail->scan.has_mark)
		return;
	spool->active = tail->segment;
	spool->marked_segment = tail->segment->number;
}

static void
spool_distribute(Spool *spool, Recovery *recovery)
{
	spool_recover_tail(spool, recovery);
	for (guint i = 0; i < recovery->found->len; i++) {
		Found *found = &g_array_index(recovery->found, Found, i);
		SpoolSegment *segment = found->segment;

		if (i >= recovery->n_used) {
			spool_recover_unused(spool, found);
			continue;
		}
		if (segment->number < recovery->oldest) {
			g_queue_push_tail(&spool->freed, segment);
			continue;
		}
		g_queue_push_tail(&spool->segments, segment);
		if (segment == spool->active)
			continue;
		if (found->scan.has_summary || found->is_ended || segment->has_damage ||
			spool->is_read_only || segment->first_batch == 0)
			g_clear_pointer(&segment->rows, g_byte_array_unref);
		else
			g_queue_push_tail(&spool->sealing, spool_segment_ref(segment));
	}
}

/* A file that nothing names is that of a message never acknowledged; beside damage it may be more. */
static void
spool_recover_file(Spool *spool, const char *name)
{
	g_autofree char *path = g_build_filename(spool->content_directory, name, NULL);
	uint64_t number;

	if (!spool_parse_name(name, "", &number))
		return;
	if (number >= atomic_load(&spool->next_file))
		atomic_store(&spool->next_file, number + 1);
	if (g_hash_table_contains(spool->files, &number))
		g_atomic_int_inc(&spool->n_files);
	else if (!spool->is_read_only && spool->figures.has_damage)
		(void)spool_lose(spool, path);
	else if (!spool->is_read_only)
		(void)spool->disk->unlink(spool->disk, path);
}

/* Where the names cannot be read, nothing is removed; spool_file_create() then passes over numbers in use. */
static void
spool_recover_files(Spool *spool)
{
	g_autoptr(GPtrArray) names = spool->disk->list(spool->disk, spool->content_directory);

	if (names == NULL)
		names = spool->disk->list(spool->disk, spool->content_directory);
	if (names == NULL) {
		spool_note_damage(spool, "cannot list %s: %s", spool->content_directory, g_strerror(errno));
		g_atomic_int_set(&spool->n_files, (gint)g_hash_table_size(spool->files));
		return;
	}
	for (guint i = 0; i < names->len; i++)
		spool_recover_file(spool, names->pdata[i]);
}

/* Batches that could not be read have numbers, too; those to come are above them. */
static uint64_t
spool_first_batch_to_come(const Recovery *recovery)
{
	uint64_t next = MAX(recovery->highest_batch, SPOOL_NO_BATCH) + 1;

	for (guint i = 0; i < recovery->found->len; i++) {
		const Found *found = &g_array_index(recovery->found, Found, i);

		if (found->scan.n_unread > 0)
			next += found->segment->size / SPOOL_BLOCK;
	}
	return next;
}

static void
spool_recovery_clear(Recovery *recovery)
{
	for (guint i = 0; i < recovery->found->len; i++)
		spool_scan_clear(&g_array_index(recovery->found, Found, i).scan);
	g_array_unref(recovery->found);
	g_array_unref(recovery->last_files);
	g_ptr_array_unref(recovery->unfinished);
}

/* False: which messages there are is not known.  Nothing was changed. */
static bool
spool_recover_index(Spool *spool, Recovery *recovery, GError **error)
{
	bool is_known;

	if (!spool_list_log(spool, recovery, error))
		return false;
	spool_scan_all(spool, recovery);
	spool->is_replaying = true;
	is_known = spool_judge(spool, recovery, error) && spool_replay_all(spool, recovery, error);
	spool->is_replaying = false;
	spool_index_sort(spool);
	return is_known && spool_renew_tail(spool, recovery, error);
}

bool
spool_recover(Spool *spool, GError **error)
{
	Recovery recovery = { .found = g_array_new(FALSE, FALSE, sizeof(Found)),
		.unfinished = g_ptr_array_new_with_free_func(g_free),
		.last_files = g_array_new(FALSE, FALSE, sizeof(uint64_t)) };

	if (!spool_recover_index(spool, &recovery, error)) {
		for (guint i = 0; i < recovery.found->len; i++)
			spool_segment_close(spool, g_array_index(recovery.found, Found, i).segment);
		spool_recovery_clear(&recovery);
		return false;
	}
	for (guint i = 0; i < recovery.unfinished->len && !spool->is_read_only; i++)
		(void)spool->disk->unlink(spool->disk, recovery.unfinished->pdata[i]);
	spool_distribute(spool, &recovery);
	spool->last_batch = recovery.highest_batch;
	spool->next_batch = spool_first_batch_to_come(&recovery);
	spool_recover_files(spool);
	spool_recovery_clear(&recovery);
	return true;
}
