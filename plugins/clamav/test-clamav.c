/* test-clamav.c - the plugin clamav in the test host. */
#include "plugin-test.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>

#include "plugins/clamav/clamd.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_clamav;

#define SOCKET "unix:/run/clamav/clamd.ctl"
#define SENDER "user@example.net"
#define INFECTED "550 5.7.1 Message contains Test.Signature\n"
#define QUICK "[plugin clamav]\ndeadline = 300ms\npatience = 2\n"

/* Makes a copy to the archive, as bcc-mirror would. */
static PtnVerdict
copy(PtnHook *h)
{
	(void)ptn_copy(h, "", "archive@example.net");
	return PTN_NEXT;
}

static const PtnHookRow copier_hooks[] = { { PTN_MESSAGE, copy, PTN_INLINE }, { 0 } };
static const PtnPlugin copier = { PTN_HEAD("copier"), .version = "1", .summary = "copies", .hooks = copier_hooks };

/* ---- a clamd: calls infected what has "virus" in it ---- */

typedef struct {
	const char *answer; /* to a scan, in place of what it finds; "" closes, NULL: none */
	const char *version;
	size_t takes; /* octets, then it says that this is too much, and closes; 0: any number */
	bool is_silent;
	size_t scanned, longest_piece; /* of the last scan */
	char begin[50];
} Clamd;

static bool
receive(int socket, void *data, size_t size)
{
	return size == 0 || recv(socket, data, size, MSG_WAITALL) == (ssize_t)size;
}

static void
say(int socket, const char *line)
{
	(void)send(socket, line, strlen(line), MSG_NOSIGNAL);
	(void)send(socket, "\n", 1, MSG_NOSIGNAL);
}

static bool
receive_stream(int socket, Clamd *clamd, GByteArray *stream)
{
	uint32_t length;

	clamd->longest_piece = 0;
	for (;;) {
		const guint had = stream->len;

		if (!receive(socket, &length, sizeof length))
			return false;
		length = ntohl(length);
		if (length == 0)
			break;
		clamd->longest_piece = MAX(clamd->longest_piece, length);
		if (clamd->takes > 0 && had + length > clamd->takes) {
			say(socket, "INSTREAM size limit exceeded. ERROR");
			return false;
		}
		g_byte_array_set_size(stream, had + length);
		if (!receive(socket, stream->data + had, length))
			return false;
	}
	clamd->scanned = stream->len;
	(void)g_strlcpy(clamd->begin, (const char *)stream->data, MIN(sizeof clamd->begin, stream->len));
	return true;
}

static void
serve(int socket, void *data)
{
	Clamd *clamd = data;
	g_autoptr(GByteArray) stream = g_byte_array_new();
	char line[20] = "";

	for (size_t n = 0; n + 1 < sizeof line && (n == 0 || line[n - 1] != '\n'); n++)
		if (!receive(socket, line + n, 1))
			return;
	if (clamd->is_silent) {
		while (receive(socket, line, 1))
			;
	} else if (strcmp(line, "nPING\n") == 0) {
		say(socket, "PONG");
	} else if (strcmp(line, "nVERSION\n") == 0) {
		say(socket, clamd->version);
	} else if (strcmp(line, "nINSTREAM\n") == 0 && receive_stream(socket, clamd, stream)) {
		const bool is_infected = g_strstr_len((char *)stream->data, stream->len, "virus") != NULL;

		if (clamd->answer == NULL || clamd->answer[0] != '\0')
			say(socket, clamd->answer != NULL ? clamd->answer
						: is_infected         ? "stream: Test.Signature FOUND"
											  : "stream: OK");
	}
}

static PtnTest *
new_test(const char *config, Clamd *clamd)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &copier, &ptn_plugin_clamav, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	if (clamd != NULL)
		ptn_test_server(test, SOCKET, 0, serve, clamd);
	ptn_test_entry(test, PTN_ACCOUNT, SENDER, "password", "unused", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, SENDER, "x");
	return test;
}

