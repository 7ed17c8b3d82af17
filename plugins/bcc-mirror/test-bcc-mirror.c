/* test-bcc-mirror.c - the plugin bcc-mirror in the test host: letter B. */
#include "plugin-test.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "plugins/bcc-mirror/address.h"
#include "plugins/bcc-mirror/report.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_bcc_mirror, ptn_plugin_picky;

#define LOGIN "user@example.net"
#define SECRET "0123456789abcdef"
#define BCC "archive@far.example"
#define MIRROR "sent@hosted.example"
#define CONTENT "From: user@example.net\r\nSubject: a\r\n\r\nbody\r\n"
#define CONFIG \
	"[level personal]\nbcc-mirror.most-copies = 1\n" \
	"[level standard]\nbcc-mirror.most-copies = 20\n" \
	"[plugin bcc-mirror]\nbounce-domain = bcc.example.net\nsecret = " SECRET "\n"

#define ASSERT_STARTS(text, start) ASSERT_TEXT(first_of((text), strlen(start)), (start))

static const char *
first_of(const char *text, size_t n)
{
	static char kept[200];

	(void)snprintf(kept, sizeof kept, "%.*s", (int)n, text != NULL ? text : "(none)");
	return kept;
}

/* ---- a gateway with customer acme, its hosted domain, and another customer's ---- */

/* Refuses after us what is called "bad". */
static PtnVerdict
pick(PtnHook *h)
{
	if (g_strcmp0(ptn_header(h, "Subject", 0), "bad") == 0)
		return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "not this one");
	return PTN_NEXT;
}

static const PtnHookRow picky_hooks[] = { { PTN_MESSAGE, pick, PTN_INLINE }, { 0 } };

PTN_PLUGIN(picky) = { PTN_HEAD("picky"), .version = "1", .summary = "refuses one subject", .hooks = picky_hooks };

static PtnTest *
new_gateway(const char *level, const char *bcc, const char *mirror)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_bcc_mirror, &ptn_plugin_picky, NULL };
	PtnTest *t = ptn_test_new_chain(plugins, CONFIG);

	ptn_test_entry(t, PTN_CUSTOMER, "acme", "level", level, "alert", "noc@acme.example", NULL);
	ptn_test_entry(t, PTN_CUSTOMER, "other", "primary", "it@other.example", NULL);
	ptn_test_entry(t, PTN_DOMAIN, "hosted.example", "customer", "acme", "mode", "hosted", NULL);
	ptn_test_entry(t, PTN_DOMAIN, "others.example", "customer", "other", "mode", "hosted", NULL);
	ptn_test_entry(t, PTN_DOMAIN, "held.example", "customer", "acme", "mode", "hold", NULL);
	ptn_test_entry(
		t, PTN_ACCOUNT, LOGIN, "password", "mypassword", "bcc-mirror.bcc", bcc, "bcc-mirror.mirror", mirror, NULL);
	ptn_test_connect(t, "192.0.2.1");
	ASSERT_STARTS(ptn_test_login(t, LOGIN, "mypassword"), "235");
	return t;
}

/* In a new session: the entries of an old one may have changed. */
static void
submit(PtnTest *t)
{
	ptn_test_inbound(t, false);
	ptn_test_connect(t, "192.0.2.1");
	ASSERT_STARTS(ptn_test_login(t, LOGIN, "mypassword"), "235");
	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "friend@example.org", CONTENT), "250");
}

/* The place of the message to that recipient; dies without. */
static size_t
place_of(PtnTest *t, const char *recipient)
{
	for (size_t i = 0; i < ptn_test_queued(t); i++)
		if (strcmp(ptn_test_queued_recipient(t, i, 0), recipient) == 0)
			return i;
	CU_FAIL_FATAL("there is no message to that recipient");
	return 0;
}

static size_t
count_to(PtnTest *t, const char *recipient)
{
	size_t n = 0;

	for (size_t i = 0; i < ptn_test_queued(t); i++)
		n += strcmp(ptn_test_queued_recipient(t, i, 0), recipient) == 0;
	return n;
}

/* "bcc a@x used=yes|mirror …" of posternctl bcc-mirror show, without headers. */
static const char *
shown(PtnTest *t)
{
	return ptn_test_command(t, "bcc-mirror", "show", LOGIN, NULL);
}

