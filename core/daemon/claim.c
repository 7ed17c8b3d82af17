/* claim.c - claiming the number of this node in the stores that nodes share. */
#include "daemon/claim.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define CLAIM_TTL_US (60 * CLOCK_SECOND)
#define CLAIM_EACH_US (20 * CLOCK_SECOND)
#define CLAIM_AGAIN_US (2 * CLOCK_SECOND) /* while we do not have it */

enum { CLAIM_INSTANCE = 32 }; /* letters of a spool's id */

typedef enum { CLAIM_OURS, CLAIM_TAKEN, CLAIM_UNSURE } ClaimResult;

static char *
claim_key(const Daemon *daemon)
{
	return g_strdup_printf(CLAIM_PREFIX "%u", daemon->node);
}

/* "INSTANCE MACHINE"; new. */
static char *
claim_value(const Daemon *daemon)
{
	char machine[256] = "";

	(void)gethostname(machine, sizeof machine - 1);
	return g_strdup_printf("%s %s", spool_instance(daemon->engine.spool), machine);
}

static bool
claim_is_ours(const char *value, const char *ours)
{
	return strncmp(value, ours, CLAIM_INSTANCE) == 0;
}

/* `other`: new, of CLAIM_TAKEN.  While the store is unavailable it would answer from this node's memory. */
static ClaimResult
claim_try(Store *store, const char *key, const char *ours, char **other)
{
	PtnStatus status;

	for (int i = 0; i < 2; i++) {
		g_autofree char *value = NULL;

		if (store_is_away(store))
			return CLAIM_UNSURE;
		status = store_claim(store, key, ours, CLAIM_TTL_US, CLOCK_NEVER);
		if (status != PTN_TAKEN)
			return status == PTN_OK ? CLAIM_OURS : CLAIM_UNSURE;
		status = store_get(store, key, CLOCK_NEVER, &value, NULL);
		if (status == PTN_OK && claim_is_ours(value, ours))
			return store_set(store, key, ours, CLAIM_TTL_US, CLOCK_NEVER) == PTN_OK ? CLAIM_OURS
																					: CLAIM_UNSURE;
		if (status == PTN_OK) {
			*other = g_steal_pointer(&value);
			return CLAIM_TAKEN;
		}
		if (status != PTN_NONE) /* else it ended in between */
			break;
	}
	return CLAIM_UNSURE;
}

/* Of both stores; `why`: new, of CLAIM_TAKEN. */
static ClaimResult
claim_try_all(Daemon *daemon, char **why)
{
	Store *const stores[] = { daemon->directory_store, daemon->engine.store };
	static const char *const names[] = { "directory", "store" };
	g_autofree char *key = claim_key(daemon), *ours = claim_value(daemon);
	ClaimResult all = CLAIM_OURS;

	for (size_t i = 0; i < G_N_ELEMENTS(stores); i++) {
		g_autofree char *other = NULL;
		const ClaimResult result =
			store_is_local(stores[i]) ? CLAIM_OURS : claim_try(stores[i], key, ours, &other);

		if (result == CLAIM_TAKEN) {
			*why = g_strdup_printf(
				"node number %u is in use by another instance, %s (claim %s in the [%s]): "
				"give each node a number of its own ([server] node). If that instance is gone "
				"for good, its claim ends within a minute",
				daemon->node, other, key, names[i]);
			return CLAIM_TAKEN;
		}
		if (result == CLAIM_UNSURE)
			all = CLAIM_UNSURE;
	}
	return all;
}

bool
claim_take(Daemon *daemon, GError **error)
{
	g_autofree char *why = NULL;

	daemon->claim_due_us = g_get_monotonic_time() + CLAIM_AGAIN_US;
	return claim_try_all(daemon, &why) != CLAIM_TAKEN ||
		   error_set(error, POSTERN_ERROR_EXISTS, "%s", why);
}

/* What is not known now says nothing against us: an alarm stays as it was. */
void
claim_check(Daemon *daemon)
{
	g_autofree char *why = NULL;
	const int64_t now_us = g_get_monotonic_time();
	ClaimResult result;

	if (now_us < daemon->claim_due_us)
		return;
	result = claim_try_all(daemon, &why);
	daemon->claim_due_us = now_us + (result == CLAIM_OURS ? CLAIM_EACH_US : CLAIM_AGAIN_US);
	if (result != CLAIM_UNSURE)
		metrics_alarm(daemon->engine.metrics, "node.number", why);
}

void
claim_release(Daemon *daemon)
{
	Store *const stores[] = { daemon->directory_store, daemon->engine.store };
	g_autofree char *key = claim_key(daemon), *ours = claim_value(daemon);

	for (size_t i = 0; i < G_N_ELEMENTS(stores); i++) {
		g_autofree char *value = NULL;

		if (!store_is_local(stores[i]) && !store_is_away(stores[i]) &&
			store_get(stores[i], key, CLOCK_NEVER, &value, NULL) == PTN_OK &&
			claim_is_ours(value, ours))
			(void)store_remove(stores[i], key, CLOCK_NEVER);
	}
}
