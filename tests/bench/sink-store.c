/* sink-store.c - the least that durability costs: one sync for all messages that came in a round, into a
 * segment that was allocated and filled with zeros before, so that a sync writes data and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "sink.h"

#define SINK_SEGMENT_SIZE (UINT64_C(256) << 20)

static void
sink_store_write(int fd, const char *octets, size_t size, guint64 position)
{
	while (size > 0) {
		const ssize_t written = pwrite(fd, octets, size, (off_t)position);

		if (written < 0)
			bench_fail("cannot write the segment: %s", g_strerror(errno));
		octets += written;
		size -= (size_t)written;
		position += (guint64)written;
	}
}

void
sink_store_open(SinkThread *thread, unsigned number)
{
	g_autofree char *path = g_strdup_printf("%s.%u", thread->sink->options.store, number);
	g_autofree char *zeros = g_malloc0(1 << 20);

	thread->segment = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (thread->segment < 0)
		bench_fail("%s: %s", path, g_strerror(errno));
	for (guint64 at = 0; at < SINK_SEGMENT_SIZE; at += 1 << 20)
		sink_store_write(thread->segment, zeros, 1 << 20, at);
	if (fsync(thread->segment) < 0)
		bench_fail("%s: %s", path, g_strerror(errno));
}

void
sink_store_add(SinkThread *thread, SinkSession *session)
{
	const guint64 size = session->content->len;

	sink_note_taken(thread, session);
	g_string_append_len(thread->batch, (const char *)&size, sizeof size);
	g_string_append_len(thread->batch, session->content->str, (gssize)size);
	session->is_committing = true;
	g_ptr_array_add(thread->committing, session);
}

void
sink_store_commit(SinkThread *thread)
{
	g_autoptr(GPtrArray) answered = NULL;

	if (thread->committing->len == 0)
		return;
	if (thread->position + thread->batch->len > SINK_SEGMENT_SIZE)
		thread->position = 0; /* nobody will read it */
	sink_store_write(thread->segment, thread->batch->str, thread->batch->len, thread->position);
	if (fdatasync(thread->segment) < 0)
		bench_fail("fdatasync: %s", g_strerror(errno));
	thread->position += thread->batch->len;
	thread->commits++;
	g_string_truncate(thread->batch, 0);
	answered = g_steal_pointer(&thread->committing);
	thread->committing = g_ptr_array_new();
	for (guint i = 0; i < answered->len; i++) {
		SinkSession *session = answered->pdata[i];

		session->is_committing = false;
		g_string_append(session->out, "250 2.0.0 Ok: safe\r\n");
		sink_flush(thread, session);
	}
}
