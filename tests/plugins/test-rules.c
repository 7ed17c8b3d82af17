/* test-rules.c - rules of plugin-api.h, each broken by a plugin made for it: what it did comes to nothing, and mail and
 * the other sessions do not suffer.  See test-misbehaving.c for those that need a shared object. */
#include "plugin-test.h"

#include <glib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit/unit.h"

#define LOGIN "user@example.net"
#define PUT_OFF "451 4.3.0 Error: temporary problem, try again later\n"

/* ---- a plugin of one or two hooks ---- */

static PtnHookRow rows[4];
static const PtnOption options[] = {
	{ "colour", PTN_TEXT | PTN_LIST, PTN_IN_SERVER | PTN_IN_ITEM, "red blue", "colours" }, { 0 }
};
static PtnPlugin breaker = { PTN_HEAD("breaker"), .version = "1", .summary = "breaks rules", .hooks = rows,
	.options = options, .session_size = 8, .message_size = 8 };

static const char *identity; /* whose the credentials are; NULL: whose they say */

static PtnVerdict
let_in(PtnHook *h)
{
	return ptn_identify(h, identity != NULL ? identity : ptn_login(h));
}

static PtnVerdict
let_relay(PtnHook *h)
{
	ptn_permit(h);
	return PTN_NEXT;
}

static const PtnHookRow door_rows[] = { { PTN_AUTH, let_in, PTN_INLINE }, { PTN_RCPT, let_relay, PTN_INLINE },
	{ 0 } };
static const PtnHookRow shut_rows[] = { { PTN_AUTH, let_in, PTN_INLINE }, { 0 } };
static const PtnPlugin door = { PTN_HEAD("door"), .version = "1", .summary = "lets all in", .hooks = door_rows };
static const PtnPlugin shut = { PTN_HEAD("shut"), .version = "1", .summary = "lets in, and no further",
	.hooks = shut_rows };

static PtnTest *
new_behind(const PtnPlugin *first, PtnHookRow one, PtnHookRow two, const char *config)
{
	const PtnPlugin *const plugins[] = { first, &breaker, NULL };
	PtnTest *test;

	rows[0] = one;
	rows[1] = two;
	test = ptn_test_new_chain(plugins, config);
	ptn_test_connect(test, "192.0.2.1");
	return test;
}

static PtnTest *
new_test(PtnStage stage, PtnFunction *function, const char *config)
{
	PtnTest *test = new_behind(&door, (PtnHookRow){ stage, function, 0 }, (PtnHookRow){ 0 }, config);

	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, LOGIN, "x"), "235", 3), 0);
	return test;
}

static const char *
submit(PtnTest *test)
{
	return ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nbody\r\n");
}

/* One message was queued, and nothing of ALL_ACTS is seen of it. */
static void
check_untouched(PtnTest *test)
{
	CU_ASSERT_EQUAL_FATAL(ptn_test_queued(test), 1);
	CU_ASSERT_FALSE(ptn_test_queued_is_held(test, 0));
	ASSERT_TEXT(ptn_test_queued_sender(test, 0), LOGIN);
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 0), "x@example.org");
	ASSERT_TEXT(ptn_test_queued_note(test, 0, "breaker.name"), NULL);
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, 0), "X-Evil"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 0), "Subject: a\r\n"));
}

static void
do_all_acts(PtnHook *h)
{
	const char *const recipients[] = { "elsewhere@example.org", NULL };
	PtnCopy *copy;

	ptn_set_sender(h, "other@example.net");
	ptn_replace_recipient(h, 0, recipients);
	ptn_note(h, "name", "value");
	ptn_add_header(h, "X-Evil", "yes");
	ptn_remove_headers(h, "Subject");
	ptn_hold(h, "held", 0);
	copy = ptn_copy(h, "", "archive@example.net");
	ptn_copy_header(copy, "X-Evil", "yes");
	ptn_copy_note(copy, "name", "value");
}

/* ---- verdicts ---- */

static struct {
	PtnVerdict (*say)(PtnHook *h, PtnCause cause, int code, const char *enhanced, const char *format, ...)
		PTN_PRINTF(5, 6);
	int code;
	const char *enhanced, *text;
} said;

static PtnVerdict
say_it(PtnHook *h)
{
	return said.say(h, PTN_POLICY, said.code, said.enhanced, "%s", said.text);
}

