/* test-uribl.c - the plugin uribl in the test host: letter U. */
#include "plugin-test.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "plugins/uribl/lists.h"
#include "plugins/uribl/test-extract.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_uribl;

#define LISTS \
	"[plugin uribl/black]\nzone = multi.test\nbits = 2\ntext = black\n" \
	"[plugin uribl/grey]\nzone = multi.test\nbits = 4\ntext = bulk or marketing link\n" \
	"[plugin uribl/red]\nzone = multi.test\nbits = 8\n" \
	"[plugin uribl/gold]\nzone = gold.test\ncodes = 127.0.0.2\ntext = gold\n" \
	"[plugin uribl/ivm]\nzone = ivm.test\n"
#define SENDER "user@example.net"

/* Makes a copy to the archive, as bcc-mirror would. */
static PtnVerdict
copy(PtnHook *h)
{
	(void)ptn_copy(h, "", "archive@example.net");
	return PTN_NEXT;
}

static const PtnHookRow copier_hooks[] = { { PTN_MESSAGE, copy, PTN_INLINE }, { 0 } };
static const PtnPlugin copier = { PTN_HEAD("copier"), .version = "1", .summary = "copies", .hooks = copier_hooks };

static PtnTest *
new_test(const char *config)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &copier, &ptn_plugin_uribl, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config != NULL ? config : LISTS);

	ptn_test_dns(test, "2.0.0.127.multi.test", PTN_A, PTN_OK, "127.0.0.14", NULL);
	ptn_test_dns(test, "test.gold.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	ptn_test_dns(test, "2.0.0.127.ivm.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	ptn_test_dns(test, "black.example.multi.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	ptn_test_dns(test, "grey.example.multi.test", PTN_A, PTN_OK, "127.0.0.4", NULL);
	ptn_test_dns(test, "red.example.multi.test", PTN_A, PTN_OK, "127.0.0.8", NULL);
	ptn_test_dns(test, "all.example.multi.test", PTN_A, PTN_OK, "127.0.0.14", NULL);
	ptn_test_dns(test, "refused.example.multi.test", PTN_A, PTN_OK, "127.0.0.1", NULL);
	ptn_test_dns(test, "full.example.multi.test", PTN_A, PTN_OK, "127.0.0.255", NULL);
	ptn_test_dns(test, "odd.example.multi.test", PTN_A, PTN_OK, "127.0.0.3", NULL);
	ptn_test_dns(test, "outside.example.multi.test", PTN_A, PTN_OK, "192.0.2.2", NULL);
	ptn_test_dns(test, "quota.example.multi.test", PTN_A, PTN_OK, "127.255.255.254", NULL);
	ptn_test_dns(test, "other.example.multi.test", PTN_A, PTN_OK, "127.0.0.16", NULL);
	ptn_test_dns(test, "gold.example.gold.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	ptn_test_dns(test, "three.example.gold.test", PTN_A, PTN_OK, "127.0.0.3", NULL);
	ptn_test_dns(test, "ivm.example.ivm.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	ptn_test_dns(test, "slow.example.multi.test", PTN_A, PTN_UNSURE, NULL);
	ptn_test_entry(test, PTN_ACCOUNT, SENDER, "password", "unused", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, SENDER, "x");
	return test;
}

/* The reply to a message with this body, and that it is queued, with its copy, or not at all. */
static const char *
submit(PtnTest *test, const char *body)
{
	g_autofree char *content = g_strdup_printf("From: a@example.net\r\nSubject: x\r\n\r\n%s\r\n", body);
	const size_t before = ptn_test_queued(test);
	const char *reply = ptn_test_submit(test, SENDER, "rcpt@example.org", content);

	CU_ASSERT_EQUAL(ptn_test_queued(test), before + (reply[0] == '2' ? 2 : 0));
	return reply;
}

static void
check(PtnTest *test, const char *body, const char *start)
{
	const char *reply = submit(test, body);
	g_autofree char *actual = g_strdup_printf("%s: %.*s", body, (int)strlen(start), reply);
	g_autofree char *expected = g_strdup_printf("%s: %s", body, start);

	ASSERT_TEXT(actual, expected);
}

static void
test_listed(void)
{
	PtnTest *test = new_test(NULL);

	check(test, "http://black.example/", "550 5.7.1 Message contains black.example (black)\n");
	check(test, "http://a.b.grey.example/", "550 5.7.1 Message contains grey.example (bulk or marketing link)\n");
	check(test, "http://red.example/", "550 5.7.1 Message contains red.example (listed in red)\n");
	check(test, "http://gold.example/", "550 5.7.1 Message contains gold.example (gold)\n");
	check(test, "http://ivm.example/", "550 5.7.1 Message contains ivm.example (listed in ivm)\n");
	check(test, "http://all.example/", "550 5.7.1 Message contains all.example (black)\n");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.listed"), 6);
	ptn_test_free(test);
}

static void
test_clean(void)
{
	PtnTest *test = new_test(NULL);

	check(test, "http://clean.example/", "250 ");
	check(test, "nothing", "250 ");
	check(test, "http://other.example/", "250 ");  /* a bit that nobody asks about */
	check(test, "http://three.example/", "250 ");  /* a code that is not among those of the item */
	ptn_test_free(test);
}

static void
test_errors(void)
{
	static const char *const bodies[] = { "http://refused.example/", "http://full.example", "http://odd.example",
		"http://outside.example/", "http://quota.example" };
	PtnTest *test = new_test(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++)
		check(test, bodies[i], "250 ");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.errors"), 5);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.listed"), 0);
	ptn_test_free(test);
}

/* A list answers with several addresses in random order: neither the first nor the last decides. */
static void
test_order_of_answers(void)
{
	static const struct {
		const char *addresses[3], *reply;
	} cases[] = { { { "127.0.0.2", "127.0.0.16", "127.0.0.32" }, "550 5.7.1 Message contains many.example (black)" },
		{ { "127.0.0.4", "127.0.0.16", "127.0.0.2" }, "550 5.7.1 Message contains many.example (black)" },
		{ { "127.0.0.2", "127.0.0.16", "127.255.255.254" }, "250 " }, { { "127.0.0.2", "127.0.0.4", "192.0.2.1" }, "250 " },
		{ { "127.0.0.16", "127.0.0.32", "127.0.0.64" }, "250 " } };
	static const size_t orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(orders); k++) {
			const char *const *addresses = cases[i].addresses;
			PtnTest *test = new_test(NULL);

			ptn_test_dns(test, "many.example.multi.test", PTN_A, PTN_OK, addresses[orders[k][0]], addresses[orders[k][1]],
				addresses[orders[k][2]], NULL);
			check(test, "http://many.example/", cases[i].reply);
			ptn_test_free(test);
		}
}

