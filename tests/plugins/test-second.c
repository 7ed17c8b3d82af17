/* test-second.c - the second transaction of a session has nothing of the first, however that ended.
 *
 * What belongs to one message: its envelope (sender, recipients, parameters, notes), what plugins keep for it, headers that
 * they add and remove, copies, a hold, the permission for a recipient, refusals of recipients and of MAIL, the size, the
 * decoder's place, chunks.  The first transaction uses all of it. */
#include <glib.h>
#include <string.h>

#include "host/test-host.h"
#include "plugin-test.h"
#include "unit/unit.h"

enum { MOST_STEPS = 8 };

/* ---- the plugin ---- */

typedef struct {
	int marked; /* stages of its message that this plugin saw */
} State;

static unsigned stale; /* messages that began with something in their state or notes */
static unsigned resets; /* transactions that plugins were told the end of */

static bool
is_first(PtnHook *h)
{
	return g_str_has_prefix(ptn_sender_submitted(h), "first");
}

static PtnVerdict
identify(PtnHook *h)
{
	return ptn_identify(h, ptn_login(h));
}

static PtnVerdict
begin(PtnHook *h)
{
	State *state = ptn_message(h);

	stale += state->marked != 0 || ptn_noted(h, "mark") != NULL || ptn_recipients(h) != 0;
	state->marked++;
	if (!is_first(h))
		return PTN_NEXT;
	ptn_note(h, "mark", "first");
	ptn_set_sender(h, "other@example.net");
	if (g_str_has_prefix(ptn_sender_submitted(h), "first-refused"))
		return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "No");
	return PTN_NEXT;
}

static PtnVerdict
take_recipient(PtnHook *h)
{
	const char *recipient = ptn_recipient(h, PTN_THIS);

	if (g_str_has_prefix(recipient, "never"))
		return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "Never");
	if (!g_str_has_prefix(recipient, "relay"))
		ptn_permit(h);
	return PTN_NEXT;
}

static PtnVerdict
refuse_data(PtnHook *h)
{
	return g_str_has_prefix(ptn_sender_submitted(h), "first-data") ? ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "No")
																   : PTN_NEXT;
}

static PtnVerdict
finish(PtnHook *h)
{
	if (!is_first(h))
		return PTN_NEXT;
	ptn_add_header(h, "X-Mark", "first");
	ptn_remove_headers(h, "Subject");
	(void)ptn_copy(h, "", "copy@example.org");
	ptn_hold(h, "marked", 0);
	if (g_str_has_prefix(ptn_sender_submitted(h), "first-content"))
		return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "No");
	return PTN_NEXT;
}

static PtnVerdict
note_reset(PtnHook *h)
{
	(void)h;
	resets++;
	return PTN_NEXT;
}

static const PtnHookRow hooks[] = { { PTN_AUTH, identify, PTN_INLINE }, { PTN_MAIL, begin, PTN_INLINE },
	{ PTN_RCPT, take_recipient, PTN_INLINE }, { PTN_DATA, refuse_data, PTN_INLINE },
	{ PTN_MESSAGE, finish, PTN_INLINE }, { PTN_RESET, note_reset, 0 }, { 0 } };
static const PtnPlugin marker = {
	PTN_HEAD("marker"),
	.version = "1",
	.summary = "uses all that a message has",
	.hooks = hooks,
	.message_size = sizeof(State),
};

/* ---- how the first transaction ends ---- */

#define PARAMETERS " SIZE=300 BODY=8BITMIME RET=HDRS ENVID=one SMTPUTF8"
#define MAIL(who) { "MAIL FROM:<" who "@example.net>" PARAMETERS "\r\n", "250" }
#define RECIPIENTS \
	{ "RCPT TO:<a@example.org> NOTIFY=SUCCESS ORCPT=rfc822;a@example.org\r\n", "250" }, \
		{ "RCPT TO:<relay@example.org>\r\n", "554" }
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n"
#define TOO_LONG LONG LONG LONG LONG LONG

typedef struct {
	const char *octets, *reply;
} Step;

typedef struct {
	const char *name;
	Step steps[MOST_STEPS];
	size_t queued;
} End;

