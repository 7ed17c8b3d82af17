/* directory-keep.c - what all nodes must know and nobody edits: secrets, and values that short names stand for. */
#include <string.h>

#include "base/random.h"
#include "service/directory-private.h"

#define KEEP_PATIENCE (5 * CLOCK_SECOND)

static int64_t
keep_deadline(void)
{
	return clock_monotonic(clock_system()) + KEEP_PATIENCE;
}

/* New. */
static char *
keep_random(void)
{
	guint8 octets[32];

	random_fill(octets, sizeof octets);
	return g_base64_encode(octets, sizeof octets);
}

/* The lock is not held while the store is asked: two threads may both ask, and learn the same. */
char *
directory_secret(Directory *directory, const char *name)
{
	g_autofree char *key = g_strconcat("secret/", name, NULL);
	g_autofree char *fresh = NULL;
	char *secret = NULL;
	PtnStatus status;

	g_mutex_lock(&directory->lock);
	secret = g_strdup(g_hash_table_lookup(directory->secrets, name));
	g_mutex_unlock(&directory->lock);
	if (secret != NULL)
		return secret;
	fresh = keep_random();
	status = store_claim(directory->store, key, fresh, 0, keep_deadline());
	if (status == PTN_OK)
		secret = g_steal_pointer(&fresh);
	else if (status != PTN_TAKEN || store_get(directory->store, key, keep_deadline(), &secret, NULL) != PTN_OK)
		return NULL;
	g_mutex_lock(&directory->lock);
	g_hash_table_replace(directory->secrets, g_strdup(name), g_strdup(secret));
	g_mutex_unlock(&directory->lock);
	return secret;
}

/* Names come back by mail, and so in any case.  New. */
static char *
keep_key(const char *name)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);

	return g_strconcat("kept/", lower, NULL);
}

bool
directory_remember(Directory *directory, const char *name, const char *value, int64_t time_us)
{
	g_autofree char *key = keep_key(name);

	return store_set(directory->store, key, value, time_us, keep_deadline()) == PTN_OK;
}

PtnStatus
directory_recall(Directory *directory, const char *name, char **value)
{
	g_autofree char *key = keep_key(name);

	return store_get(directory->store, key, keep_deadline(), value, NULL);
}
