/* counts.c - the table of keys with what is kept of each; see counts.h. */
#include "service/counts-private.h"

#include <string.h>

#include "base/keyed-hash.h"
#include "base/random.h"

enum { COUNTS_KEYS = 20000 };

#define COUNTS_LATER_US (10 * CLOCK_SECOND) /* how long what is added later may wait */
#define COUNTS_AGAIN_US CLOCK_SECOND        /* between two attempts of the background */
#define COUNTS_ALARM_US (3600 * CLOCK_SECOND)

static void
counter_clear(void *data)
{
	g_free(((Counter *)data)->name);
}

static void
key_free(void *data)
{
	Key *key = data;

	g_array_unref(key->counters);
	g_free(key->key);
	g_free(key);
}

Counts *
counts_new(const CountsSettings *settings)
{
	Counts *counts = g_new0(Counts, 1);

	counts->settings = *settings;
	if (counts->settings.most_keys == 0)
		counts->settings.most_keys = COUNTS_KEYS;
	random_fill(&counts->process, sizeof counts->process);
	g_mutex_init(&counts->lock);
	g_cond_init(&counts->is_idle);
	counts->keys = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, key_free);
	return counts;
}

void
counts_free(Counts *counts)
{
	if (counts == NULL)
		return;
	g_hash_table_unref(counts->keys);
	g_cond_clear(&counts->is_idle);
	g_mutex_clear(&counts->lock);
	g_free(counts);
}

/* ---- keys; the lock is held ---- */

bool
key_is_left(const Key *key)
{
	return key->is_doubtful || key->is_restarting || key->is_kept;
}

static gboolean
key_is_idle(void *name, void *data, void *user)
{
	(void)name, (void)user;
	return !key_is_left(data) && ((const Key *)data)->users == 0;
}

static void
key_draw_mark(Counts *counts, Key *key)
{
	g_snprintf(
		key->mark, sizeof key->mark, "batch-%08x-%" G_GINT64_MODIFIER "x", counts->process, ++counts->marks);
	key->batches = 0;
}

Key *
counts_find_locked(Counts *counts, const char *name)
{
	Key *key = g_hash_table_lookup(counts->keys, name);

	if (key != NULL)
		return key;
	if (g_hash_table_size(counts->keys) >= counts->settings.most_keys)
		g_hash_table_foreach_remove(counts->keys, key_is_idle, NULL);
	if (g_hash_table_size(counts->keys) >= counts->settings.most_keys)
		return NULL;
	key = g_new0(Key, 1);
	key->key = g_strdup(name);
	key->counters = g_array_new(FALSE, TRUE, sizeof(Counter));
	g_array_set_clear_func(key->counters, counter_clear);
	key_draw_mark(counts, key);
	g_hash_table_insert(counts->keys, key->key, key);
	return key;
}

static Counter *
key_find_counter(const Key *key, const char *name)
{
	for (guint i = 0; i < key->counters->len; i++) {
		Counter *counter = &g_array_index(key->counters, Counter, i);

		if (strcmp(counter->name, name) == 0)
			return counter;
	}
	return NULL;
}

Counter *
key_take_counter(const Key *key, const char *name)
{
	const Counter fresh = { .name = g_strdup(name) };
	Counter *counter = key_find_counter(key, name);

	if (counter != NULL) {
		g_free(fresh.name);
		return counter;
	}
	g_array_append_val(key->counters, fresh);
	return &g_array_index(key->counters, Counter, key->counters->len - 1);
}

static void
key_keep(const Counts *counts, Key *key, const StoreTally *tally)
{
	const int64_t window = store_wall(counts->settings.store) / tally->window_us;
	Counter *counter = key_take_counter(key, tally->name);

	if (counter->window_us != tally->window_us || counter->kept_window != window)
		counter->kept = 0;
	counter->window_us = tally->window_us;
	counter->kept_window = window;
	counter->kept += tally->n;
	key->is_kept |= tally->n != 0;
}

