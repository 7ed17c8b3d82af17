/* test-smtp-client.c - one transaction over LMTP against a peer that says what its script says. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "suites.h"
#include "unit/engine/smtp-peer.h"

static void
test_replies(void)
{
	static const char *const script[] = { "S: 220 store", "C: LHLO out.example.net",
		"S: 250-store\r\n250-PIPELINING\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES", "C: MAIL FROM:<", "C: RCPT TO:<r0@example.net>",
		"C: RCPT TO:<r1@", "C: RCPT TO:<r2@", "C: RCPT TO:<r3@", "C: DATA", "S: 250 2.1.0 ok", "S: 250 2.1.5 ok",
		"S: 550 5.1.1 no mailbox", "S: 250 2.1.5 ok", "S: 250 2.1.5 ok", "S: 354 go", "C: CONTENT", "S: 250 2.0.0 stored",
		"S: 452 4.2.2 full", "S: 552 5.2.2 over quota", "C: QUIT", NULL };
	World world;

	world_start(&world, script, 4);
	CU_ASSERT_TRUE(world_send(&world));
	CU_ASSERT_FALSE(smtp_client_is_ahead(world.client));
	world_check(&world, 0, SENT_OK, "250 2.0.0 stored");
	world_check(&world, 1, SENT_FAILED, "550 5.1.1 no mailbox");
	world_check(&world, 2, SENT_DEFERRED, "452 4.2.2 full");
	world_check(&world, 3, SENT_FAILED, "552 5.2.2 over quota");
	CU_ASSERT_TRUE(world.results[0].is_final);
	CU_ASSERT_FALSE(smtp_client_relays_dsn(world.client));
	world_end(&world);
}

static void
test_one_by_one(void)
{
	static const char *const script[] = { "S: 220 store", "C: LHLO ", "S: 250 store", "C: MAIL FROM:<",
		"S: 250 2.1.0 ok", "C: RCPT TO:<r0@", "S: 250 2.1.5 ok", "C: RCPT TO:<r1@", "S: 250 2.1.5 ok", "C: DATA",
		"S: 354 go", "C: CONTENT", "S: 250 2.0.0 stored", "S: 250 2.0.0 stored, too", "C: QUIT", NULL };
	World world;

	world_start(&world, script, 2);
	CU_ASSERT_TRUE(world_send(&world));
	world_check(&world, 0, SENT_OK, "250 2.0.0 stored");
	world_check(&world, 1, SENT_OK, "250 2.0.0 stored, too");
	world_end(&world);
}

static void
test_lost(void)
{
	static const char *const script[] = { "S: 220 store", "C: LHLO ", "S: 250-store\r\n250 PIPELINING", "C: MAIL FROM:<",
		"C: RCPT TO:<r0@", "C: RCPT TO:<r1@", "C: RCPT TO:<r2@", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 250 ok",
		"S: 250 ok", "S: 354 go", "C: CONTENT", "S: 250 2.0.0 stored", NULL };
	World world;

	world_start(&world, script, 3);
	CU_ASSERT_FALSE(world_send(&world));
	world_check(&world, 0, SENT_OK, "250 2.0.0 stored");
	CU_ASSERT_EQUAL(world.results[1].status, SENT_DEFERRED);
	CU_ASSERT_EQUAL(world.results[2].status, SENT_DEFERRED);
	CU_ASSERT_FALSE(world.results[2].is_remote);
	world_end(&world);
}

/* What was verified is read differently while it is sent: the connection breaks before the final dot. */
static void
test_unread(void)
{
	static const char *const script[] = { "S: 220 store", "C: LHLO ", "S: 250-store\r\n250 PIPELINING",
		"C: MAIL FROM:<", "C: RCPT TO:<r0@", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 354 go", "C: TORN", NULL };
	World world;
	g_autofree char *path = NULL;
	FILE *file;

	world_start_with(&world, script, 1, 1 << 20);
	path = g_build_filename(world.spool->directory, "content/0000000000000001", NULL);
	file = fopen(path, "r+");
	CU_ASSERT_FATAL(file != NULL && fseek(file, 900000, SEEK_SET) == 0 && fputc('#', file) == '#');
	CU_ASSERT_EQUAL(fclose(file), 0);
	CU_ASSERT_FALSE(world_send(&world));
	CU_ASSERT_EQUAL(world.results[0].status, SENT_DEFERRED);
	CU_ASSERT_FALSE(world.results[0].is_remote);
	CU_ASSERT_TRUE(g_str_has_prefix(world.results[0].reply, "4.3.0 the message cannot be read: "));
	world_end(&world);
}

/* EHLO and HELO would make it another protocol: who knows no LHLO stores nothing. */
static void
test_no_lmtp(void)
{
	static const char *const script[] = { "S: 220 store", "C: LHLO ", "S: 500 5.5.1 what?", "C: QUIT", NULL };
	World world;

	world_start(&world, script, 1);
	CU_ASSERT_PTR_NULL(world.client);
	CU_ASSERT_TRUE(g_str_has_prefix(world.reply, "4.4.1 "));
	CU_ASSERT_PTR_NOT_NULL(strstr(world.reply, ": 500 5.5.1 what? (in reply to LHLO)"));
	world_end(&world);
}

static void
test_nobody(void)
{
	static const char *const script[] = { "S: 220 store", "C: LHLO ", "S: 250-store\r\n250 PIPELINING",
		"C: MAIL FROM:<", "C: RCPT TO:<r0@", "C: DATA", "S: 250 ok", "S: 550 5.1.1 no", "S: 503 5.5.1 nobody",
		"C: RSET", "S: 250 ok", "C: MAIL FROM:<", "C: RCPT TO:<r0@", "C: DATA", "S: 250 ok", "S: 550 5.1.1 no",
		"S: 354 whom?", "C: END", NULL };
	World world;

	world_start(&world, script, 1);
	CU_ASSERT_TRUE(world_send(&world));
	world_check(&world, 0, SENT_FAILED, "550 5.1.1 no");
	CU_ASSERT_FALSE(world_send(&world));
	world_check(&world, 0, SENT_FAILED, "550 5.1.1 no");
	world_end(&world);
}

/* ---- logins ---- */

/* A peer at 127.0.0.1; 0.0.0.0 leads there, too, and is not loopback by its text. */
static void
world_meet_tcp(World *world, const char *const *script, const char *at)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	g_autoptr(GPtrArray) addresses = NULL;
	g_autofree char *hop = NULL, *reply = NULL;

	*world = (World){ .script = script, .faults = g_string_new(NULL), .settings = delivery_settings_new() };
	world->settings->helo = g_strdup("out.example.net");
	world->settings->command_us = 20 * CLOCK_SECOND;
	world->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(world->listener, (const struct sockaddr *)&address, sizeof address), 0);
	CU_ASSERT_EQUAL_FATAL(listen(world->listener, 5), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(world->listener, (struct sockaddr *)&address, &size), 0);
	hop = g_strdup_printf("smtp://relay@[%s]:%u", at, ntohs(address.sin_port));
	world->hop = next_hop_parse(hop, TLS_MAY, NULL);
	world->hop->password = g_strdup("secret");
	world->hop->is_trusted = true;
	world->thread = g_thread_new("peer", peer_run, world);
	CU_ASSERT_EQUAL(route_addresses(NULL, world->settings, world->hop, 0, &addresses, &reply), HOP_OK);
	world->client = smtp_client_open(&(SmtpOpening){ .settings = world->settings, .hop = world->hop,
										.to = g_ptr_array_index(addresses, 0) },
		&world->reply, &(bool){ false });
}

