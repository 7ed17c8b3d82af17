/* spool.c - opening and closing, and what is asked of the spool by any thread. */
#include "mail/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "mail/spool-file.h"
#include "mail/spool-private.h"

Spool *
spool_new(const SpoolSettings *settings)
{
	Spool *spool = g_new0(Spool, 1);
	const uint64_t size = settings->segment_size != 0 ? settings->segment_size : SPOOL_SEGMENT_SIZE;

	spool->clock = settings->clock;
	spool->disk = settings->disk != NULL ? settings->disk : disk_system();
	spool->directory = g_strdup(settings->directory);
	spool->log_directory = g_build_filename(settings->directory, "log", NULL);
	spool->content_directory = g_build_filename(settings->directory, "content", NULL);
	spool->segment_size = MIN(MAX(spool_padded(size), 8 * SPOOL_BLOCK), UINT64_C(1) << 30);
	spool->large = MIN(settings->large != 0 ? settings->large : SPOOL_LARGE, spool->segment_size / 4);
	spool->memory = settings->memory != 0 ? settings->memory : SPOOL_MEMORY;
	spool->keep_free = settings->keep_free;
	spool->lock_fd = -1;
	spool->next_segment = 1;
	spool->next_batch = SPOOL_NO_BATCH + 1;
	atomic_store(&spool->next_file, 1);
	spool_list_init(spool);
	spool_index_init(spool);
	return spool;
}

void
spool_list_init(Spool *spool)
{
	g_mutex_init(&spool->lock);
	g_mutex_init(&spool->unlink_lock);
	g_mutex_init(&spool->index_lock);
	g_cond_init(&spool->committer_wakes);
	g_cond_init(&spool->keeper_wakes);
	g_cond_init(&spool->compactor_wakes);
	g_cond_init(&spool->ready_came);
	spool->last_waiting = &spool->waiting;
	spool->last_state = &spool->states;
	spool->last_move = &spool->moves;
	spool->unlinks = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	spool->damage = g_ptr_array_new_with_free_func(g_free);
}

static void
spool_close_segments(Spool *spool, GQueue *queue)
{
	SpoolSegment *segment;

	while ((segment = g_queue_pop_head(queue)) != NULL)
		spool_segment_close(spool, segment);
}

/* No thread of ours runs any more. */
void
spool_unload(Spool *spool)
{
	while (spool->states != NULL) {
		StatePut *put = spool->states;

		spool->states = put->next;
		spool_state_put_free(put);
	}
	while (spool->moves != NULL) {
		SpoolMove *move = spool->moves;

		spool->moves = move->next;
		spool_move_free(move);
	}
	g_queue_clear(&spool->sealing);
	spool_close_segments(spool, &spool->segments);
	spool_close_segments(spool, &spool->ready);
	spool_close_segments(spool, &spool->freed);
	g_queue_clear_full(&spool->spares, g_free);
	spool_index_free(spool);
	if (spool->lock_fd >= 0)
		(void)spool->disk->close(spool->disk, spool->lock_fd);
	g_array_unref(spool->unlinks);
	g_ptr_array_unref(spool->damage);
	g_mutex_clear(&spool->lock);
	g_mutex_clear(&spool->unlink_lock);
	g_mutex_clear(&spool->index_lock);
	g_cond_clear(&spool->committer_wakes);
	g_cond_clear(&spool->keeper_wakes);
	g_cond_clear(&spool->compactor_wakes);
	g_cond_clear(&spool->ready_came);
	g_free(spool->batch.parts);
	g_free(spool->directory);
	g_free(spool->log_directory);
	g_free(spool->content_directory);
	g_free(spool);
}

char *
spool_segment_path(const Spool *spool, const char *prefix, uint64_t number)
{
	return g_strdup_printf("%s/%s%016" G_GINT64_MODIFIER "x", spool->log_directory, prefix, number);
}

