/* test-stream.c - ptn_open() and what goes over it, with servers that hang, drip, close, babble, and break their TLS. */
#include "plugin-test.h"

#include <glib.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tls.h"
#include "unit/unit.h"

#define SERVER "192.0.2.25"
#define OTHER "192.0.2.26"
#define TLS_NAME "mx.example.net"

/* ---- the plugin: posternctl stream ask HOST, and line HOST ---- */

static PtnVerdict
show_reply(PtnHook *h, const PtnReply *reply)
{
	ptn_row(h, "code", ptn_format(h, "%d", reply->code), "enhanced", reply->enhanced, "text", reply->text, NULL);
	return PTN_NEXT;
}

static PtnVerdict
ask(PtnHook *h)
{
	PtnStream *stream = ptn_open(h, ptn_arguments(h)[0], 25, PTN_TLS_LATER);
	PtnReply reply;

	if (stream == NULL)
		return ptn_fail(h, "no connection");
	reply = ptn_smtp_hello(h, stream);
	if (reply.code == 250)
		reply = ptn_smtp(h, stream, "RCPT TO:<%s>", "x@example.net");
	(void)show_reply(h, &reply);
	if (ptn_arguments(h)[1] == NULL)
		return PTN_NEXT;
	reply = ptn_smtp(h, stream, "%s", ptn_arguments(h)[1]);
	return show_reply(h, &reply);
}

static PtnVerdict
lines(PtnHook *h)
{
	PtnStream *stream = ptn_open(h, ptn_arguments(h)[0], 25, PTN_PLAIN);
	const char *line;

	if (stream == NULL)
		return ptn_fail(h, "no connection");
	while ((line = ptn_read_line(h, stream)) != NULL)
		ptn_row(h, "size", ptn_format(h, "%zu", strlen(line)), "line", strlen(line) < 40 ? line : "long", NULL);
	return PTN_NEXT;
}

/* More than sockets take. */
static PtnVerdict
pour(PtnHook *h)
{
	PtnStream *stream = ptn_open(h, ptn_arguments(h)[0], 25, PTN_PLAIN);
	char *data = ptn_keep(h, PTN_FOR_HOOK, NULL, 8 << 20);

	memset(data, 'x', 8 << 20);
	ptn_row(h, "written", stream != NULL && ptn_write(h, stream, data, 8 << 20) ? "yes" : "no", NULL);
	return PTN_NEXT;
}

static PtnVerdict
trusted(PtnHook *h)
{
	ptn_row(h, "open", ptn_open(h, ptn_arguments(h)[0], 25, PTN_TLS_NOW) != NULL ? "yes" : "no", NULL);
	return PTN_NEXT;
}

static PtnVerdict
unix_socket(PtnHook *h)
{
	PtnStream *stream = ptn_open(h, ptn_arguments(h)[0], 0, PTN_PLAIN | PTN_ANYWHERE);
	const char *line = NULL;

	if (stream != NULL && ptn_write(h, stream, "NOOP\n", 5))
		line = ptn_read_line(h, stream);
	ptn_row(h, "line", line != NULL ? line : "none", "other-port",
		ptn_open(h, ptn_arguments(h)[0], 25, PTN_PLAIN) != NULL ? "open" : "no", NULL);
	return PTN_NEXT;
}

/* Whether it gets there as a host of anybody's, as one of the administrator's, and what is said of it before. */
static PtnVerdict
reach(PtnHook *h)
{
	const char *host = ptn_arguments(h)[0];
	const int port = strncmp(host, "unix:", 5) == 0 ? 0 : 25;

	ptn_row(h, "anybody", ptn_open(h, host, port, PTN_PLAIN) != NULL ? "yes" : "no", "administrator",
		ptn_open(h, host, port, PTN_PLAIN | PTN_ANYWHERE) != NULL ? "yes" : "no", "private",
		ptn_is_private(h, host, port) ? "yes" : "no", NULL);
	return PTN_NEXT;
}

static const PtnCommand commands[] = { { "ask", "HOST [COMMAND]", "", ask }, { "lines", "HOST", "", lines }, { "pour", "HOST", "", pour },
	{ "trusted", "HOST", "", trusted }, { "unix", "PATH", "", unix_socket },
	{ "reach", "HOST", "", reach }, { 0 } };
static const PtnPlugin plugin = { PTN_HEAD("stream"), .version = "1", .summary = "speaks", .commands = commands };