static void
world_part_tcp(World *world)
{
	smtp_client_close(world->client);
	g_thread_join(world->thread);
	ASSERT_TEXT(world->faults->str, "");
	delivery_settings_free(world->settings);
	next_hop_free(world->hop);
	(void)close(world->listener);
	g_string_free(world->faults, TRUE);
	g_free(world->reply);
}

/* A configuration like this is a mistake; the client does not rely on that. */
static void
test_login_in_clear(void)
{
	static const char *const stripped[] = { "S: 220 relay", "C: EHLO ", "S: 250-relay\r\n250 AUTH PLAIN LOGIN",
		"C: QUIT", NULL };
	static const char *const refused[] = { "S: 220 relay", "C: EHLO ",
		"S: 250-relay\r\n250-STARTTLS\r\n250 AUTH LOGIN", "C: STARTTLS", "S: 454 4.7.0 not now", "C: EHLO ",
		"S: 250-relay\r\n250 AUTH LOGIN", "C: QUIT", NULL };
	static const char *const local[] = { "S: 220 relay", "C: EHLO ", "S: 250-relay\r\n250 AUTH PLAIN", "C: AUTH PLAIN ",
		"S: 235 2.7.0 ok", "C: QUIT", NULL };
	static const char *const *const scripts[] = { stripped, refused };
	World world;

	for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
		world_meet_tcp(&world, scripts[i], "0.0.0.0");
		CU_ASSERT_PTR_NULL(world.client);
		CU_ASSERT_TRUE(g_str_has_prefix(world.reply, "4.7.4 "));
		CU_ASSERT_PTR_NOT_NULL(strstr(world.reply, "offers no TLS, and the login of user relay is not sent in clear"));
		world_part_tcp(&world);
	}
	world_meet_tcp(&world, local, "127.0.0.1");
	CU_ASSERT_PTR_NOT_NULL(world.client);
	world_part_tcp(&world);
}