/* Nor does the order of the links in a text, or that of the items. */
static void
test_order_of_links(void)
{
	static const char *const bodies[] = { "http://clean.example/ http://black.example/ http://slow.example/",
		"http://slow.example/ http://clean.example/ http://black.example/",
		"http://black.example/ http://slow.example/ http://clean.example/" };
	static const char *const items[] = {
		"[plugin uribl/grey]\nzone = multi.test\nbits = 4\n[plugin uribl/black]\nzone = multi.test\nbits = 2\ntext = black\n",
		"[plugin uribl/black]\nzone = multi.test\nbits = 2\ntext = black\n[plugin uribl/grey]\nzone = multi.test\nbits = 4\n"
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(items); k++) {
			PtnTest *test = new_test(items[k]);

			check(test, bodies[i], "550 5.7.1 Message contains black.example (black)");
			ptn_test_free(test);
		}
}

static void
test_reversed(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dns(test, "7.100.51.198.multi.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	ptn_test_dns(test, "1.0.0.10.multi.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	ptn_test_dns(test, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.multi.test", PTN_A, PTN_OK,
		"127.0.0.4", NULL);
	check(test, "http://198.51.100.7/", "550 5.7.1 Message contains 198.51.100.7 (black)");
	check(test, "http://3325256711/", "550 5.7.1 Message contains 198.51.100.7 (black)");
	check(test, "http://[2001:db8::1]/", "550 5.7.1 Message contains 2001:db8::1 (bulk");
	check(test, "http://10.0.0.1/", "250 "); /* not public: not asked */
	ptn_test_free(test);
}

static void
test_failure(void)
{
	PtnTest *test = new_test(NULL);

	check(test, "http://slow.example/", "250 ");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.failures"), 1);
	check(test, "http://slow.example/ http://black.example", "550 5.7.1");
	ptn_test_free(test);
	test = new_test("[plugin uribl]\non-error = defer\n" LISTS);
	check(test, "http://slow.example/", "451 4.3.0");
	(void)ptn_test_submit(
		test, "user@example.net", "x@example.org", "X-Postern-URIBL: forged (clean)\r\nSubject: x\r\n\r\nx\r\n");
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, ptn_test_queued(test) - 1), "forged"));
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, ptn_test_queued(test) - 2), "forged"));
	ptn_test_free(test);
}