char *
spool_file_path(const Spool *spool, uint64_t number)
{
	return g_strdup_printf("%s/%016" G_GINT64_MODIFIER "x", spool->content_directory, number);
}

bool
spool_sync_directory(Spool *spool, const char *path, GError **error)
{
	const Disk *disk = spool->disk;
	const int fd = disk->open(disk, path, O_RDONLY | O_DIRECTORY, 0);
	bool is_synced;

	if (fd < 0)
		return error_set_errno(error, "cannot open %s", path);
	is_synced = disk->fsync(disk, fd) == 0;
	if (!is_synced)
		(void)error_set_errno(error, "cannot sync %s", path);
	(void)disk->close(disk, fd);
	return is_synced;
}

void
spool_note_damage(Spool *spool, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(spool->damage, g_strdup_vprintf(format, arguments));
	va_end(arguments);
	spool->figures.has_damage = true;
}

bool
spool_lose(Spool *spool, const char *path)
{
	g_autofree char *name = g_path_get_basename(path);
	g_autofree char *lost = g_build_filename(spool->directory, "lost", name, NULL);

	return spool->disk->rename(spool->disk, path, lost) == 0;
}

/* The first segment is made ready here, so that a disk that cannot take it is said at once. */
static bool
spool_start_active(Spool *spool, GError **error)
{
	SpoolSegment *first;

	if (spool->active != NULL)
		return true;
	if (g_queue_is_empty(&spool->ready)) {
		first = spool_segment_prepare(spool, error);
		if (first == NULL)
			return false;
		g_queue_push_tail(&spool->ready, first);
	}
	first = g_queue_pop_head(&spool->ready);
	g_queue_push_tail(&spool->segments, first);
	spool->active = first;
	return true;
}

Spool *
spool_open(const SpoolSettings *settings, GError **error)
{
	Spool *spool = spool_new(settings);

	if (!spool_load(spool, error) || !spool_start_active(spool, error)) {
		spool_unload(spool);
		return NULL;
	}
	spool_batch_init(&spool->batch);
	spool->committer = g_thread_new("spool-commit", spool_committer, spool);
	spool->keeper = g_thread_new("spool-keep", spool_keeper, spool);
	spool->compactor = g_thread_new("spool-compact", spool_compactor, spool);
	return spool;
}

void
spool_close(Spool *spool)
{
	g_mutex_lock(&spool->lock);
	spool->is_stopping = true;
	g_cond_broadcast(&spool->compactor_wakes);
	g_mutex_unlock(&spool->lock);
	(void)g_thread_join(spool->compactor);
	g_mutex_lock(&spool->lock);
	g_cond_broadcast(&spool->committer_wakes);
	g_mutex_unlock(&spool->lock);
	(void)g_thread_join(spool->committer);
	g_mutex_lock(&spool->lock);
	spool->is_keeper_stopping = true;
	g_cond_broadcast(&spool->keeper_wakes);
	g_mutex_unlock(&spool->lock);
	(void)g_thread_join(spool->keeper);
	spool_unload(spool);
}

/* ---- commit ---- */

bool
spool_has_room(Spool *spool, SpoolResult *reason)
{
	SpoolResult found = SPOOL_COMMITTED;
	uint64_t free_octets;
	guint n_ready;

	g_mutex_lock(&spool->lock);
	n_ready = g_queue_get_length(&spool->ready);
	if (n_ready > SPOOL_RESERVED)
		spool->is_mail_full = false;
	if (spool->is_closed)
		found = SPOOL_CLOSED;
	else if (spool->has_prepare_failed && (n_ready < SPOOL_RESERVED || spool->is_mail_full))
		found = SPOOL_FULL;
	g_mutex_unlock(&spool->lock);
	if (found == SPOOL_COMMITTED && spool->keep_free > 0 &&
		spool->disk->free_octets(spool->disk, spool->directory, &free_octets) == 0 && free_octets < spool->keep_free)
		found = SPOOL_FULL;
	if (found != SPOOL_COMMITTED)
		*reason = found;
	return found == SPOOL_COMMITTED;
}

