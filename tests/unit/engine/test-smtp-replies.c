/* test-smtp-replies.c - what a server said decides: before it hung up, too long, torn, or one recipient too many. */
#include <string.h>

#include "suites.h"
#include "unit/engine/smtp-peer.h"

#define PIPELINED "S: 250-mx\r\n250 PIPELINING"
#define HELLO "S: 220 mx", "C: EHLO "
#define LHELLO "S: 220 store", "C: LHLO "
#define RSET_OK "C: RSET", "S: 250 ok", "C: QUIT"

typedef struct {
	const char *name;
	HopKind kind;
	bool is_usable; /* the connection afterwards */
	const char *script[32];
	struct {
		SentStatus status;
		const char *reply; /* how it begins; NULL: there is no such recipient */
		bool is_cut_off;
	} results[4];
} Case;

static void
check_case(const Case *test)
{
	unsigned n = 0;
	World world;
	bool is_usable;

	while (n < G_N_ELEMENTS(test->results) && test->results[n].reply != NULL)
		n++;
	if (test->kind == HOP_LMTP)
		world_start(&world, test->script, n);
	else
		world_start_smtp(&world, test->script, n);
	is_usable = world_send(&world);
	if (is_usable != test->is_usable)
		ASSERT_TEXT(test->name, is_usable ? "is usable" : "is of no use");
	for (unsigned i = 0; i < n; i++) {
		const SentResult *result = &world.results[i];

		if (result->status != test->results[i].status || result->is_cut_off != test->results[i].is_cut_off ||
			!g_str_has_prefix(result->reply, test->results[i].reply)) {
			g_autofree char *got = g_strdup_printf("%s: %u is %d, %d, %s", test->name, i, result->status,
				result->is_cut_off, result->reply);

			ASSERT_TEXT(got, test->results[i].reply);
		}
	}
	world_end(&world);
}

static void
test_before_the_end(void)
{
	static const Case cases[] = {
		{ "DATA 554, and gone", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 554 5.7.1 no", NULL },
			{ { SENT_FAILED, "554 5.7.1 no", false } } },
		{ "DATA 451, and gone", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 451 4.3.0 no", NULL },
			{ { SENT_DEFERRED, "451 4.3.0 no", false } } },
		{ "DATA 421, and gone", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 421 4.3.2 bye", NULL },
			{ { SENT_DEFERRED, "421 4.3.2 bye", true } } },
		{ "DATA 554 one by one, and gone", HOP_SMTP, false,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", "S: 554 5.7.1 no", NULL },
			{ { SENT_FAILED, "554 5.7.1 no", false } } },
		{ "MAIL 450, and gone", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", "S: 450 4.7.1 grey", NULL },
			{ { SENT_DEFERRED, "450 4.7.1 grey", false }, { SENT_DEFERRED, "450 4.7.1 grey", false } } },
		{ "MAIL 421, and gone", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 421 4.7.0 later", NULL },
			{ { SENT_DEFERRED, "421 4.7.0 later", true } } },
		{ "MAIL 550, and gone", HOP_SMTP, false,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 550 5.7.1 no", NULL },
			{ { SENT_FAILED, "550 5.7.1 no", false } } },
		{ "421 that does not hang up", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 421 4.7.0 later", "C: END", NULL },
			{ { SENT_DEFERRED, "421 4.7.0 later", true } } },
		{ "RCPT 451 in a burst, and gone", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok",
				"S: 451 4.3.0 down", NULL },
			{ { SENT_DEFERRED, "4.4.2 ", true }, { SENT_DEFERRED, "451 4.3.0 down", false },
				{ SENT_DEFERRED, "4.4.2 ", true } } },
		{ "RCPT 550 in a burst, and gone", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok", "S: 550 5.1.1 no", NULL },
			{ { SENT_FAILED, "550 5.1.1 no", false }, { SENT_DEFERRED, "4.4.2 ", true } } },
		{ "RCPT 421 in a burst", HOP_SMTP, false,
			{ HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 421 4.3.2 bye",
				NULL },
			{ { SENT_DEFERRED, "421 4.3.2 bye", true }, { SENT_DEFERRED, "421 4.3.2 bye", true } } },
		{ "421 at the dot", HOP_SMTP, false,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "C: CONTENT",
				"S: 421 4.3.2 bye", "C: END", NULL },
			{ { SENT_DEFERRED, "421 4.3.2 bye", false } } },
		{ "no word at the dot", HOP_SMTP, false,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "C: CONTENT", NULL },
			{ { SENT_DEFERRED, "4.4.2 ", false } } },
		{ "LMTP: DATA 554, and gone", HOP_LMTP, false,
			{ LHELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 554 5.7.1 no", NULL },
			{ { SENT_FAILED, "554 5.7.1 no", false } } },
		{ "LMTP: MAIL 451, and gone", HOP_LMTP, false,
			{ LHELLO, "S: 250 store", "C: MAIL", "S: 451 4.3.0 no", NULL },
			{ { SENT_DEFERRED, "451 4.3.0 no", false } } },
		{ "LMTP: 421 for the first mailbox", HOP_LMTP, false,
			{ LHELLO, "S: 250 store", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA",
				"S: 354 go", "C: CONTENT", "S: 250 2.0.0 stored", "S: 421 4.3.2 bye", NULL },
			{ { SENT_OK, "250 2.0.0 stored", false }, { SENT_DEFERRED, "421 4.3.2 bye", false } } },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		check_case(&cases[i]);
}