/* A message with this body gets this answer; it is queued, with its copy, or not at all. */
static void
check(PtnTest *test, const char *body, const char *start)
{
	g_autofree char *content = g_strdup_printf("From: a@example.net\r\nX-Postern-Virus: none\r\n\r\n%s\r\n", body);
	const size_t before = ptn_test_queued(test);
	const char *reply = ptn_test_submit(test, SENDER, "rcpt@example.org", content);
	g_autofree char *actual = g_strndup(reply, strlen(start));

	ASSERT_TEXT(actual, start);
	CU_ASSERT_EQUAL(ptn_test_queued(test), before + (reply[0] == '2' ? 2 : 0));
}

/* A tick at the end of it, and what it starts. */
static void
let_pass(PtnTest *test, int64_t time)
{
	ptn_test_advance(test, time);
	ptn_test_finish_work(test);
}

/* ---- scanning ---- */

static void
test_infected(void)
{
	Clamd clamd = { 0 };
	PtnTest *test = new_test(NULL, &clamd);

	check(test, "a virus", INFECTED);
	check(test, "nothing", "250 ");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.clamav.infected"), 1);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.clamav.clean"), 1);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "clamav.servers"));
	ptn_test_free(test);
}

/* The whole of it, in pieces, the last octets too. */
static void
test_large(void)
{
	g_autofree char *filler = g_strnfill(700, 'x');
	g_autoptr(GString) body = g_string_new(NULL);
	Clamd clamd = { 0 };
	PtnTest *test = new_test(NULL, &clamd);

	for (unsigned i = 0; i < 1500; i++)
		g_string_append_printf(body, "%s\r\n", filler);
	check(test, body->str, "250 ");
	CU_ASSERT_TRUE(clamd.scanned > body->len && clamd.scanned < body->len + 500);
	CU_ASSERT_EQUAL(clamd.longest_piece, 64 * 1024);
	CU_ASSERT_TRUE(g_str_has_prefix(clamd.begin, "Received: by postern\r\nFrom: a@example.net\r\n"));
	g_string_append(body, "virus");
	check(test, body->str, INFECTED);
	ptn_test_free(test);
}

static void
test_limit(void)
{
	g_autofree char *body = g_strnfill(900, 'x');
	g_autoptr(GString) long_body = g_string_new(NULL);
	Clamd clamd = { .takes = 100000 };
	PtnTest *test = new_test(NULL, &clamd);

	for (unsigned i = 0; i < 5000; i++)
		g_string_append_printf(long_body, "%s\r\n", body);
	/* too large for clamd, which says so and closes */
	check(test, long_body->str, "550 5.7.1 Message has more octets than can be scanned for viruses");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.clamav.unscanned"), 1);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "clamav.servers"));
	ptn_test_free(test);
	test = new_test("[plugin clamav]\non-limit = defer\n", &clamd);
	check(test, long_body->str, "450 4.7.1 Message has more octets than can be scanned for viruses");
	ptn_test_free(test);
	test = new_test("[plugin clamav]\non-limit = pass\n", &clamd);
	check(test, long_body->str, "250 ");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_note(test, 0, "clamav.unscanned"), "too large, 45"));
	ptn_test_free(test);
	test = new_test("[plugin clamav]\nmost-size = 1K\n", &clamd);
	check(test, body, "250 ");
	g_string_truncate(long_body, 1000);
	check(test, long_body->str, "550 5.7.1 Message has more octets than can be scanned for viruses");
	CU_ASSERT_EQUAL(ptn_test_connections(test, SOCKET, 0), 1);
	ptn_test_free(test);
}

static void
test_actions(void)
{
	Clamd clamd = { 0 };
	PtnTest *test = new_test("[plugin clamav]\naction = hold\n", &clamd);

	check(test, "a virus", "250 ");
	CU_ASSERT_TRUE(ptn_test_queued_is_held(test, 0));
	check(test, "nothing", "250 ");
	CU_ASSERT_FALSE(ptn_test_queued_is_held(test, 2));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 2), "\r\nX-Postern-Virus: none\r\n"));
	ptn_test_free(test);
	test = new_test("[plugin clamav]\naction = tag\n", &clamd);
	check(test, "a virus", "250 ");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 0), "\r\nX-Postern-Virus: Test.Signature\r\n"));
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, 0), "X-Postern-Virus: none"));
	CU_ASSERT_FALSE(ptn_test_queued_is_held(test, 0));
	check(test, "nothing", "250 ");
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, 2), "X-Postern-Virus"));
	ptn_test_free(test);
	test = new_test("[plugin clamav]\ntext = %{signature} was found, %{signature}!\n", &clamd);
	check(test, "a virus", "550 5.7.1 Test.Signature was found, Test.Signature!\n");
	ptn_test_free(test);
}

