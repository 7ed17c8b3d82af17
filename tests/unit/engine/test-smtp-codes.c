/* test-smtp-codes.c - which code means what where: every code at every step, and replies in every order. */
#include <stdlib.h>
#include <string.h>

#include "suites.h"
#include "unit/engine/smtp-peer.h"

typedef enum { AT_MAIL, AT_RCPT, AT_DATA, AT_DOT, STEPS } Step;

static const char *const step_names[] = { "MAIL", "RCPT", "DATA", "the dot" };

/* What a reply means at each step of a transaction with one recipient: o(k), f(ailed), d(eferred). */
static const struct {
	const char *reply, *means; /* in the order of Step; ' ': not asked */
} codes[] = {
	{ "250 2.0.0 x", "  do" }, /* instead of 354 */
	{ "251 2.1.5 x", "  do" },
	{ "299 x", "  do" },
	{ "334 x", "dd d" },
	{ "354 x", "dd d" },
	{ "400 x", "dddd" },
	{ "421 4.3.2 x", "dddd" },
	{ "432 4.7.12 x", "dddd" },
	{ "450 4.2.0 x", "dddd" },
	{ "451 4.3.0 x", "dddd" },
	{ "452 x", "dddd" },
	{ "452 4.2.2 x", "dddd" },
	{ "452 4.3.1 x", "dddd" },
	{ "452 4.5.3 x", "dddd" },
	{ "454 4.7.0 x", "dddd" },
	{ "455 4.5.1 x", "dddd" },
	{ "500 5.5.2 x", "ffff" },
	{ "501 5.1.3 x", "ffff" },
	{ "502 5.5.1 x", "ffff" },
	{ "503 5.5.1 x", "ffff" },
	{ "504 5.5.4 x", "ffff" },
	{ "521 5.3.2 x", "ffff" },
	{ "530 5.7.0 x", "ffff" },
	{ "541 x", "ffff" },
	{ "550 5.1.1 x", "ffff" },
	{ "550 4.2.1 x", "ffff" }, /* the code decides, not the enhanced one */
	{ "450 5.1.1 x", "dddd" },
	{ "551 5.1.6 x", "ffff" },
	{ "552 x", "fdff" },
	{ "552 5.5.3 x", "fdff" },
	{ "552 5.2.2 x", "ffff" },
	{ "552 5.3.4 x", "ffff" },
	{ "552 5.2.3 x", "ffff" },
	{ "553 5.1.3 x", "ffff" },
	{ "554 5.7.1 x", "ffff" },
	{ "555 5.5.4 x", "ffff" },
	{ "556 5.1.10 x", "ffff" },
	{ "599 x", "ffff" },
	{ "699 x", "dddd" },
};

static SentStatus
status_of(char letter)
{
	return letter == 'o' ? SENT_OK : letter == 'f' ? SENT_FAILED : SENT_DEFERRED;
}

/* A peer that waits for what does not come waits long, and there are many rows: a few failures say enough. */
static bool
goes_on(void)
{
	return CU_get_number_of_failures() < 5;
}

/* One more line of a script, which the array frees. */
static void
add(GPtrArray *script, const char *who, const char *text)
{
	g_ptr_array_add(script, g_strdup_printf("%s: %s", who, text));
}

static GPtrArray *
script_new(bool is_lmtp, bool pipelines)
{
	GPtrArray *script = g_ptr_array_new_with_free_func(g_free);

	add(script, "S", "220 mx");
	add(script, "C", is_lmtp ? "LHLO " : "EHLO ");
	add(script, "S", pipelines ? "250-mx\r\n250 PIPELINING" : "250 mx");
	return script;
}

static void
script_end(GPtrArray *script, bool is_usable)
{
	add(script, "C", is_usable ? "QUIT" : "END");
	g_ptr_array_add(script, NULL);
}

static void
script_reset(GPtrArray *script)
{
	add(script, "C", "RSET");
	add(script, "S", "250 ok");
}

static void
check_result(const World *world, guint i, char letter, const char *reply, const char *step)
{
	const SentResult *result = &world->results[i];

	if (result->status != status_of(letter) || !g_str_has_prefix(result->reply, reply)) {
		g_autofree char *got = g_strdup_printf("%d: %s", result->status, result->reply);
		g_autofree char *expected = g_strdup_printf("%c: %s at %s", letter, reply, step);

		ASSERT_TEXT(got, expected);
	}
}

/* ---- one by one ---- */