/* Moves the clock, and waits for the ticks of the plugin, which run on a worker. */
static void
pass(PtnTest *test, int64_t us)
{
	ptn_test_advance(test, us);
	ptn_test_finish_work(test);
}

static void
test_left_out(void)
{
	PtnTest *test = new_test("[plugin uribl]\non-error = defer\n" LISTS);

	for (unsigned i = 0; i < 5; i++)
		check(test, "http://slow.example/", "451 4.3.0");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.failures"), 5);
	check(test, "http://black.example/", "451 4.3.0"); /* not asked: it cannot be told */
	check(test, "http://gold.example/", "550 5.7.1");  /* another list goes on */
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.failures"), 5);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "uribl.black.health"));
	pass(test, 61 * PTN_SECOND);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "uribl.black.health"));
	check(test, "http://black.example/", "550 5.7.1");
	check(test, "http://clean.example/", "250 ");
	ptn_test_free(test);
}

/* ---- what the lists say of their test entries ---- */

/* A zone that answers each question: with a wildcard, or because somebody else bought it. */
static void
test_lists_everything(void)
{
	PtnTest *test = new_test(LISTS);

	ptn_test_dns(test, "invalid.multi.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
	check(test, "http://black.example/", "250 "); /* also before the first self-test */
	check(test, "http://gold.example/", "550 5.7.1");
	pass(test, PTN_SECOND);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "uribl.black.health"));
	ASSERT_TEXT(ptn_test_alarm(test, "uribl.black.health"), "list black lists INVALID, which no list does: it is left out");
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "uribl.gold.health"));
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "uribl.ivm.health"));
	check(test, "http://black.example/", "250 ");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.listed"), 1);
	ptn_test_dns(test, "invalid.multi.test", PTN_A, PTN_NONE, NULL);
	pass(test, 301 * PTN_SECOND);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "uribl.black.health"));
	check(test, "http://black.example/", "550 5.7.1");
	ptn_test_free(test);
}

/* Listed before the self-test, and who could say whether that counts does not answer. */
static void
test_cannot_be_controlled(void)
{
	PtnTest *test = new_test("[plugin uribl]\non-error = defer\n" LISTS);

	ptn_test_dns(test, "invalid.multi.test", PTN_A, PTN_UNSURE, NULL);
	check(test, "http://black.example/", "451 4.3.0");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.failures"), 1);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.listed"), 0);
	ptn_test_free(test);
}