static void
test_ignored(void)
{
	Clamd clamd = { .answer = "stream: Heuristics.Encrypted.Zip FOUND" };
	PtnTest *test = new_test("[plugin clamav]\nignore = PUA.* Heuristics.Encrypted.*\n", &clamd);

	check(test, "a virus", "250 ");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.clamav.ignored"), 1);
	clamd.answer = "stream: Heuristics.Phishing FOUND";
	check(test, "a virus", "550 5.7.1 Message contains Heuristics.Phishing\n");
	ptn_test_free(test);
}

/* The name stands in a reply: what clamd says is cleaned. */
static void
test_names(void)
{
	static const struct {
		const char *answer, *reply;
	} cases[] = { { "stream: A B FOUND", "550 5.7.1 Message contains A B\n" },
		{ "stream: x\x01\xff\ty FOUND", "550 5.7.1 Message contains x???y\n" },
		{ "stream: Eicar(44d88612fea8a8f36de82e1278abb02f:68) FOUND", "550 5.7.1 Message contains Eicar(44d8" },
		{ "stream: FOUND FOUND", "550 5.7.1 Message contains FOUND\n" }, { "stream:  FOUND", "451 " },
		{ "FOUND", "451 " }, { "OK", "451 " }, { "stream: OK then", "451 " },
		{ "stream: Can't allocate memory ERROR", "451 " }, { "", "451 " }, { "UNKNOWN COMMAND", "451 " } };
	g_autofree char *many = g_strnfill(5000, 'n'), *answer = g_strdup_printf("stream: %s FOUND", many);
	Clamd clamd = { 0 };
	PtnTest *test = new_test("[plugin clamav]\npatience = 100\n", &clamd);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		clamd.answer = cases[i].answer;
		check(test, "a virus", cases[i].reply);
	}
	clamd.answer = answer;
	check(test, "a virus", "550 5.7.1 Message contains nnnn");
	CU_ASSERT_TRUE(strlen(ptn_test_reply(test)) < 200);
	ptn_test_free(test);
}

static void
test_exempt(void)
{
	static const char content[] = "Subject: x\r\n\r\na virus\r\n";
	Clamd clamd = { 0 };
	PtnTest *test = new_test(NULL, &clamd);

	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "abuse@anywhere.example", content)[0], '2');
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "1@reports.spamcop.net", content)[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 2); /* no copies, which go to others */
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "abuse@anywhere.example", "Subject: x\r\n\r\nclean\r\n")[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 4);
	(void)ptn_test_say(
		test, "MAIL FROM:<" SENDER ">\r\nRCPT TO:<abuse@anywhere.example>\r\nRCPT TO:<x@example.org>\r\nDATA");
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "\r\na virus\r\n."), "550 5.7.1", 9), 0);
	ptn_test_free(test);
}

/* ---- servers in trouble ---- */

static void
test_unreachable(void)
{
	Clamd clamd = { 0 };
	PtnTest *test = new_test(NULL, NULL);

	check(test, "nothing", "451 4.3.0");
	ASSERT_TEXT(
		ptn_test_alarm(test, "clamav.servers"), "clamd at " SOCKET " cannot be reached: messages are put off");
	ptn_test_server(test, SOCKET, 0, serve, &clamd);
	check(test, "nothing", "250 ");
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "clamav.servers"));
	ptn_test_free(test);
}

static void
test_passes(void)
{
	Clamd clamd = { 0 };
	PtnTest *test = new_test("[plugin clamav]\non-error = pass\n", NULL);

	check(test, "a virus", "250 ");
	ASSERT_TEXT(ptn_test_alarm(test, "clamav.servers"),
		"clamd at " SOCKET " cannot be reached: messages are passed unscanned");
	ptn_test_server(test, SOCKET, 0, serve, &clamd);
	check(test, "a virus", INFECTED);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "clamav.servers"));
	ptn_test_free(test);
}

