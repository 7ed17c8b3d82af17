/* store-away.c - what goes on in memory while a remote store is away.
 *
 * A memory store of this node, which is thrown away when the remote one is back: what it has is older than what the others
 * wrote there, or not known to them at all. */
#include <string.h>

#include "service/store-private.h"

struct StoreAway {
	const Clock *clock;
	size_t most_items;
	GMutex lock; /* guards all that follows: `data` may be replaced */
	void *data;
	GPtrArray *watched; /* char* */
};

static void *
store_away_open(const StoreAway *away)
{
	const StoreSettings settings = { .url = "memory:", .clock = away->clock, .most_items = away->most_items };

	return store_memory.open(&settings, "", NULL);
}

StoreAway *
store_away_new(const StoreSettings *settings)
{
	StoreAway *away = g_new0(StoreAway, 1);

	away->clock = settings->clock;
	away->most_items = settings->most_items;
	g_mutex_init(&away->lock);
	away->data = store_away_open(away);
	away->watched = g_ptr_array_new_with_free_func(g_free);
	return away;
}

void
store_away_free(StoreAway *away)
{
	if (away == NULL)
		return;
	store_memory.close(away->data);
	g_ptr_array_unref(away->watched);
	g_mutex_clear(&away->lock);
	g_free(away);
}

void
store_away_clear(StoreAway *away)
{
	void *old;

	g_mutex_lock(&away->lock);
	old = away->data;
	away->data = store_away_open(away);
	g_mutex_unlock(&away->lock);
	store_memory.close(old);
}

void
store_away_watch(StoreAway *away, const char *prefix)
{
	g_mutex_lock(&away->lock);
	g_ptr_array_add(away->watched, g_strdup(prefix));
	g_mutex_unlock(&away->lock);
}

/* Lock held. */
static bool
store_away_takes(const StoreAway *away, const char *key)
{
	for (guint i = 0; i < away->watched->len; i++)
		if (g_str_has_prefix(key, g_ptr_array_index(away->watched, i)))
			return false;
	return true;
}

PtnStatus
store_away_get(StoreAway *away, const char *key, char **value, uint64_t *version)
{
	PtnStatus status = PTN_UNSURE;

	g_mutex_lock(&away->lock);
	if (store_away_takes(away, key))
		status = store_memory.get(away->data, key, CLOCK_NEVER, value, version);
	g_mutex_unlock(&away->lock);
	return status;
}

PtnStatus
store_away_set(StoreAway *away, const char *key, const char *value, int64_t ttl_us)
{
	PtnStatus status = PTN_UNSURE;

	g_mutex_lock(&away->lock);
	if (store_away_takes(away, key))
		status = store_memory.set(away->data, key, value, ttl_us, CLOCK_NEVER);
	g_mutex_unlock(&away->lock);
	return status;
}

PtnStatus
store_away_add(StoreAway *away, const char *key, int64_t n, int64_t window_us, int64_t *total)
{
	PtnStatus status = PTN_UNSURE;

	g_mutex_lock(&away->lock);
	if (store_away_takes(away, key))
		status = store_memory.add(away->data, key, n, window_us, CLOCK_NEVER, total);
	g_mutex_unlock(&away->lock);
	return status;
}

void
store_away_remove(StoreAway *away, const char *key)
{
	g_mutex_lock(&away->lock);
	(void)store_memory.remove(away->data, key, CLOCK_NEVER);
	g_mutex_unlock(&away->lock);
}