static void
test_replies(void)
{
	static const struct {
		bool closes;
		int code;
		const char *enhanced, *text;
	} cases[] = { { false, 399, "4.7.1", "no" }, { false, 600, "5.7.1", "no" }, { false, -1, "5.7.1", "no" },
		{ false, 0, "5.7.1", "no" }, { false, 354, "", "no" }, { false, 550, "4.7.1", "class" },
		{ false, 450, "5.7.1", "class" }, { false, 550, "2.1.0", "class" }, { false, 550, "5.7", "part" },
		{ false, 550, "", "none" }, { false, 550, "5.7.1 no\r\n250", "lines" },
		{ false, 550, "5.1000.1", "digits" }, { false, 550, "5.7.1", "a\nb" }, { false, 550, "5.7.1", "a\rb" },
		{ false, 550, "5.7.1", "\x01" }, { false, 550, "5.7.1", "\xff" }, { true, 550, "5.7.1", "no such close" },
		{ true, 451, "4.7.1", "no such close" }, { true, 421, "4.7.1", "a\r\nb" } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		PtnTest *test = new_test(PTN_MAIL, say_it, NULL);

		said.say = cases[i].closes ? ptn_close : ptn_refuse;
		said.code = cases[i].code;
		said.enhanced = cases[i].enhanced;
		said.text = cases[i].text;
		ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), PUT_OFF);
		CU_ASSERT_FALSE(ptn_test_is_closed(test));
		ptn_test_free(test);
	}
}

static PtnVerdict
say_much(PtnHook *h)
{
	return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "%05000d", 7);
}

/* RFC 5321 4.5.3.1.5: no line of a reply is longer than 512 octets. */
static void
test_long_reply(void)
{
	PtnTest *test = new_test(PTN_MAIL, say_much, NULL);
	g_auto(GStrv) lines = g_strsplit(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "\n", -1);

	for (size_t i = 0; lines[i] != NULL; i++)
		CU_ASSERT(strlen(lines[i]) <= 510);
	CU_ASSERT(lines[0][0] == '5' || lines[0][0] == '4');
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "NOOP"), "250", 3), 0);
	ptn_test_free(test);
}

static unsigned runs;

static PtnVerdict
ask_for_worker(PtnHook *h)
{
	(void)h;
	runs++;
	return PTN_WAIT;
}

static void
test_wait_for_ever(void)
{
	for (unsigned flags = 0; flags <= PTN_HEAVY; flags++) {
		PtnTest *test;

		if (flags != 0 && flags != PTN_INLINE && flags != PTN_HEAVY)
			continue;
		test = new_behind(&door, (PtnHookRow){ PTN_MAIL, ask_for_worker, flags }, (PtnHookRow){ 0 }, NULL);
		runs = 0;
		(void)ptn_test_login(test, LOGIN, "x");
		ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), PUT_OFF);
		CU_ASSERT(runs >= 1 && runs <= 2);
		ptn_test_free(test);
	}
}

static PtnVerdict
route_early(PtnHook *h)
{
	return ptn_route(h, "smtp:[192.0.2.1]:25");
}

static void
test_route_early(void)
{
	PtnTest *test = new_test(PTN_MAIL, route_early, NULL);

	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), PUT_OFF);
	ptn_test_free(test);
}

/* ---- acts that must not take effect ---- */

static PtnVerdict
edit_too_long(PtnHook *h)
{
	do_all_acts(h);
	(void)ptn_sleep(h, 10 * PTN_SECOND);
	return PTN_NEXT;
}

static void
test_late_edits(void)
{
	PtnTest *test = new_test(PTN_MESSAGE, edit_too_long, "[plugin breaker]\ndeadline = 100ms\non-error = pass\n");

	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	check_untouched(test);
	ptn_test_free(test);
	test = new_test(PTN_MESSAGE, edit_too_long, "[plugin breaker]\ndeadline = 100ms\n");
	CU_ASSERT_EQUAL(strncmp(submit(test), "451 4.3.0", 9), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
}

static PtnVerdict
edit_and_fail(PtnHook *h)
{
	do_all_acts(h);
	return ptn_fail(h, "cannot tell");
}

static PtnVerdict
edit_and_refuse(PtnHook *h)
{
	do_all_acts(h);
	return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "no");
}

static PtnVerdict
edit_and_close(PtnHook *h)
{
	do_all_acts(h);
	return ptn_close(h, PTN_POLICY, 421, "4.7.1", "no");
}