/* What is not stored of this counter. */
static int64_t
key_left(const Counts *counts, const Key *key, const StoreTally *tally)
{
	const int64_t window = store_wall(counts->settings.store) / tally->window_us;
	const Counter *counter = key_find_counter(key, tally->name);

	if (counter == NULL)
		return 0;
	return (counter->kept_window == window ? counter->kept : 0) +
		   (key->is_doubtful && counter->doubtful_window == window ? counter->doubtful : 0);
}

static void
counts_lose_locked(Counts *counts, const StoreTally *tallies, size_t n)
{
	counts->lost_us = g_get_monotonic_time();
	for (size_t i = 0; i < n; i++)
		metrics_add(counts->settings.metrics, "counts.lost", tallies[i].n);
	metrics_alarm(counts->settings.metrics, "counts.lost",
		"more is counted than can be kept until the store answers again; some of it is lost");
}

/* ---- one call of the store ---- */

/* The counters of a key, and behind them its mark, if the store is a remote one: a local one always answers. */
typedef struct {
	StoreTally *tallies;
	size_t n;
	bool has_mark, only_reads;
} Batch;

/* What is kept is sent now, and was not answered yet. */
static void
key_take_kept(Key *key)
{
	for (guint i = 0; i < key->counters->len; i++) {
		Counter *counter = &g_array_index(key->counters, Counter, i);

		counter->doubtful = counter->kept;
		counter->doubtful_window = counter->kept_window;
		counter->kept = 0;
	}
	key->is_kept = false;
	key->is_doubtful = true;
}

/* Drops what counted in windows that are over; false: nothing is left. */
static bool
key_drop_old(const Key *key, int64_t now_us)
{
	bool is_left = false;

	for (guint i = 0; i < key->counters->len; i++) {
		Counter *counter = &g_array_index(key->counters, Counter, i);

		if (counter->doubtful_window != now_us / counter->window_us)
			counter->doubtful = 0;
		is_left |= counter->doubtful != 0;
	}
	return is_left;
}

/* What was not answered, else what is kept, else nothing: then it only reads. */
static Batch
batch_new_locked(Counts *counts, Key *key)
{
	const int64_t now_us = store_wall(counts->settings.store);
	Batch batch = { .tallies = g_new0(StoreTally, key->counters->len + 1),
		.has_mark = !store_is_local(counts->settings.store) };
	int64_t longest_us = 1;

	if (!key->is_doubtful)
		key_take_kept(key);
	if (!key_drop_old(key, now_us)) { /* whether it arrived makes no difference, but to the mark */
		if (key->was_sent)
			key_draw_mark(counts, key);
		key->is_doubtful = false;
		batch.only_reads = true;
	}
	key->was_sent = key->is_doubtful;
	for (guint i = 0; i < key->counters->len; i++) {
		const Counter *counter = &g_array_index(key->counters, Counter, i);

		batch.tallies[batch.n++] =
			(StoreTally){ .name = counter->name, .n = counter->doubtful, .window_us = counter->window_us };
		longest_us = MAX(longest_us, counter->window_us);
	}
	if (batch.has_mark)
		batch.tallies[batch.n++] = (StoreTally){ .name = key->mark,
			.n = batch.only_reads ? 0 : 1,
			.window_us = longest_us,
			.most = batch.only_reads ? 0 : key->batches + 1 };
	return batch;
}

/* Names of counters move when another thread adds one. */
static void
batch_own_names(Batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		batch->tallies[i].name = g_strdup(batch->tallies[i].name);
}

static void
batch_free(Batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		g_free((void *)(uintptr_t)batch->tallies[i].name);
	g_free(batch->tallies);
}

/* The lock is held, but not while the store is asked.  TAKEN: the store has that batch already. */
static PtnStatus
counts_send(Counts *counts, Key *key, int64_t deadline_us, Batch *batch)
{
	PtnStatus status;

	*batch = batch_new_locked(counts, key);
	batch_own_names(batch);
	g_mutex_unlock(&counts->lock);
	status = store_tally_shared(counts->settings.store, key->key, batch->tallies, batch->n, deadline_us);
	g_mutex_lock(&counts->lock);
	if (status != PTN_OK && status != PTN_TAKEN) {
		key->is_doubtful &= batch->has_mark; /* a local store does not take it the next time, either */
		return PTN_UNSURE;
	}
	if (batch->has_mark)
		key->batches = batch->tallies[batch->n - 1].total;
	key->is_doubtful = key->was_sent = false;
	for (guint i = 0; i < key->counters->len; i++)
		g_array_index(key->counters, Counter, i).doubtful = 0;
	return PTN_OK;
}

