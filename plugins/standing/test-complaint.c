/* test-complaint.c - complaints: matching, counting, what is kept for a human (R-17). */
#include "plugins/standing/feedback.h"
#include "plugins/standing/test-standing.h"

extern const PtnPlugin ptn_plugin_standing;

#define HEAD "From: fbl@far.example\r\nSubject: report\r\nMIME-Version: 1.0\r\n"
#define REPORT(type) \
	HEAD "Content-Type: multipart/report; report-type=feedback-report;\r\n\tboundary=\"b\"\r\n\r\n" \
		 "--b\r\nContent-Type: text/plain\r\n\r\nThis is a report.\r\n--b\r\n" \
		 "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: " type "\r\nUser-Agent: SomeLoop/1.0\r\n" \
		 "Version: 1\r\nOriginal-Rcpt-To: <angry@far.example>\r\nSource-IP: 192.0.2.10\r\n\r\n--b\r\n"
#define WHOLE "Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n%s\r\n--b--\r\n"

/* What LOGIN sent just now, as its recipient has it; new. */
static char *
sent(PtnTest *t)
{
	gateway_submit(t);
	return g_strdup(ptn_test_queued_text(t, gateway_last(t, "friend@example.org")));
}

static char *
value_of(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	CU_ASSERT_PTR_NOT_NULL_FATAL(found);
	found += strlen(name);
	return g_strndup(found, strcspn(found, "\r\n"));
}

/* The first rule that looks at a number only, as an administrator may set it. */
#define PLAIN "complaint-action = disable\ncomplaint-share = 0\ncomplaint-reporters = 1\n"

/* From outside, to the address of feedback loops, to the end of its delivery. */
static const char *
report_from(PtnTest *t, const char *client, const char *content)
{
	ptn_test_inbound(t, true);
	ptn_test_connect(t, client);
	(void)ptn_test_say(t, "EHLO mx.far.example");
	ASSERT_STARTS(ptn_test_submit(t, "fbl@far.example", "FBL@example.net", content), "250");
	ASSERT_TEXT(ptn_test_route(t, ptn_test_queued(t) - 1), "plugin:standing");
	return ptn_test_deliver(t, ptn_test_queued(t) - 1);
}

static const char *
report(PtnTest *t, const char *content)
{
	return report_from(t, "203.0.113.9", content);
}

/* By one of many people. */
static const char *
report_by(PtnTest *t, const char *client, const char *person, const char *message)
{
	g_autoptr(GString) content = g_string_new(NULL);

	g_string_printf(content, REPORT("abuse") WHOLE, message);
	(void)g_string_replace(content, "angry@far.example", person, 1);
	return report_from(t, client, content->str);
}

static const char *
report_about(PtnTest *t, const char *message)
{
	return report_by(t, "203.0.113.9", "angry@far.example", message);
}

static const char *
shown(PtnTest *t)
{
	ptn_test_finish_work(t);
	return ptn_test_command(t, "standing", "show", LOGIN, NULL);
}

static size_t
kept(PtnTest *t)
{
	return gateway_count(t, "postmaster@test.example.net");
}

static void
test_matched(void)
{
	PtnTest *t = gateway_new("complaints = 3/7d\n" PLAIN);
	g_autofree char *first = sent(t), *second = sent(t), *third = sent(t);
	g_autofree char *submit = value_of(third, "X-Postern-Submit: Submit ID ");

	ASSERT_TEXT(report_about(t, first), "250 2.0.0 delivered");
	ASSERT_TEXT(report_about(t, first), "250 2.0.0 delivered"); /* the same once more */
	ASSERT_TEXT(report_by(t, "203.0.113.9", "other@far.example", second), "250 2.0.0 delivered");
	ASSERT_SAYS(
		shown(t), "of=complaints count=2 about 3 recipients, by 1 reporters, within 168 hours share= most=3");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ASSERT_TEXT(report_by(t, "203.0.113.9", "third@far.example", third), "250 2.0.0 delivered");
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ASSERT_TEXT(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"),
		"excessive complaints: 3 about 3 recipients, by 1 reporters, within 168 hours");
	ASSERT_SAYS(ptn_test_queued_text(t, gateway_last(t, "noc@acme.example")), "third@far.example");
	ASSERT_SAYS(ptn_test_queued_text(t, gateway_last(t, "noc@acme.example")), submit);
	CU_ASSERT_EQUAL(kept(t), 1); /* the notice */
	CU_ASSERT_FALSE(gateway_is_disabled(t, OTHER));
	ASSERT_SAYS(ptn_test_command(t, "standing", "list", LOGIN, NULL), "by=angry@far.example type=abuse");
	ptn_test_free(t);
}