static void
test_dropped_edits(void)
{
	PtnTest *test = new_test(PTN_MESSAGE, edit_and_fail, "[plugin breaker]\non-error = pass\n");

	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	check_untouched(test);
	ptn_test_free(test);
	test = new_test(PTN_MESSAGE, edit_and_refuse, NULL);
	CU_ASSERT_EQUAL(strncmp(submit(test), "550 5.7.1", 9), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
	test = new_test(PTN_MESSAGE, edit_and_close, NULL);
	CU_ASSERT_EQUAL(strncmp(submit(test), "421 4.7.1", 9), 0);
	CU_ASSERT_TRUE(ptn_test_is_closed(test));
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
}

/* At MAIL a refusal, too: the next transaction knows nothing of it. */
static PtnVerdict
edit_and_refuse_once(PtnHook *h)
{
	if (runs++ > 0)
		return PTN_NEXT;
	do_all_acts(h);
	return ptn_refuse(h, PTN_POLICY, 450, "4.7.1", "no");
}

static void
test_next_transaction(void)
{
	PtnTest *test = new_test(PTN_MAIL, edit_and_refuse_once, NULL);

	runs = 0;
	CU_ASSERT_EQUAL(strncmp(submit(test), "450 4.7.1", 9), 0);
	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	check_untouched(test);
	ptn_test_free(test);
}

static PtnVerdict
edit_nothing(PtnHook *h)
{
	do_all_acts(h);
	return PTN_NEXT;
}

/* Where there is no message yet, and where it is over. */
static void
test_edits_elsewhere(void)
{
	static const PtnStage stages[] = { PTN_CONNECT, PTN_HELO, PTN_AUTH, PTN_AUTHENTICATED, PTN_QUEUED, PTN_REPLY,
		PTN_RESET, PTN_DISCONNECT };

	for (size_t i = 0; i < G_N_ELEMENTS(stages); i++) {
		PtnTest *test = new_test(stages[i], edit_nothing, NULL);

		CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
		(void)ptn_test_say(test, "MAIL FROM:<bad");
		ptn_test_connect(test, "192.0.2.2");
		check_untouched(test);
		ptn_test_free(test);
	}
}

/* ptn_permit() is of one recipient. */
static void
test_permit_early(void)
{
	static const PtnStage stages[] = { PTN_CONNECT, PTN_AUTHENTICATED, PTN_MAIL };

	for (size_t i = 0; i < G_N_ELEMENTS(stages); i++) {
		PtnTest *test = new_behind(&shut, (PtnHookRow){ stages[i], let_relay, 0 }, (PtnHookRow){ 0 }, NULL);

		(void)ptn_test_login(test, LOGIN, "x");
		CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "250", 3), 0);
		CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "RCPT TO:<x@example.org>"), "554", 3), 0);
		ptn_test_free(test);
	}
}

static PtnVerdict
permit_the_first(PtnHook *h)
{
	if (runs++ == 0)
		ptn_permit(h);
	return PTN_NEXT;
}

static void
test_permit_once(void)
{
	PtnTest *test = new_behind(&shut, (PtnHookRow){ PTN_RCPT, permit_the_first, 0 }, (PtnHookRow){ 0 }, NULL);

	runs = 0;
	(void)ptn_test_login(test, LOGIN, "x");
	(void)ptn_test_say(test, "MAIL FROM:<" LOGIN ">");
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "RCPT TO:<x@example.org>"), "250", 3), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "RCPT TO:<y@example.org>"), "554", 3), 0);
	ptn_test_free(test);
}

static PtnVerdict
copy_it(PtnHook *h)
{
	(void)ptn_copy(h, "", "archive@example.net");
	return PTN_NEXT;
}

/* Two that copy make two copies: those of the first are not copied by the second. */
static void
test_copy_of_copy(void)
{
	PtnTest *test =
		new_behind(&door, (PtnHookRow){ PTN_MESSAGE, copy_it, 0 }, (PtnHookRow){ PTN_MESSAGE, copy_it, 0 }, NULL);

	(void)ptn_test_login(test, LOGIN, "x");
	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 3);
	ptn_test_free(test);
}

/* ---- who one is ---- */

static void
test_identities(void)
{
	static const char *const bad[] = { "", "nobody", "@", "example.net", "@example.net", "x@elsewhere.example",
		"a\r\nX-Evil: b@example.net", "a\tb@example.net", "a b@example.net", "a\x01@example.net",
		"<a@example.net>", "a@b@example.net", "a@example.net\r\n" };
	PtnTest *test;

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		test = new_behind(&door, (PtnHookRow){ 0 }, (PtnHookRow){ 0 }, NULL);
		identity = bad[i];
		if (strncmp(ptn_test_login(test, LOGIN, "x"), "535 5.7.8", 9) != 0)
			ASSERT_TEXT("it got in", bad[i]);
		ptn_test_free(test);
	}
	test = new_behind(&door, (PtnHookRow){ 0 }, (PtnHookRow){ 0 }, NULL);
	identity = "somebody@example.net";
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, LOGIN, "x"), "235", 3), 0);
	identity = NULL;
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "codes out of range, classes that differ, lines and controls in words: the client is put off",
		test_replies },
	{ "a refusal of 5000 octets is no line of 5000 octets", test_long_reply },
	{ "a hook that asks for a worker where it has one has failed, and is not run for ever", test_wait_for_ever },
	{ "a route is for the stage route", test_route_early },
	{ "edits and copies of a hook that missed its deadline are dropped, with on-error = pass, too",
		test_late_edits },
	{ "edits and copies of a hook that fails, refuses or closes are dropped", test_dropped_edits },
	{ "what was refused at MAIL leaves nothing for the next transaction", test_next_transaction },
	{ "edits where there is no message, or where it is over, come to nothing", test_edits_elsewhere },
	{ "relay is permitted at RCPT only", test_permit_early },
	{ "relay is permitted for the recipient at hand only", test_permit_once },
	{ "copies are not copied", test_copy_of_copy },
	{ "one is an address of a served domain, or nobody", test_identities },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "rules", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
