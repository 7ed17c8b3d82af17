/* test-bounce.c - bounces of copies, ours and from outside: B-04, B-05. */
#include "plugins/bcc-mirror/address.h"
#include "plugins/bcc-mirror/report.h"
#include "plugins/bcc-mirror/test-gateway.h"

/* ---- bounces of our own delivery ---- */

static void
test_refused(void)
{
	PtnTest *t = gateway_new("standard", BCC " two@far.example", NULL);
	size_t notice;

	gateway_submit(t);
	ptn_test_outcome(t, gateway_place(t, BCC), PTN_DEFERRED, "450 4.2.1 try later", false);
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	ptn_test_outcome(t, gateway_place(t, BCC), PTN_BOUNCED, "550 5.1.1 no such user", false);
	CU_ASSERT_FALSE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=two@far.example used=yes"));
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), BCC ": 550 5.1.1 no such user"));
	notice = gateway_place(t, "noc@acme.example");
	ASSERT_TEXT(ptn_test_queued_sender(t, notice), "");
	CU_ASSERT_TRUE(gateway_says(ptn_test_queued_text(t, notice), BCC) &&
				   gateway_says(ptn_test_queued_text(t, notice), LOGIN));
	CU_ASSERT_TRUE(gateway_says(ptn_test_queued_text(t, notice), "550 5.1.1 no such user"));
	ptn_test_outcome(t, gateway_place(t, BCC), PTN_BOUNCED, "550 5.1.1 no such user", false);
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 1);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 4);
	ptn_test_free(t);
}

static void
test_expired(void)
{
	PtnTest *t = gateway_new("standard", BCC, NULL);

	gateway_submit(t);
	ptn_test_outcome(t, gateway_place(t, BCC), PTN_BOUNCED, "5.4.7 returned by the administrator", true);
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	ptn_test_outcome(t, gateway_place(t, "friend@example.org"), PTN_BOUNCED, "550 5.1.1 no such user", false);
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	ptn_test_outcome(t, gateway_place(t, BCC), PTN_BOUNCED, "4.4.7 it could not be delivered in time", true);
	CU_ASSERT_FALSE(gateway_says(gateway_shown(t), "used=yes"));
	gateway_submit(t);
	CU_ASSERT_EQUAL(gateway_count(t, BCC), 1);
	ptn_test_free(t);
}

static void
test_mirror_fails(void)
{
	PtnTest *t = gateway_new("standard", NULL, MIRROR);

	gateway_submit(t);
	ptn_test_outcome(t, gateway_place(t, MIRROR), PTN_BOUNCED, "552 5.2.2 over quota", false);
	ptn_test_outcome(t, gateway_place(t, MIRROR), PTN_BOUNCED, "552 5.2.2 over quota", false);
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=" MIRROR " used=yes"));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 1);
	ptn_test_advance(t, 25 * 3600 * PTN_SECOND);
	ptn_test_outcome(t, gateway_place(t, MIRROR), PTN_BOUNCED, "552 5.2.2 over quota", false);
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 2);
	ptn_test_outcome(t, gateway_place(t, MIRROR), PTN_BOUNCED, "550 5.1.1 no such mailbox", false);
	CU_ASSERT_FALSE(gateway_says(gateway_shown(t), "used=yes"));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 3);
	ptn_test_free(t);
}

/* ---- bounces from outside ---- */

#define REPORT(action, status) \
	"Subject: bounce\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"=_b 1\"\r\n\r\n" \
	"for people\r\n--=_b 1\r\nContent-Type: text/plain\r\n\r\nAction: failed is only said\r\n--=_b 1\r\n" \
	"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.far.example\r\n\r\n" \
	"Final-Recipient: rfc822; archive@far.example\r\nAction: " action "\r\nStatus: " status "\r\n" \
	"Diagnostic-Code: smtp; 550 no such\r\n user here\r\n\r\n--=_b 1\r\n" \
	"Content-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nAction: failed\r\n--=_b 1--\r\n"

static const char *
bounce_to(PtnTest *t, const char *sender, const char *address, const char *content)
{
	ptn_test_inbound(t, true);
	ptn_test_connect(t, "203.0.113.9");
	(void)ptn_test_say(t, "EHLO mx.far.example");
	return ptn_test_submit(t, sender, address, content);
}

/* The address that a copy to BCC has now; new. */
static char *
address_now(PtnTest *t)
{
	gateway_submit(t);
	return g_strdup(ptn_test_queued_sender(t, gateway_place(t, BCC)));
}