static const End ends[] = {
	{ "RSET", { MAIL("first"), RECIPIENTS, { "RSET\r\n", "250" } }, 0 },
	{ "EHLO", { MAIL("first"), RECIPIENTS, { "EHLO client.example.net\r\n", "250" } }, 0 },
	{ "HELO", { MAIL("first"), RECIPIENTS, { "HELO client.example.net\r\n", "250" } }, 0 },
	{ "MAIL refused by a plugin",
		{ { "MAIL FROM:<first-refused@example.net>" PARAMETERS "\r\n", "550" }, { "RCPT TO:<a@example.org>\r\n", "503" } },
		0 },
	{ "MAIL refused for its last parameter",
		{ { "MAIL FROM:<first@example.net>" PARAMETERS " FOO=1\r\n", "555" }, { "RCPT TO:<a@example.org>\r\n", "503" } }, 0 },
	{ "all recipients refused, RSET",
		{ MAIL("first"), { "RCPT TO:<never@example.org>\r\n", "550" }, { "DATA\r\n", "554" }, { "RSET\r\n", "250" } }, 0 },
	{ "DATA refused by a plugin, RSET",
		{ MAIL("first-data"), RECIPIENTS, { "DATA\r\n", "550" }, { "RSET\r\n", "250" } }, 0 },
	{ "BDAT refused by a plugin, RSET",
		{ MAIL("first-data"), RECIPIENTS, { "BDAT 6\r\nQUIT\r\n", "550" }, { "RSET\r\n", "250" } }, 0 },
	{ "content refused by a plugin",
		{ MAIL("first-content"), RECIPIENTS, { "DATA\r\n", "354" }, { "Subject: a\r\n\r\nfirst\r\n.\r\n", "550" } }, 0 },
	{ "content too large",
		{ MAIL("first"), RECIPIENTS, { "DATA\r\n", "354" }, { "Subject: a\r\n\r\n" TOO_LONG ".\r\n", "552" } }, 0 },
	{ "chunks too large",
		{ MAIL("first"), RECIPIENTS, { "BDAT 405\r\n" TOO_LONG, "552" }, { "BDAT 6 LAST\r\nfirst\n", "503" } }, 0 },
	{ "chunk and RSET", { MAIL("first"), RECIPIENTS, { "BDAT 9\r\nfirst\r\nx\r", "250" }, { "RSET\r\n", "250" } }, 0 },
	{ "chunk and EHLO",
		{ MAIL("first"), RECIPIENTS, { "BDAT 9\r\nFrom x\r\nF", "250" }, { "EHLO client.example.net\r\n", "250" } }, 0 },
	{ "loop",
		{ MAIL("first"), RECIPIENTS, { "DATA\r\n", "354" },
			{ "Received: a\r\nReceived: b\r\nReceived: c\r\nReceived: d\r\n\r\nfirst\r\n.\r\n", "554" } },
		0 },
	{ "accepted", { MAIL("first"), RECIPIENTS, { "DATA\r\n", "354" }, { "Subject: a\r\n\r\nfirst\r\n.\r\n", "250" } }, 2 },
	{ "accepted in chunks",
		{ MAIL("first"), RECIPIENTS, { "BDAT 14\r\nSubject: a\r\n\r\n", "250" }, { "BDAT 7 LAST\r\nfirst\r\n", "250" } }, 2 },
};

static bool
says(PtnTest *test, const char *end, const char *octets, const char *start)
{
	const char *reply = ptn_test_send(test, octets, strlen(octets));

	if (g_str_has_prefix(reply, start))
		return true;
	fprintf(stderr, "\nafter \"%s\": %s answered with %s instead of %s\n", end, octets, reply, start);
	return false;
}

static PtnTest *
new_test(void)
{
	PtnTest *test = ptn_test_new(&marker, NULL);

	test_host_settings(test)->max_message = 400;
	test_host_settings(test)->max_received = 3;
	stale = resets = 0;
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	return test;
}

static void
end_first(PtnTest *test, const End *end)
{
	for (const Step *step = end->steps; step < end->steps + MOST_STEPS && step->octets != NULL; step++)
		CU_ASSERT_TRUE(says(test, end->name, step->octets, step->reply));
	CU_ASSERT_EQUAL(ptn_test_queued(test), end->queued);
	ptn_test_finish_work(test);
	if (resets != 1)
		fprintf(stderr, "\nafter \"%s\": plugins were told %u times that a transaction ended\n", end->name, resets);
	CU_ASSERT_EQUAL(resets, 1);
}

/* ---- the second one ---- */