static void
test_silent(void)
{
	Clamd clamd = { .is_silent = true };
	PtnTest *test = new_test(QUICK, &clamd);

	check(test, "nothing", "451 4.3.0");
	ASSERT_TEXT(ptn_test_alarm(test, "clamav.servers"),
		"clamd at " SOCKET " does not answer in time: messages are put off");
	check(test, "nothing", "451 4.3.0");
	CU_ASSERT_EQUAL(ptn_test_connections(test, SOCKET, 0), 2);
	check(test, "nothing", "451 4.3.0"); /* not asked any more */
	CU_ASSERT_EQUAL(ptn_test_connections(test, SOCKET, 0), 2);
	let_pass(test, 6 * PTN_SECOND); /* a test, which fails */
	CU_ASSERT_EQUAL(ptn_test_connections(test, SOCKET, 0), 3);
	clamd.is_silent = false;
	let_pass(test, 10 * PTN_SECOND); /* not yet another one */
	check(test, "nothing", "451 4.3.0");
	CU_ASSERT_EQUAL(ptn_test_connections(test, SOCKET, 0), 3);
	let_pass(test, 30 * PTN_SECOND);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "clamav.servers"));
	check(test, "a virus", INFECTED);
	ptn_test_free(test);
}

/* Nobody need send mail for the alarm to come and go. */
static void
test_tick(void)
{
	Clamd clamd = { 0 };
	PtnTest *test = new_test(NULL, NULL);

	let_pass(test, 6 * PTN_SECOND);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "clamav.servers"));
	ptn_test_server(test, SOCKET, 0, serve, &clamd);
	let_pass(test, 31 * PTN_SECOND);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "clamav.servers"));
	clamd.answer = "stream: no room ERROR";
	let_pass(test, 61 * PTN_SECOND);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_alarm(test, "clamav.servers"), "answers \"stream: no room ERROR\": messages"));
	ptn_test_free(test);
}

/* An error of clamd is told at once, and the server is not left out for it. */
static void
test_error(void)
{
	Clamd clamd = { .answer = "stream: no room ERROR" };
	PtnTest *test = new_test(QUICK, &clamd);

	for (unsigned i = 0; i < 4; i++)
		check(test, "nothing", "451 4.3.0");
	CU_ASSERT_EQUAL(ptn_test_connections(test, SOCKET, 0), 4);
	clamd.answer = NULL;
	check(test, "nothing", "250 ");
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "clamav.servers"));
	ptn_test_free(test);
}

static void
test_several(void)
{
	Clamd one = { 0 }, two = { 0 };
	PtnTest *test =
		new_test("[plugin clamav]\ndeadline = 300ms\nserver = 192.0.2.5:3310 [2001:db8::5]:3310\n", NULL);

	ptn_test_server(test, "192.0.2.5", 3310, serve, &one);
	ptn_test_server(test, "2001:db8::5", 3310, serve, &two);
	check(test, "a virus", INFECTED);
	CU_ASSERT_EQUAL(ptn_test_connections(test, "2001:db8::5", 3310), 0);
	ptn_test_no_server(test, "192.0.2.5", 3310);
	check(test, "a virus", INFECTED); /* by the second */
	ASSERT_TEXT(ptn_test_alarm(test, "clamav.servers"), "clamd at 192.0.2.5:3310 cannot be reached");
	ptn_test_server(test, "192.0.2.5", 3310, serve, &one);
	one.is_silent = true;
	check(test, "a virus", INFECTED); /* the second is asked first */
	CU_ASSERT_EQUAL(ptn_test_connections(test, "192.0.2.5", 3310), 0);
	two.answer = "stream: no room ERROR";
	check(test, "a virus", "451 4.3.0");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_alarm(test, "clamav.servers"), "in time, clamd at [2001:db8::5]:3310 answers"));
	ptn_test_free(test);
}

/* ---- for people ---- */

