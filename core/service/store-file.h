/* store-file.h - the SQLite file behind a store: rows in, rows out; one caller at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct StoreFile StoreFile;

typedef struct {
	char *key, *value;    /* value NULL: the row is removed                */
	uint64_t version;
	int64_t expires_us;   /* wall clock, CLOCK_NEVER                       */
} StoreRow;

/* Creates the file if needed, and takes its lock: a second opener is refused.  New. */
StoreFile *store_file_open(const char *path, bool is_durable, GError **error);
void store_file_close(StoreFile *file);
/* Calls `each` for every row; `version` gets the highest one ever written. */
bool store_file_load(StoreFile *file, void (*each)(void *data, const StoreRow *row), void *data, uint64_t *version,
	GError **error);
/* A transaction; with a durable file it is on disk when this returns. */
bool store_file_begin(StoreFile *file, GError **error);
bool store_file_put(StoreFile *file, const StoreRow *row, GError **error);
/* `version`: the highest one so far. */
bool store_file_commit(StoreFile *file, uint64_t version, GError **error);
void store_file_rollback(StoreFile *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreFile, store_file_close)