/* What is queued last is all of the second's: the content as it was sent, in one message. */
static void
check_second(PtnTest *test, const End *end)
{
	const char *text;

	CU_ASSERT_EQUAL(ptn_test_queued(test), end->queued + 1);
	ASSERT_TEXT(test_host_queued_envelope(test, end->queued),
		"from=second@example.net envid= ret=0 body=0 utf8=0 to=one@example.org,,0 notes=session,submitted-sender,account,submit");
	ASSERT_TEXT(ptn_test_queued_note(test, end->queued, "submitted-sender"), "second@example.net");
	CU_ASSERT_FALSE(ptn_test_queued_is_held(test, end->queued));
	text = ptn_test_queued_text(test, end->queued);
	CU_ASSERT_PTR_NULL(strstr(text, "X-Mark"));
	CU_ASSERT_PTR_NULL(strstr(text, "first"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nSubject: b\r\n"));
	CU_ASSERT_TRUE(g_str_has_suffix(text, "\r\n\r\nsecond\r\n"));
	CU_ASSERT_EQUAL(stale, 0);
}

static void
send_second(PtnTest *test, const End *end, bool in_chunks)
{
	CU_ASSERT_TRUE(says(test, end->name, "MAIL FROM:<second@example.net>\r\n", "250 2.1.0"));
	CU_ASSERT_TRUE(says(test, end->name, "DATA\r\n", "503 5.5.1 Error: need RCPT command"));
	CU_ASSERT_TRUE(says(test, end->name, "RCPT TO:<one@example.org>\r\n", "250 2.1.5"));
	CU_ASSERT_TRUE(says(test, end->name, "RCPT TO:<relay@example.org>\r\n", "554 5.7.1"));
	if (in_chunks) {
		CU_ASSERT_TRUE(says(test, end->name, "BDAT 14\r\nSubject: b\r\n\r\n", "250 2.0.0 14 octets"));
		CU_ASSERT_TRUE(says(test, end->name, "BDAT 8 LAST\r\nsecond\r\n", "250 2.0.0"));
	} else {
		CU_ASSERT_TRUE(says(test, end->name, "DATA\r\n", "354"));
		CU_ASSERT_TRUE(says(test, end->name, "Subject: b\r\n\r\nsecond\r\n.\r\n", "250 2.0.0"));
	}
}

static void
test_nothing_is_left(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++)
		for (int in_chunks = 0; in_chunks <= 1; in_chunks++) {
			PtnTest *test = new_test();

			end_first(test, &ends[i]);
			send_second(test, &ends[i], in_chunks != 0);
			check_second(test, &ends[i]);
			ptn_test_free(test);
		}
}

/* A line feed in front of the second message is bare, though the first one stopped behind a carriage return. */
static void
test_decoder_begins_anew(void)
{
	PtnTest *test = new_test();

	for (const Step *step = (const Step[]){ MAIL("first"), RECIPIENTS, { "BDAT 9\r\nfirst\r\nx\r", "250" },
			 { "RSET\r\n", "250" }, MAIL("second"), { "RCPT TO:<one@example.org>\r\n", "250" },
			 { "BDAT 2\r\n\nx", "550 5.5.2" }, { NULL, NULL } };
		 step->octets != NULL; step++)
		CU_ASSERT_TRUE(says(test, "a chunk that ends with CR", step->octets, step->reply));
	CU_ASSERT_TRUE(ptn_test_is_closed(test));
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
}

/* Sizes do not add up: three messages, each of which is nearly as large as one may be. */
static void
test_sizes_begin_anew(void)
{
	PtnTest *test = new_test();

	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(says(test, "sizes", "MAIL FROM:<second@example.net>\r\n", "250"));
		CU_ASSERT_TRUE(says(test, "sizes", "RCPT TO:<one@example.org>\r\n", "250"));
		CU_ASSERT_TRUE(says(test, "sizes", "DATA\r\n", "354"));
		CU_ASSERT_TRUE(says(test, "sizes", "Subject: b\r\n\r\n" LONG LONG LONG LONG ".\r\n", "250"));
		CU_ASSERT_EQUAL(ptn_test_queued(test), i + 1);
	}
	ptn_test_free(test);
}

/* What a message took of the client's budget comes back, however it ended; the limit that one reached is not the next one's. */
static void
test_budget_is_given_back(void)
{
	enum { STEP = 64 * 1024 }; /* of the budget: a message takes whole ones */
	PtnTest *test = new_test();
	g_autofree char *large = g_strnfill(STEP, 'x');

	for (char *end = large + 70; end < large + STEP - 2; end += 70)
		memcpy(end, "\r\n", 2);
	test_host_settings(test)->max_message = 1 << 20;
	test_host_settings(test)->clients.unfinished = STEP;
	for (size_t i = 0; i < 3; i++) {
		static const char *const last[] = { "RSET\r\n", "EHLO client.example.net\r\n", "NOOP\r\n" }; /* NOOP: the connection ends */

		ptn_test_connect(test, "192.0.2.1");
		(void)ptn_test_login(test, "user@example.net", "x");
		CU_ASSERT_TRUE(says(test, "budget", "MAIL FROM:<second@example.net>\r\n", "250"));
		CU_ASSERT_TRUE(says(test, "budget", "RCPT TO:<one@example.org>\r\n", "250"));
		CU_ASSERT_TRUE(says(test, "budget", "BDAT 14\r\nSubject: b\r\n\r\n", "250"));
		CU_ASSERT_TRUE(says(test, "budget", last[i], "250"));
	}
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_TRUE(says(test, "budget", "MAIL FROM:<second@example.net>\r\n", "250"));
		CU_ASSERT_TRUE(says(test, "budget", "RCPT TO:<one@example.org>\r\n", "250"));
		CU_ASSERT_TRUE(says(test, "budget", "DATA\r\n", "354"));
		(void)ptn_test_send(test, "Subject: b\r\n\r\n", strlen("Subject: b\r\n\r\n"));
		if (i == 0)
			(void)ptn_test_send(test, large, STEP);
		CU_ASSERT_TRUE(says(test, "budget", "\r\n.\r\n", i == 0 ? "452" : "250"));
	}
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "nothing of the first transaction is in the second, however it ended", test_nothing_is_left },
	{ "line ends are judged anew", test_decoder_begins_anew },
	{ "sizes are counted anew", test_sizes_begin_anew },
	{ "the client's budget is given back", test_budget_is_given_back },
	{ 0 },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "second", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