static void
test_report(void)
{
	PtnTest *t = gateway_new("standard", BCC " two@far.example", NULL);
	g_autofree char *address = address_now(t);
	g_autofree char *upper = g_ascii_strup(address, -1);
	size_t bounce;

	ASSERT_STARTS(bounce_to(t, "", address, REPORT("delayed", "4.4.1")), "250");
	bounce = gateway_place(t, address);
	ASSERT_TEXT(ptn_test_route(t, bounce), "plugin:bcc-mirror");
	ASSERT_TEXT(ptn_test_deliver(t, bounce), "250 2.0.0 delivered");
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	ASSERT_STARTS(bounce_to(t, "", upper, REPORT("Failed (unknown)", "5.1.1")), "250");
	bounce = ptn_test_queued(t) - 1;
	ASSERT_TEXT(ptn_test_route(t, bounce), "plugin:bcc-mirror");
	ASSERT_TEXT(ptn_test_deliver(t, bounce), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=two@far.example used=yes"));
	CU_ASSERT_TRUE(
		gateway_says(ptn_test_queued_text(t, gateway_place(t, "noc@acme.example")), "550 no such user here"));
	ASSERT_TEXT(ptn_test_deliver(t, bounce), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 1);
	ptn_test_free(t);
}

static void
test_forged_bounce(void)
{
	PtnTest *t = gateway_new("standard", BCC, NULL);
	g_autofree char *address = address_now(t);
	g_autofree char *other = address_make("another secret 0", "bcc.example.net", LOGIN, BCC, 1790000000 / 86400);
	g_autofree char *changed = g_strdup(address);

	changed[4 + ACCOUNT_SIZE + 1] = changed[4 + ACCOUNT_SIZE + 1] == 'a' ? 'b' : 'a'; /* another recipient */
	ASSERT_STARTS(bounce_to(t, "", other, REPORT("failed", "5.1.1")), "550 5.1.1");
	ASSERT_STARTS(bounce_to(t, "", changed, REPORT("failed", "5.1.1")), "550 5.1.1");
	ASSERT_STARTS(bounce_to(t, "", "bcc-x@bcc.example.net", REPORT("failed", "5.1.1")), "550 5.1.1");
	ASSERT_STARTS(bounce_to(t, "mallory@evil.example", address, REPORT("failed", "5.1.1")), "550 5.1.1");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 2);
	ptn_test_advance(t, 14 * 24 * 3600 * PTN_SECOND);
	ASSERT_STARTS(bounce_to(t, "", address, REPORT("failed", "5.1.1")), "250");
	ptn_test_advance(t, 2 * 24 * 3600 * PTN_SECOND);
	ASSERT_STARTS(bounce_to(t, "", address, REPORT("failed", "5.1.1")), "550 5.1.1");
	ASSERT_STARTS(ptn_test_deliver(t, 2), "550 5.1.1");
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 0);
	ptn_test_free(t);
}