static bool
has(const char *text, const char *part)
{
	return text != NULL && strstr(text, part) != NULL;
}

/* ---- copies ---- */

static void
test_bcc(void)
{
	PtnTest *t = new_gateway("standard", BCC, NULL);
	g_autofree char *original = NULL, *copy = NULL, *line = NULL;
	char id[ACCOUNT_SIZE + 1];

	submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 2);
	original = g_strdup(ptn_test_queued_text(t, place_of(t, "friend@example.org")));
	copy = g_strdup(ptn_test_queued_text(t, place_of(t, BCC)));
	address_account(SECRET, LOGIN, id);
	line = g_strdup_printf("X-Postern-BCC: %s\r\n", id);
	CU_ASSERT_FALSE(has(original, "X-Postern-BCC"));
	CU_ASSERT_FALSE(has(original, BCC));
	CU_ASSERT_TRUE(has(copy, line));
	CU_ASSERT_EQUAL(strlen(copy), strlen(original) + strlen(line));
	CU_ASSERT_TRUE(
		has(copy, "From: user@example.net\r\nSubject: a\r\n") && g_str_has_suffix(copy, "\r\n\r\nbody\r\n"));
	CU_ASSERT_EQUAL(ptn_test_queued_recipient(t, place_of(t, "friend@example.org"), 1), NULL);
	ptn_test_free(t);
}

static void
test_sender(void)
{
	PtnTest *t = new_gateway("standard", BCC " second@far.example", NULL);
	g_autofree char *first = NULL, *second = NULL;
	const char *sender;

	submit(t);
	first = g_strdup(ptn_test_queued_sender(t, place_of(t, BCC)));
	second = g_strdup(ptn_test_queued_sender(t, place_of(t, "second@far.example")));
	CU_ASSERT_TRUE(g_str_has_prefix(first, "bcc-") && g_str_has_suffix(first, "@bcc.example.net"));
	CU_ASSERT(strcspn(first, "@") <= 64);
	CU_ASSERT_STRING_NOT_EQUAL(first, second);
	CU_ASSERT_EQUAL(strncmp(first, second, 4 + ACCOUNT_SIZE), 0);
	ptn_test_entry(t, PTN_ACCOUNT, "boss@example.net", "password", "mypassword", "bcc-mirror.bcc", BCC, NULL);
	ptn_test_connect(t, "192.0.2.1");
	ptn_test_login(t, "boss@example.net", "mypassword");
	ASSERT_STARTS(ptn_test_submit(t, "boss@example.net", "x@example.org", CONTENT), "250");
	sender = ptn_test_queued_sender(t, ptn_test_queued(t) - 1);
	CU_ASSERT_NOT_EQUAL(strncmp(first, sender, 4 + ACCOUNT_SIZE), 0);
	ptn_test_free(t);
}

static void
test_mirror(void)
{
	PtnTest *t = new_gateway("standard", NULL, MIRROR);
	g_autofree char *first = NULL, *second = NULL;
	char value[VALUE_SIZE + 1];

	address_mirror_value(SECRET, LOGIN, value);
	submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 2);
	CU_ASSERT_FALSE(has(ptn_test_queued_text(t, place_of(t, "friend@example.org")), "AuthMirror"));
	ASSERT_TEXT(ptn_test_queued_sender(t, place_of(t, MIRROR)), "");
	first = g_strdup_printf("X-Postern-AuthMirror: %s\r\n", value);
	CU_ASSERT_TRUE(has(ptn_test_queued_text(t, place_of(t, MIRROR)), first));
	ptn_test_advance(t, 400 * 24 * 3600 * PTN_SECOND);
	submit(t);
	CU_ASSERT_TRUE(has(ptn_test_queued_text(t, 3), first));
	CU_ASSERT_FALSE(has(ptn_test_queued_text(t, 3), "X-Postern-BCC"));
	ptn_test_free(t);
}