/* A smarthost that does not let us in is ours to mend: whatever it says, mail is deferred. */
static void
test_login_refused(void)
{
	static const char *const replies[] = { "421 4.3.2 bye", "432 4.7.12 change it", "454 4.7.0 later", "500 5.5.6 long", "501 5.5.2 what",
		"503 5.5.1 order", "504 5.5.4 unknown", "530 5.7.0 first", "534 5.7.9 weak", "535 5.7.8 wrong", "538 5.7.11 clear", "550 5.7.1 no",
		"334 more" };

	for (size_t i = 0; i < G_N_ELEMENTS(replies); i++) {
		g_autofree char *reply = g_strdup_printf("S: %s", replies[i]);
		g_autofree char *said = g_strdup_printf(" refused our login: %.3s ", replies[i]);
		const char *const script[] = { "S: 220 relay", "C: EHLO ", "S: 250-relay\r\n250 AUTH PLAIN", "C: AUTH PLAIN ", reply, "C: QUIT",
			NULL };
		World world;

		world_meet_tcp(&world, script, "127.0.0.1");
		CU_ASSERT_PTR_NULL(world.client);
		CU_ASSERT_TRUE(g_str_has_prefix(world.reply, "4.7.8 "));
		if (strstr(world.reply, said) == NULL)
			ASSERT_TEXT(world.reply, said);
		world_part_tcp(&world);
	}
}

static const UnitTest tests[] = {
	{ "Q-07 a login that is refused defers, whatever the code", test_login_refused },
	{ "a login is not sent in clear, unless to this machine", test_login_in_clear },
	{ "LMTP: a reply for each recipient that was accepted, DSN is ours, nothing goes ahead", test_replies },
	{ "LMTP: a server that does not pipeline", test_one_by_one },
	{ "LMTP: what was told holds when the server is gone before it has told the rest", test_lost },
	{ "Q-02 content that cannot be read to its end gets no final dot", test_unread },
	{ "LMTP: who knows no LHLO is asked nothing else", test_no_lmtp },
	{ "LMTP: where nobody is accepted no reply is waited for", test_nobody },
	{ NULL, NULL },
};

const UnitSuite suite_smtp_client = { "smtp-client", tests };
