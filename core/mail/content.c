/* content.c - the octets of one message while they arrive. */
#include "mail/content.h"

#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/log.h"
#include "mail/spool-file.h"
#include "proto/header.h"

enum { CONTENT_STEP = 256 << 10, CONTENT_FIRST = 2048, CONTENT_HEAD = 64 << 10 };

struct Content {
	Spool *spool;
	char *buffer; /* what is not in the file yet */
	size_t used, room;
	uint64_t written; /* in the file */
	uint32_t crc;
	int fd; /* -1: no file */
	uint64_t file;
	bool is_finished, is_committed;
	bool has_failed; /* a sync that failed once may claim success the next time */
	char *read;       /* of a file: its first octets, as far as they were asked for */
	size_t read_size;
};

Content *
content_new(Spool *spool)
{
	Content *content = g_new0(Content, 1);

	content->spool = spool;
	content->fd = -1;
	return content;
}

static void
content_drop_read(Content *content)
{
	if (content->read != NULL)
		spool_memory_add(content->spool, -(int64_t)content->read_size);
	g_clear_pointer(&content->read, g_free);
	content->read_size = 0;
}

void
content_free(Content *content)
{
	if (content == NULL)
		return;
	content_drop_read(content);
	if (content->fd >= 0) {
		const Disk *disk = spool_disk(content->spool);

		(void)disk->close(disk, content->fd);
		if (!content->is_committed)
			spool_file_forget(content->spool, content->file);
	}
	if (content->spool != NULL)
		spool_memory_add(content->spool, -(int64_t)content->room);
	g_free(content->buffer);
	g_free(content);
}

static void
content_make_room(Content *content, size_t size)
{
	size_t room = MAX(content->room, CONTENT_FIRST);

	if (content->room - content->used >= size)
		return;
	while (room - content->used < size)
		room *= 2;
	if (content->spool != NULL)
		spool_memory_add(content->spool, (int64_t)(room - content->room));
	content->buffer = g_realloc(content->buffer, room);
	content->room = room;
}

void
content_append(Content *content, const void *data, size_t size)
{
	if (size == 0)
		return;
	content_make_room(content, size);
	memcpy(content->buffer + content->used, data, size);
	content->used += size;
	content->crc = crc32c(content->crc, data, size);
	content->is_finished = false;
}

bool
content_wants_flush(const Content *content)
{
	if (content->spool == NULL || content->used == 0)
		return false;
	if (content->fd >= 0)
		return content->used >= CONTENT_STEP;
	return content->used > spool_large(content->spool) || spool_memory_is_full(content->spool);
}

/* A step is handed to the disk while the next one arrives. */
static bool
content_write_step(Content *content, size_t at, size_t size)
{
	if (!spool_file_write(spool_disk(content->spool), content->fd, content->buffer + at, size, content->written))
		return false;
	spool_file_start_writing(content->fd, content->written, size);
	content->written += size;
	return true;
}

bool
content_flush(Content *content, GError **error)
{
	size_t at = 0;

	if (content->spool == NULL || content->used == 0)
		return true;
	if (content->fd < 0) {
		content->fd = spool_file_create(content->spool, &content->file, error);
		if (content->fd < 0)
			return false;
	}
	while (at < content->used) {
		const size_t size = MIN(content->used - at, CONTENT_STEP);

		if (!content_write_step(content, at, size)) {
			(void)error_set_errno(error, "cannot write a content file");
			memmove(content->buffer, content->buffer + at, content->used - at);
			content->used -= at;
			return false;
		}
		at += size;
	}
	content->used = 0;
	return true;
}

bool
content_has_file(const Content *content)
{
	return content->fd >= 0;
}

bool
content_finish(Content *content, GError **error)
{
	const Disk *disk;

	if (content->fd < 0 || content->is_finished)
		return true;
	if (!content_flush(content, error))
		return false;
	if (content->has_failed)
		return error_set(error, POSTERN_ERROR_IO, "a content file could not be synced");
	disk = spool_disk(content->spool);
	content->has_failed = true;
	if (disk->fsync(disk, content->fd) != 0)
		return error_set_errno(error, "cannot sync a content file");
	if (!spool_file_sync_names(content->spool, error))
		return false;
	content->has_failed = false;
	spool_memory_add(content->spool, -(int64_t)content->room);
	g_clear_pointer(&content->buffer, g_free);
	content->room = 0;
	content->is_finished = true;
	return true;
}

uint64_t
content_size(const Content *content)
{
	return content->written + content->used;
}

/* The first `size` octets of the file in memory; false, and logged: they cannot be read, or memory is used up. */
static bool
content_read(Content *content, size_t size)
{
	char *octets;

	if (content->read != NULL && content->read_size >= size)
		return true;
	if (!spool_memory_take(content->spool, size)) {
		log_event(LOG_LEVEL_ERROR, "content cannot be read", "error", "[spool] memory is used up", NULL);
		return false;
	}
	octets = g_try_malloc(size + 1);
	if (octets == NULL || !spool_file_read(spool_disk(content->spool), content->fd, octets, size, 0)) {
		log_event(LOG_LEVEL_ERROR, "content cannot be read", "error",
			octets == NULL ? "out of memory" : g_strerror(errno), NULL);
		spool_memory_add(content->spool, -(int64_t)size);
		g_free(octets);
		return false;
	}
	octets[size] = '\0';
	content_drop_read(content); /* only now: what was read stays if more of it cannot be */
	content->read = octets;
	content->read_size = size;
	return true;
}

const char *
content_data(Content *content, size_t *size)
{
	*size = content_size(content);
	if (content->fd < 0)
		return content->buffer != NULL ? content->buffer : "";
	if (content->used > 0 && !content_flush(content, NULL))
		return NULL;
	return content_read(content, *size) ? content->read : NULL;
}

const char *
content_head(Content *content, size_t *size)
{
	size_t end;

	*size = content_size(content);
	if (content->fd < 0 || (content->used > 0 && !content_flush(content, NULL)))
		return content->fd < 0 ? content_data(content, size) : NULL;
	for (size_t wanted = CONTENT_HEAD;; wanted *= 2) {
		wanted = MIN(wanted, content->written);
		if (!content_read(content, wanted))
			return NULL;
		if (content->read_size == content->written || header_is_within(content->read, content->read_size, &end))
			break;
		wanted = MAX(wanted, content->read_size);
	}
	*size = content->read_size;
	return content->read;
}

void
content_place(const Content *content, ContentPlace *place)
{
	place->is_file = content->fd >= 0;
	place->is_ready = !place->is_file || content->is_finished;
	place->file = content->file;
	place->size = content_size(content);
	place->crc = content->crc;
	place->octets = content->buffer;
}

void
content_set_committed(Content *content)
{
	content->is_committed = true;
}
