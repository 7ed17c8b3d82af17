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
	g_cond_init(&spool->backlog_shrank);
	spool->last_waiting = &spool->waiting;
	spool->last_state = &spool->states;
	spool->last_move = &spool->moves;
	spool->unlinks = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	spool->undecided = g_array_new(FALSE, FALSE, sizeof(uint64_t));
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
	g_array_unref(spool->undecided);
	g_ptr_array_unref(spool->damage);
	g_mutex_clear(&spool->lock);
	g_mutex_clear(&spool->unlink_lock);
	g_mutex_clear(&spool->index_lock);
	g_cond_clear(&spool->committer_wakes);
	g_cond_clear(&spool->keeper_wakes);
	g_cond_clear(&spool->compactor_wakes);
	g_cond_clear(&spool->ready_came);
	g_cond_clear(&spool->backlog_shrank);
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
	return disk_sync_directory(spool->disk, path, error);
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
	for (int i = 0; i < SPOOL_ID_SIZE; i++)
		g_snprintf(spool->id_text + 2 * i, 3, "%02x", spool->id[i]);
	spool_batch_init(&spool->batch);
	spool->committer = thread_new("spool-commit", spool_committer, spool);
	spool->keeper = thread_new("spool-keep", spool_keeper, spool);
	spool->compactor = thread_new("spool-compact", spool_compactor, spool);
	if (!spool_taken_apply(spool, error)) {
		spool_close(spool);
		return NULL;
	}
	return spool;
}

const char *
spool_instance(const Spool *spool)
{
	return spool->id_text;
}

void
spool_close(Spool *spool)
{
	g_mutex_lock(&spool->lock);
	spool->is_stopping = true;
	g_cond_broadcast(&spool->compactor_wakes);
	g_mutex_unlock(&spool->lock);
	thread_join(spool->compactor);
	g_mutex_lock(&spool->lock);
	g_cond_broadcast(&spool->committer_wakes);
	g_mutex_unlock(&spool->lock);
	thread_join(spool->committer);
	g_mutex_lock(&spool->lock);
	spool->is_keeper_stopping = true;
	g_cond_broadcast(&spool->keeper_wakes);
	g_mutex_unlock(&spool->lock);
	thread_join(spool->keeper);
	spool_unload(spool);
}