/* Complaints come months later: what is signed, and how, stays the same in every version. */
static void
test_tag_derivation(void)
{
	PtnTest *t = gateway_new("");
	g_autofree char *message = sent(t), *tag = value_of(message, "X-Postern-Account: ");
	g_autofree char *submit = value_of(message, "X-Postern-Submit: Submit ID ");
	g_autofree char *of_owner = g_strdup_printf("owner\n%s\n%s", LOGIN, submit), *of_check = NULL;
	char owner[25], check[13];

	ptn_sign(SECRET, of_owner, owner, 24);
	CU_ASSERT_EQUAL(strncmp(tag, owner, 24), 0);
	of_check = g_strdup_printf("check\n%s\n%s", owner, submit);
	ptn_sign(SECRET, of_check, check, 12);
	ASSERT_TEXT(tag + 24, check);
	ptn_test_free(t);
}

/* A tag is of one login and one Submit ID; what a client writes itself is taken out. */
static void
test_forged(void)
{
	PtnTest *t = gateway_new("complaints = 1/7d\n" PLAIN);
	g_autofree char *first = sent(t), *second = sent(t);
	g_autofree char *tag = value_of(first, "X-Postern-Account: ");
	g_autofree char *submit = value_of(second, "X-Postern-Submit: Submit ID ");
	g_autofree char *swapped =
		g_strdup_printf("X-Postern-Submit: Submit ID %s\r\nX-Postern-Account: %s\r\n\r\nx\r\n", submit, tag);
	g_autofree char *own = NULL, *own_tag = NULL;

	CU_ASSERT_EQUAL(strlen(tag), 36);
	CU_ASSERT_PTR_NULL(strstr(tag, "user"));
	ASSERT_TEXT(report_about(t, swapped), "250 2.0.0 delivered");
	ASSERT_TEXT(
		report_about(t,
			"X-Postern-Submit: Submit ID 1.2.3.4\r\nX-Postern-Account: 0123456789abcdef0123456789abcdef0123"
			"\r\n\r\nx\r\n"),
		"250 2.0.0 delivered");
	ASSERT_TEXT(report_about(t, "X-Postern-Submit: Submit ID 1.2.3.4\r\n\r\nx\r\n"), "250 2.0.0 delivered");
	own_tag = g_strdup(first);
	*(strstr(own_tag, tag) + 35) ^= 1; /* the right account, which nobody would be told by */
	ASSERT_TEXT(report_about(t, own_tag), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(kept(t), 4);
	ASSERT_SAYS(shown(t), "of=complaints count=0");
	ASSERT_STARTS(gateway_try(t, LOGIN, "friend@example.org",
					  "X-Postern-Account: mine\r\nX-Postern-Submit: Submit ID 1.2.3.4\r\n\r\nx\r\n"),
		"250");
	own = g_strdup(ptn_test_queued_text(t, gateway_last(t, "friend@example.org")));
	CU_ASSERT_PTR_NULL(strstr(own, "mine"));
	ASSERT_TEXT(report_about(t, own), "250 2.0.0 delivered");
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
}

/* Only the header; a report within a forwarded message; base64; what is no complaint. */
static void
test_forms(void)
{
	PtnTest *t = gateway_new("");
	g_autofree char *first = sent(t), *second = sent(t), *third = sent(t);
	g_autofree char *header =
		g_strdup_printf(REPORT("fraud") "Content-Type: text/rfc822-headers\r\n\r\n%s\r\n--b--\r\n", first);
	g_autofree char *whole = g_strdup_printf(REPORT("Abuse") WHOLE, second);
	g_auto(GStrv) around = g_strsplit(whole, "angry@", 2);
	g_autofree char *inner = g_strjoinv("sad@", around);
	g_autofree char *outer =
		g_strdup_printf("Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nlook\r\n"
						"--bb\r\nContent-Type: message/rfc822\r\n\r\n%s\r\n--bb--\r\n",
			inner);
	g_autofree char *base64 = g_base64_encode((const guchar *)third, strlen(third));
	g_autofree char *unnamed = g_strdup_printf(
		REPORT("abuse") "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: BASE64\r\n\r\n%s\r\n", base64);
	g_auto(GStrv) parts = g_strsplit(unnamed, "Original-Rcpt-To: <angry@far.example>\r\n", 2);
	g_autofree char *encoded = g_strjoinv("", parts); /* many loops do not say who complained */
	g_autofree char *good = g_strdup_printf(REPORT("not-spam") WHOLE, first);
	g_autofree char *dmarc = g_strdup_printf(REPORT("auth-failure") WHOLE, first);

	ASSERT_TEXT(report(t, header), "250 2.0.0 delivered");
	ASSERT_SAYS(shown(t), "of=complaints count=1 ");
	ASSERT_TEXT(report_from(t, "203.0.113.10", outer), "250 2.0.0 delivered");
	ASSERT_SAYS(shown(t), "of=complaints count=2 ");
	ASSERT_TEXT(report(t, encoded), "250 2.0.0 delivered");
	ASSERT_SAYS(shown(t), "of=complaints count=3 ");
	ASSERT_TEXT(report(t, good), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(kept(t), 0);
	ASSERT_TEXT(report(t, dmarc), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(kept(t), 1);
	ASSERT_SAYS(shown(t), "of=complaints count=3 ");
	ptn_test_free(t);
}

/* Whoever can send mail here can make reports, and whoever has a mailbox at a provider can complain: neither is enough. */
static void
test_self_made(void)
{
	PtnTest *t = gateway_new("complaints = 3/7d\n");

	for (int i = 0; i < 6; i++) {
		g_autofree char *message = sent(t);
		g_autofree char *person = g_strdup_printf("p%d@far.example", i);

		ASSERT_TEXT(report_by(t, "198.51.100.7", person, message), "250 2.0.0 delivered");
	}
	CU_ASSERT_EQUAL(kept(t), 6);
	ASSERT_SAYS(ptn_test_queued_text(t, gateway_last(t, "postmaster@test.example.net")), "no feedback loop that is known");
	ASSERT_SAYS(shown(t), "of=complaints count=0 ");
	for (int i = 0; i < 6; i++) { /* one person */
		g_autofree char *message = sent(t);

		ASSERT_TEXT(report_by(t, "203.0.113.9", i % 2 == 0 ? "p@far.example" : "P@far.example", message),
			"250 2.0.0 delivered");
	}
	ASSERT_SAYS(shown(t), "of=complaints count=1 ");
	for (int i = 0; i < 6; i++) { /* many, by one loop */
		g_autofree char *message = sent(t);
		g_autofree char *person = g_strdup_printf("p%d@far.example", i);

		ASSERT_TEXT(report_by(t, "203.0.113.9", person, message), "250 2.0.0 delivered");
	}
	ASSERT_SAYS(shown(t), "of=complaints count=7 about 18 recipients, by 1 reporters,");
	CU_ASSERT_EQUAL(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "standing.hold") != NULL, false);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
}

/* Different people by different loops: what is sent from now on is held, until the operator says otherwise. */
static void
test_held(void)
{
	PtnTest *t = gateway_new("complaints = 2/7d\n");
	g_autofree char *first = sent(t), *second = sent(t);

	ASSERT_TEXT(report_by(t, "203.0.113.9", "a@far.example", first), "250 2.0.0 delivered");
	ASSERT_TEXT(report_by(t, "203.0.113.200", "b@far.example", second), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ASSERT_SAYS(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "standing.hold"),
		"excessive complaints: 2 about 2 recipients, by 2 reporters, within 168 hours");
	ASSERT_SAYS(ptn_test_alarm(t, "standing.account/" LOGIN), LOGIN " is held: excessive complaints");
	ASSERT_SAYS(ptn_test_queued_text(t, gateway_last(t, "noc@acme.example")), "is held, until the operator");
	ASSERT_SAYS(shown(t), "of=held count=excessive complaints");
	gateway_submit(t);
	CU_ASSERT_TRUE(ptn_test_queued_is_held(t, gateway_last(t, "friend@example.org")));
	ptn_test_remove(t, PTN_ACCOUNT, LOGIN); /* as "account set LOGIN standing.hold=" leaves it */
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "password", "mypassword", NULL);
	gateway_submit(t);
	CU_ASSERT_FALSE(ptn_test_queued_is_held(t, gateway_last(t, "friend@example.org")));
	ptn_test_free(t);
}

static bool
is_held(PtnTest *t)
{
	ptn_test_finish_work(t);
	return ptn_test_get(t, PTN_ACCOUNT, LOGIN, "standing.hold") != NULL;
}

/* Two people, one by each of two loops. */
static void
report_twice(PtnTest *t, const char *person, const char *other)
{
	g_autofree char *first = sent(t), *second = sent(t);

	ASSERT_TEXT(report_by(t, "203.0.113.9", person, first), "250 2.0.0 delivered");
	ASSERT_TEXT(report_by(t, "203.0.113.200", other, second), "250 2.0.0 delivered");
}

/* Who reported in an earlier window, or before a hold that was lifted, is a reporter again. */
static void
test_reporters_again(void)
{
	PtnTest *t = gateway_new("complaints = 3/7d\n");
	g_autofree char *third = NULL, *fourth = NULL;

	report_twice(t, "a@far.example", "b@far.example");
	CU_ASSERT_FALSE(is_held(t));
	ptn_test_advance(t, 8 * DAY);
	report_twice(t, "c@far.example", "d@far.example");
	ASSERT_SAYS(shown(t), "of=complaints count=2 about 2 recipients, by 2 reporters,");
	CU_ASSERT_FALSE(is_held(t));
	third = sent(t);
	ASSERT_TEXT(report_by(t, "203.0.113.9", "e@far.example", third), "250 2.0.0 delivered");
	ASSERT_SAYS(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "standing.hold"), "by 2 reporters");
	ptn_test_remove(t, PTN_ACCOUNT, LOGIN); /* as "account set LOGIN standing.hold=" leaves it */
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "password", "mypassword", NULL);
	report_twice(t, "f@far.example", "g@far.example");
	ASSERT_SAYS(shown(t), "by 2 reporters,");
	CU_ASSERT_FALSE(is_held(t));
	fourth = sent(t);
	ASSERT_TEXT(report_by(t, "203.0.113.200", "h@far.example", fourth), "250 2.0.0 delivered");
	CU_ASSERT_TRUE(is_held(t));
	ptn_test_free(t);
}