static void
test_both(void)
{
	PtnTest *t = new_gateway("standard", "a@far.example b@far.example", MIRROR " two@hosted.example");

	(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
	(void)ptn_test_say(t, "RCPT TO:<one@example.org>");
	(void)ptn_test_say(t, "RCPT TO:<two@example.org>");
	(void)ptn_test_say(t, "DATA");
	ASSERT_STARTS(ptn_test_send(t, CONTENT ".\r\n", strlen(CONTENT) + 3), "250");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 5);
	CU_ASSERT_EQUAL(count_to(t, "a@far.example"), 1);
	CU_ASSERT_EQUAL(count_to(t, "b@far.example"), 1);
	CU_ASSERT_EQUAL(count_to(t, MIRROR), 1);
	CU_ASSERT_EQUAL(count_to(t, "two@hosted.example"), 1);
	CU_ASSERT_FALSE(has(ptn_test_queued_text(t, place_of(t, MIRROR)), "X-Postern-BCC"));
	CU_ASSERT_FALSE(has(ptn_test_queued_text(t, place_of(t, "a@far.example")), "X-Postern-AuthMirror"));
	ptn_test_free(t);
}

static void
test_none(void)
{
	PtnTest *t = new_gateway("standard", BCC, MIRROR);

	ASSERT_STARTS(ptn_test_submit(t, "", "friend@example.org", CONTENT), "250");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 1);
	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "friend@example.org", "Subject: bad\r\n\r\nx\r\n"), "550 5.7.1");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 1);
	ptn_test_free(t);
}

static void
test_forged(void)
{
	static const char content[] = "X-Postern-BCC: mine\r\nSubject: a\r\nx-postern-authmirror: mine\r\n folded\r\n"
								  "X-Postern-AuthMirror: again\r\nX-Other: stays\r\n\r\nbody\r\n";
	PtnTest *t = new_gateway("standard", BCC, MIRROR);

	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "friend@example.org", content), "250");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 3);
	for (size_t i = 0; i < 3; i++) {
		const char *text = ptn_test_queued_text(t, i);

		CU_ASSERT_FALSE(has(text, "mine") || has(text, "again") || has(text, "folded"));
		CU_ASSERT_TRUE(has(text, "X-Other: stays\r\n"));
	}
	CU_ASSERT_TRUE(has(ptn_test_queued_text(t, place_of(t, MIRROR)), "X-Postern-AuthMirror: "));
	ASSERT_STARTS(ptn_test_submit(t, "", "friend@example.org", content), "250");
	CU_ASSERT_FALSE(has(ptn_test_queued_text(t, 3), "mine"));
	ptn_test_free(t);
}

static void
test_moved_mirror(void)
{
	PtnTest *t = new_gateway("standard", NULL, MIRROR);

	ptn_test_entry(t, PTN_DOMAIN, "hosted.example", "customer", "other", NULL);
	submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 1);
	CU_ASSERT_TRUE(has(shown(t), "used=no: hosted.example is not a domain of the same customer"));
	ptn_test_entry(t, PTN_DOMAIN, "hosted.example", "customer", "acme", "mode", "outbound-only", NULL);
	submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 2);
	ptn_test_free(t);
}

/* ---- what may be set ---- */

static void
test_limits(void)
{
	PtnTest *t = new_gateway("personal", BCC, MIRROR);

	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", BCC " two@far.example"),
		"bcc-mirror.bcc: level personal allows 1 BCC recipient and 1 mirror");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", MIRROR " two@hosted.example"),
		"bcc-mirror.mirror: level personal allows 1 BCC recipient and 1 mirror");
	ptn_test_entry(t, PTN_CUSTOMER, "acme", "level", "standard", NULL);
	ASSERT_TEXT(
		ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", BCC " two@far.example three@far.example"), NULL);
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", MIRROR " two@hosted.example"), NULL);
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", BCC " ARCHIVE@far.example"),
		"bcc-mirror.bcc: ARCHIVE@far.example: is there twice");
	submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 6);
	ptn_test_free(t);
}

static void
test_downgrade(void)
{
	PtnTest *t = new_gateway("standard", BCC " two@far.example three@far.example", MIRROR " two@hosted.example");

	ptn_test_entry(t, PTN_CUSTOMER, "acme", "level", "personal", NULL);
	submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 3);
	CU_ASSERT_EQUAL(count_to(t, BCC), 1);
	CU_ASSERT_EQUAL(count_to(t, MIRROR), 1);
	CU_ASSERT_TRUE(has(shown(t), "kind=bcc address=archive@far.example used=yes header=X-Postern-BCC: "));
	CU_ASSERT_TRUE(
		has(shown(t), "kind=bcc address=two@far.example used=no: level personal allows 1 BCC recipient"));
	CU_ASSERT_TRUE(has(shown(t), "kind=mirror address=two@hosted.example used=no: level personal allows 1 BCC"));
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "two@far.example three@far.example"), NULL);
	CU_ASSERT_TRUE(
		has(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "two@far.example new@far.example"), "allows 1"));
	ptn_test_free(t);
}

