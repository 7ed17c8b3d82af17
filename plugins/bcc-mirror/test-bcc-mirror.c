/* test-bcc-mirror.c - copies, and what may be set: letter B. */
#include "plugins/bcc-mirror/address.h"
#include "plugins/bcc-mirror/test-gateway.h"

extern const PtnPlugin ptn_plugin_bcc_mirror;

/* ---- copies ---- */

static void
test_bcc(void)
{
	PtnTest *t = gateway_new("standard", BCC, NULL);
	g_autofree char *original = NULL, *copy = NULL, *line = NULL;
	char id[ACCOUNT_SIZE + 1];

	gateway_submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 2);
	original = g_strdup(ptn_test_queued_text(t, gateway_place(t, "friend@example.org")));
	copy = g_strdup(ptn_test_queued_text(t, gateway_place(t, BCC)));
	address_account(SECRET, LOGIN, id);
	line = g_strdup_printf("X-Postern-BCC: %s\r\n", id);
	CU_ASSERT_FALSE(gateway_says(original, "X-Postern-BCC"));
	CU_ASSERT_FALSE(gateway_says(original, BCC));
	CU_ASSERT_TRUE(gateway_says(copy, line));
	CU_ASSERT_EQUAL(strlen(copy), strlen(original) + strlen(line));
	CU_ASSERT_TRUE(gateway_says(copy, "From: user@example.net\r\nSubject: a\r\n") &&
				   g_str_has_suffix(copy, "\r\n\r\nbody\r\n"));
	CU_ASSERT_EQUAL(ptn_test_queued_recipient(t, gateway_place(t, "friend@example.org"), 1), NULL);
	ptn_test_free(t);
}

static void
test_sender(void)
{
	PtnTest *t = gateway_new("standard", BCC " second@far.example", NULL);
	g_autofree char *first = NULL, *second = NULL;
	const char *sender;

	gateway_submit(t);
	first = g_strdup(ptn_test_queued_sender(t, gateway_place(t, BCC)));
	second = g_strdup(ptn_test_queued_sender(t, gateway_place(t, "second@far.example")));
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
	PtnTest *t = gateway_new("standard", NULL, MIRROR);
	g_autofree char *first = NULL, *second = NULL;
	char value[VALUE_SIZE + 1];

	address_mirror_value(SECRET, LOGIN, value);
	gateway_submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 2);
	CU_ASSERT_FALSE(gateway_says(ptn_test_queued_text(t, gateway_place(t, "friend@example.org")), "AuthMirror"));
	ASSERT_TEXT(ptn_test_queued_sender(t, gateway_place(t, MIRROR)), "");
	first = g_strdup_printf("X-Postern-AuthMirror: %s\r\n", value);
	CU_ASSERT_TRUE(gateway_says(ptn_test_queued_text(t, gateway_place(t, MIRROR)), first));
	ptn_test_advance(t, 400 * 24 * 3600 * PTN_SECOND);
	gateway_submit(t);
	CU_ASSERT_TRUE(gateway_says(ptn_test_queued_text(t, 3), first));
	CU_ASSERT_FALSE(gateway_says(ptn_test_queued_text(t, 3), "X-Postern-BCC"));
	ptn_test_free(t);
}

static void
test_both(void)
{
	PtnTest *t = gateway_new("standard", "a@far.example b@far.example", MIRROR " two@hosted.example");

	(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
	(void)ptn_test_say(t, "RCPT TO:<one@example.org>");
	(void)ptn_test_say(t, "RCPT TO:<two@example.org>");
	(void)ptn_test_say(t, "DATA");
	ASSERT_STARTS(ptn_test_send(t, CONTENT ".\r\n", strlen(CONTENT) + 3), "250");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 5);
	CU_ASSERT_EQUAL(gateway_count(t, "a@far.example"), 1);
	CU_ASSERT_EQUAL(gateway_count(t, "b@far.example"), 1);
	CU_ASSERT_EQUAL(gateway_count(t, MIRROR), 1);
	CU_ASSERT_EQUAL(gateway_count(t, "two@hosted.example"), 1);
	CU_ASSERT_FALSE(gateway_says(ptn_test_queued_text(t, gateway_place(t, MIRROR)), "X-Postern-BCC"));
	CU_ASSERT_FALSE(
		gateway_says(ptn_test_queued_text(t, gateway_place(t, "a@far.example")), "X-Postern-AuthMirror"));
	ptn_test_free(t);
}

