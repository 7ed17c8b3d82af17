/* fixture.c - a small spool to play with. */
#include <string.h>

#include "unit/mail/mail.h"

static int64_t
fixture_now(const Clock *clock)
{
	return atomic_load(&((const Fixture *)(uintptr_t)clock)->now_us);
}

static int64_t
fixture_wall(const Clock *clock)
{
	const Fixture *fixture = (const Fixture *)(uintptr_t)clock;

	return atomic_load(&fixture->now_us) + atomic_load(&fixture->wall_ahead_us);
}

static int
fixture_no_sync(const Disk *disk, int fd)
{
	(void)disk, (void)fd;
	return 0;
}

static const Disk *
fixture_disk(void)
{
	static Disk fast;
	static gsize is_made;

	if (g_once_init_enter(&is_made)) {
		fast = *disk_system();
		fast.fdatasync = fast.fsync = fixture_no_sync;
		g_once_init_leave(&is_made, 1);
	}
	return &fast;
}

Fixture *
fixture_new(void)
{
	Fixture *fixture = g_new0(Fixture, 1);

	fixture->clock = (Clock){ fixture_wall, fixture_now };
	fixture->now_us = 1000 * CLOCK_SECOND;
	fixture->directory = unit_new_directory();
	fixture->settings = (SpoolSettings){ .directory = fixture->directory, .clock = &fixture->clock,
		.disk = fixture_disk(), .segment_size = 256 << 10, .large = 16 << 10 };
	fixture->spool = spool_open(&fixture->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->spool);
	return fixture;
}

void
fixture_free(Fixture *fixture)
{
	spool_close(fixture->spool);
	unit_remove_directory(fixture->directory);
	g_free(fixture->directory);
	g_free(fixture);
}

void
fixture_reopen(Fixture *fixture)
{
	spool_close(fixture->spool);
	fixture->spool = spool_open(&fixture->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->spool);
}

Envelope *
fixture_envelope(QueueId id, unsigned n_recipients)
{
	Envelope *envelope = envelope_new(id);

	envelope->arrived_us = (int64_t)id;
	for (unsigned i = 0; i < n_recipients; i++) {
		g_autofree char *address = g_strdup_printf("r%u@example.net", i);

		envelope_add_recipient(envelope, address, NULL, 0);
	}
	return envelope;
}

SpoolResult
fixture_commit(Fixture *fixture, QueueId id, const char *body, unsigned n_recipients)
{
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(fixture->spool);

	content_append(content, body, strlen(body));
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, fixture_envelope(id, n_recipients), NULL);
	return spool_commit_wait(fixture->spool, transaction);
}

static bool
fixture_piece(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
	return true;
}

char *
fixture_read(Spool *spool, QueueId id)
{
	g_autoptr(SpoolMessage) message = spool_read(spool, id, NULL);
	GString *all;

	if (message == NULL || !spool_read_content(message, NULL))
		return NULL;
	all = g_string_new(NULL);
	CU_ASSERT(spool_message_pieces(message, fixture_piece, all, NULL));
	return g_string_free(all, FALSE);
}
