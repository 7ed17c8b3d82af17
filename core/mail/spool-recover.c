/* spool-recover.c - the start: from summaries and the tail to the index.
 *
 * First every header is read (which segments ended early, and is the format ours), then each segment's
 * batches or summary, and then, from the oldest in use on, what they say is put into the index. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "mail/spool-private.h"

typedef struct {
	SpoolSegment *segment;
	SpoolSegmentHeader header;
	bool has_header;
	uint64_t limit; /* batches above do not count; 0: no limit */
	bool is_ended;
	SpoolScan scan;
} Found;

typedef struct {
	GArray *found;         /* of Found, by number */
	GPtrArray *unfinished; /* paths of segments whose making was interrupted */
	uint64_t highest_batch, oldest;
	guint n_used; /* how many have batches, or stand before one that has */
} Recovery;

static int
spool_found_compare(const void *a, const void *b)
{
	const uint64_t left = ((const Found *)a)->segment->number, right = ((const Found *)b)->segment->number;

	return left < right ? -1 : left > right;
}

/* "PREFIX" and 16 hex digits. */
static bool
spool_parse_name(const char *name, const char *prefix, uint64_t *number)
{
	char *end;

	if (!g_str_has_prefix(name, prefix) || strlen(name) != strlen(prefix) + 16)
		return false;
	name += strlen(prefix);
	if (strspn(name, "0123456789abcdef") != 16)
		return false;
	*number = g_ascii_strtoull(name, &end, 16);
	return true;
}

static bool
spool_find_segment(Spool *spool, Recovery *recovery, uint64_t number, GError **error)
{
	g_autofree char *path = spool_segment_path(spool, "", number);
	const int fd = spool->disk->open(spool->disk, path, spool->is_read_only ? O_RDONLY : O_RDWR, 0);
	Found found = { 0 };
	struct stat status;
	uint8_t block[SPOOL_BLOCK];
	SpoolHeaderResult result = SPOOL_HEADER_BAD;

	if (fd < 0 || fstat(fd, &status) != 0)
		return error_set_errno(error, "cannot open the segment %s", path);
	if (spool_pread(spool->disk, fd, block, sizeof block, 0))
		result = spool_segment_header_decode(block, &found.header);
	if (result == SPOOL_HEADER_OTHER_VERSION) {
		(void)spool->disk->close(spool->disk, fd);
		return error_set(
			error, POSTERN_ERROR_INVALID, "%s is of a format version that this Postern does not know", path);
	}
	found.has_header = result == SPOOL_HEADER_GOOD && found.header.number == number &&
					   memcmp(found.header.spool, spool->id, SPOOL_ID_SIZE) == 0;
	found.segment = spool_segment_new(number, (uint64_t)status.st_size / SPOOL_BLOCK * SPOOL_BLOCK, fd);
	spool_scan_init(&found.scan);
	g_array_append_val(recovery->found, found);
	return true;
}

static void
spool_find_spare(Spool *spool, Recovery *recovery, const char *name, uint64_t number)
{
	if (g_str_has_prefix(name, "new-"))
		g_ptr_array_add(recovery->unfinished, g_build_filename(spool->log_directory, name, NULL));
	else
		g_queue_push_tail(&spool->spares, g_memdup2(&number, sizeof number));
}

/* The numbers of spares count, too: no number is given twice. */
static bool
spool_list_log(Spool *spool, Recovery *recovery, GError **error)
{
	g_autoptr(GDir) directory = g_dir_open(spool->log_directory, 0, error);
	const char *name;

	if (directory == NULL)
		return false;
	while ((name = g_dir_read_name(directory)) != NULL) {
		uint64_t number;

		if (spool_parse_name(name, "", &number)) {
			if (!spool_find_segment(spool, recovery, number, error))
				return false;
		} else if (spool_parse_name(name, "spare-", &number) || spool_parse_name(name, "new-", &number)) {
			spool_find_spare(spool, recovery, name, number);
		} else {
			continue;
		}
		spool->next_segment = MAX(spool->next_segment, number + 1);
	}
	g_array_sort(recovery->found, spool_found_compare);
	return true;
}

/* "Segment N ends at batch B." */
static void
spool_apply_ends(Recovery *recovery)
{
	for (guint i = 0; i < recovery->found->len; i++) {
		const Found *says = &g_array_index(recovery->found, Found, i);

		for (guint k = 0; says->has_header && says->header.ended_segment != 0 && k < i; k++) {
			Found *ended = &g_array_index(recovery->found, Found, k);

			if (ended->segment->number == says->header.ended_segment) {
				ended->limit = says->header.ended_batch;
				ended->is_ended = true;
			}
		}
	}
}