static void
spool_enqueue(Spool *spool, SpoolTransaction *transaction, SpoolDone *done, void *data)
{
	bool was_empty;

	transaction->done = done;
	transaction->data = data;
	g_mutex_lock(&spool->lock);
	was_empty = spool->waiting == NULL;
	*spool->last_waiting = transaction;
	spool->last_waiting = &transaction->next;
	if (was_empty)
		g_cond_signal(&spool->committer_wakes);
	g_mutex_unlock(&spool->lock);
}

void
spool_commit(Spool *spool, SpoolTransaction *transaction, SpoolDone *done, void *data)
{
	transaction->result = spool_encode(spool, transaction) ? SPOOL_COMMITTED : SPOOL_FAILED;
	spool_enqueue(spool, transaction, done, data);
}

typedef struct {
	GMutex lock;
	GCond done;
	bool is_done;
	SpoolResult result;
} SpoolWaiter;

static void
spool_waiter_done(void *data, SpoolResult result)
{
	SpoolWaiter *waiter = data;

	g_mutex_lock(&waiter->lock);
	waiter->result = result;
	waiter->is_done = true;
	g_cond_signal(&waiter->done);
	g_mutex_unlock(&waiter->lock);
}

static void
spool_waiter_init(SpoolWaiter *waiter)
{
	g_mutex_init(&waiter->lock);
	g_cond_init(&waiter->done);
	waiter->is_done = false;
}

static SpoolResult
spool_waiter_wait(SpoolWaiter *waiter)
{
	g_mutex_lock(&waiter->lock);
	while (!waiter->is_done)
		g_cond_wait(&waiter->done, &waiter->lock);
	g_mutex_unlock(&waiter->lock);
	g_mutex_clear(&waiter->lock);
	g_cond_clear(&waiter->done);
	return waiter->result;
}

SpoolResult
spool_commit_wait(Spool *spool, SpoolTransaction *transaction)
{
	SpoolWaiter waiter;

	spool_waiter_init(&waiter);
	spool_commit(spool, transaction, spool_waiter_done, &waiter);
	return spool_waiter_wait(&waiter);
}

bool
spool_flush(Spool *spool)
{
	SpoolTransaction *barrier = spool_transaction_new();
	SpoolWaiter waiter;

	barrier->is_barrier = true;
	barrier->octets = g_byte_array_new();
	barrier->rows = g_array_new(FALSE, FALSE, sizeof(SpoolRow));
	spool_waiter_init(&waiter);
	spool_enqueue(spool, barrier, spool_waiter_done, &waiter);
	return spool_waiter_wait(&waiter) == SPOOL_COMMITTED;
}

/* ---- states ---- */

static StatePut *
spool_state_put_new(const MessageState *state)
{
	g_autoptr(GByteArray) octets = g_byte_array_sized_new(256);
	SpoolRow row;
	StatePut *put;

	spool_state_encode(octets, state, &row);
	put = g_malloc(sizeof *put + octets->len);
	*put = (StatePut){ .row = row, .size = octets->len };
	memcpy(put->octets, octets->data, octets->len);
	return put;
}

/* The index shows it at once; NULL: no such message. */
static StatePut *
spool_index_put(Spool *spool, MessageState *state)
{
	SpoolEntry *entry = spool_index_find(spool, state->id);
	StatePut *put;

	if (entry == NULL || entry->is_finished)
		return NULL;
	state->version = ++entry->given;
	put = spool_state_put_new(state);
	if (entry->pending != NULL)
		entry->pending->is_superseded = true;
	entry->pending = put;
	spool_index_apply(entry, &put->row);
	if (put->row.n_pending == 0)
		spool_index_finish(spool, entry);
	return put;
}

