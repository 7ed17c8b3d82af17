/* spool-replay.c - the start: what a segment says goes into the index. */
#include "base/error.h"
#include "mail/spool-private.h"

/* A message record, or a state, with another number of recipients than its envelope is damage: what is there counts as it
 * was before. */
static bool
spool_fits(Spool *spool, const SpoolEntry *entry, const SpoolRow *row, SpoolSegment *segment)
{
	char text[ID_TEXT_SIZE];

	if (entry == NULL || entry->n_recipients == row->n_recipients)
		return true;
	spool_note_damage(spool,
		"segment %" G_GUINT64_FORMAT
		", octet %u: a record of message %s has %u recipients, its envelope has %u",
		segment->number, row->offset, id_format(row->id, text), row->n_recipients,
		entry->n_recipients);
	segment->has_damage = true;
	return false;
}

static void
spool_replay_message(Spool *spool, const SpoolRow *row, SpoolSegment *segment)
{
	SpoolEntry *entry = spool_index_find(spool, row->id);
	SpoolContent *content = NULL, *left;

	if (row->n_pending == 0 || !spool_fits(spool, entry, row, segment))
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

	if (entry == NULL || row->version < entry->version || !spool_fits(spool, entry, row, segment))
		return;
	spool_index_apply(entry, row);
	spool_index_set_state_place(entry, row, segment);
	if (row->n_pending == 0)
		spool_index_remove(spool, entry);
}

static void
spool_replay_row(Spool *spool, Recovery *recovery, const SpoolRow *row, SpoolSegment *segment)
{
	if (row->type == SPOOL_RECORD_STATE || row->type == SPOOL_RECORD_CHANGES)
		spool_replay_state(spool, row, segment);
	if (row->type != SPOOL_RECORD_MESSAGE)
		return;
	spool_replay_message(spool, row, segment);
	if (row->place.kind != SPOOL_IN_FILE)
		return;
	if (row->place.at >= atomic_load(&spool->next_file))
		atomic_store(&spool->next_file, row->place.at + 1);
	if (row->batch == recovery->highest_batch)
		g_array_append_val(recovery->last_files, row->place.at);
}

/* The rows of a summary are read a second time (spool_scan_all() says why).  If that fails, the batches are read
 * instead: between the first and the last one, which are known, none may be missing. */
static bool
spool_read_rows(Spool *spool, Found *found, GError **error)
{
	const uint64_t first = found->scan.first_batch, last = found->scan.last_batch;
	SpoolSegment *segment = found->segment;

	if (!found->scan.has_summary)
		return true;
	g_ptr_array_set_size(found->scan.findings, 0);
	if (spool_scan_summary(spool, segment, &found->scan) == SPOOL_SUMMARY_GOOD)
		return true;
	spool_scan_reset(&found->scan);
	spool_scan_batches(spool, segment, 0, &found->scan);
	if (found->scan.first_batch == first && found->scan.last_batch == last && !found->scan.hides)
		found->scan.unread_at = 0;
	else if (found->scan.n_unread > 0 && !segment->is_aside && !spool->is_read_only)
		return spool_refuse_unread(spool, found, error);
	for (guint i = 0; i < found->scan.findings->len; i++)
		spool_note_damage(spool, "%s", (const char *)found->scan.findings->pdata[i]);
	segment->has_damage |= found->scan.findings->len > 0;
	return true;
}

bool
spool_replay(Spool *spool, Recovery *recovery, Found *found, GError **error)
{
	SpoolSegment *segment = found->segment;

	if (!spool_read_rows(spool, found, error))
		return false;
	segment->first_batch = found->scan.first_batch;
	segment->previous = found->scan.previous;
	segment->last_batch = found->scan.last_batch;
	segment->oldest = found->scan.oldest;
	segment->end = found->scan.end;
	segment->is_ended = found->is_ended;
	for (guint i = 0; i < found->scan.rows->len; i++) {
		const SpoolRow *row = &g_array_index(found->scan.rows, SpoolRow, i);

		spool_replay_row(spool, recovery, row, segment);
		if (!found->scan.has_summary)
			spool_segment_add_row(segment, row);
	}
	spool_scan_drop_rows(&found->scan);
	return true;
}