/* Another thread may have begun one meanwhile; so it is asked until there is none. */
static PtnStatus
counts_send_restart(Counts *counts, Key *key, int64_t deadline_us)
{
	while (key->is_restarting) {
		PtnStatus status;

		key->is_restarting = false;
		g_mutex_unlock(&counts->lock);
		status = store_remove(counts->settings.store, key->key, deadline_us);
		g_mutex_lock(&counts->lock);
		if (status == PTN_OK || status == PTN_NONE)
			continue;
		key->is_restarting = true;
		return PTN_UNSURE;
	}
	return PTN_OK;
}

static void
counts_answer(const Batch *batch, StoreTally *tallies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < batch->n; k++)
			if (strcmp(batch->tallies[k].name, tallies[i].name) == 0)
				tallies[i].total = batch->tallies[k].total;
}

/* Busy.  What was in doubt, then what is kept. */
static PtnStatus
counts_store_locked(Counts *counts, Key *key, StoreTally *tallies, size_t n, int64_t deadline_us)
{
	PtnStatus status = counts_send_restart(counts, key, deadline_us);

	for (bool is_again = true; status == PTN_OK && is_again;) {
		Batch batch = { 0 };

		is_again = key->is_doubtful; /* then this was not what the caller added */
		status = counts_send(counts, key, deadline_us, &batch);
		if (status == PTN_OK)
			counts_answer(&batch, tallies, n);
		batch_free(&batch);
	}
	return status;
}

/* False: another thread is at the key until the deadline. */
static bool
counts_wait_locked(Counts *counts, const Key *key, int64_t deadline_us)
{
	while (key->is_busy)
		if (!g_cond_wait_until(&counts->is_idle, &counts->lock, deadline_us))
			return !key->is_busy;
	return true;
}

static PtnStatus
counts_try_locked(Counts *counts, Key *key, StoreTally *tallies, size_t n, int64_t deadline_us)
{
	PtnStatus status = PTN_UNSURE;

	key->users++;
	if (!store_is_away(counts->settings.store) && counts_wait_locked(counts, key, deadline_us)) {
		key->is_busy = true;
		status = counts_store_locked(counts, key, tallies, n, deadline_us);
		key->is_busy = false;
		g_cond_broadcast(&counts->is_idle);
	}
	key->users--;
	if (status == PTN_OK)
		return PTN_OK;
	key->due_us = g_get_monotonic_time() + COUNTS_AGAIN_US;
	for (size_t i = 0; i < n; i++)
		tallies[i].total = key_left(counts, key, &tallies[i]);
	return PTN_UNSURE;
}

/* ---- the table ---- */

static bool
counts_are_possible(const StoreTally *tallies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tallies[i].window_us <= 0)
			return false;
	return n > 0;
}

/* Whoever cannot be kept is asked for all the same: the store may answer. */
static PtnStatus
counts_add_unkept(Counts *counts, const char *name, StoreTally *tallies, size_t n, int64_t deadline_us)
{
	PtnStatus status = store_tally_shared(counts->settings.store, name, tallies, n, deadline_us);

	if (status == PTN_OK)
		return PTN_OK;
	g_mutex_lock(&counts->lock);
	counts_lose_locked(counts, tallies, n);
	g_mutex_unlock(&counts->lock);
	for (size_t i = 0; i < n; i++)
		tallies[i].total = tallies[i].n;
	return PTN_UNSURE;
}

PtnStatus
counts_add(Counts *counts, const char *name, StoreTally *tallies, size_t n, int64_t deadline_us)
{
	PtnStatus status;
	Key *key;

	if (!counts_are_possible(tallies, n))
		return PTN_UNSURE;
	g_mutex_lock(&counts->lock);
	key = counts_find_locked(counts, name);
	if (key == NULL) {
		g_mutex_unlock(&counts->lock);
		return counts_add_unkept(counts, name, tallies, n, deadline_us);
	}
	for (size_t i = 0; i < n; i++)
		key_keep(counts, key, &tallies[i]);
	status = counts_try_locked(counts, key, tallies, n, deadline_us);
	g_mutex_unlock(&counts->lock);
	return status;
}