void
spool_put_state(Spool *spool, MessageState *state)
{
	StatePut *put;

	g_mutex_lock(&spool->index_lock);
	put = spool_index_put(spool, state);
	g_mutex_unlock(&spool->index_lock);
	message_state_free(state);
	if (put == NULL)
		return;
	g_mutex_lock(&spool->lock);
	if (spool->states == NULL) {
		spool->states_since_us = g_get_monotonic_time();
		g_cond_signal(&spool->committer_wakes);
	}
	*spool->last_state = put;
	spool->last_state = &put->next;
	g_mutex_unlock(&spool->lock);
}

/* ---- questions ---- */

static void
spool_summarize(const SpoolEntry *entry, SpoolSummary *summary)
{
	*summary = (SpoolSummary){ .id = entry->id, .size = entry->content->place.size, .next_us = entry->next_us,
		.arrived_us = entry->arrived_us, .n_pending = entry->n_pending, .n_recipients = entry->n_recipients,
		.attempts = entry->attempts, .is_held = entry->is_held, .version = entry->version };
}

void
spool_each(Spool *spool, bool (*each)(void *data, const SpoolSummary *summary), void *data)
{
	g_mutex_lock(&spool->index_lock);
	for (const SpoolEntry *entry = spool->oldest; entry != NULL; entry = entry->newer) {
		SpoolSummary summary;

		if (entry->is_finished)
			continue;
		spool_summarize(entry, &summary);
		if (!each(data, &summary))
			break;
	}
	g_mutex_unlock(&spool->index_lock);
}

bool
spool_summary(Spool *spool, QueueId id, SpoolSummary *summary)
{
	const SpoolEntry *entry;
	bool is_there;

	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, id);
	is_there = entry != NULL && !entry->is_finished;
	if (is_there)
		spool_summarize(entry, summary);
	g_mutex_unlock(&spool->index_lock);
	return is_there;
}

size_t
spool_count(Spool *spool)
{
	size_t n;

	g_mutex_lock(&spool->index_lock);
	n = spool->n_messages;
	g_mutex_unlock(&spool->index_lock);
	return n;
}

void
spool_figures(Spool *spool, SpoolFigures *figures)
{
	g_mutex_lock(&spool->lock);
	*figures = spool->figures;
	figures->is_closed = spool->is_closed;
	figures->segments = g_queue_get_length(&spool->segments) + g_queue_get_length(&spool->ready);
	figures->log_octets = 0;
	g_mutex_lock(&spool->index_lock);
	figures->messages = spool->n_messages;
	figures->live_octets = 0;
	for (const GList *link = spool->segments.head; link != NULL; link = link->next) {
		const SpoolSegment *segment = link->data;

		figures->log_octets += segment->size;
		figures->live_octets += segment->live_octets;
	}
	g_mutex_unlock(&spool->index_lock);
	g_mutex_unlock(&spool->lock);
	figures->files = (uint64_t)MAX(g_atomic_int_get(&spool->n_files), 0);
	if (spool->disk->free_octets(spool->disk, spool->directory, &figures->free_octets) != 0)
		figures->free_octets = 0;
}

GPtrArray *
spool_damage(Spool *spool)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);

	g_mutex_lock(&spool->lock);
	for (guint i = 0; i < spool->damage->len; i++)
		g_ptr_array_add(copy, g_strdup(spool->damage->pdata[i]));
	g_mutex_unlock(&spool->lock);
	return copy;
}

bool
spool_probe(Spool *spool)
{
	unsigned before;
	bool is_open;

	g_mutex_lock(&spool->lock);
	before = spool->probes;
	spool->wants_probe = spool->wants_retry = true;
	g_cond_signal(&spool->committer_wakes);
	g_cond_signal(&spool->keeper_wakes);
	while (spool->probes == before)
		g_cond_wait(&spool->ready_came, &spool->lock);
	is_open = !spool->is_closed;
	g_mutex_unlock(&spool->lock);
	return is_open;
}