static void
test_refuses_to_tell(void)
{
	static const char *const codes[] = { "127.255.255.254", "127.0.0.1", "192.0.2.1" };

	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
		PtnTest *test = new_test(LISTS);

		ptn_test_dns(test, "invalid.gold.test", PTN_A, PTN_OK, codes[i], NULL);
		ptn_test_dns(test, "test.gold.test", PTN_A, PTN_OK, codes[i], NULL);
		pass(test, PTN_SECOND);
		CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "uribl.gold.error"));
		CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_alarm(test, "uribl.gold.error"), codes[i]));
		ptn_test_dns(test, "gold.example.gold.test", PTN_A, PTN_OK, codes[i], "127.0.0.2", NULL);
		check(test, "http://gold.example/", "250 ");
		ptn_test_free(test);
	}
}

static void
test_lacks_its_entry(void)
{
	PtnTest *test = new_test(LISTS);

	ptn_test_dns(test, "2.0.0.127.ivm.test", PTN_A, PTN_NONE, NULL);
	pass(test, PTN_SECOND);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "uribl.ivm.health"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_alarm(test, "uribl.ivm.health"), "does not list its test entry 127.0.0.2 or TEST"));
	check(test, "http://ivm.example/", "550 5.7.1"); /* it is believed nevertheless */
	ptn_test_free(test);
}

static void
test_actions(void)
{
	PtnTest *test = new_test("[plugin uribl/later]\nzone = multi.test\nbits = 2\naction = defer\ntext = later\n"
							 "[plugin uribl/mark]\nzone = multi.test\nbits = 4\naction = tag\ntext = marked\n"
							 "[plugin uribl/say]\nzone = multi.test\nbits = 8\naction = warn\n"
							 "[plugin uribl/gold]\nzone = gold.test\n");

	check(test, "http://black.example/", "450 4.7.1 Message contains black.example (later)");
	check(test, "http://black.example/ http://gold.example", "550 5.7.1 Message contains gold.example");
	check(test, "http://red.example/", "250 ");
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, 0), "-URIBL"));
	check(test, "http://grey.example/ http://slow.example", "250 "); /* a failure does not take the tag away */
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 2), "\r\nX-Postern-URIBL: grey.example (marked)\r\n"));
	check(test, "http://clean.example/", "250 ");
	ptn_test_free(test);
}

/* Several items of one zone: one question for each domain. */
static void
test_asked_once(void)
{
	PtnTest *test = new_test("[plugin uribl/a]\nzone = multi.test\nbits = 2\n[plugin uribl/b]\nzone = MULTI.test\nbits = 4\n"
							 "[plugin uribl]\non-error = defer\n");

	check(test, "http://slow.example/ http://a.slow.example", "451 4.3.0");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.failures"), 1);
	ptn_test_free(test);
}

/* `n` clean links, and one that is listed behind them. */
static char *
many_links(unsigned n)
{
	GString *body = g_string_new(NULL);

	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(body, "http://d%u.example\r\n", i);
	g_string_append(body, "http://black.example");
	return g_string_free(body, FALSE);
}

static void
test_most_domains(void)
{
	g_autofree char *few = many_links(25), *most = many_links(999), *more = many_links(1000);
	PtnTest *test = new_test(NULL);

	check(test, few, "550 5.7.1 Message contains black.example");
	check(test, most, "550 5.7.1 Message contains black.example");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.cut"), 0);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.domains"), 26 + 1000);
	check(test, more, "550 5.7.1 Message has more text, parts or links than can be checked");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.cut"), 1);
	ptn_test_free(test);
	test = new_test("[plugin uribl]\non-limit = defer\nmost-domains = 25\n" LISTS);
	check(test, few, "450 4.7.1 Message has more text, parts or links");
	ptn_test_free(test);
	test = new_test("[plugin uribl]\non-limit = pass\nmost-domains = 25\n" LISTS);
	check(test, few, "250 ");
	ptn_test_free(test);
	test = new_test("[plugin uribl]\non-limit = pass\nmost-domains = 26\n" LISTS);
	check(test, few, "550 5.7.1 Message contains black.example");
	ptn_test_free(test);
}

