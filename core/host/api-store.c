/* api-store.c - the store: values, claims, counters, and counters that survive a store that does not answer. */
#include <string.h>

#include "host/host-private.h"

/* Of keys that are a node's own the name has the node's number, wherever the store is. */
static char *
api_key(PtnHook *h, const char *key)
{
	const char *plugin = h->instance->plugin->name;

	if (strncmp(key, "node/", strlen("node/")) != 0)
		return g_strdup_printf("plugin/%s/%s", plugin, key);
	return g_strdup_printf("plugin/%s/node/%s/%s", plugin, ptn_fact(h, "node"), key + strlen("node/"));
}

/* NULL: this run must go on where it may wait. */
static Store *
api_store(PtnHook *h)
{
	Engine *engine = h->instance->services->engine;

	if (engine == NULL || engine->store == NULL)
		return NULL;
	if (!store_is_local(engine->store) && !h->call->may_wait) {
		h->call->would_have_waited = true;
		return NULL;
	}
	return engine->store;
}

PtnStatus
ptn_store_get(PtnHook *h, const char *key, const char **value)
{
	g_autofree char *full = api_key(h, key);
	g_autofree char *found = NULL;
	Store *store = api_store(h);
	const PtnStatus status =
		store != NULL ? store_get(store, full, h->call->deadline_us, &found, NULL) : PTN_UNSURE;

	if (status == PTN_OK)
		*value = region_strdup(h->call->region, found);
	call_note(h, "store %s: %s", key, status == PTN_OK ? found : call_status_name(status));
	return status;
}

PtnStatus
ptn_store_set(PtnHook *h, const char *key, const char *value, int64_t time)
{
	g_autofree char *full = api_key(h, key);
	Store *store = api_store(h);

	if (store != NULL && call_is_rehearsed(h))
		return PTN_OK;
	return store != NULL ? store_set(store, full, value, time, h->call->deadline_us) : PTN_UNSURE;
}

PtnStatus
ptn_store_claim(PtnHook *h, const char *key, const char *value, int64_t time)
{
	g_autofree char *full = api_key(h, key);
	g_autofree char *held = NULL;
	Store *store = api_store(h);

	if (store != NULL && call_is_rehearsed(h)) {
		const PtnStatus status = store_get(store, full, h->call->deadline_us, &held, NULL);

		call_note(h, "store %s: %s", key, status == PTN_OK ? "taken" : "free");
		return status == PTN_OK ? PTN_TAKEN : status == PTN_NONE ? PTN_OK : status;
	}
	return store != NULL ? store_claim(store, full, value, time, h->call->deadline_us) : PTN_UNSURE;
}

PtnStatus
ptn_store_add(PtnHook *h, const char *key, int64_t n, int64_t window, int64_t *total)
{
	g_autofree char *full = api_key(h, key);
	Store *store = api_store(h);

	if (call_is_rehearsed(h))
		n = 0; /* what it is now */
	return store != NULL ? store_add(store, full, n, window, h->call->deadline_us, total) : PTN_UNSURE;
}

PtnStatus
ptn_store_remove(PtnHook *h, const char *key)
{
	g_autofree char *full = api_key(h, key);
	Store *store = api_store(h);

	if (store != NULL && call_is_rehearsed(h))
		return PTN_OK;
	return store != NULL ? store_remove(store, full, h->call->deadline_us) : PTN_UNSURE;
}

/* A rehearsal only looks. */
static PtnStatus
api_rehearse_tally(const PtnTally *wanted, const StoreTally *tallies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (wanted[i].most > 0 && wanted[i].n != 0 && tallies[i].total + wanted[i].n > tallies[i].most_now)
			return PTN_TAKEN;
	return PTN_OK;
}

PtnStatus
ptn_store_tally(PtnHook *h, const char *key, PtnTally *tallies, size_t n)
{
	g_autofree char *full = api_key(h, key);
	g_autofree StoreTally *asked = g_new0(StoreTally, MAX(n, 1));
	Store *store = api_store(h);
	PtnStatus status;

	for (size_t i = 0; i < n; i++)
		asked[i] = (StoreTally){ .name = tallies[i].name,
			.n = call_is_rehearsed(h) ? 0 : tallies[i].n,
			.window_us = tallies[i].window,
			.most = tallies[i].most,
			.nodes = tallies[i].nodes };
	status = store != NULL ? store_tally(store, full, asked, n, h->call->deadline_us) : PTN_UNSURE;
	if (status == PTN_OK && call_is_rehearsed(h))
		status = api_rehearse_tally(tallies, asked, n);
	call_note(h, "store %s: %s", key, call_status_name(status));
	for (size_t i = 0; i < n; i++) {
		tallies[i].total = asked[i].total;
		tallies[i].most_now = asked[i].most_now;
		tallies[i].is_alone = asked[i].is_alone;
	}
	return status;
}

/* ---- counters of which nothing is lost ---- */

/* New. */
static StoreTally *
api_tallies(PtnHook *h, const PtnTally *tallies, size_t n)
{
	StoreTally *asked = g_new0(StoreTally, MAX(n, 1));

	for (size_t i = 0; i < n; i++)
		asked[i] = (StoreTally){
			.name = tallies[i].name, .n = call_is_rehearsed(h) ? 0 : tallies[i].n, .window_us = tallies[i].window
		};
	return asked;
}

/* A hook that may not wait is run again, and counts then. */
PtnStatus
ptn_store_count(PtnHook *h, const char *key, PtnTally *tallies, size_t n)
{
	g_autofree char *full = api_key(h, key);
	g_autofree StoreTally *asked = api_tallies(h, tallies, n);
	PtnStatus status;

	if (api_store(h) == NULL)
		return PTN_UNSURE;
	status = counts_add(h->instance->services->engine->counts, full, asked, n, h->call->deadline_us);
	call_note(h, "store %s: %s", key, call_status_name(status));
	for (size_t i = 0; i < n; i++)
		tallies[i].total = asked[i].total;
	return status;
}

void
ptn_store_count_later(PtnHook *h, const char *key, const PtnTally *tallies, size_t n)
{
	g_autofree char *full = api_key(h, key);
	g_autofree StoreTally *asked = api_tallies(h, tallies, n);

	if (h->instance->services->engine != NULL && !call_is_rehearsed(h))
		counts_add_later(h->instance->services->engine->counts, full, asked, n);
}

PtnStatus
ptn_store_count_anew(PtnHook *h, const char *key)
{
	g_autofree char *full = api_key(h, key);

	if (api_store(h) == NULL)
		return PTN_UNSURE;
	if (call_is_rehearsed(h))
		return PTN_OK;
	return counts_restart(h->instance->services->engine->counts, full, h->call->deadline_us);
}