static GPtrArray *
script_one_by_one(Step at, const char *reply)
{
	GPtrArray *script = script_new(false, false);

	for (Step step = AT_MAIL; step <= at; step++) {
		add(script, "C", step == AT_DOT ? "CONTENT" : step_names[step]);
		add(script, "S", step == at ? reply : step == AT_DATA ? "354 go" : "250 ok");
	}
	return script;
}

static void
test_one_by_one(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(codes) && goes_on(); k++) {
		const bool is_421 = atoi(codes[k].reply) == 421;

		for (Step at = AT_MAIL; at < STEPS && goes_on(); at++) {
			g_autoptr(GPtrArray) script = NULL;
			World world;

			if (codes[k].means[at] == ' ')
				continue;
			script = script_one_by_one(at, codes[k].reply);
			if (at != AT_DOT && !is_421)
				script_reset(script);
			script_end(script, !is_421);
			world_start_smtp(&world, (const char *const *)script->pdata, 1);
			CU_ASSERT_EQUAL(world_send(&world), !is_421);
			check_result(&world, 0, codes[k].means[at], codes[k].reply, step_names[at]);
			/* behind the dot the server may have the message: no other one is asked */
			CU_ASSERT_EQUAL(world.results[0].is_cut_off, is_421 && at != AT_DOT);
			CU_ASSERT_TRUE(world.results[0].is_remote);
			world_end(&world);
		}
	}
}

/* ---- in a burst ---- */

/* Such a code may mean that the server does not pipeline, whatever it says: the message is sent again, without. */
static bool
is_doubtful(const char *reply)
{
	const int code = atoi(reply);

	return code == 500 || code == 502 || code == 503;
}

static GPtrArray *
script_burst(Step at, const char *reply)
{
	GPtrArray *script = script_new(false, true);
	const bool ends = atoi(reply) == 421 || (at != AT_DOT && is_doubtful(reply));

	for (Step step = AT_MAIL; step <= AT_DATA; step++)
		add(script, "C", step_names[step]);
	for (Step step = AT_MAIL; step <= AT_DATA && step <= at; step++)
		add(script, "S", step == at ? reply : step == AT_DATA ? "354 go" : "250 ok");
	for (Step step = at + 1; step <= AT_DATA && !ends; step++)
		add(script, "S", "503 5.5.1 what for");
	if (at == AT_DOT) {
		add(script, "C", "CONTENT");
		add(script, "S", reply);
	} else if (!ends) {
		script_reset(script);
	}
	script_end(script, !ends);
	return script;
}

static void
test_burst(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(codes) && goes_on(); k++) {
		const bool is_421 = atoi(codes[k].reply) == 421;

		for (Step at = AT_MAIL; at < STEPS && goes_on(); at++) {
			const bool is_confused = at != AT_DOT && is_doubtful(codes[k].reply);
			g_autoptr(GPtrArray) script = NULL;
			World world;

			if (codes[k].means[at] == ' ')
				continue;
			script = script_burst(at, codes[k].reply);
			world_start_smtp(&world, (const char *const *)script->pdata, 1);
			CU_ASSERT_EQUAL(world_send(&world), !is_421 && !is_confused);
			check_result(&world, 0, is_confused ? 'd' : codes[k].means[at],
				is_confused ? "4.4.2 " : codes[k].reply, step_names[at]);
			CU_ASSERT_EQUAL(world.results[0].is_cut_off, (is_421 && at != AT_DOT) || is_confused);
			CU_ASSERT_EQUAL(
				host_quirks_of(world.quirks, world.path), is_confused ? QUIRK_PIPELINING : 0);
			world_end(&world);
		}
	}
}

/* ---- the opening ---- */

/* Whatever a server says instead of 2xx, it speaks for itself alone: the mail is deferred. */
static void
test_opening(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(codes) && goes_on(); k++) {
		const int code = atoi(codes[k].reply);

		for (int at_hello = 0; at_hello < 2 && code / 100 != 2; at_hello++) {
			g_autoptr(GPtrArray) script = g_ptr_array_new_with_free_func(g_free);
			g_autofree char *said = g_strdup_printf(": %s", codes[k].reply);
			World world;

			add(script, "S", at_hello ? "220 mx" : codes[k].reply);
			if (at_hello) {
				add(script, "C", "EHLO ");
				add(script, "S", codes[k].reply);
			}
			if (at_hello && code / 100 == 5) {
				add(script, "C", "HELO ");
				add(script, "S", codes[k].reply);
			}
			g_ptr_array_add(script, NULL);
			world_start_smtp(&world, (const char *const *)script->pdata, 1);
			CU_ASSERT_PTR_NULL(world.client);
			if (world.reply == NULL || !g_str_has_prefix(world.reply, "4.4.1 ") ||
				strstr(world.reply, said) == NULL)
				ASSERT_TEXT(world.reply, codes[k].reply);
			world_end(&world);
		}
	}
}

