/* store-local.h - the inside of the stores of one node, for store-local*.c only. */
#pragma once

#include "base/thread.h"
#include "service/store-file.h"
#include "service/store-private.h"
#include "service/store-table.h"

typedef struct {
	char *prefix;
	uint64_t number; /* the version of the last change */
} Watch;

typedef struct {
	const Clock *clock;
	StoreFile *file; /* NULL: memory only */
	bool is_durable;
	size_t most_items; /* their keys come from peers */
	GMutex write_lock; /* one user of `file` at a time; taken before `lock` */
	GMutex lock;       /* guards all that follows; never held while the disk is waited for */
	StoreTable *table;
	uint64_t version;
	GArray *watches;
	GHashTable *dirty; /* keys whose rows differ from the file's */
	char *trouble;     /* why the last writing failed, or NULL */
	Metrics *metrics;  /* NULL: none */
	char *alarm;       /* its name */
	bool is_closing;
	GCond closing;
	Thread *writer;
} Local;

/* ---- store-local-file.c ---- */
/* Writes one row of a durable store; with the write lock held.  Waits for the disk. */
bool local_write_one(Local *local, const StoreRow *row);
/* StoreBackend.flush: writes what is dirty. */
bool local_flush(void *data);
/* The thread of a store that is not durable: a flush each second, until it closes. */
void *local_writer(void *data);
