/* spool-file.h - what content.c needs of the spool: content files, and the account of content in memory. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mail/content.h"
#include "mail/disk.h"

const Disk *spool_disk(const Spool *spool);
/* Content above has a file of its own. */
uint64_t spool_large(const Spool *spool);
/* More content, or (below 0) less, is in memory. */
void spool_memory_add(Spool *spool, int64_t size);
bool spool_memory_is_full(Spool *spool);
/* Adds, unless it is full already: what is larger than all of it goes through, one at a time. */
bool spool_memory_take(Spool *spool, uint64_t size);
/* A new, empty content file, open for reading and writing; -1 on error. */
int spool_file_create(Spool *spool, uint64_t *number, GError **error);
/* The names of the files created so far are durable. */
bool spool_file_sync_names(Spool *spool, GError **error);
/* The file is unlinked soon, by a thread of the spool. */
void spool_file_forget(Spool *spool, uint64_t number);
/* Starts writing back, waits for nothing. */
void spool_file_start_writing(int fd, uint64_t offset, uint64_t size);
/* Reads all of it, in spite of short reads; false and errno. */
bool spool_file_read(const Disk *disk, int fd, void *data, size_t size, uint64_t offset);
/* Writes all of it, in spite of short writes. */
bool spool_file_write(const Disk *disk, int fd, const void *data, size_t size, uint64_t offset);

/* ---- what the committer asks of a content ---- */

typedef struct {
	bool is_ready;    /* in memory, or written and synced */
	bool is_file;
	uint64_t file, size;
	uint32_t crc;
	const char *octets; /* in memory only */
} ContentPlace;

void content_place(const Content *content, ContentPlace *place);
/* Its file is the spool's now. */
void content_set_committed(Content *content);