/* What was sent last week is judged by what was sent then; what was sent before the account was enabled, by nobody. */
static void
test_complaints_of_message(void)
{
	PtnTest *t = gateway_new("complaints = 2/7d\ncomplaint-share = 500\ncomplaint-reporters = 1\n");
	g_autofree char *first = sent(t), *second = sent(t), *third = sent(t), *fourth = NULL;

	gateway_submit(t);
	ptn_test_advance(t, 7 * DAY);
	fourth = sent(t);
	ASSERT_TEXT(report_by(t, "203.0.113.9", "a@far.example", first), "250 2.0.0 delivered");
	ASSERT_TEXT(report_by(t, "203.0.113.9", "b@far.example", second), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(is_held(t)); /* 2 of 4 */
	ASSERT_SAYS(shown(t), "of=complaints count=0 about 1 recipients");
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", "no", NULL);
	ptn_test_advance(t, PTN_SECOND);
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", NULL, NULL);
	ASSERT_TEXT(report_by(t, "203.0.113.9", "c@far.example", third), "250 2.0.0 delivered");
	ASSERT_TEXT(report_by(t, "203.0.113.9", "d@far.example", fourth), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(is_held(t));
	CU_ASSERT_EQUAL(ptn_test_count(t, "plugin.standing.late"), 2);
	ptn_test_free(t);
	t = gateway_new("complaints = 2/7d\ncomplaint-share = 500\ncomplaint-reporters = 1\n");
	g_clear_pointer(&first, g_free);
	g_clear_pointer(&second, g_free);
	first = sent(t);
	second = sent(t);
	ptn_test_advance(t, 7 * DAY);
	ASSERT_TEXT(report_by(t, "203.0.113.9", "a@far.example", first), "250 2.0.0 delivered");
	ASSERT_TEXT(report_by(t, "203.0.113.9", "b@far.example", second), "250 2.0.0 delivered");
	CU_ASSERT_TRUE(is_held(t)); /* 2 of 2 */
	ASSERT_SAYS(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "standing.hold"), "accepted in the window from ");
	ptn_test_free(t);
}

/* Two of 1,000 recipients always complain. */
static void
test_share(void)
{
	PtnTest *t = gateway_new("complaints = 2/7d\ncomplaint-share = 500\n");
	char *messages[4] = { NULL };

	for (size_t i = 0; i < G_N_ELEMENTS(messages); i++)
		messages[i] = sent(t);
	ASSERT_TEXT(report_by(t, "203.0.113.9", "a@far.example", messages[0]), "250 2.0.0 delivered");
	ASSERT_TEXT(report_by(t, "203.0.113.200", "b@far.example", messages[1]), "250 2.0.0 delivered");
	CU_ASSERT_PTR_NULL(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "standing.hold"));
	ASSERT_TEXT(report_by(t, "203.0.113.9", "c@far.example", messages[2]), "250 2.0.0 delivered");
	CU_ASSERT_PTR_NOT_NULL(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "standing.hold"));
	for (size_t i = 0; i < G_N_ELEMENTS(messages); i++)
		g_free(g_steal_pointer(&messages[i]));
	ptn_test_free(t);
}