/* Content that the server takes no more of: what it said before it hung up decides. */
static void
test_last_words(void)
{
	static const char *const script[] = { HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA",
		"S: 354 go\r\n552 5.3.4 too much", NULL };
	World world;

	world_start_with_kind(&world, HOP_SMTP, script, 1, 20 << 20);
	CU_ASSERT_FALSE(world_send(&world));
	world_check(&world, 0, SENT_FAILED, "552 5.3.4 too much");
	world_end(&world);
}

static void
test_quota(void)
{
	static const Case cases[] = {
		{ "552 at RCPT", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 552 5.2.2 mailbox full", "C: RCPT",
				"S: 552 5.3.4 too big", RSET_OK, NULL },
			{ { SENT_FAILED, "552 5.2.2 mailbox full", false }, { SENT_FAILED, "552 5.3.4 too big", false } } },
		{ "LMTP: 552 at RCPT", HOP_LMTP, true,
			{ LHELLO, "S: 250 store", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 552 5.2.2 mailbox full", RSET_OK, NULL },
			{ { SENT_FAILED, "552 5.2.2 mailbox full", false } } },
		{ "552 5.5.3", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 552 5.5.3 too many", RSET_OK, NULL },
			{ { SENT_DEFERRED, "552 5.5.3 too many", false } } },
		{ "552", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 552 too many", RSET_OK, NULL },
			{ { SENT_DEFERRED, "552 too many", false } } },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		check_case(&cases[i]);
}

/* Of each transaction the server takes one recipient, and later ones two. */
static void
test_surplus(void)
{
	static const Case cases[] = {
		{ "452 4.5.3 behind the first", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r0@", "S: 250 ok", "C: RCPT TO:<r1@",
				"S: 452 4.5.3 too many", "C: DATA", "S: 354 go", "C: CONTENT", "S: 250 ok 0", "C: MAIL", "S: 250 ok",
				"C: RCPT TO:<r1@", "S: 250 ok", "C: DATA", "S: 354 go", "C: CONTENT", "S: 250 ok 1", "C: QUIT", NULL },
			{ { SENT_OK, "250 ok 0", false }, { SENT_OK, "250 ok 1", false } } },
		{ "452 without progress", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r0@", "S: 452 4.5.3 too many today", RSET_OK, NULL },
			{ { SENT_DEFERRED, "452 4.5.3 too many today", false }, { SENT_DEFERRED, "452 4.5.3 too many today", false } } },
		{ "452 for another reason", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r0@", "S: 250 ok", "C: RCPT TO:<r1@",
				"S: 452 4.3.1 disk", "C: DATA", "S: 354 go", "C: CONTENT", "S: 250 ok 0", "C: QUIT", NULL },
			{ { SENT_OK, "250 ok 0", false }, { SENT_DEFERRED, "452 4.3.1 disk", false } } },
		{ "452 for the first alone", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r0@", "S: 452 full", "C: RCPT TO:<r1@", "S: 250 ok",
				"C: DATA", "S: 354 go", "C: CONTENT", "S: 250 ok 1", "C: QUIT", NULL },
			{ { SENT_DEFERRED, "452 full", false }, { SENT_OK, "250 ok 1", false } } },
		{ "452 for the second alone", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r0@", "S: 250 ok", "C: RCPT TO:<r1@", "S: 452 full",
				"C: DATA", "S: 354 go", "C: CONTENT", "S: 250 ok 0", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r1@", "S: 452 full",
				"C: RSET", "S: 250 ok", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r2@", "S: 250 ok", "C: DATA", "S: 354 go",
				"C: CONTENT", "S: 250 ok 2", "C: QUIT", NULL },
			{ { SENT_OK, "250 ok 0", false }, { SENT_DEFERRED, "452 full", false }, { SENT_OK, "250 ok 2", false } } },
		{ "gone in the second transaction", HOP_SMTP, false,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT TO:<r0@", "S: 250 ok", "C: RCPT TO:<r1@",
				"S: 452 too many", "C: DATA", "S: 354 go", "C: CONTENT", "S: 250 ok 0", "C: MAIL", NULL },
			{ { SENT_OK, "250 ok 0", false }, { SENT_DEFERRED, "4.4.2 ", true }, { SENT_DEFERRED, "452 too many", false } } },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		check_case(&cases[i]);
}