/* The order of lists, of recipients and of forged header fields decides nothing: the same copies are made. */
static void
test_order(void)
{
	static const char *const orders[][4] = { { "a@far.example b@far.example", MIRROR " two@hosted.example",
												 "X-Postern-BCC: mine\r\nX-Postern-AuthMirror: mine\r\nSubject: a\r\n",
												 "one@example.org" },
		{ "b@far.example a@far.example", "two@hosted.example " MIRROR,
			"Subject: a\r\nX-Postern-AuthMirror: mine\r\nX-Postern-BCC: mine\r\n", "two@example.org" } };
	g_autofree char *values[2] = { NULL, NULL };

	for (size_t i = 0; i < 2; i++) {
		PtnTest *t = gateway_new("standard", orders[i][0], orders[i][1]);
		g_autofree char *content = g_strconcat(orders[i][2], "\r\nbody\r\n", NULL);
		const char *text;

		ASSERT_STARTS(ptn_test_submit(t, LOGIN, orders[i][3], content), "250");
		CU_ASSERT_EQUAL(ptn_test_queued(t), 5);
		for (const char *const *to = (const char *const[]){ "a@far.example", "b@far.example", MIRROR, "two@hosted.example",
				 orders[i][3], NULL };
			 *to != NULL; to++) {
			CU_ASSERT_EQUAL(gateway_count(t, *to), 1);
			CU_ASSERT_FALSE(gateway_says(ptn_test_queued_text(t, gateway_place(t, *to)), ": mine"));
		}
		text = ptn_test_queued_text(t, gateway_place(t, MIRROR));
		values[i] = g_strndup(strstr(text, "X-Postern-AuthMirror: "), strlen("X-Postern-AuthMirror: ") + VALUE_SIZE);
		ptn_test_free(t);
	}
	ASSERT_TEXT(values[1], values[0]);
	ASSERT_TEXT(values[0], "X-Postern-AuthMirror: oomowowqaqkgv5mdobar"); /* as test_golden_values() has it */
	g_clear_pointer(&values[1], g_free);
}

static void
test_none(void)
{
	PtnTest *t = gateway_new("standard", BCC, MIRROR);

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
	PtnTest *t = gateway_new("standard", BCC, MIRROR);

	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "friend@example.org", content), "250");
	CU_ASSERT_EQUAL(ptn_test_queued(t), 3);
	for (size_t i = 0; i < 3; i++) {
		const char *text = ptn_test_queued_text(t, i);

		CU_ASSERT_FALSE(gateway_says(text, "mine") || gateway_says(text, "again") || gateway_says(text, "folded"));
		CU_ASSERT_TRUE(gateway_says(text, "X-Other: stays\r\n"));
	}
	CU_ASSERT_TRUE(gateway_says(ptn_test_queued_text(t, gateway_place(t, MIRROR)), "X-Postern-AuthMirror: "));
	ASSERT_STARTS(ptn_test_submit(t, "", "friend@example.org", content), "250");
	CU_ASSERT_FALSE(gateway_says(ptn_test_queued_text(t, 3), "mine"));
	ptn_test_free(t);
}

static void
test_moved_mirror(void)
{
	PtnTest *t = gateway_new("standard", NULL, MIRROR);

	ptn_test_entry(t, PTN_DOMAIN, "hosted.example", "customer", "other", NULL);
	gateway_submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 1);
	CU_ASSERT_TRUE(gateway_says(gateway_shown(t), "used=no why-not=hosted.example is not a domain of the same customer"));
	ptn_test_entry(t, PTN_DOMAIN, "hosted.example", "customer", "acme", "mode", "outbound-only", NULL);
	gateway_submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 2);
	ptn_test_free(t);
}

/* ---- what may be set ---- */

static void
test_limits(void)
{
	PtnTest *t = gateway_new("personal", BCC, MIRROR);

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
	gateway_submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 6);
	ptn_test_free(t);
}

static void
test_downgrade(void)
{
	PtnTest *t = gateway_new("standard", BCC " two@far.example three@far.example", MIRROR " two@hosted.example");

	ptn_test_entry(t, PTN_CUSTOMER, "acme", "level", "personal", NULL);
	gateway_submit(t);
	CU_ASSERT_EQUAL(ptn_test_queued(t), 3);
	CU_ASSERT_EQUAL(gateway_count(t, BCC), 1);
	CU_ASSERT_EQUAL(gateway_count(t, MIRROR), 1);
	CU_ASSERT_TRUE(
		gateway_says(gateway_shown(t), "kind=bcc address=archive@far.example used=yes why-not= header=X-Postern-BCC: "));
	CU_ASSERT_TRUE(gateway_says(
		gateway_shown(t), "kind=bcc address=two@far.example used=no why-not=level personal allows 1 BCC recipient"));
	CU_ASSERT_TRUE(gateway_says(
		gateway_shown(t), "kind=mirror address=two@hosted.example used=no why-not=level personal allows 1 BCC"));
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "two@far.example three@far.example"), NULL);
	CU_ASSERT_TRUE(gateway_says(
		ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "two@far.example new@far.example"), "allows 1"));
	ptn_test_free(t);
}