/* The rows of one segment take megabytes: only one at a time has them in memory. */
static void
spool_scan_all(Spool *spool, Recovery *recovery)
{
	for (guint i = 0; i < recovery->found->len; i++) {
		Found *found = &g_array_index(recovery->found, Found, i);

		if (found->is_ended || spool->is_read_only || !spool_scan_summary(spool, found->segment, &found->scan))
			spool_scan_batches(
				spool, found->segment, found->is_ended ? MAX(found->limit, SPOOL_NO_BATCH) : 0, &found->scan);
		if (found->scan.has_summary)
			spool_scan_drop_rows(&found->scan);
		if (found->scan.last_batch == 0)
			continue;
		recovery->n_used = i + 1;
		if (found->scan.last_batch > recovery->highest_batch) {
			recovery->highest_batch = found->scan.last_batch;
			recovery->oldest = found->scan.oldest;
		}
	}
}

/* ---- into the index ---- */

static void
spool_replay_message(Spool *spool, const SpoolRow *row, SpoolSegment *segment)
{
	SpoolEntry *entry = spool_index_find(spool, row->id);
	SpoolContent *content = NULL, *left;

	if (row->n_pending == 0)
		return;
	/* Copies stand right behind their original, and share its content. */
	for (SpoolEntry *other = segment->entries; other != NULL && content == NULL; other = NULL)
		if (memcmp(&other->content->place, &row->place, sizeof row->place) == 0)
			content = other->content;
	if (content == NULL)
		content = spool_index_content(spool, &row->place, segment);
	if (entry == NULL) {
		spool_index_add(spool, row, segment, content);
		return;
	}
	left = entry->content;
	content->refs++;
	entry->content = content;
	spool_content_unref(spool, left);
	spool_index_place(entry, row, segment);
	if (row->version >= entry->version) {
		spool_index_apply(entry, row);
		spool_index_set_state_place(entry, row, segment);
	}
}

static void
spool_replay_state(Spool *spool, const SpoolRow *row, SpoolSegment *segment)
{
	SpoolEntry *entry = spool_index_find(spool, row->id);

	if (entry == NULL || row->version < entry->version)
		return;
	spool_index_apply(entry, row);
	spool_index_set_state_place(entry, row, segment);
	if (row->n_pending == 0)
		spool_index_remove(spool, entry);
}

static void
spool_replay(Spool *spool, Found *found)
{
	SpoolSegment *segment = found->segment;

	segment->first_batch = found->scan.first_batch;
	segment->previous = found->scan.previous;
	segment->last_batch = found->scan.last_batch;
	segment->oldest = found->scan.oldest;
	segment->end = found->scan.end;
	segment->is_ended = found->is_ended;
	if (found->scan.has_summary && !spool_scan_summary(spool, segment, &found->scan)) {
		spool_scan_drop_rows(&found->scan);
		spool_scan_batches(spool, segment, 0, &found->scan);
	}
	for (guint i = 0; i < found->scan.rows->len; i++) {
		const SpoolRow *row = &g_array_index(found->scan.rows, SpoolRow, i);

		if (row->type == SPOOL_RECORD_MESSAGE) {
			spool_replay_message(spool, row, segment);
			if (row->place.kind == SPOOL_IN_FILE && row->place.at >= atomic_load(&spool->next_file))
				atomic_store(&spool->next_file, row->place.at + 1);
		} else {
			spool_replay_state(spool, row, segment);
		}
		if (!found->scan.has_summary)
			spool_segment_add_row(segment, row);
	}
	spool_scan_drop_rows(&found->scan);
}

/* What each found, and whether the batches of one follow on those of the one before. */
static void
spool_judge(Spool *spool, Recovery *recovery)
{
	uint64_t last = 0;
	SpoolSegment *before = NULL;

	for (guint i = 0; i < recovery->n_used; i++) {
		Found *found = &g_array_index(recovery->found, Found, i);

		if (found->segment->number < recovery->oldest)
			continue;
		for (guint k = 0; k < found->scan.findings->len; k++)
			spool_note_damage(spool, "%s", (const char *)found->scan.findings->pdata[k]);
		found->segment->has_damage = found->scan.findings->len > 0;
		if (!found->has_header) {
			spool_note_damage(
				spool, "segment %" G_GUINT64_FORMAT ": its header is damaged", found->segment->number);
			found->segment->has_damage = true;
		}
		if (before != NULL && found->scan.first_batch != 0 && found->scan.previous != last) {
			spool_note_damage(spool,
				"segment %" G_GUINT64_FORMAT ": its end is damaged, batch %" G_GUINT64_FORMAT
				" was the last to be read",
				before->number, last);
			before->has_damage = true;
		}
		before = found->segment;
		if (found->scan.last_batch != 0)
			last = found->scan.last_batch;
		else if (found->is_ended)
			last = found->limit;
	}
}