static void
test_commands(void)
{
	Clamd clamd = { .version = "ClamAV 1.4.6/27123/Thu Nov 20 09:26:00 2003" };
	PtnTest *test = new_test(QUICK, &clamd);

	ASSERT_TEXT(ptn_test_command(test, "clamav", "check", NULL),
		"server=" SOCKET " ping=PONG version=ClamAV 1.4.6/27123/Thu Nov 20 09:26:00 2003 state=ok\n");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_command(test, "clamav", "doctor", NULL), "result=look check=clamav " SOCKET));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "clamav", "doctor", NULL), "its signatures are old"));
	clamd.version = "ClamAV 1.4.6";
	ASSERT_TEXT(ptn_test_command(test, "clamav", "doctor", NULL),
		"result=ok check=clamav " SOCKET " detail=ClamAV 1.4.6\n");
	clamd.is_silent = true;
	check(test, "nothing", "451 ");
	ASSERT_TEXT(ptn_test_command(test, "clamav", "doctor", NULL),
		"result=look check=clamav " SOCKET " detail=does not answer in time\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "clamav", "check", NULL), "ping=no answer"));
	ptn_test_free(test);
}

static void
test_addresses(void)
{
	static const struct {
		const char *text, *host;
		int port;
	} cases[] = { { SOCKET, SOCKET, 0 }, { "127.0.0.1:3310", "127.0.0.1", 3310 }, { "[::1]:1", "::1", 1 },
		{ "av.example.net:3310", "av.example.net", 3310 }, { "127.0.0.1", NULL, 0 }, { "::1:3310", NULL, 0 },
		{ "unix:relative", NULL, 0 }, { "a:0", NULL, 0 }, { "a:65536", NULL, 0 }, { ":3310", NULL, 0 },
		{ "[]:1", NULL, 0 }, { "/run/clamd:1", NULL, 0 }, { "a:1x", NULL, 0 }, { "[::1:3310", NULL, 0 },
		{ "", NULL, 0 } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ClamdAddress address = { 0 };

		CU_ASSERT_EQUAL(clamd_address_parse(cases[i].text, &address), cases[i].host != NULL);
		CU_ASSERT_TRUE(g_strcmp0(address.host, cases[i].host) == 0 && address.port == cases[i].port);
		clamd_address_clear(&address);
	}
	ASSERT_TEXT(ptn_test_mistake(&ptn_plugin_clamav, "[plugin clamav]\nserver = 127.0.0.1:3310 localhost\n"),
		"test.conf:2: [plugin clamav] server: \"localhost\" is no address of a server "
		"(unix:/run/clamav/clamd.ctl, 127.0.0.1:3310, [::1]:3310)");
}

/* No option of the plugin may be set for an account, a customer, a domain or a level. */
static void
test_no_bypass(void)
{
	for (const PtnOption *option = ptn_plugin_clamav.options; option->name != NULL; option++)
		CU_ASSERT_EQUAL(option->places, PTN_IN_SERVER);
}

static const UnitTest tests[] = {
	{ "X-01 infected: refused in the session by the name of the signature, nothing queued, no copies",
		test_infected },
	{ "X-01 a large message is scanned to its end, in pieces", test_large },
	{ "X-06 what is too large is refused, put off, or passed with a note", test_limit },
	{ "X-01 actions: hold, tag; the text", test_actions },
	{ "X-01 signatures that are ignored", test_ignored },
	{ "X-01, X-02 what clamd says: names are cleaned, only OK is clean", test_names },
	{ "X-01 no account may get around it", test_no_bypass },
	{ "X-02 unreachable: 451, nothing queued, an alarm that ends", test_unreachable },
	{ "X-02 unreachable and on-error = pass: queued, with an alarm that ends", test_passes },
	{ "X-02 too slow: 451 at the deadline, then at once, until a test succeeds", test_silent },
	{ "X-02 the alarm comes and goes without mail", test_tick },
	{ "X-02 errors of clamd: 451", test_error },
	{ "X-02 several servers", test_several },
	{ "X-04 exempt recipients: only if all are", test_exempt },
	{ "commands", test_commands },
	{ "addresses", test_addresses },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "clamav", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
