/* known.c - limits that were passed, in memory: what is refused for them anyway costs no store.
 *
 * For some seconds only: a counter falls again when a message is taken back, or when the store learns that one whose reply was
 * late was refused. */
#include <string.h>

#include "plugins/limits/limits.h"

#define KNOWN_TIME (5 * PTN_SECOND)

enum { KNOWN_MOST = 20000 };

typedef struct {
	int64_t since, until; /* before `since`: the clock was set back, and the window is another one */
	char *words;
} Passed;

static void
known_free(void *data)
{
	g_free(((Passed *)data)->words);
	g_free(data);
}

void
known_start(Limits *limits)
{
	g_mutex_init(&limits->lock);
	limits->passed = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, known_free);
}

void
known_stop(Limits *limits)
{
	g_hash_table_unref(limits->passed);
	g_mutex_clear(&limits->lock);
}

static const char *
known_key(PtnHook *h, Scope scope, const char *who)
{
	return ptn_format(h, "%s/%s", scope_name(scope), who);
}

void
known_add(PtnHook *h, Scope scope, const char *who, const Limit *limit)
{
	Limits *limits = ptn_instance(h);
	const char *key = known_key(h, scope, who);
	char *words = g_strdup(limit->words);
	const int64_t now = ptn_now(h);
	const Passed passed = { now, MIN(limit->ends, now + KNOWN_TIME), words };

	g_mutex_lock(&limits->lock);
	if (g_hash_table_size(limits->passed) >= KNOWN_MOST)
		g_hash_table_remove_all(limits->passed);
	g_hash_table_replace(limits->passed, g_strdup(key), g_memdup2(&passed, sizeof passed));
	g_mutex_unlock(&limits->lock);
}

/* The limit may have been raised meanwhile. */
static bool
is_still_set(PtnHook *h, Scope scope, const char *words)
{
	Limit limits[LIMITS_MOST];
	const size_t n = scope_limits(h, scope, limits);

	for (size_t i = 0; i < n; i++)
		if (strcmp(limits[i].words, words) == 0)
			return true;
	return false;
}

const char *
known_find(PtnHook *h, Scope scope, const char *who)
{
	Limits *limits = ptn_instance(h);
	const char *key = known_key(h, scope, who), *words = NULL;
	const int64_t now = ptn_now(h);
	const Passed *passed;

	g_mutex_lock(&limits->lock);
	passed = g_hash_table_lookup(limits->passed, key);
	if (passed != NULL && passed->since <= now && now < passed->until)
		words = ptn_format(h, "%s", passed->words);
	else if (passed != NULL)
		g_hash_table_remove(limits->passed, key);
	g_mutex_unlock(&limits->lock);
	return words != NULL && is_still_set(h, scope, words) ? words : NULL;
}