static void
test_whose_mirror(void)
{
	PtnTest *t = new_gateway("standard", NULL, NULL);

	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@others.example"),
		"bcc-mirror.mirror: a@others.example: others.example is not a domain of the same customer");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@held.example"),
		"bcc-mirror.mirror: a@held.example: held.example is not of mode hosted");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@nowhere.example"),
		"bcc-mirror.mirror: a@nowhere.example: nowhere.example is not a domain of the same customer");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@hosted.example"), NULL);
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "a@bcc.example.net"),
		"bcc-mirror.bcc: a@bcc.example.net: that is where bounces of copies come");
	CU_ASSERT_TRUE(has(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "nonsense"), "nonsense"));
	CU_ASSERT_TRUE(has(ptn_test_mistake(&ptn_plugin_bcc_mirror,
						   "[plugin bcc-mirror]\nbounce-domain = b.example\nsecret = short\n"),
		"at least 16 characters"));
	CU_ASSERT_TRUE(has(
		ptn_test_mistake(&ptn_plugin_bcc_mirror, "[plugin bcc-mirror]\nbounce-domain = b.example\n"), "secret"));
	ptn_test_free(t);
}

/* ---- bounces of our own delivery ---- */

static void
test_refused(void)
{
	PtnTest *t = new_gateway("standard", BCC " two@far.example", NULL);
	size_t notice;

	submit(t);
	ptn_test_outcome(t, place_of(t, BCC), PTN_DEFERRED, "450 4.2.1 try later", false);
	CU_ASSERT_TRUE(has(shown(t), "address=" BCC " used=yes"));
	ptn_test_outcome(t, place_of(t, BCC), PTN_BOUNCED, "550 5.1.1 no such user", false);
	CU_ASSERT_FALSE(has(shown(t), "address=" BCC " used=yes"));
	CU_ASSERT_TRUE(has(shown(t), "address=two@far.example used=yes"));
	CU_ASSERT_TRUE(has(shown(t), BCC ": 550 5.1.1 no such user"));
	notice = place_of(t, "noc@acme.example");
	ASSERT_TEXT(ptn_test_queued_sender(t, notice), "");
	CU_ASSERT_TRUE(has(ptn_test_queued_text(t, notice), BCC) && has(ptn_test_queued_text(t, notice), LOGIN));
	CU_ASSERT_TRUE(has(ptn_test_queued_text(t, notice), "550 5.1.1 no such user"));
	ptn_test_outcome(t, place_of(t, BCC), PTN_BOUNCED, "550 5.1.1 no such user", false);
	CU_ASSERT_EQUAL(count_to(t, "noc@acme.example"), 1);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 4);
	ptn_test_free(t);
}

static void
test_expired(void)
{
	PtnTest *t = new_gateway("standard", BCC, NULL);

	submit(t);
	ptn_test_outcome(t, place_of(t, BCC), PTN_BOUNCED, "5.4.7 returned by the administrator", true);
	CU_ASSERT_TRUE(has(shown(t), "address=" BCC " used=yes"));
	ptn_test_outcome(t, place_of(t, "friend@example.org"), PTN_BOUNCED, "550 5.1.1 no such user", false);
	CU_ASSERT_TRUE(has(shown(t), "address=" BCC " used=yes"));
	ptn_test_outcome(t, place_of(t, BCC), PTN_BOUNCED, "4.4.7 it could not be delivered in time", true);
	CU_ASSERT_FALSE(has(shown(t), "used=yes"));
	submit(t);
	CU_ASSERT_EQUAL(count_to(t, BCC), 1);
	ptn_test_free(t);
}