/* One that was made ready and never written to.  A torn header, or one of which another says that it
 * ended, gets a new number before it is used. */
static void
spool_recover_unused(Spool *spool, Found *found)
{
	SpoolSegment *segment = found->segment;
	g_autofree char *path = spool_segment_path(spool, "", segment->number);
	g_autofree char *spare = spool_segment_path(spool, "spare-", segment->number);

	if (found->has_header && segment->size == spool->segment_size && !found->is_ended) {
		g_queue_push_tail(&spool->ready, segment);
		return;
	}
	if (!spool->is_read_only && spool->disk->rename(spool->disk, path, spare) == 0)
		g_queue_push_tail(&spool->spares, g_memdup2(&segment->number, sizeof segment->number));
	spool_segment_close(spool, segment);
}

/* The last segment with batches goes on where it stood, unless it is sealed, ended, or of another size. */
static void
spool_recover_tail(Spool *spool, Recovery *recovery)
{
	Found *tail = recovery->n_used > 0 ? &g_array_index(recovery->found, Found, recovery->n_used - 1) : NULL;

	if (tail == NULL || tail->scan.has_summary || tail->is_ended || !tail->has_header || tail->segment->has_damage)
		return;
	spool->active = tail->segment;
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
		if (found->scan.has_summary || found->is_ended || segment->has_damage || spool->is_read_only ||
			segment->first_batch == 0)
			g_clear_pointer(&segment->rows, g_byte_array_unref);
		else
			g_queue_push_tail(&spool->sealing, spool_segment_ref(segment));
	}
}

/* A file that nothing names is that of a message never acknowledged; beside damage it may be more. */
static void
spool_recover_files(Spool *spool)
{
	g_autoptr(GDir) directory = g_dir_open(spool->content_directory, 0, NULL);
	const char *name;

	while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *path = g_build_filename(spool->content_directory, name, NULL);
		uint64_t number;

		if (!spool_parse_name(name, "", &number))
			continue;
		if (number >= atomic_load(&spool->next_file))
			atomic_store(&spool->next_file, number + 1);
		if (g_hash_table_contains(spool->files, &number))
			g_atomic_int_inc(&spool->n_files);
		else if (spool->is_read_only)
			continue;
		else if (spool->figures.has_damage)
			(void)spool_lose(spool, path);
		else
			(void)spool->disk->unlink(spool->disk, path);
	}
}

static void
spool_recovery_clear(Recovery *recovery)
{
	for (guint i = 0; i < recovery->found->len; i++)
		spool_scan_clear(&g_array_index(recovery->found, Found, i).scan);
	g_array_unref(recovery->found);
	g_ptr_array_unref(recovery->unfinished);
}

bool
spool_recover(Spool *spool, GError **error)
{
	Recovery recovery = { .found = g_array_new(FALSE, FALSE, sizeof(Found)),
		.unfinished = g_ptr_array_new_with_free_func(g_free) };

	if (!spool_list_log(spool, &recovery, error)) {
		for (guint i = 0; i < recovery.found->len; i++)
			spool_segment_close(spool, g_array_index(recovery.found, Found, i).segment);
		spool_recovery_clear(&recovery);
		return false;
	}
	for (guint i = 0; i < recovery.unfinished->len && !spool->is_read_only; i++)
		(void)spool->disk->unlink(spool->disk, recovery.unfinished->pdata[i]);
	spool->is_replaying = true;
	spool_apply_ends(&recovery);
	spool_scan_all(spool, &recovery);
	spool_judge(spool, &recovery);
	for (guint i = 0; i < recovery.n_used; i++) {
		Found *found = &g_array_index(recovery.found, Found, i);

		if (found->segment->number >= recovery.oldest)
			spool_replay(spool, found);
	}
	spool_distribute(spool, &recovery);
	spool_index_sort(spool);
	spool->last_batch = recovery.highest_batch;
	spool->next_batch = MAX(recovery.highest_batch, SPOOL_NO_BATCH) + 1;
	spool_recovery_clear(&recovery);
	spool_recover_files(spool);
	spool->is_replaying = false;
	/* What was written but not synced before a kill is there now: it must not go once we build on it. */
	return spool->active == NULL || spool->is_read_only ||
		   spool->disk->fdatasync(spool->disk, spool->active->fd) == 0 ||
		   error_set_errno(error, "cannot sync segment %" G_GUINT64_FORMAT, spool->active->number);
}