static PtnTest *
new_test(const char *deadline)
{
	char config[100];
	PtnTest *test;

	(void)snprintf(config, sizeof config, "[plugin stream]\ndeadline = %s\n", deadline);
	test = ptn_test_new(&plugin, config);
	ptn_test_dns(test, TLS_NAME, PTN_A, PTN_OK, SERVER, NULL);
	return test;
}

static bool
says(PtnTest *test, const char *verb, const char *expected)
{
	const char *said = ptn_test_command(test, "stream", verb, TLS_NAME, NULL);

	if (strstr(said, expected) != NULL)
		return true;
	fprintf(stderr, "\n%s: \"%s\" instead of \"%s\"\n", verb, said, expected);
	return false;
}

/* True if it ended within `most` microseconds of real time. */
static bool
ends_within(PtnTest *test, const char *verb, const char *expected, int64_t most)
{
	const int64_t begun = g_get_monotonic_time();

	return says(test, verb, expected) && g_get_monotonic_time() - begun < most;
}

/* ---- dialogs ---- */

static void
test_dialog(void)
{
	PtnTest *test = new_test("2s");

	ptn_test_dialog(test, SERVER, 25, "", "220-mx\n220 ESMTP", "EHLO", "250-mx\n250-SIZE 100\n250 PIPELINING", "RCPT",
		"250-2.1.5 two\n250-2.1.5 lines\n250 2.1.5 three", NULL);
	CU_ASSERT(says(test, "ask", "code=250 enhanced=2.1.5 text=two lines three\n"));
	ptn_test_dialog(test, SERVER, 25, "", "220 mx", "EHLO", "502 5.5.1 what?", "RCPT", "550 no", NULL);
	CU_ASSERT(says(test, "ask", "code=550 enhanced= text=no\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_heard(test, SERVER, 25), "HELO test.example.net\n"));
	ptn_test_dialog(test, SERVER, 25, "", "554-5.3.2 not\n554 5.3.2 now", NULL);
	CU_ASSERT(says(test, "ask", "code=554 enhanced=5.3.2 text=not now\n"));
	ptn_test_dialog(test, SERVER, 25, "", "421 busy", NULL);
	CU_ASSERT(says(test, "ask", "code=421 "));
	ptn_test_free(test);
}

static void
test_babble(void)
{
	static const char *const replies[] = { "", "25", "250_x", "hello", "250-a\n251 b", "999 x", "099 x", "close", "\xff\xfe",
		"250-more\nclose" };
	PtnTest *test = new_test("1s");

	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		ptn_test_dialog(test, SERVER, 25, "", "220 mx", "RCPT", replies[i], NULL);
		CU_ASSERT(says(test, "ask", "code=0 enhanced= text="));
	}
	ptn_test_free(test);
}

static void
test_no_reply(void)
{
	PtnTest *test = new_test("300ms");

	ptn_test_dialog(test, SERVER, 25, "", "silence", NULL);
	CU_ASSERT(ends_within(test, "ask", "code=0", 2 * PTN_SECOND));
	ptn_test_dialog(test, SERVER, 25, "", "220 mx", "RCPT", "silence", NULL);
	CU_ASSERT(ends_within(test, "ask", "code=0", 2 * PTN_SECOND));
	ptn_test_no_server(test, SERVER, 25);
	CU_ASSERT(says(test, "ask", "error: no connection"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "stream", "ask", "absent.example", NULL), "error: no connection"));
	ptn_test_free(test);
}

/* What comes after the time of its command answers no later one. */
static void
serve_late(int socket, void *data)
{
	static const char *const replies[] = { "220 mx\r\n", "250 mx\r\n", "550 late\r\n", "250 wrong\r\n" };
	char octets[1000];

	(void)data;
	for (size_t i = 0; i < 4; i++) {
		if (i == 2)
			g_usleep(1200000);
		if ((i > 0 && i != 3 && recv(socket, octets, sizeof octets, 0) <= 0) ||
			send(socket, replies[i], strlen(replies[i]), MSG_NOSIGNAL) < 0)
			return;
	}
	while (recv(socket, octets, sizeof octets, 0) > 0)
		;
}

static void
test_late_reply(void)
{
	PtnTest *test = new_test("1s");
	const char *said;

	ptn_test_server(test, SERVER, 25, serve_late, NULL);
	said = ptn_test_command(test, "stream", "ask", TLS_NAME, "NOOP", NULL);
	ASSERT_TEXT(said, "code=0 enhanced= text=no answer\ncode=0 enhanced= text=no answer\n");
	ptn_test_free(test);
}