/* Lookups that our own limits refuse (a session holds 10,000) are no failure of a list. */
static void
test_lookups_refused(void)
{
	static const char *const choices[][2] = { { "refuse", "450 4.7.1 Message has more" },
		{ "defer", "450 4.7.1 Message has more" }, { "pass", "250 " } };
	g_autofree char *most = many_links(3300), *more = many_links(3400); /* each asked of three lists */

	for (size_t i = 0; i < G_N_ELEMENTS(choices); i++) {
		g_autofree char *config =
			g_strdup_printf("[plugin uribl]\nmost-domains = 10000\non-limit = %s\n" LISTS, choices[i][0]);
		PtnTest *test = new_test(config);

		check(test, most, "550 5.7.1 Message contains black.example");
		check(test, more, choices[i][1]);
		CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.cut"), 1);
		CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.failures"), 0);
		ptn_test_free(test);
	}
}

/* Behind more text than any reader scrolls through, in one line or in many. */
static void
test_whole_text(void)
{
	GString *body = g_string_new(NULL);
	PtnTest *test = new_test(NULL);

	while (body->len < 5 << 20)
		g_string_append(body, "lorem ipsum dolor sit amet, consectetur adipiscing elit\r\n");
	g_string_append(body, "http://black.example");
	CU_ASSERT_EQUAL(strncmp(submit(test, body->str), "550 5.7.1 Message contains black.example", 40), 0);
	ptn_test_free(test);
	test = new_test("[plugin uribl]\nmost-text = 1M\n" LISTS);
	CU_ASSERT_EQUAL(strncmp(submit(test, body->str), "550 5.7.1 Message has more text", 31), 0);
	ptn_test_free(test);
	g_string_free(body, TRUE);
}

/* Subject, mail links, and HTML that says it is something else. */
static void
test_disguised(void)
{
	static const char *const contents[] = {
		"Subject: buy at www.black.example\r\n\r\nx\r\n",
		"Subject: =?utf-8?b?aHR0cDovL2JsYWNrLmV4YW1wbGUv?=\r\n\r\nx\r\n",
		"Subject: x\r\n\r\nmailto:sales@black.example\r\n",
		"Subject: x\r\nContent-Type: application/octet-stream\r\n\r\n<html><a href='http://black.example'>x</a>\r\n",
		"Subject: x\r\nContent-Type: application/octet-stream; name=offer.html\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\nPGEgaHJlZj0iLy9ibGFjay5leGFtcGxlIj4=\r\n",
	};
	PtnTest *test = new_test(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(contents); i++)
		CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, SENDER, "rcpt@example.org", contents[i]),
							"550 5.7.1 Message contains black.example", 40),
			0);
	ptn_test_free(test);
}

static void
test_exempt(void)
{
	PtnTest *test = new_test(NULL);
	static const char content[] = "Subject: x\r\n\r\nhttp://black.example\r\n";

	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "Submit.1234567890abcdef@spam.spamcop.net", content)[0], '2');
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "1@reports.spamcop.net", content)[0], '2');
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "ABUSE@anywhere.example", content)[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 3); /* what is listed has no copies: those go to others */
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "abuse@anywhere.example", "Subject: x\r\n\r\nclean\r\n")[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 5);
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "abuses@anywhere.example", content)[0], '5');
	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "x@notspamcop.net", content)[0], '5');
	(void)ptn_test_say(
		test, "MAIL FROM:<" SENDER ">\r\nRCPT TO:<abuse@anywhere.example>\r\nRCPT TO:<x@example.org>\r\nDATA");
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "\r\nhttp://black.example\r\n."), "550 5.7.1", 9), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 5);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.uribl.listed"), 6);
	ptn_test_free(test);
}