/* It counts what is one too many as errors, and hangs up before it has taken anything: it is not offered more again. */
static void
test_surplus_is_an_error(void)
{
	static const char *const script[] = { HELLO, "S: 250-mx\r\n250 PIPELINING", "C: MAIL", "C: RCPT", "C: RCPT", "C: RCPT",
		"C: DATA", "S: 250 ok", "S: 250 ok", "S: 452 4.5.3 too many", "S: 421 4.7.0 too many errors", NULL };
	World world;

	world_start_smtp(&world, script, 3);
	CU_ASSERT_FALSE(world_send(&world));
	CU_ASSERT_EQUAL(host_quirks_most(world.quirks, world.path), 1);
	CU_ASSERT_TRUE(smtp_client_has_new_quirk(world.client));
	CU_ASSERT_TRUE(world.results[0].is_cut_off && world.results[1].is_cut_off && world.results[2].is_cut_off);
	world_end(&world);
}

/* ---- replies of odd shapes ---- */

#define TO_THE_DOT HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go", "C: CONTENT"

static void
check_final(const char *name, const char *raw, bool is_usable, SentStatus status, const char *reply)
{
	g_autofree char *last = g_strconcat("R: ", raw, NULL);
	Case test = { name, HOP_SMTP, is_usable, { TO_THE_DOT, last, is_usable ? "C: QUIT" : NULL },
		{ { status, reply, false } } };

	check_case(&test);
}

static void
test_final_reply(void)
{
	g_autofree char *longest = g_strnfill(100000, 'x'), *large = g_strnfill(2 << 20, 'y');
	g_autofree char *one = g_strconcat("250 ", longest, "\r\n", NULL);
	g_autofree char *several = g_strconcat("250-", longest, "\r\n250 ok\r\n", NULL);
	g_autofree char *endless = g_strconcat("250 ", large, NULL);
	g_autofree char *refused = g_strconcat("554-5.7.1 no\r\n554-", large, NULL);
	g_autoptr(GString) lines = g_string_new(NULL);

	for (int i = 0; i < 250; i++)
		g_string_append(lines, "250-taken\r\n");
	g_string_append(lines, "250 2.0.0 at last\r\n");
	check_final("a long line", one, true, SENT_OK, "250 xxx");
	check_final("a long line of several", several, true, SENT_OK, "250 xxx");
	check_final("250 lines", lines->str, true, SENT_OK, "250 taken taken");
	check_final("one line without an end", endless, false, SENT_OK, "250 yyy");
	check_final("a refusal without an end", refused, false, SENT_FAILED, "554 5.7.1 no");
	check_final("other codes: taken", "451-hm\r\n250 2.0.0 ok\r\n", true, SENT_OK, "250 2.0.0 hm ok");
	check_final("other codes: refused", "250-hm\r\n554 5.7.1 no\r\n", true, SENT_FAILED, "554 5.7.1 hm no");
	check_final("other codes: deferred", "250-hm\r\n451 4.3.0 no\r\n", true, SENT_DEFERRED, "451 4.3.0 hm no");
	check_final("noise before", "queued\r\n\r\n250 2.0.0 ok\r\n", true, SENT_OK, "250 2.0.0 ok");
	check_final("noise within", "250-one\r\nnoise\r\n250 two\r\n", true, SENT_OK, "250 one two");
	check_final("noise only", "queued as 7\r\n", false, SENT_DEFERRED, "4.4.2 ");
	check_final("torn behind the first line", "250-2.0.0 ok\r\n", false, SENT_OK, "250 2.0.0 ok");
	check_final("torn in the line", "250 2.0.0 o", false, SENT_OK, "250 2.0.0 o");
	check_final("torn in the code", "25", false, SENT_DEFERRED, "4.4.2 ");
	check_final("another 2xx", "299 fine\r\n", true, SENT_OK, "299 fine");
	check_final("no class", "699 what\r\n", true, SENT_DEFERRED, "699 what");
	check_final("bare newlines", "250-a\n250 b\n", true, SENT_OK, "250 a b");
}