/* A server that knows no EHLO. */
static void
test_helo(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(codes) && goes_on(); k++) {
		g_autoptr(GPtrArray) script = g_ptr_array_new_with_free_func(g_free);
		World world;

		if (atoi(codes[k].reply) / 100 != 5)
			continue;
		add(script, "S", "220 mx");
		add(script, "C", "EHLO ");
		add(script, "S", codes[k].reply);
		add(script, "C", "HELO out.example.net");
		add(script, "S", "250 mx");
		for (Step step = AT_MAIL; step < STEPS; step++) {
			add(script, "C", step == AT_DOT ? "CONTENT" : step_names[step]);
			add(script, "S", step == AT_DATA ? "354 go" : "250 ok");
		}
		script_end(script, true);
		world_start_smtp(&world, (const char *const *)script->pdata, 1);
		CU_ASSERT_TRUE(world_send(&world));
		check_result(&world, 0, 'o', "250 ok", "the dot");
		world_end(&world);
	}
}

/* ---- RSET ---- */

/* What was said of the recipient holds, whatever the server says to RSET; only after 2xx another message
 * goes over the connection. */
static void
test_reset(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(codes) && goes_on(); k++) {
		const bool is_usable = codes[k].reply[0] == '2', ends = atoi(codes[k].reply) == 421;
		g_autoptr(GPtrArray) script = script_one_by_one(AT_RCPT, "550 5.1.1 no");
		World world;

		add(script, "C", "RSET");
		add(script, "S", codes[k].reply);
		if (is_usable || ends)
			script_end(script, is_usable);
		else
			g_ptr_array_add(script, NULL);
		world_start_smtp(&world, (const char *const *)script->pdata, 1);
		CU_ASSERT_EQUAL(world_send(&world), is_usable);
		check_result(&world, 0, 'f', "550 5.1.1 no", codes[k].reply);
		CU_ASSERT_FALSE(world.results[0].is_cut_off);
		world_end(&world);
	}
}

/* ---- what is said ---- */

/* Parameters only for what the server offers. */
static void
test_parameters(void)
{
	static const struct {
		const char *hello, *mail, *rcpt;
	} cases[] = {
		{ "250 mx", "MAIL FROM:<>", "RCPT TO:<r0@example.net>" },
		{ "250-mx\r\n250 SIZE", "MAIL FROM:<> SIZE=20", "RCPT TO:<r0@example.net>" },
		{ "250-mx\r\n250 SIZE 1000", "MAIL FROM:<> SIZE=20", "RCPT TO:<r0@example.net>" },
		{ "250-mx\r\n250 8BITMIME", "MAIL FROM:<> BODY=8BITMIME", "RCPT TO:<r0@example.net>" },
		{ "250-mx\r\n250 DSN", "MAIL FROM:<> RET=HDRS ENVID=a+2Bb",
			"RCPT TO:<r0@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@example.net" },
		{ "250-mx\r\n250-DSN\r\n250-SIZE\r\n250 8BITMIME",
			"MAIL FROM:<> SIZE=20 BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
			"RCPT TO:<r0@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@example.net" },
	};

	for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
		g_autoptr(GPtrArray) script = g_ptr_array_new_with_free_func(g_free);
		Envelope *envelope;
		Recipient *recipient;
		World world;

		add(script, "S", "220 mx");
		add(script, "C", "EHLO ");
		add(script, "S", cases[k].hello);
		add(script, "X", cases[k].mail);
		add(script, "S", "250 ok");
		add(script, "X", cases[k].rcpt);
		add(script, "S", "550 5.1.1 no");
		script_reset(script);
		script_end(script, true);
		world_start_smtp(&world, (const char *const *)script->pdata, 1);
		envelope = world.message->envelope;
		recipient = g_ptr_array_index(envelope->recipients, 0);
		envelope->ret = RET_HDRS;
		envelope->body = BODY_8BITMIME;
		envelope->envid = g_strdup("a+2Bb");
		recipient->notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
		recipient->original = g_strdup("rfc822;o@example.net");
		CU_ASSERT_TRUE(world_send(&world));
		world_end(&world);
	}
}

/* ---- order ---- */