static void
test_mirror_fails(void)
{
	PtnTest *t = new_gateway("standard", NULL, MIRROR);

	submit(t);
	ptn_test_outcome(t, place_of(t, MIRROR), PTN_BOUNCED, "552 5.2.2 over quota", false);
	ptn_test_outcome(t, place_of(t, MIRROR), PTN_BOUNCED, "552 5.2.2 over quota", false);
	CU_ASSERT_TRUE(has(shown(t), "address=" MIRROR " used=yes"));
	CU_ASSERT_EQUAL(count_to(t, "noc@acme.example"), 1);
	ptn_test_advance(t, 25 * 3600 * PTN_SECOND);
	ptn_test_outcome(t, place_of(t, MIRROR), PTN_BOUNCED, "552 5.2.2 over quota", false);
	CU_ASSERT_EQUAL(count_to(t, "noc@acme.example"), 2);
	ptn_test_outcome(t, place_of(t, MIRROR), PTN_BOUNCED, "550 5.1.1 no such mailbox", false);
	CU_ASSERT_FALSE(has(shown(t), "used=yes"));
	CU_ASSERT_EQUAL(count_to(t, "noc@acme.example"), 3);
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
	submit(t);
	return g_strdup(ptn_test_queued_sender(t, place_of(t, BCC)));
}