/* What is no report goes to the postmaster, as it is, and never in a circle. */
static void
test_kept(void)
{
	PtnTest *t = gateway_new("");
	g_autofree char *back = NULL;
	size_t i;

	ASSERT_TEXT(report(t, "Subject: please\r\n\r\nstop it\r\n"), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(kept(t), 1);
	i = gateway_last(t, "postmaster@test.example.net");
	ASSERT_TEXT(ptn_test_queued_sender(t, i), "");
	ASSERT_SAYS(ptn_test_queued_text(t, i), "X-Postern-Standing: it is no feedback report\r\n");
	ASSERT_SAYS(ptn_test_queued_text(t, i), "Subject: please\r\n\r\nstop it\r\n");
	back = g_strdup(ptn_test_queued_text(t, i));
	ASSERT_STARTS(report(t, back), "451 4.3.5");
	CU_ASSERT_EQUAL(kept(t), 1);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(t, "standing.postmaster"));
	CU_ASSERT_EQUAL(ptn_test_count(t, "plugin.standing.unmatched"), 1);
	ptn_test_free(t);
}

/* Without a door that permits all: nobody else's address is taken, and this one only where mail comes in. */
static void
test_address(void)
{
	PtnTest *t = ptn_test_new(&ptn_plugin_standing, "[plugin standing]\naddress = " FBL "\nsecret = " SECRET "\n");

	for (int i = 0; i < 2; i++) {
		ptn_test_inbound(t, i == 0);
		ptn_test_connect(t, "203.0.113.9");
		(void)ptn_test_say(t, "EHLO mx.far.example");
		(void)ptn_test_say(t, "MAIL FROM:<x@far.example>");
		CU_ASSERT_EQUAL(strncmp(ptn_test_say(t, "RCPT TO:<" FBL ">"), "250", 3) == 0, i == 0);
		CU_ASSERT_NOT_EQUAL(strncmp(ptn_test_say(t, "RCPT TO:<fbl@example.com>"), "250", 3), 0);
	}
	ptn_test_free(t);
}