/* The store forgets, the account or the recipient goes: the directory knows, or nothing is done. */
static void
test_forgotten(void)
{
	PtnTest *t = gateway_new("standard", BCC, NULL), *fresh;
	g_autofree char *address = address_now(t);

	ptn_test_free(t);
	fresh = gateway_new("standard", BCC, NULL);
	ASSERT_STARTS(bounce_to(fresh, "", address, REPORT("failed", "5.1.1")), "250");
	ASSERT_TEXT(ptn_test_deliver(fresh, 0), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(gateway_says(gateway_shown(fresh), "used=yes"));
	ptn_test_remove(fresh, PTN_ACCOUNT, LOGIN);
	ASSERT_TEXT(ptn_test_deliver(fresh, 0), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(gateway_count(fresh, "noc@acme.example"), 1);
	ptn_test_free(fresh);
}

static void
check_report(const char *content, ReportResult expected)
{
	const char *body = strstr(content, "\r\n\r\n");
	Report report;

	report_read(content, strlen(content), body != NULL ? (size_t)(body - content) + 4 : 0, &report);
	CU_ASSERT_EQUAL(report.result, expected);
	if (report.result != expected)
		fprintf(stderr, "\n%.60s\n", content);
}

static void
test_reports(void)
{
	static const char two[] =
		"Content-Type: Multipart/Report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status"
		"\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.0.0\r\n\r\nAction: expanded\r\n\r\n--b--\r\n";
	static const char mixed[] =
		"Content-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-type: "
		"message/global-delivery-status\n\nArrival-Date: x\n\nFinal-Recipient: utf-8;x\nAction:failed\nStatus: 4.4.7\n\n--b--\n";

	check_report(REPORT("failed", "5.1.1"), REPORT_FAILED);
	check_report(REPORT("failed", "4.4.7"), REPORT_FAILED);
	check_report(REPORT("delayed", "4.4.7"), REPORT_OTHER);
	check_report(REPORT("relayed", "2.0.0"), REPORT_OTHER);
	check_report(REPORT("delivered", "2.0.0"), REPORT_OTHER);
	check_report(REPORT("failedish", "5.0.0"), REPORT_OTHER);
	check_report(two, REPORT_OTHER);
	check_report(mixed, REPORT_FAILED);
	check_report("Subject: I am away\r\nAuto-Submitted: auto-replied\r\n\r\nAction: failed\r\n", REPORT_NONE);
	check_report("Subject: Undelivered\r\n\r\n<archive@far.example>: 550 no such user\r\n", REPORT_NONE);
	check_report("Subject: failure notice\r\n\r\n\r\nHi. This is the qmail-send program at far.example.\r\n",
		REPORT_FAILED);
	check_report(
		"X-Failed-Recipients: archive@far.example\r\nSubject: Mail delivery failed\r\n\r\nx\r\n", REPORT_FAILED);
	check_report("Content-Type: multipart/report; boundary=\"b\"\r\n\r\n--b\r\n\r\nnothing more", REPORT_NONE);
	check_report("Content-Type: multipart/report; boundary\r\n\r\n--b", REPORT_NONE);
	check_report("", REPORT_NONE);
}

/* Our own report of a copy's failure goes to us, not to the submitter; the administrator's bounce removes nobody. */
static void
test_own_report(void)
{
	PtnTest *t = gateway_new("standard", BCC, NULL);
	g_autofree char *address = address_now(t);

	ASSERT_TEXT(ptn_test_queued_note(t, gateway_place(t, BCC), "account"), LOGIN);
	CU_ASSERT_FALSE(gateway_says(address, "user"));
	ASSERT_STARTS(bounce_to(t, "", address, REPORT("failed", "5.4.7")), "250");
	ASSERT_TEXT(ptn_test_deliver(t, gateway_place(t, address)), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(gateway_says(gateway_shown(t), "used=yes"));
	ptn_test_free(t);
}

static void
test_conflict(void)
{
	PtnTest *t = gateway_new("standard", BCC " two@far.example", NULL);

	gateway_submit(t);
	gateway_conflicts = 3;
	ptn_test_outcome(t, gateway_place(t, BCC), PTN_BOUNCED, "550 5.1.1 no such user", false);
	CU_ASSERT_EQUAL(gateway_conflicts, 0);
	CU_ASSERT_FALSE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=two@far.example used=yes"));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 1);
	ptn_test_free(t);
}

static void
test_directory_away(void)
{
	PtnTest *t = gateway_new("standard", BCC, MIRROR);
	g_autofree char *address = address_now(t);

	ASSERT_STARTS(bounce_to(t, "", address, REPORT("failed", "5.1.1")), "250");
	ptn_test_inbound(t, false);
	ptn_test_connect(t, "192.0.2.1");
	(void)ptn_test_login(t, LOGIN, "mypassword");
	(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
	(void)ptn_test_say(t, "RCPT TO:<friend@example.org>");
	(void)ptn_test_say(t, "DATA");
	gateway_is_away = true;
	ASSERT_STARTS(ptn_test_send(t, CONTENT ".\r\n", strlen(CONTENT) + 3), "451 4.3.0");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 4);
	ASSERT_STARTS(ptn_test_deliver(t, 3), "451 4.3.0");
	gateway_is_away = false;
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	ASSERT_TEXT(ptn_test_deliver(t, 3), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(gateway_says(gateway_shown(t), "address=" BCC " used=yes"));
	ptn_test_free(t);
}

static const UnitTest tests[] = {
	{ "B-04 B-05 5xx removes the recipient and tells the customer once, 4xx does not", test_refused },
	{ "B-05 B-15 expiry removes, the administrator's bounce does not", test_expired },
	{ "B-04 a mirror that fails is kept, unless its mailbox is gone", test_mirror_fails },
	{ "B-04 B-05 a report from outside removes; one of a delay does not", test_report },
	{ "B-04 a forged, expired or other bounce is refused and changes nothing", test_forged_bounce },
	{ "B-04 whose bounce it is follows from the directory", test_forgotten },
	{ "B-04 what is a failure and what is not", test_reports },
	{ "B-04 from outside 5.4.7 is a failure as any other", test_own_report },
	{ "B-04 somebody else changes the account meanwhile", test_conflict },
	{ "B-04 B-13 the directory is away: nothing is queued, a bounce waits", test_directory_away },
	{ NULL, NULL },
};

const UnitSuite test_bounces = { "bounces", tests };