static void
test_report(void)
{
	PtnTest *t = new_gateway("standard", BCC " two@far.example", NULL);
	g_autofree char *address = address_now(t);
	g_autofree char *upper = g_ascii_strup(address, -1);
	size_t bounce;

	ASSERT_STARTS(bounce_to(t, "", address, REPORT("delayed", "4.4.1")), "250");
	bounce = place_of(t, address);
	ASSERT_TEXT(ptn_test_route(t, bounce), "plugin:bcc-mirror");
	ASSERT_TEXT(ptn_test_deliver(t, bounce), "250 2.0.0 delivered");
	CU_ASSERT_TRUE(has(shown(t), "address=" BCC " used=yes"));
	ASSERT_STARTS(bounce_to(t, "", upper, REPORT("Failed (unknown)", "5.1.1")), "250");
	bounce = ptn_test_queued(t) - 1;
	ASSERT_TEXT(ptn_test_route(t, bounce), "plugin:bcc-mirror");
	ASSERT_TEXT(ptn_test_deliver(t, bounce), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(has(shown(t), "address=" BCC " used=yes"));
	CU_ASSERT_TRUE(has(shown(t), "address=two@far.example used=yes"));
	CU_ASSERT_TRUE(has(ptn_test_queued_text(t, place_of(t, "noc@acme.example")), "550 no such user here"));
	ASSERT_TEXT(ptn_test_deliver(t, bounce), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(count_to(t, "noc@acme.example"), 1);
	ptn_test_free(t);
}

static void
test_forged_bounce(void)
{
	PtnTest *t = new_gateway("standard", BCC, NULL);
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
	CU_ASSERT_TRUE(has(shown(t), "address=" BCC " used=yes"));
	CU_ASSERT_EQUAL(count_to(t, "noc@acme.example"), 0);
	ptn_test_free(t);
}

/* The store forgets, the account or the recipient goes: the directory knows, or nothing is done. */
static void
test_forgotten(void)
{
	PtnTest *t = new_gateway("standard", BCC, NULL), *fresh;
	g_autofree char *address = address_now(t);

	ptn_test_free(t);
	fresh = new_gateway("standard", BCC, NULL);
	ASSERT_STARTS(bounce_to(fresh, "", address, REPORT("failed", "5.1.1")), "250");
	ASSERT_TEXT(ptn_test_deliver(fresh, 0), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(has(shown(fresh), "used=yes"));
	ptn_test_remove(fresh, PTN_ACCOUNT, LOGIN);
	ASSERT_TEXT(ptn_test_deliver(fresh, 0), "250 2.0.0 delivered");
	CU_ASSERT_EQUAL(count_to(fresh, "noc@acme.example"), 1);
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
	PtnTest *t = new_gateway("standard", BCC, NULL);
	g_autofree char *address = address_now(t);

	ASSERT_TEXT(ptn_test_queued_note(t, place_of(t, BCC), "account"), LOGIN);
	CU_ASSERT_FALSE(has(address, "user"));
	ASSERT_STARTS(bounce_to(t, "", address, REPORT("failed", "5.4.7")), "250");
	ASSERT_TEXT(ptn_test_deliver(t, place_of(t, address)), "250 2.0.0 delivered");
	CU_ASSERT_FALSE(has(shown(t), "used=yes"));
	ptn_test_free(t);
}

/* ---- usage, addresses ---- */

static void
test_usage(void)
{
	PtnTest *t = new_gateway("standard", BCC, MIRROR);
	g_autofree char *octets = g_strdup_printf("%zu", 2 * strlen(CONTENT));

	submit(t);
	ASSERT_TEXT(ptn_test_queued_note(t, place_of(t, "friend@example.org"), "bcc-mirror.octets"), octets);
	ptn_test_connect(t, "192.0.2.1");
	octets = (g_free(octets),
		g_strdup_printf("usage=%zu octets this hour, %zu today", 2 * strlen(CONTENT), 2 * strlen(CONTENT)));
	CU_ASSERT_TRUE(has(shown(t), octets + strlen("usage=")));
	ptn_test_free(t);
}

static void
test_addresses(void)
{
	g_autofree char *address = address_make(SECRET, "b.example", LOGIN, BCC, 20000);
	const int64_t then[2] = { 20000, 14 }, early[2] = { 19998, 14 }, late[2] = { 20015, 14 };
	BounceAddress found;
	g_autofree char *same = address_make(SECRET, "b.example", "USER@Example.NET", "Archive@far.example", 20000);

	ASSERT_TEXT(same, address);
	CU_ASSERT_EQUAL(address_check(SECRET, "B.example", address, then, &found), ADDRESS_VALID);
	CU_ASSERT_EQUAL(found.day, 20000);
	CU_ASSERT_EQUAL(address_check(SECRET, "b.example", address, early, &found), ADDRESS_EXPIRED);
	CU_ASSERT_EQUAL(address_check(SECRET, "b.example", address, late, &found), ADDRESS_EXPIRED);
	CU_ASSERT_EQUAL(address_check(SECRET, "c.example", address, then, &found), ADDRESS_OTHER);
	CU_ASSERT_EQUAL(address_check(SECRET, "b.example", "bcc-@b.example", then, &found), ADDRESS_FORGED);
	for (size_t i = 4; address[i] != '@'; i++) {
		g_autofree char *changed = g_strdup(address);

		changed[i] = changed[i] == 'a' ? 'b' : 'a';
		CU_ASSERT_EQUAL(address_check(SECRET, "b.example", changed, then, &found), ADDRESS_FORGED);
	}
}

static const UnitTest tests[] = {
	{ "B-01 B-02 B-06 a BCC recipient gets one copy with its header; nobody else sees it", test_bcc },
	{ "B-03 a copy's sender is of its account and recipient alone", test_sender },
	{ "B-07 B-08 a mirror has its header, the original has not; the value stays", test_mirror },
	{ "B-16 B-17 B-19 several of both, one copy a message, none of copies", test_both },
	{ "B-11 B-20 nothing of the null sender, nothing of what is refused", test_none },
	{ "B-18 headers that the client forged are removed, from copies, too", test_forged },
	{ "B-09 a mirror whose domain went to somebody else is not used", test_moved_mirror },
	{ "B-10 the level says how many", test_limits },
	{ "B-21 after a downgrade the first is used, the rest is shown as not used", test_downgrade },
	{ "B-09 a mirror is a hosted mailbox of the same customer", test_whose_mirror },
	{ "B-04 B-05 5xx removes the recipient and tells the customer once, 4xx does not", test_refused },
	{ "B-05 B-15 expiry removes, the administrator's bounce does not", test_expired },
	{ "B-04 a mirror that fails is kept, unless its mailbox is gone", test_mirror_fails },
	{ "B-04 B-05 a report from outside removes; one of a delay does not", test_report },
	{ "B-04 a forged, expired or other bounce is refused and changes nothing", test_forged_bounce },
	{ "B-04 whose bounce it is follows from the directory", test_forgotten },
	{ "B-04 what is a failure and what is not", test_reports },
	{ "B-04 from outside 5.4.7 is a failure as any other", test_own_report },
	{ "B-14 the octets of copies are counted", test_usage },
	{ "B-03 addresses: signed, expiring, without regard to case", test_addresses },
	{ NULL, NULL },
};

static const UnitSuite suite = { "bcc-mirror", tests };

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