static void
test_commands(void)
{
	PtnTest *t = gateway_new("complaints = 3/7d\ncomplaint-action = disable\n");
	g_autofree char *message = sent(t);
	g_autofree char *submit = value_of(message, "X-Postern-Submit: Submit ID ");
	g_autofree char *tag = value_of(message, "X-Postern-Account: ");

	ASSERT_SAYS(ptn_test_command(t, "standing", "add", submit, "0123456789abcdef0123456789abcdef0123", NULL),
		"error: no account");
	ASSERT_SAYS(ptn_test_command(t, "standing", "add", "nobody@example.net", NULL), "error: there is no account");
	ASSERT_SAYS(ptn_test_command(t, "standing", "add", submit, tag, NULL), "login=" LOGIN " result=counted\n");
	ASSERT_SAYS(ptn_test_command(t, "standing", "add", submit, tag, NULL), "result=counted before");
	ASSERT_SAYS(ptn_test_command(t, "standing", "add", LOGIN, NULL), "result=counted\n");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ASSERT_SAYS(ptn_test_command(t, "standing", "add", "USER@example.net", NULL), "result=counted\n");
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ASSERT_SAYS(ptn_test_command(t, "standing", "list", LOGIN, NULL), "by=operator");
	ASSERT_TEXT(ptn_test_command(t, "standing", "list", OTHER, NULL), "");
	ptn_test_free(t);
}