void
counts_add_later(Counts *counts, const char *name, const StoreTally *tallies, size_t n)
{
	Key *key;

	if (!counts_are_possible(tallies, n))
		return;
	g_mutex_lock(&counts->lock);
	key = counts_find_locked(counts, name);
	if (key == NULL) {
		counts_lose_locked(counts, tallies, n);
	} else {
		if (!key_is_left(key))
			key->due_us = g_get_monotonic_time() + COUNTS_LATER_US;
		for (size_t i = 0; i < n; i++)
			key_keep(counts, key, &tallies[i]);
	}
	g_mutex_unlock(&counts->lock);
}

/* A batch that is under way may still be added behind the removal; so its mark is not used again. */
PtnStatus
counts_restart(Counts *counts, const char *name, int64_t deadline_us)
{
	PtnStatus status = PTN_UNSURE;
	Key *key;

	g_mutex_lock(&counts->lock);
	key = counts_find_locked(counts, name);
	if (key == NULL) {
		g_mutex_unlock(&counts->lock);
		return store_remove(counts->settings.store, name, deadline_us) != PTN_UNSURE ? PTN_OK : PTN_UNSURE;
	}
	key->users++;
	if (counts_wait_locked(counts, key, deadline_us)) {
		for (guint i = 0; i < key->counters->len; i++)
			g_array_index(key->counters, Counter, i).kept = 0;
		key->is_doubtful = key->is_kept = key->was_sent = false;
		key->is_restarting = true;
		key_draw_mark(counts, key);
		key->is_busy = true;
		status = counts_send_restart(counts, key, deadline_us);
		key->is_busy = false;
		key->due_us = g_get_monotonic_time() + COUNTS_AGAIN_US;
		g_cond_broadcast(&counts->is_idle);
	}
	key->users--;
	g_mutex_unlock(&counts->lock);
	return status;
}

/* ---- the background ---- */

/* Names of keys with something that is not stored; new. */
static GPtrArray *
counts_left(Counts *counts, bool only_due)
{
	const int64_t now_us = g_get_monotonic_time();
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	size_t kept = 0;
	void *data;

	g_mutex_lock(&counts->lock);
	g_hash_table_iter_init(&iter, counts->keys);
	while (g_hash_table_iter_next(&iter, NULL, &data)) {
		const Key *key = data;

		kept += key_is_left(key);
		if (key_is_left(key) && (!only_due || key->due_us <= now_us))
			g_ptr_array_add(names, g_strdup(key->key));
	}
	if (counts->lost_us != 0 && now_us - counts->lost_us > COUNTS_ALARM_US) {
		counts->lost_us = 0;
		metrics_alarm(counts->settings.metrics, "counts.lost", NULL);
	}
	g_mutex_unlock(&counts->lock);
	metrics_set(counts->settings.metrics, "counts.kept", (int64_t)kept);
	return names;
}

static bool
counts_flush_some(Counts *counts, bool only_due, int64_t deadline_us)
{
	g_autoptr(GPtrArray) names = counts_left(counts, only_due);
	guint stored = 0;

	for (guint i = 0; i < names->len && g_get_monotonic_time() < deadline_us; i++) {
		Key *key;

		g_mutex_lock(&counts->lock);
		key = g_hash_table_lookup(counts->keys, names->pdata[i]);
		stored += key == NULL || counts_try_locked(counts, key, NULL, 0, deadline_us) == PTN_OK;
		g_mutex_unlock(&counts->lock);
		if (store_is_away(counts->settings.store))
			break;
	}
	return stored == names->len;
}

bool
counts_flush_due(Counts *counts, int64_t deadline_us)
{
	return counts_flush_some(counts, true, deadline_us);
}

bool
counts_flush(Counts *counts, int64_t deadline_us)
{
	return counts_flush_some(counts, false, deadline_us);
}
