/* smtp-peer.c - a message, and a client that sends it to a peer that says what its script says. */
#include "smtp-peer.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/wire.h"
#include "suites.h"

static void
peer_expect(World *world, Wire *wire, const char *expected)
{
	const bool is_content = strcmp(expected, "CONTENT") == 0;
	const char *line;

	if (strcmp(expected, "TORN") == 0) {
		while ((line = wire_read_line(wire, 4000, NULL)) != NULL)
			if (strcmp(line, ".") == 0)
				g_string_append(world->faults, "a final dot\n");
		return;
	}
	do
		line = wire_read_line(wire, 1000, NULL);
	while (is_content && line != NULL && strcmp(line, ".") != 0);
	if (strcmp(expected, "END") == 0 && line == NULL)
		return;
	if (line == NULL || (!is_content && !g_str_has_prefix(line, expected)))
		g_string_append_printf(world->faults, "%s instead of %s\n", line != NULL ? line : "nothing", expected);
}

void *
peer_run(void *data)
{
	World *world = data;
	const int fd = accept(world->listener, NULL, NULL);
	g_autoptr(Wire) wire = wire_adopt(fd, g_get_monotonic_time() + 20 * CLOCK_SECOND);

	for (const char *const *line = world->script; *line != NULL; line++) {
		if ((*line)[0] == 'C') {
			peer_expect(world, wire, *line + 3);
		} else if ((*line)[0] == 'X') {
			const char *got = wire_read_line(wire, 1000, NULL);

			if (g_strcmp0(got, *line + 3) != 0)
				g_string_append_printf(world->faults, "%s instead of %s\n", got != NULL ? got : "nothing", *line + 3);
		} else if ((*line)[0] == 'R') {
			(void)(wire_write(wire, *line + 3, strlen(*line + 3), NULL) && wire_flush(wire, NULL));
		} else if (!wire_write(wire, *line + 3, strlen(*line + 3), NULL) || !wire_write(wire, "\r\n", 2, NULL) ||
				   !wire_flush(wire, NULL)) {
			g_string_append_printf(world->faults, "%s could not be said\n", *line);
		}
	}
	return NULL;
}

static void
world_listen(World *world)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	world->path = g_strdup_printf("%s/lmtp", world->spool->directory);
	CU_ASSERT_FATAL(strlen(world->path) < sizeof address.sun_path);
	memcpy(address.sun_path, world->path, strlen(world->path));
	world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(world->listener, (const struct sockaddr *)&address, sizeof address), 0);
	CU_ASSERT_EQUAL_FATAL(listen(world->listener, 5), 0);
}

/* A message of so many octets, or, with 0, a small one. */
static void
world_commit(World *world, unsigned recipients, size_t size)
{
	SpoolTransaction *transaction;
	Content *content;

	if (size == 0) {
		CU_ASSERT_EQUAL(fixture_commit(world->spool, 1, "Subject: x\r\n\r\n.dot\r\n", recipients),
			SPOOL_COMMITTED);
		return;
	}
	content = content_new(world->spool->spool);
	content_append(content, "Subject: x\r\n\r\n", 14);
	while (content_size(content) < size)
		content_append(content, "a line of a large message\r\n", 27);
	CU_ASSERT(content_flush(content, NULL) && content_finish(content, NULL));
	transaction = spool_transaction_new();
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, fixture_envelope(1, recipients), NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(world->spool->spool, transaction), SPOOL_COMMITTED);
}

void
world_start_with_kind(World *world, HopKind kind, const char *const *script, unsigned recipients, size_t size)
{
	g_autoptr(GPtrArray) addresses = NULL;
	g_autofree char *hop = NULL, *reply = NULL;

	*world = (World){ .spool = fixture_new(), .script = script, .faults = g_string_new(NULL) };
	world_listen(world);
	world_commit(world, recipients, size);
	world->message = spool_read(world->spool->spool, 1, NULL);
	CU_ASSERT_FATAL(world->message != NULL && spool_read_content(world->message, NULL));
	((Recipient *)g_ptr_array_index(world->message->envelope->recipients, 0))->notify = NOTIFY_SUCCESS;
	world->settings = delivery_settings_new();
	world->settings->helo = g_strdup("out.example.net");
	world->settings->command_us = world->settings->data_us = 20 * CLOCK_SECOND;
	hop = g_strdup_printf("lmtp:unix:%s", world->path);
	world->hop = next_hop_parse(hop, TLS_VERIFY, NULL);
	world->hop->kind = kind;
	world->quirks = host_quirks_new(clock_system());
	world->thread = g_thread_new("peer", peer_run, world);
	CU_ASSERT_EQUAL(route_addresses(NULL, world->settings, world->hop, 0, &addresses, &reply), HOP_OK);
	world->client = smtp_client_open(&(SmtpOpening){ .settings = world->settings, .hop = world->hop,
										.to = g_ptr_array_index(addresses, 0), .quirks = world->quirks },
		&world->reply, &(bool){ false });
}

void
world_start(World *world, const char *const *script, unsigned recipients)
{
	world_start_with_kind(world, HOP_LMTP, script, recipients, 0);
}

void
world_start_with(World *world, const char *const *script, unsigned recipients, size_t size)
{
	world_start_with_kind(world, HOP_LMTP, script, recipients, size);
}

void
world_start_smtp(World *world, const char *const *script, unsigned recipients)
{
	world_start_with_kind(world, HOP_SMTP, script, recipients, 0);
}

bool
world_send(World *world)
{
	const guint n = world->message->envelope->recipients->len;
	g_autofree guint *places = g_new(guint, n);
	const SmtpTask task = { world->message, places, n };

	for (guint i = 0; i < n; i++)
		places[i] = i;

	ASSERT_TEXT(world->reply, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(world->client);
	return smtp_client_send(world->client, &task, world->hop->kind == HOP_LMTP ? &task : NULL, world->results);
}

void
world_check(const World *world, guint i, SentStatus status, const char *reply)
{
	CU_ASSERT_EQUAL(world->results[i].status, status);
	ASSERT_TEXT(world->results[i].reply, reply);
}

void
world_end(World *world)
{
	smtp_client_close(world->client);
	g_thread_join(world->thread);
	ASSERT_TEXT(world->faults->str, "");
	for (size_t i = 0; i < G_N_ELEMENTS(world->results); i++)
		g_free(world->results[i].reply);
	spool_message_free(world->message);
	delivery_settings_free(world->settings);
	host_quirks_free(world->quirks);
	next_hop_free(world->hop);
	(void)close(world->listener);
	(void)unlink(world->path);
	fixture_free(world->spool);
	g_string_free(world->faults, TRUE);
	g_free(world->path);
	g_free(world->reply);
}