/* The same shapes where nothing is decided yet: nobody is lost, and nothing is sent twice. */
static void
test_odd_replies(void)
{
	g_autofree char *longest = g_strnfill(5000, 'x');
	g_autofree char *rcpt = g_strconcat("R: 550-", longest, "\r\n550 5.1.1 no\r\n", NULL);
	g_autofree char *data = g_strconcat("R: 354-", longest, "\r\n354 go\r\n", NULL);
	const Case cases[] = {
		{ "MAIL", HOP_SMTP, true, { HELLO, "S: 250 mx", "C: MAIL", "R: 250-a\r\n553 5.1.8 no\r\n", RSET_OK, NULL },
			{ { SENT_FAILED, "553 5.1.8 a no", false } } },
		{ "RCPT", HOP_SMTP, true, { HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", rcpt, RSET_OK, NULL },
			{ { SENT_FAILED, "550 xxx", false } } },
		{ "RCPT noise", HOP_SMTP, false,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "R: hello\r\n", NULL },
			{ { SENT_DEFERRED, "4.4.2 ", true } } },
		{ "DATA", HOP_SMTP, true,
			{ HELLO, "S: 250 mx", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", data, "C: CONTENT", "S: 250 ok",
				"C: QUIT", NULL },
			{ { SENT_OK, "250 ok", false } } },
		{ "LMTP", HOP_LMTP, true,
			{ LHELLO, "S: 250 store", "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA",
				"S: 354 go", "C: CONTENT", "R: 451-a\r\n250 2.0.0 b\r\nnoise\r\n552-5.2.2 c\r\n552 5.2.2 d\r\n", "C: QUIT", NULL },
			{ { SENT_OK, "250 2.0.0 a b", false }, { SENT_FAILED, "552 5.2.2 c d", false } } },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		check_case(&cases[i]);
}

/* 100 keywords that nobody knows, and then the ones that count. */
static void
test_long_hello(void)
{
	g_autoptr(GString) hello = g_string_new("R: 250-mx\r\n");
	const char *const script[] = { "S: 220 mx", "C: EHLO ", NULL, "C: MAIL FROM:<", "C: RCPT", "C: DATA", "S: 250 ok",
		"S: 250 ok", "S: 354 go", "C: CONTENT", "S: 250 ok", "C: QUIT", NULL };
	const char *whole[G_N_ELEMENTS(script)];
	World world;

	for (int i = 0; i < 400; i++)
		g_string_append_printf(hello, "250-XKEYWORD%d some parameters of it, which nobody here knows\r\n", i);
	g_string_append(hello, "noise\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n");
	memcpy(whole, script, sizeof whole);
	whole[2] = hello->str;
	world_start_smtp(&world, whole, 1);
	CU_ASSERT_TRUE(world_send(&world));
	world_check(&world, 0, SENT_OK, "250 ok");
	world_end(&world);
}

/* ---- the opening ---- */

static void
check_refused(const char *name, HopKind kind, const char *const *script, const char *expected)
{
	World world;

	world_start_with_kind(&world, kind, script, 1, 0);
	CU_ASSERT_PTR_NULL(world.client);
	if (world.reply == NULL || strstr(world.reply, expected) == NULL)
		ASSERT_TEXT(world.reply, name);
	world_end(&world);
}

static void
test_opening(void)
{
	static const struct {
		const char *name;
		HopKind kind;
		const char *script[6], *expected;
	} cases[] = {
		{ "greeting 554", HOP_SMTP, { "S: 554 5.3.2 not here", NULL }, ": 554 5.3.2 not here (in reply to the connection)" },
		{ "greeting 421", HOP_SMTP, { "S: 421 4.3.2 busy", NULL }, ": 421 4.3.2 busy (in reply to the connection)" },
		{ "torn greeting", HOP_SMTP, { "R: 554 5.3.2 not he", NULL }, ": 554 5.3.2 not he (in reply to the connection)" },
		{ "no SMTP", HOP_SMTP, { "S: SSH-2.0-OpenSSH_9.2", "C: QUIT", NULL }, "something that is no SMTP reply" },
		{ "EHLO 421", HOP_SMTP, { HELLO, "S: 421 4.3.2 busy", NULL }, ": 421 4.3.2 busy (in reply to EHLO)" },
		{ "EHLO 450", HOP_SMTP, { HELLO, "S: 450 4.7.1 grey", NULL }, ": 450 4.7.1 grey (in reply to EHLO)" },
		{ "EHLO 451", HOP_SMTP, { HELLO, "S: 451-4.3.0 one\r\n451 4.3.0 two", NULL }, ": 451 4.3.0 one two (in reply to EHLO)" },
		{ "EHLO 554, and gone", HOP_SMTP, { HELLO, "S: 554 5.7.1 who are you", NULL }, ": 554 5.7.1 who are you (in reply to EHLO)" },
		{ "EHLO 550, HELO 550", HOP_SMTP, { HELLO, "S: 550 5.7.1 no", "C: HELO ", "S: 550 5.7.2 no", NULL },
			": 550 5.7.2 no (in reply to HELO)" },
		{ "LHLO 421", HOP_LMTP, { LHELLO, "S: 421 4.3.2 busy", NULL }, ": 421 4.3.2 busy (in reply to LHLO)" },
		{ "LHLO 550", HOP_LMTP, { LHELLO, "S: 550 5.7.1 no", NULL }, ": 550 5.7.1 no (in reply to LHLO)" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		check_refused(cases[i].name, cases[i].kind, cases[i].script, cases[i].expected);
}

/* ---- pipelining that is offered and does not work ---- */

static void
test_broken_pipelining(void)
{
	static const char *const gone[] = { HELLO, PIPELINED, "C: MAIL", NULL };
	static const char *const half[] = { HELLO, PIPELINED, "C: MAIL", "S: 250 ok", NULL };
	static const char *const confused[] = { HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 503 5.5.1 order",
		"C: END", NULL };
	static const char *const blamed[] = { HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA",
		"S: 554 SMTP synchronization error", NULL };
	static const char *const ended[] = { HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok",
		"S: 421 4.5.0 improper command pipelining", NULL };
	static const char *const refused[] = { HELLO, PIPELINED, "C: MAIL", "C: RCPT", "C: DATA", "S: 550 5.7.1 no", NULL };
	static const struct {
		const char *const *script;
		bool is_quirk;
	} cases[] = { { gone, true }, { half, true }, { confused, true }, { blamed, true }, { ended, true },
		{ refused, false } };
	World world;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		world_start_smtp(&world, cases[i].script, 1);
		CU_ASSERT_FALSE(world_send(&world));
		CU_ASSERT_EQUAL(smtp_client_has_new_quirk(world.client), cases[i].is_quirk);
		CU_ASSERT_EQUAL(host_quirks_of(world.quirks, world.path), cases[i].is_quirk ? QUIRK_PIPELINING : 0);
		CU_ASSERT_EQUAL(world.results[0].is_cut_off, cases[i].is_quirk);
		world_end(&world);
	}
}

static const UnitTest tests[] = {
	{ "Q-31 what was said before the server hung up holds", test_before_the_end },
	{ "Q-31 what a server said while it took no more content holds", test_last_words },
	{ "Q-31 a refusal of the opening keeps its code and text", test_opening },
	{ "Q-32 552 at RCPT fails, unless it means too many recipients", test_quota },
	{ "Q-35 recipients beyond the server's limit follow at once", test_surplus },
	{ "Q-35 who hangs up on too many recipients is offered fewer", test_surplus_is_an_error },
	{ "Q-34 behind the final dot the last line decides, whatever its size", test_final_reply },
	{ "Q-34 odd replies before it", test_odd_replies },
	{ "Q-34 all keywords of a long EHLO reply count", test_long_hello },
	{ "Q-36 a burst that is lost or misunderstood is the last one", test_broken_pipelining },
	{ NULL, NULL },
};

const UnitSuite suite_smtp_replies = { "smtp-replies", tests };