static void
test_second_command(void)
{
	PtnTest *test = new_test("1s");
	const char *said;

	ptn_test_dialog(test, SERVER, 25, "", "220 mx", "RCPT", "550 5.1.1 no", "NOOP", "251 fine", NULL);
	said = ptn_test_command(test, "stream", "ask", TLS_NAME, "NOOP", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "code=550 enhanced=5.1.1 text=no\ncode=251 "));
	said = ptn_test_command(test, "stream", "ask", TLS_NAME, "NOOP\r\nDATA", NULL); /* two lines are not sent */
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "code=0 "));
	CU_ASSERT_PTR_NULL(strstr(ptn_test_heard(test, SERVER, 25), "DATA"));
	ptn_test_free(test);
}

/* ---- servers that take their time ---- */

static atomic_bool drips_forever;

/* An octet every 50 ms, as long as anybody listens. */
static void
serve_drips(int socket, void *data)
{
	const char *text = data;
	char octet;

	for (size_t i = 0; atomic_load(&drips_forever); i = text[i + 1] != '\0' ? i + 1 : 0) {
		struct pollfd peer = { .fd = socket, .events = POLLIN };

		if (send(socket, text + i, 1, MSG_NOSIGNAL) != 1)
			return;
		if (poll(&peer, 1, 50) > 0 && recv(socket, &octet, 1, MSG_DONTWAIT) == 0)
			return;
	}
}

static void
test_drip(void)
{
	PtnTest *test = new_test("500ms");

	atomic_store(&drips_forever, true);
	ptn_test_server(test, SERVER, 25, serve_drips, (void *)(uintptr_t)"2");
	CU_ASSERT(ends_within(test, "ask", "code=0", 3 * PTN_SECOND));
	ptn_test_server(test, SERVER, 25, serve_drips, (void *)(uintptr_t)"220-x\r\n");
	CU_ASSERT(ends_within(test, "ask", "code=0", 3 * PTN_SECOND));
	ptn_test_server(test, SERVER, 25, serve_drips, (void *)(uintptr_t)"a\n");
	CU_ASSERT(ends_within(test, "lines", "size=1 line=a\n", 3 * PTN_SECOND));
	atomic_store(&drips_forever, false);
	ptn_test_free(test);
}

static void
serve_flood(int socket, void *data)
{
	char octets[4096];

	memset(octets, *(const char *)data, sizeof octets);
	while (send(socket, octets, sizeof octets, MSG_NOSIGNAL) > 0)
		;
}

static void
test_flood(void)
{
	PtnTest *test = new_test("2s");

	ptn_test_server(test, SERVER, 25, serve_flood, (void *)(uintptr_t)"2");
	CU_ASSERT(ends_within(test, "ask", "code=0", PTN_SECOND)); /* a line without an end is given up by its length */
	ASSERT_TEXT(ptn_test_command(test, "stream", "lines", TLS_NAME, NULL), "");
	ptn_test_free(test);
}

static void
serve_lines(int socket, void *data)
{
	(void)send(socket, "one\r\ntwo\n\r\nlast", 15, MSG_NOSIGNAL);
	(void)data;
}

static void
test_lines(void)
{
	PtnTest *test = new_test("1s");

	ptn_test_server(test, SERVER, 25, serve_lines, NULL);
	ASSERT_TEXT(ptn_test_command(test, "stream", "lines", TLS_NAME, NULL),
		"size=3 line=one\nsize=3 line=two\nsize=0 line=\n");
	ptn_test_free(test);
}

static void
serve_deaf(int socket, void *data)
{
	struct pollfd peer = { .fd = socket, .events = POLLRDHUP };

	(void)data;
	(void)poll(&peer, 1, 10000);
}

static void
test_deaf(void)
{
	PtnTest *test = new_test("500ms");

	ptn_test_server(test, SERVER, 25, serve_deaf, NULL);
	CU_ASSERT(ends_within(test, "pour", "written=no", 4 * PTN_SECOND));
	ptn_test_free(test);
}

static void
test_two_addresses(void)
{
	PtnTest *test = new_test("1s");

	ptn_test_dns(test, TLS_NAME, PTN_AAAA, PTN_OK, "2001:db8::25", NULL);
	ptn_test_dns(test, TLS_NAME, PTN_A, PTN_OK, SERVER, OTHER, NULL);
	ptn_test_dialog(test, OTHER, 25, "", "220 mx", "RCPT", "250 2.1.5 other", NULL);
	CU_ASSERT(says(test, "ask", "text=other"));
	ptn_test_free(test);
}

/* ---- TLS ---- */

typedef struct {
	TlsServer *tls;
	enum { TLS_GOOD, TLS_CLOSES, TLS_BABBLES, TLS_HANGS, TLS_DRIPS, TLS_SAYS_NO } kind;
	atomic_int sessions;
} TlsPeer;

