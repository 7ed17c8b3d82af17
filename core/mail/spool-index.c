/* spool-index.c - what is known of each live message without touching the disk. */
#include <string.h>

#include "base/log.h"
#include "mail/spool-private.h"

static void
spool_entry_free(void *data)
{
	SpoolEntry *entry = data;

	g_clear_pointer(&entry->changes, g_array_unref);
	g_slice_free(SpoolEntry, entry);
}

static void
spool_file_free(void *data)
{
	g_slice_free(SpoolFile, data);
}

guint
spool_id_hash(const void *id)
{
	uint64_t bits;

	memcpy(&bits, id, sizeof bits);
	return (guint)(bits * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

void
spool_index_init(Spool *spool)
{
	spool->index = g_hash_table_new_full(spool_id_hash, g_int64_equal, NULL, spool_entry_free);
	spool->files = g_hash_table_new_full(spool_id_hash, g_int64_equal, NULL, spool_file_free);
}

SpoolEntry *
spool_index_find(Spool *spool, QueueId id)
{
	return g_hash_table_lookup(spool->index, &id);
}

bool
spool_knows_id(Spool *spool, QueueId id)
{
	bool is_known;

	g_mutex_lock(&spool->index_lock);
	is_known = spool_index_find(spool, id) != NULL;
	g_mutex_unlock(&spool->index_lock);
	return is_known;
}

SpoolFile *
spool_index_file(Spool *spool, uint64_t number)
{
	SpoolFile *file = g_hash_table_lookup(spool->files, &number);

	if (file != NULL)
		return file;
	file = g_slice_new0(SpoolFile);
	file->number = number;
	g_hash_table_insert(spool->files, &file->number, file);
	return file;
}

/* A file that nothing names any more goes; the keeper unlinks it. */
void
spool_index_drop_file(Spool *spool, uint64_t number)
{
	SpoolFile *file = spool_index_file(spool, number);

	if (--file->refs > 0)
		return;
	g_hash_table_remove(spool->files, &number);
	if (!spool->is_replaying)
		spool_unlink_later(spool, number);
}

SpoolContent *
spool_index_content(Spool *spool, const SpoolPlace *place, SpoolSegment *segment)
{
	SpoolContent *content = g_slice_new0(SpoolContent);

	content->place = *place;
	if (place->kind == SPOOL_IN_FILE) {
		spool_index_file(spool, place->at)->refs++;
	} else {
		content->segment = segment;
		segment->live_octets += place->size;
	}
	return content;
}

static void
spool_content_leave(Spool *spool, SpoolContent *content)
{
	if (content->place.kind == SPOOL_IN_FILE)
		spool_index_drop_file(spool, content->place.at);
	else
		content->segment->live_octets -= content->place.size;
}

void
spool_content_unref(Spool *spool, SpoolContent *content)
{
	if (--content->refs > 0)
		return;
	spool_content_leave(spool, content);
	g_slice_free(SpoolContent, content);
}

void
spool_index_move_content(Spool *spool, SpoolContent *content, const SpoolPlace *place)
{
	spool_index_file(spool, place->at)->refs++;
	spool_content_leave(spool, content);
	content->place = *place;
	content->segment = NULL;
}

static void
spool_entry_leave_segment(SpoolEntry *entry)
{
	if (entry->segment == NULL)
		return;
	entry->segment->live_octets -= entry->length;
	if (entry->before != NULL)
		entry->before->after = entry->after;
	else
		entry->segment->entries = entry->after;
	if (entry->after != NULL)
		entry->after->before = entry->before;
	entry->before = entry->after = NULL;
	entry->segment = NULL;
}

void
spool_index_place(SpoolEntry *entry, const SpoolRow *row, SpoolSegment *segment)
{
	spool_entry_leave_segment(entry);
	entry->segment = segment;
	entry->offset = row->offset;
	entry->length = row->length;
	entry->after = segment->entries;
	if (entry->after != NULL)
		entry->after->before = entry;
	segment->entries = entry;
	segment->live_octets += row->length;
}

void
spool_index_apply(SpoolEntry *entry, const SpoolRow *row)
{
	entry->version = row->version;
	entry->given = MAX(entry->given, row->version);
	entry->next_us = row->next_us;
	entry->n_pending = row->n_pending;
	entry->n_recipients = row->n_recipients;
	entry->attempts = row->attempts;
	entry->is_held = row->is_held;
	entry->has_held = row->has_held;
}

bool
spool_index_takes(const SpoolEntry *entry, const MessageState *state)
{
	char text[ID_TEXT_SIZE];

	if (entry->n_recipients == state->n_recipients)
		return true;
	log_event(LOG_LEVEL_ERROR, "a state does not fit its message", "queue", id_format(entry->id, text), NULL);
	return false;
}

void
spool_index_set_state_place(SpoolEntry *entry, const SpoolRow *row, SpoolSegment *segment)
{
	const RecordPlace place = { segment, row->offset, row->length };

	entry->placed = row->version;
	if (row->type == SPOOL_RECORD_CHANGES) {
		if (entry->changes == NULL)
			entry->changes = g_array_new(FALSE, FALSE, sizeof place);
		g_array_append_val(entry->changes, place);
		return;
	}
	g_clear_pointer(&entry->changes, g_array_unref);
	entry->state_segment = row->type == SPOOL_RECORD_STATE ? segment : NULL;
	entry->state_offset = row->offset;
	entry->state_length = row->length;
}

/* Mail arrives in nearly the order of its time; what was adopted may be far out of it, and then
 * the walk ends somewhere near. */
static void
spool_index_link(Spool *spool, SpoolEntry *entry)
{
	SpoolEntry *older = spool->newest;

	for (int i = 0; i < 100 && older != NULL && older->arrived_us > entry->arrived_us; i++)
		older = older->older;
	entry->older = older;
	entry->newer = older != NULL ? older->newer : spool->oldest;
	if (older != NULL)
		older->newer = entry;
	else
		spool->oldest = entry;
	if (entry->newer != NULL)
		entry->newer->older = entry;
	else
		spool->newest = entry;
}

static void
spool_index_unlink(Spool *spool, SpoolEntry *entry)
{
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		spool->oldest = entry->newer;
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		spool->newest = entry->older;
}

void
spool_index_add(Spool *spool, const SpoolRow *row, SpoolSegment *segment, SpoolContent *content)
{
	SpoolEntry *entry = g_slice_new0(SpoolEntry);

	entry->id = row->id;
	entry->arrived_us = row->arrived_us;
	entry->content = content;
	content->refs++;
	spool_index_place(entry, row, segment);
	spool_index_apply(entry, row);
	spool_index_set_state_place(entry, row, segment);
	spool_index_link(spool, entry);
	g_hash_table_insert(spool->index, &entry->id, entry);
	spool->n_messages++;
}

/* Not to be seen any more, but its segment stays until its end is durable. */
void
spool_index_finish(Spool *spool, SpoolEntry *entry)
{
	if (entry->is_finished)
		return;
	entry->is_finished = true;
	spool->n_messages--;
}

void
spool_index_remove(Spool *spool, SpoolEntry *entry)
{
	spool_index_finish(spool, entry);
	spool_entry_leave_segment(entry);
	spool_index_unlink(spool, entry);
	spool_content_unref(spool, entry->content);
	g_hash_table_remove(spool->index, &entry->id);
}

static int
spool_entry_compare(const void *a, const void *b)
{
	const SpoolEntry *left = *(const SpoolEntry *const *)a, *right = *(const SpoolEntry *const *)b;

	if (left->arrived_us != right->arrived_us)
		return left->arrived_us < right->arrived_us ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

void
spool_index_sort(Spool *spool)
{
	const guint n = g_hash_table_size(spool->index);
	g_autofree SpoolEntry **entries = g_new(SpoolEntry *, n + 1);
	guint i = 0;

	for (SpoolEntry *entry = spool->oldest; entry != NULL; entry = entry->newer)
		entries[i++] = entry;
	qsort(entries, n, sizeof *entries, spool_entry_compare);
	spool->oldest = spool->newest = NULL;
	for (i = 0; i < n; i++) {
		entries[i]->older = spool->newest;
		entries[i]->newer = NULL;
		if (spool->newest != NULL)
			spool->newest->newer = entries[i];
		else
			spool->oldest = entries[i];
		spool->newest = entries[i];
	}
}

void
spool_index_free(Spool *spool)
{
	for (SpoolEntry *entry = spool->oldest; entry != NULL; entry = entry->newer)
		if (--entry->content->refs == 0)
			g_slice_free(SpoolContent, entry->content);
	g_clear_pointer(&spool->index, g_hash_table_unref);
	g_clear_pointer(&spool->files, g_hash_table_unref);
}