/* No more than what can be sent on whole. */
static void
test_large(void)
{
	PtnTest *t = gateway_new("");
	g_autoptr(GString) large = g_string_new("Subject: large\r\n\r\n");

	while (large->len < (10 << 20))
		g_string_append(large, "0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
	ptn_test_inbound(t, true);
	ptn_test_connect(t, "203.0.113.9");
	(void)ptn_test_say(t, "EHLO mx.far.example");
	ASSERT_STARTS(ptn_test_submit(t, "x@far.example", FBL, large->str), "552 5.3.4");
	ptn_test_free(t);
}

static void
test_settings(void)
{
	ASSERT_SAYS(
		ptn_test_mistake(&ptn_plugin_standing, "[plugin standing]\nsecret = short\n"), "at least 16 characters");
	ASSERT_TEXT(ptn_test_mistake(&ptn_plugin_standing, "[plugin standing]\nleast = 10\n"), NULL);
}

static void
test_hostile(void)
{
	g_autoptr(GString) deep = g_string_new(NULL);
	Feedback feedback;

	for (int i = 0; i < 2000; i++)
		g_string_append(deep, "Content-Type: message/rfc822\r\n\r\n");
	feedback_read("X-Postern", deep->str, deep->len, &feedback);
	CU_ASSERT_FALSE(feedback.is_report);
	feedback_read("X-Postern", "", 0, &feedback);
	CU_ASSERT_FALSE(feedback.is_report);
	g_string_assign(deep, REPORT("abuse\x01<b>"));
	feedback_read("X-Postern", deep->str, deep->len, &feedback);
	CU_ASSERT_TRUE(feedback.is_report);
	ASSERT_TEXT(feedback.recipient, "angry@far.example");
	ASSERT_TEXT(feedback.source, "192.0.2.10");
	for (const char *c = feedback.type; *c != '\0'; c++)
		CU_ASSERT_TRUE(g_ascii_isprint(*c));
}

/* Mail that was accepted after the account was enabled counts, also where the clock was set back in between. */
static void
test_clock_set_back(void)
{
	PtnTest *t = gateway_new("complaints = 1/7d\n" PLAIN);
	g_autofree char *message = NULL;

	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", "no", NULL);
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", NULL, NULL);
	ptn_test_advance(t, -5 * HOUR);
	message = sent(t);
	ASSERT_TEXT(report_about(t, message), "250 2.0.0 delivered");
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
}

static const UnitTest tests[] = {
	{ "R-17 reports are matched by Submit ID and counted once; at the threshold the account is disabled, with a notice",
		test_matched },
	{ "R-17 a tag is derived the same way in every version", test_tag_derivation },
	{ "R-17 a tag cannot be forged, nor used with another Submit ID", test_forged },
	{ "R-17 forms of reports", test_forms },
	{ "R-19 reports that anybody could make hold and disable nobody", test_self_made },
	{ "R-19 different people by different loops: mail is held", test_held },
	{ "R-19 who reported before counts again in a new window, and after a hold", test_reporters_again },
	{ "R-20 R-21 a complaint counts in the window of its message, and not before its beginning", test_complaints_of_message },
	{ "R-19 complaints are judged by their share", test_share },
	{ "R-17 what is no report is kept for a human", test_kept },
	{ "R-17 the mailbox of feedback loops", test_address },
	{ "R-17 complaints by hand", test_commands },
	{ "R-17 a report that is too large", test_large },
	{ "R-17 settings", test_settings },
	{ "R-17 hostile reports", test_hostile },
	{ "R-21 complaints after a clock was set back behind a beginning", test_clock_set_back },
	{ NULL, NULL },
};

const UnitSuite test_complaints = { "standing-complaints", tests };