/* A list that cannot be asked puts nothing off that is exempt, but copies wait for an answer like any other mail. */
static void
test_exempt_unsure(void)
{
	static const char content[] = "Subject: x\r\n\r\nhttp://slow.example\r\n";
	PtnTest *test = new_test("[plugin uribl]\non-error = defer\n" LISTS);

	CU_ASSERT_EQUAL(ptn_test_submit(test, SENDER, "abuse@anywhere.example", content)[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
	test = new_test("[plugin uribl]\nmode = warn\n" LISTS); /* it would not refuse a copy, either */
	CU_ASSERT_EQUAL(
		ptn_test_submit(test, SENDER, "abuse@anywhere.example", "Subject: x\r\n\r\nhttp://black.example\r\n")[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 2);
	ptn_test_free(test);
}

/* No option of the plugin may be set for an account, a customer, a domain or a level. */
static void
test_no_bypass(void)
{
	for (const PtnOption *option = ptn_plugin_uribl.options; option->name != NULL; option++)
		CU_ASSERT_EQUAL(option->places & ~(unsigned)(PTN_IN_SERVER | PTN_IN_ITEM), 0);
}

static void
test_codes(void)
{
	static const struct {
		const char *text;
		bool is_one;
		uint32_t first, last;
	} cases[] = { { "127.0.0.2", true, 0x7f000002, 0x7f000002 }, { "127.0.0.4-127.0.0.7", true, 0x7f000004, 0x7f000007 },
		{ "127.0.1.0/24", true, 0x7f000100, 0x7f0001ff }, { "127.0.0.2/32", true, 0x7f000002, 0x7f000002 },
		{ "128.0.0.1", false, 0, 0 }, { "127.0.0.7-127.0.0.4", false, 0, 0 }, { "127.0.0.2-128.0.0.1", false, 0, 0 },
		{ "127.0.0", false, 0, 0 }, { "127.0.0.1/33", false, 0, 0 }, { "x", false, 0, 0 } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		CodeRange range = { 0, 0 };

		CU_ASSERT_EQUAL(code_range_parse(cases[i].text, &range), cases[i].is_one);
		CU_ASSERT_TRUE(!cases[i].is_one || (range.first == cases[i].first && range.last == cases[i].last));
	}
}

static const UnitTest tests[] = {
	{ "U-01, U-02, U-03, U-04, U-05, U-07, U-17, U-18, U-19, R-15 listed: refused in the session, nothing queued", test_listed },
	{ "U-08 clean domains pass", test_clean },
	{ "U-06 the order of a list's answers does not matter", test_order_of_answers },
	{ "U-03 the order of links and of items does not matter", test_order_of_links },
	{ "U-06 answers that are no codes are no listings", test_errors },
	{ "U-10 numeric hosts are asked for reversed", test_reversed },
	{ "U-16 a list that fails: passed, or put off if that is set", test_failure },
	{ "U-16 a list that keeps failing is left out for a while", test_left_out },
	{ "U-26 a zone that lists everything refuses nothing, before the first self-test either", test_lists_everything },
	{ "U-26 a listing counts only if the list can tell one domain from another", test_cannot_be_controlled },
	{ "U-06, U-26 a list that refuses to tell raises an alarm by its self-test", test_refuses_to_tell },
	{ "U-26 a list without its test entry raises an alarm, and is asked", test_lacks_its_entry },
	{ "actions: reject, defer, tag, warn", test_actions },
	{ "items of one zone ask it once", test_asked_once },
	{ "U-20, U-23 beyond 1,000 domains: refused, put off or passed", test_most_domains },
	{ "U-20, U-23 lookups beyond our own limits: put off or passed", test_lookups_refused },
	{ "U-23 text is looked at to its end", test_whole_text },
	{ "U-24 subject, mail links, HTML as octet-stream", test_disguised },
	{ "U-12 no account may get around it", test_no_bypass },
	{ "U-13, U-14, U-15, U-22 exempt recipients: only if all are", test_exempt },
	{ "U-22 exempt recipients and a list that does not answer, or only warns", test_exempt_unsure },
	{ "codes of the items", test_codes },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "uribl", tests };
	static const UnitSuite *const suites[] = { &suite, &test_extract, NULL };

	return unit_main(argc, argv, suites);
}