/* What each of four recipients gets, however they stand: 'r' refused, 'l' put off, 'q' over quota, 't' taken. */
static const char *const lots[] = { "rlqt", "rltq", "rqlt", "rqtl", "rtlq", "rtql", "lrqt", "lrtq",
	"lqrt", "lqtr", "ltrq", "ltqr", "qrlt", "qrtl", "qlrt", "qltr", "qtrl", "qtlr", "trlq", "trql",
	"tlrq", "tlqr", "tqrl", "tqlr", "rrrt", "trrr", "rtrt", "tttt" };

static const char *
reply_to(char lot)
{
	return lot == 'r'   ? "550 5.1.1 no"
		   : lot == 'l' ? "450 4.2.1 later"
		   : lot == 'q' ? "552 5.2.2 full"
						: "250 2.0.0 ok";
}

static char
letter_of(char lot)
{
	return lot == 't' ? 'o' : lot == 'l' ? 'd' : 'f';
}

static void
check_order(const char *lot, bool pipelines)
{
	g_autoptr(GPtrArray) script = script_new(false, pipelines);
	World world;

	add(script, "C", "MAIL");
	if (!pipelines)
		add(script, "S", "250 ok");
	for (int i = 0; i < 4; i++) {
		g_autofree char *command = g_strdup_printf("RCPT TO:<r%d@", i);

		add(script, "C", command);
		if (!pipelines)
			add(script, "S", reply_to(lot[i]));
	}
	add(script, "C", "DATA");
	if (pipelines)
		add(script, "S", "250 ok");
	for (int i = 0; pipelines && i < 4; i++)
		add(script, "S", reply_to(lot[i]));
	add(script, "S", "354 go");
	add(script, "C", "CONTENT");
	add(script, "S", "250 2.0.0 ok: queued");
	script_end(script, true);
	world_start_smtp(&world, (const char *const *)script->pdata, 4);
	CU_ASSERT_TRUE(world_send(&world));
	for (guint i = 0; i < 4; i++)
		check_result(&world, i, letter_of(lot[i]),
			lot[i] == 't' ? "250 2.0.0 ok: queued" : reply_to(lot[i]), lot);
	world_end(&world);
}

static void
test_recipients_in_every_order(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(lots) && goes_on(); k++) {
		check_order(lots[k], false);
		check_order(lots[k], true);
	}
}

/* Over LMTP refusals come at RCPT, and a reply behind the dot for each recipient that was accepted. */
static void
check_mailboxes(const char *lot)
{
	g_autoptr(GPtrArray) script = script_new(true, false);
	World world;

	add(script, "C", "MAIL");
	add(script, "S", "250 ok");
	for (int i = 0; i < 4; i++) {
		add(script, "C", "RCPT");
		add(script, "S", lot[i] == 'r' ? reply_to('r') : "250 2.1.5 fine");
	}
	add(script, "C", "DATA");
	add(script, "S", "354 go");
	add(script, "C", "CONTENT");
	for (int i = 0; i < 4; i++)
		if (lot[i] != 'r')
			add(script, "S", reply_to(lot[i]));
	script_end(script, true);
	world_start(&world, (const char *const *)script->pdata, 4);
	CU_ASSERT_TRUE(world_send(&world));
	for (guint i = 0; i < 4; i++) {
		check_result(&world, i, letter_of(lot[i]), reply_to(lot[i]), lot);
		CU_ASSERT_EQUAL(world.results[i].is_final, lot[i] != 'r');
	}
	world_end(&world);
}

static void
test_mailboxes_in_every_order(void)
{
	for (size_t k = 0; k < G_N_ELEMENTS(lots) && goes_on(); k++)
		check_mailboxes(lots[k]);
}

static const UnitTest tests[] = {
	{ "Q-31 Q-32 Q-34 each code at MAIL, RCPT, DATA and the dot", test_one_by_one },
	{ "Q-31 Q-32 Q-36 each code in a burst", test_burst },
	{ "Q-31 each code as greeting and in reply to EHLO and HELO", test_opening },
	{ "HELO after each refusal of EHLO", test_helo },
	{ "Q-31 each code in reply to RSET", test_reset },
	{ "Q-09 E-08 what MAIL and RCPT say, by what the server offers", test_parameters },
	{ "Q-31 replies to recipients, in every order", test_recipients_in_every_order },
	{ "LMTP: replies for mailboxes, in every order", test_mailboxes_in_every_order },
	{ NULL, NULL },
};

const UnitSuite suite_smtp_codes = { "smtp-codes", tests };