static void
test_whose_mirror(void)
{
	PtnTest *t = gateway_new("standard", NULL, NULL);

	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@others.example"),
		"bcc-mirror.mirror: a@others.example: others.example is not a domain of the same customer");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@held.example"),
		"bcc-mirror.mirror: a@held.example: held.example is not of mode hosted");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@nowhere.example"),
		"bcc-mirror.mirror: a@nowhere.example: nowhere.example is not a domain of the same customer");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.mirror", "a@hosted.example"), NULL);
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "a@bcc.example.net"),
		"bcc-mirror.bcc: a@bcc.example.net: that is where bounces of copies come");
	CU_ASSERT_TRUE(gateway_says(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "bcc-mirror.bcc", "nonsense"), "nonsense"));
	CU_ASSERT_TRUE(gateway_says(ptn_test_mistake(&ptn_plugin_bcc_mirror,
									"[plugin bcc-mirror]\nbounce-domain = b.example\nsecret = short\n"),
		"at least 16 characters"));
	CU_ASSERT_TRUE(gateway_says(
		ptn_test_mistake(&ptn_plugin_bcc_mirror, "[plugin bcc-mirror]\nbounce-domain = b.example\n"), "secret"));
	ptn_test_free(t);
}

/* ---- usage, addresses ---- */

static void
test_usage(void)
{
	PtnTest *t = gateway_new("standard", BCC, MIRROR);
	g_autofree char *octets = g_strdup_printf("what=bytes window=1d used=%zu ", 3 * strlen(CONTENT));

	gateway_submit(t);
	CU_ASSERT_TRUE(gateway_says(ptn_test_command(t, "limits", "usage", LOGIN, NULL), octets));
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

/* Computed by another program: copies that are under way, and the rules of customers that file mirrors by their header value,
 * outlive every version of this one. */
static void
test_golden_values(void)
{
	g_autofree char *address = address_make(SECRET, "b.example", LOGIN, BCC, 20000);
	char value[VALUE_SIZE + 1];

	ASSERT_TEXT(address, "bcc-ciltql7pk37z-3hjtmbbe-atra-3xea7obrbyvxybsr@b.example");
	address_mirror_value(SECRET, LOGIN, value);
	ASSERT_TEXT(value, "oomowowqaqkgv5mdobar");
}

static void
test_sample_secret(void)
{
	PtnTest *t = gateway_new("standard", NULL, NULL);

	ASSERT_TEXT(ptn_test_alarm(t, "bcc-mirror.secret"), NULL);
	ptn_test_free(t);
	t = ptn_test_new(&ptn_plugin_bcc_mirror,
		"[plugin bcc-mirror]\nbounce-domain = b.example\nsecret = change-this-to-24-random\n");
	CU_ASSERT_TRUE(gateway_says(ptn_test_alarm(t, "bcc-mirror.secret"), "sample configuration"));
	ptn_test_free(t);
}

/* The next plugin judges content: what it would refuse to anybody else goes to abuse@, and to nobody besides. */
static void
test_exempt(void)
{
	PtnTest *t = gateway_new("professional", "archive@example.org other@example.com", "box@hosted.example");
	const size_t before = ptn_test_queued(t);

	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "friend@example.org", "Subject: bad\r\n\r\nx\r\n"), "550 5.7.1 not this one");
	CU_ASSERT_EQUAL(ptn_test_queued(t), before);
	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "abuse@example.org", "Subject: bad\r\n\r\nx\r\n"), "250");
	CU_ASSERT_EQUAL(ptn_test_queued(t), before + 1);
	ASSERT_TEXT(ptn_test_queued_recipient(t, before, 0), "abuse@example.org");
	ASSERT_STARTS(ptn_test_submit(t, LOGIN, "abuse@example.org", "Subject: good\r\n\r\nx\r\n"), "250");
	CU_ASSERT_TRUE(ptn_test_queued(t) > before + 2);
	ptn_test_free(t);
}

static const UnitTest tests[] = {
	{ "U-22 no copies of what is only accepted because its recipients are exempt", test_exempt },
	{ "B-01 B-02 B-06 a BCC recipient gets one copy with its header; nobody else sees it", test_bcc },
	{ "B-03 a copy's sender is of its account and recipient alone", test_sender },
	{ "B-07 B-08 a mirror has its header, the original has not; the value stays", test_mirror },
	{ "B-16 B-17 B-19 several of both, one copy a message, none of copies", test_both },
	{ "B-16 B-18 whatever the order of lists, recipients and header fields", test_order },
	{ "B-11 B-20 nothing of the null sender, nothing of what is refused", test_none },
	{ "B-18 headers that the client forged are removed, from copies, too", test_forged },
	{ "B-09 a mirror whose domain went to somebody else is not used", test_moved_mirror },
	{ "B-10 the level says how many", test_limits },
	{ "B-21 after a downgrade the first is used, the rest is shown as not used", test_downgrade },
	{ "B-09 a mirror is a hosted mailbox of the same customer", test_whose_mirror },
	{ "B-14 the octets of copies are counted", test_usage },
	{ "B-03 addresses: signed, expiring, without regard to case", test_addresses },
	{ "B-08 addresses and header values are the same in every version", test_golden_values },
	{ "the secret of the sample is an alarm", test_sample_secret },
	{ NULL, NULL },
};

const UnitSuite test_copies = { "copies", tests };