static bool
peer_says(int socket, SSL *tls, const char *text)
{
	if (tls != NULL)
		return SSL_write(tls, text, (int)strlen(text)) > 0;
	return send(socket, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static bool
peer_hears(int socket, SSL *tls, char *line, size_t size)
{
	size_t n = 0;

	while (n + 1 < size) {
		if ((tls != NULL ? SSL_read(tls, line + n, 1) : (int)recv(socket, line + n, 1, 0)) != 1)
			return false;
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return true;
}

/* What is behind "220" to STARTTLS; NULL: the end. */
static SSL *
peer_secures(int socket, TlsPeer *peer)
{
	SSL *tls;

	if (peer->kind == TLS_BABBLES)
		(void)peer_says(socket, NULL, "\x15 this is no TLS at all, and will never be\r\n");
	if (peer->kind == TLS_HANGS)
		serve_deaf(socket, NULL);
	if (peer->kind == TLS_DRIPS) { /* a record of 16 KiB, octet by octet */
		atomic_store(&drips_forever, true);
		(void)send(socket, "\x16\x03\x03\x3f\xff", 5, MSG_NOSIGNAL);
		serve_drips(socket, (void *)(uintptr_t)"x");
	}
	if (peer->kind != TLS_GOOD)
		return NULL;
	tls = tls_server_session(peer->tls, socket);
	if (SSL_accept(tls) == 1)
		return tls;
	SSL_free(tls);
	return NULL;
}

static void
serve_tls(int socket, void *data)
{
	TlsPeer *peer = data;
	char line[500];
	SSL *tls = NULL;

	(void)atomic_fetch_add(&peer->sessions, 1);
	if (!peer_says(socket, NULL, "220 mx\r\n"))
		return;
	while (peer_hears(socket, tls, line, sizeof line)) {
		if (strncmp(line, "STARTTLS", 8) == 0 && peer->kind == TLS_SAYS_NO) {
			(void)peer_says(socket, tls, "454 4.7.0 not now\r\n");
		} else if (strncmp(line, "STARTTLS", 8) == 0) {
			(void)peer_says(socket, tls, "220 2.0.0 go\r\n250 2.1.5 injected\r\n");
			tls = peer_secures(socket, peer);
			if (tls == NULL)
				return;
		} else if (strncmp(line, "EHLO", 4) == 0) {
			(void)peer_says(socket, tls, tls != NULL ? "250 mx\r\n" : "250-mx\r\n250 STARTTLS\r\n");
		} else {
			(void)peer_says(socket, tls, tls != NULL ? "250 2.1.5 secure\r\n" : "250 2.1.5 clear\r\n");
		}
	}
	SSL_free(tls);
}

static TlsServer *
new_tls(void)
{
	char *place = unit_new_directory();
	char *certificate = g_strdup_printf("%s/crt", place), *key = g_strdup_printf("%s/key", place);
	const TlsCertificate rows[] = { { NULL, certificate, key }, { 0 } };
	const TlsServerSettings settings = { .certificates = rows, .minimum = TLS1_2_VERSION };
	TlsServer *server;

	CU_ASSERT_FATAL(tls_make_certificate(TLS_NAME, certificate, key, NULL));
	server = tls_server_new(&settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	unit_remove_directory(place);
	g_free(place);
	g_free(certificate);
	g_free(key);
	return server;
}

static void
check_tls(int kind, const char *expected, int sessions)
{
	TlsPeer peer = { .tls = new_tls(), .kind = (unsigned)kind };
	PtnTest *test = new_test("2s");

	ptn_test_server(test, SERVER, 25, serve_tls, &peer);
	CU_ASSERT(ends_within(test, "ask", expected, 5 * PTN_SECOND));
	CU_ASSERT_EQUAL(atomic_load(&peer.sessions), sessions);
	atomic_store(&drips_forever, false);
	ptn_test_free(test);
	tls_server_unref(peer.tls);
}

static void
test_starttls(void)
{
	check_tls(TLS_GOOD, "text=secure\n", 1); /* and what was said before the handshake is no reply */
	check_tls(TLS_SAYS_NO, "text=clear\n", 1);
}

/* Asked once more, in clear. */
static void
test_broken_starttls(void)
{
	check_tls(TLS_CLOSES, "text=clear\n", 2);
	check_tls(TLS_BABBLES, "text=clear\n", 2);
	check_tls(TLS_HANGS, "text=clear\n", 2);
	check_tls(TLS_DRIPS, "text=clear\n", 2);
}

static void
serve_tls_now(int socket, void *data)
{
	SSL *tls = tls_server_session(((TlsPeer *)data)->tls, socket);

	(void)SSL_accept(tls);
	SSL_free(tls);
}

static void
test_tls_now(void)
{
	TlsPeer peer = { .tls = new_tls() };
	PtnTest *test = new_test("1s");

	ptn_test_server(test, SERVER, 25, serve_tls_now, &peer);
	CU_ASSERT(says(test, "trusted", "open=no")); /* nobody vouches for this certificate */
	ptn_test_free(test);
	tls_server_unref(peer.tls);
}

/* Where customers and foreign DNS cannot lead: every way to write an address of the inside. */
static void
test_reach(void)
{
	static const char *const inside[] = { "127.0.0.1", "10.0.0.5", "169.254.169.254", "0.0.0.0", "::1", "fd00::5",
		"::ffff:10.0.0.5", "64:ff9b::a00:5", "2002:a00:5::", "100.64.0.1", "224.0.0.1", "255.255.255.255" };
	static const char *const servers[] = { "127.0.0.1", "10.0.0.5", "169.254.169.254", "0.0.0.0", "::1", "fd00::5",
		"10.0.0.5", "64:ff9b::a00:5", "2002:a00:5::", "100.64.0.1", "224.0.0.1", "255.255.255.255" };
	PtnTest *test = ptn_test_new(&plugin, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(inside); i++) {
		ptn_test_dialog(test, servers[i], 25, "", "220 inside", NULL);
		ASSERT_TEXT(ptn_test_command(test, "stream", "reach", inside[i], NULL),
			"anybody=no administrator=yes private=yes\n");
	}
	ptn_test_dialog(test, "unix:/run/peer", 0, "", "hello", NULL);
	ASSERT_TEXT(ptn_test_command(test, "stream", "reach", "unix:/run/peer", NULL),
		"anybody=no administrator=yes private=no\n");
	ptn_test_dialog(test, "1.2.3.4", 25, "", "220 outside", NULL);
	ASSERT_TEXT(ptn_test_command(test, "stream", "reach", "1.2.3.4", NULL), "anybody=yes administrator=yes private=no\n");
	ptn_test_dns(test, "two.example", PTN_A, PTN_OK, "10.0.0.5", "1.2.3.4", NULL);
	ASSERT_TEXT(
		ptn_test_command(test, "stream", "reach", "two.example", NULL), "anybody=yes administrator=yes private=no\n");
	ptn_test_no_server(test, "1.2.3.4", 25);
	ASSERT_TEXT(
		ptn_test_command(test, "stream", "reach", "two.example", NULL), "anybody=no administrator=yes private=no\n");
	ptn_test_dns(test, "unsure.example", PTN_A, PTN_UNSURE, NULL);
	ptn_test_dns(test, "unsure.example", PTN_AAAA, PTN_OK, "::1", NULL);
	ASSERT_TEXT(
		ptn_test_command(test, "stream", "reach", "unsure.example", NULL), "anybody=no administrator=yes private=no\n");
	ptn_test_free(test);
}

static void
test_unix(void)
{
	PtnTest *test = new_test("1s");

	ptn_test_dialog(test, "unix:/run/peer", 0, "", "hello", NULL);
	ASSERT_TEXT(ptn_test_command(test, "stream", "unix", "unix:/run/peer", NULL), "line=hello other-port=no\n");
	ASSERT_TEXT(ptn_test_command(test, "stream", "unix", "unix:/run/other", NULL), "line=none other-port=no\n");
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "a Unix socket is a host, and has no port", test_unix },
	{ "what the administrator did not write must be public", test_reach },
	{ "a dialog: replies of several lines, HELO behind EHLO, greetings that refuse", test_dialog },
	{ "what is no reply is none", test_babble },
	{ "a server that says nothing, and none", test_no_reply },
	{ "a reply that comes too late answers no other command", test_late_reply },
	{ "commands one after the other, one line each", test_second_command },
	{ "a server that drips meets the deadline", test_drip },
	{ "a server that floods is given up", test_flood },
	{ "lines", test_lines },
	{ "a server that takes nothing meets the deadline", test_deaf },
	{ "the first of several addresses that answers", test_two_addresses },
	{ "STARTTLS is used where it is offered", test_starttls },
	{ "where it is broken, the server is asked in clear", test_broken_starttls },
	{ "TLS from the start is verified", test_tls_now },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "stream", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	(void)signal(SIGPIPE, SIG_IGN); /* as the daemon does */
	return unit_main(argc, argv, suites);
}
