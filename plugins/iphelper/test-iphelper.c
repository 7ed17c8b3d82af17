/* test-iphelper.c - the plugin iphelper in the test host: letter I; what others do meanwhile is in test-others.c. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include "test-iphelper.h"

/* ---- which helpers there may be ---- */

static void
test_modes(void)
{
	static const char *const others[] = { "secondary", "hosted", "outbound-only" };
	PtnTest *test = new_domain(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "mode", others[i], NULL);
		CU_ASSERT_TRUE(says(add(test, "host=" HOST, "port=2525"), "error: example.com has mode"));
		ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "iphelper.port", "25", NULL);
		CU_ASSERT_TRUE(
			says(ptn_test_set(test, PTN_DOMAIN, DOMAIN, "iphelper.host", HOST), "redirect and hold have"));
		ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "iphelper.port", NULL, NULL);
	}
	CU_ASSERT_PTR_NULL(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "iphelper.host"));
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "mode", "redirect", "destination", "mx.example.com", NULL);
	CU_ASSERT_TRUE(says(add(test, "host=" HOST, "port=2525"), "mode=redirect"));
	ptn_test_free(test);
}

static void
test_second(void)
{
	PtnTest *test = new_domain(NULL);

	CU_ASSERT_TRUE(says(add(test, "host=" HOST, "port=2525"), "mode=hold"));
	CU_ASSERT_TRUE(
		says(add(test, "host=other.dyn.example", "port=25"), "error: example.com has a helper already"));
	ASSERT_TEXT(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "iphelper.host"), HOST);
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "add", "nobody.example", NULL), "there is no domain"));
	ptn_test_free(test);
}

/* 64 octets: one too many */
#define LONG_LABEL "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void
test_hosts(void)
{
	static const char *const bad[] = { "host=", "host=localhost", "host=192.0.2.1", "host=2001:db8::1",
		"host=a..b", "host=.example", "host=example.", "host=a b.example", "host=mx.example.1",
		"host=-bad.example", "host=bad-.example", "host=mx.-example", "host=mx.example-", "host=198.18.0.1",
		"host=mx." LONG_LABEL ".example" };
	PtnTest *test = new_domain(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		CU_ASSERT_TRUE(says(add(test, bad[i], "port=25"), "error: "));
	CU_ASSERT_TRUE(says(add(test, "port=25", NULL), "error: say host=NAME and port=NUMBER"));
	CU_ASSERT_PTR_NULL(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "iphelper.host"));
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "iphelper.port", "25", NULL);
	for (size_t i = 1; i < G_N_ELEMENTS(bad); i++)
		CU_ASSERT_PTR_NOT_NULL(ptn_test_set(test, PTN_DOMAIN, DOMAIN, "iphelper.host", bad[i] + strlen("host=")));
	CU_ASSERT_PTR_NULL(ptn_test_set(test, PTN_DOMAIN, DOMAIN, "iphelper.host", HOST));
	ptn_test_free(test);
}

static void
test_ports(void)
{
	static const char *const bad[] = { "port=", "port=0", "port=70000", "port=-1", "port=smtp", NULL };
	PtnTest *test = new_domain(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		CU_ASSERT_TRUE(says(add(test, "host=" HOST, bad[i]), "error: "));
	CU_ASSERT_TRUE(
		says(ptn_test_set(test, PTN_DOMAIN, DOMAIN, "iphelper.host", HOST), "needs iphelper.port, too"));
	CU_ASSERT_TRUE(says(add(test, "host=" HOST, "port=65535"), "port=65535"));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_set(test, PTN_DOMAIN, DOMAIN, "iphelper.port", "70000"));
	ptn_test_free(test);
}

/* ---- what answers mean ---- */

static void
test_one_address(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, PTN_SECOND);
	ASSERT_TEXT(mode(test), "redirect");
	ASSERT_TEXT(destination(test), "1.2.3.4");
	ASSERT_TEXT(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "port"), "2525");
	ptn_test_free(test);
}

static void
test_random(void)
{
	PtnTest *test = new_helper(NULL);
	bool has_seen[3] = { false };

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.1", "1.2.3.2", "10.0.0.1", "1.2.3.3", NULL);
	for (int i = 0; i < 100; i++) {
		pass(test, 5 * MINUTE);
		CU_ASSERT_TRUE_FATAL(g_str_has_prefix(destination(test), "1.2.3."));
		has_seen[destination(test)[6] - '1'] = true;
	}
	CU_ASSERT_TRUE(has_seen[0] && has_seen[1] && has_seen[2]);
	ptn_test_free(test);
}

static void
test_keep(void)
{
	PtnTest *test = new_helper("[plugin iphelper]\nkeep-address = yes\n");
	g_autofree char *first = NULL;

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.1", "1.2.3.2", "1.2.3.3", NULL);
	pass(test, PTN_SECOND);
	first = g_strdup(destination(test));
	for (int i = 0; i < 20; i++) {
		pass(test, 5 * MINUTE);
		ASSERT_TEXT(destination(test), first);
	}
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.9", NULL);
	pass(test, 5 * MINUTE);
	ASSERT_TEXT(destination(test), "1.2.3.9");
	ptn_test_free(test);
}

static const struct {
	const char *id, *addresses[3];
	PtnStatus status;
	const char *mode;
	int64_t retry; /* until the next check */
} answers[] = {
	{ "I-07 I-19", { NULL }, PTN_NONE, "hold", 5 * MINUTE },
	{ "I-08 I-19", { NULL }, PTN_UNSURE, "hold", 5 * MINUTE },
	{ "I-09", { "10.0.0.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-09", { "172.16.5.5", "192.168.1.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "127.0.0.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "0.0.0.0" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "169.254.1.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "100.64.0.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "224.0.0.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "240.0.0.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "255.255.255.255" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "198.18.0.1" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-10", { "198.19.255.255" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-11", { "172.16.0.0" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-11", { "172.31.255.255" }, PTN_OK, "hold", 60 * MINUTE },
	{ "I-11", { "172.15.255.255" }, PTN_OK, "redirect", 5 * MINUTE },
	{ "I-11", { "172.32.0.1" }, PTN_OK, "redirect", 5 * MINUTE },
	{ "I-11", { "11.0.0.1" }, PTN_OK, "redirect", 5 * MINUTE },
	{ "I-12", { "10.0.0.1", "11.0.0.1" }, PTN_OK, "redirect", 5 * MINUTE },
};

static void
test_answers(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
		PtnTest *test = new_helper(NULL);

		/* from the other mode, so that a switch is seen */
		if (strcmp(answers[i].mode, "hold") == 0)
			ptn_test_entry(
				test, PTN_DOMAIN, DOMAIN, "mode", "redirect", "destination", "1.2.3.4", "port", "25", NULL);
		ptn_test_dns(test, HOST, PTN_A, answers[i].status, answers[i].addresses[0], answers[i].addresses[1], NULL);
		pass(test, PTN_SECOND);
		if (g_strcmp0(mode(test), answers[i].mode) != 0)
			fprintf(stderr, "%s: row %zu\n", answers[i].id, i);
		ASSERT_TEXT(mode(test), answers[i].mode);
		CU_ASSERT_EQUAL(checks(test), 1);
		pass(test, answers[i].retry - MINUTE);
		CU_ASSERT_EQUAL(checks(test), 1);
		pass(test, MINUTE);
		CU_ASSERT_EQUAL(checks(test), 2);
		ptn_test_free(test);
	}
}

/* An address of one of this machine's interfaces beside loopback; new, NULL: it has none. */
static char *
own_address(void)
{
	struct ifaddrs *all = NULL;
	char *found = NULL;

	if (getifaddrs(&all) != 0)
		return NULL;
	for (const struct ifaddrs *each = all; each != NULL && found == NULL; each = each->ifa_next) {
		char text[INET_ADDRSTRLEN];

		if (each->ifa_addr == NULL || each->ifa_addr->sa_family != AF_INET)
			continue;
		(void)inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)each->ifa_addr)->sin_addr, text, sizeof text);
		if (strncmp(text, "127.", 4) != 0)
			found = g_strdup(text);
	}
	freeifaddrs(all);
	return found;
}

/* As the core has it where no network is permitted: what is for examples or benchmarks, and what is ours, is no destination. */
static void
test_unusable_answers(void)
{
	g_autofree char *own = own_address();
	const char *const bad[] = { "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "127.0.0.1", own };

	for (size_t i = 0; i < G_N_ELEMENTS(bad) && bad[i] != NULL; i++) {
		PtnTest *test = new_helper("[delivery]\nprivate-networks =\n");

		ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "mode", "redirect", "destination", "1.2.3.4", "port", "25", NULL);
		ptn_test_dns(test, HOST, PTN_A, PTN_OK, bad[i], NULL);
		pass(test, PTN_SECOND);
		ASSERT_TEXT(mode(test), "hold");
		ptn_test_free(test);
	}
}

static void
test_ipv6(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_AAAA, PTN_OK, "2600::25", NULL);
	pass(test, PTN_SECOND);
	ASSERT_TEXT(mode(test), "hold");
	ptn_test_free(test);
	test = new_helper("[plugin iphelper]\nipv6 = yes\n");
	ptn_test_dns(test, HOST, PTN_AAAA, PTN_OK, "fe80::1", "2600::25", NULL);
	pass(test, PTN_SECOND);
	ASSERT_TEXT(mode(test), "redirect");
	ASSERT_TEXT(destination(test), "2600::25");
	CU_ASSERT_TRUE(says(ptn_test_queued_text(test, 0), "SMTP Redirection to [2600::25]:2525\r\n"));
	ptn_test_dns(test, HOST, PTN_A, PTN_UNSURE, NULL);
	ptn_test_dns(test, HOST, PTN_AAAA, PTN_OK, "fe80::1", NULL);
	pass(test, 5 * MINUTE);
	ASSERT_TEXT(mode(test), "hold");
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "show", DOMAIN, NULL), "found=no answer"));
	ptn_test_free(test);
}

/* ---- when ---- */

static void
test_ttl(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	ptn_test_dns_ttl(test, HOST, PTN_A, 600 * PTN_SECOND);
	pass(test, PTN_SECOND);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "5.6.7.8", NULL);
	ptn_test_dns_ttl(test, HOST, PTN_A, 5 * PTN_SECOND);
	pass(test, 9 * MINUTE);
	ASSERT_TEXT(destination(test), "1.2.3.4");
	pass(test, MINUTE);
	ASSERT_TEXT(destination(test), "5.6.7.8");
	CU_ASSERT_EQUAL(checks(test), 2);
	for (int i = 0; i < 59; i++)
		pass(test, PTN_SECOND);
	CU_ASSERT_EQUAL(checks(test), 2);
	pass(test, PTN_SECOND);
	CU_ASSERT_EQUAL(checks(test), 3);
	ptn_test_dns_ttl(test, HOST, PTN_A, 0);
	pass(test, MINUTE);
	CU_ASSERT_EQUAL(checks(test), 4);
	pass(test, MINUTE);
	CU_ASSERT_EQUAL(checks(test), 5);
	ptn_test_free(test);
}

/* Whichever family comes first: the least TTL of all that is used. */
static void
test_least_ttl(void)
{
	for (int shorter = 0; shorter < 2; shorter++) {
		PtnTest *test = new_helper("[plugin iphelper]\nipv6 = yes\n");

		ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
		ptn_test_dns(test, HOST, PTN_AAAA, PTN_OK, "2600::25", NULL);
		ptn_test_dns_ttl(test, HOST, PTN_A, (shorter == 0 ? 5 : 50) * MINUTE);
		ptn_test_dns_ttl(test, HOST, PTN_AAAA, (shorter == 1 ? 5 : 50) * MINUTE);
		pass(test, PTN_SECOND);
		pass(test, 4 * MINUTE);
		CU_ASSERT_EQUAL(checks(test), 1);
		pass(test, MINUTE);
		CU_ASSERT_EQUAL(checks(test), 2);
		ptn_test_free(test);
	}
}

static void
test_settings(void)
{
	PtnTest *test =
		new_helper("[plugin iphelper]\nscan = 1s\nretry-failed = 10s\nretry-none = 20s\nretry-invalid = 30s\n");
	const PtnStatus statuses[] = { PTN_UNSURE, PTN_NONE, PTN_OK };

	for (int i = 0; i < 3; i++) {
		ptn_test_dns(test, HOST, PTN_A, statuses[i], i == 2 ? "10.0.0.1" : NULL, NULL);
		pass(test, i * 10 * PTN_SECOND + PTN_SECOND);
		CU_ASSERT_EQUAL(checks(test), 2 * i + 1);
		pass(test, (i + 1) * 10 * PTN_SECOND - PTN_SECOND);
		CU_ASSERT_EQUAL(checks(test), 2 * i + 1);
		pass(test, PTN_SECOND);
		CU_ASSERT_EQUAL(checks(test), 2 * i + 2);
	}
	CU_ASSERT_PTR_NOT_NULL(ptn_test_mistake(&ptn_plugin_iphelper, "[plugin iphelper]\nscan = 0\n"));
	ptn_test_free(test);
}

/* The clock is set back by hours: what was planned by the other one is due now, and the scans go on. */
static void
test_clock_set_back(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	ptn_test_dns_ttl(test, HOST, PTN_A, 3600 * PTN_SECOND);
	pass(test, PTN_SECOND);
	CU_ASSERT_EQUAL(checks(test), 1);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "5.6.7.8", NULL);
	pass(test, -5 * 3600 * PTN_SECOND);
	pass(test, PTN_SECOND);
	ASSERT_TEXT(destination(test), "5.6.7.8");
	CU_ASSERT_EQUAL(checks(test), 2);
	CU_ASSERT_TRUE(
		says(ptn_test_command(test, "iphelper", "check", DOMAIN, NULL), "at the next scan, within 60 s"));
	pass(test, MINUTE);
	CU_ASSERT_EQUAL(checks(test), 3);
	ptn_test_free(test);
}

static void
test_check_now(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	ptn_test_dns_ttl(test, HOST, PTN_A, 3600 * PTN_SECOND);
	pass(test, PTN_SECOND);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "5.6.7.8", NULL);
	pass(test, MINUTE);
	CU_ASSERT_EQUAL(checks(test), 1);
	CU_ASSERT_TRUE(
		says(ptn_test_command(test, "iphelper", "check", DOMAIN, NULL), "at the next scan, within 60 s"));
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "list", NULL), "next=next scan"));
	ptn_test_finish_work(test);
	CU_ASSERT_EQUAL(checks(test), 1);
	pass(test, MINUTE);
	ASSERT_TEXT(destination(test), "5.6.7.8");
	CU_ASSERT_EQUAL(checks(test), 2);
	CU_ASSERT_TRUE(
		says(ptn_test_command(test, "iphelper", "check", "nobody.example", NULL), "there is no domain"));
	ptn_test_free(test);
}

static void
test_list(void)
{
	PtnTest *test = new_helper(NULL);
	const char *row;

	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "list", NULL),
		"domain=example.com host=home.dyn.example port=2525 mode=hold address= last= next=next scan alert=yes\n"));
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, PTN_SECOND);
	row = ptn_test_command(test, "iphelper", "list", NULL);
	CU_ASSERT_TRUE(says(row, "mode=redirect address=1.2.3.4 last="));
	CU_ASSERT_TRUE(
		g_regex_match_simple("last=\\d{10} next=\\d{10} alert=yes", row, 0, 0));
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "show", DOMAIN, NULL), "found=address"));
	ptn_test_free(test);
}

/* ---- alerts ---- */

static void
test_alert(void)
{
	PtnTest *test = new_helper("[server]\nservice-name = rollernet\n");

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, PTN_SECOND);
	CU_ASSERT_EQUAL_FATAL(ptn_test_queued(test), 1);
	ASSERT_TEXT(ptn_test_queued_sender(test, 0), "");
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 0), "alert@example.net");
	CU_ASSERT_TRUE(says(ptn_test_queued_text(test, 0), "From: postmaster@test.example.net\r\n"));
	CU_ASSERT_TRUE(says(ptn_test_queued_text(test, 0), "\r\nSubject: [rollernet] IP Helper example.com\r\n"));
	ASSERT_TEXT(strstr(ptn_test_queued_text(test, 0), "\r\n\r\n") + 4,
		"SMTP Redirection to 1.2.3.4:2525\r\n--\r\nHelper alert: 'alert@example.net' account 'example'.\r\n"
		"This is an automated message.\r\n");
	ptn_test_dns(test, HOST, PTN_A, PTN_NONE, NULL);
	pass(test, 5 * MINUTE);
	CU_ASSERT_EQUAL_FATAL(ptn_test_queued(test), 2);
	CU_ASSERT_TRUE(says(ptn_test_queued_text(test, 1), "\r\nSubject: [rollernet] IP Helper example.com\r\n"));
	ASSERT_TEXT(strstr(ptn_test_queued_text(test, 1), "\r\n\r\n") + 4,
		"Accept and Hold Messages\r\n--\r\nHelper alert: 'alert@example.net' account 'example'.\r\n"
		"This is an automated message.\r\n");
	ptn_test_free(test);
}

static void
test_no_alert(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_entry(test, PTN_CUSTOMER, "example", "alert", NULL, NULL);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, PTN_SECOND);
	ASSERT_TEXT(mode(test), "redirect");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	CU_ASSERT_TRUE(
		says(ptn_test_alarm(test, "notice.iphelper.example.com"), "there is no address to tell; domain: example.com"));
	ptn_test_entry(test, PTN_CUSTOMER, "example", "alert", "alert@example.net", NULL);
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "iphelper.alert", "no", NULL);
	ptn_test_dns(test, HOST, PTN_A, PTN_NONE, NULL);
	pass(test, 5 * MINUTE);
	ASSERT_TEXT(mode(test), "hold");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "iphelper.alert", "On", NULL); /* as a record of an older version may have it */
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, 5 * MINUTE);
	ASSERT_TEXT(mode(test), "redirect");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static void
test_same_mode(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, PTN_SECOND);
	pass(test, 5 * MINUTE);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "5.6.7.8", NULL);
	pass(test, 5 * MINUTE);
	ASSERT_TEXT(mode(test), "redirect");
	ASSERT_TEXT(destination(test), "5.6.7.8");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_dns(test, HOST, PTN_A, PTN_NONE, NULL);
	pass(test, 5 * MINUTE);
	ptn_test_dns(test, HOST, PTN_A, PTN_UNSURE, NULL);
	pass(test, 5 * MINUTE);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "10.0.0.1", NULL);
	pass(test, 5 * MINUTE);
	CU_ASSERT_EQUAL(checks(test), 6);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 2);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "I-01 only domains with mode redirect or hold can have a helper", test_modes },
	{ "I-02 a domain has one helper at most", test_second },
	{ "I-10 answers that are for examples or benchmarks, or our own address, are invalid", test_unusable_answers },
	{ "I-03 the host is a fully qualified name", test_hosts },
	{ "I-04 a port from 1 to 65535 must be given", test_ports },
	{ "I-05 one public address: redirection to it, and to the helper's port", test_one_address },
	{ "I-06 I-12 of several public addresses each is chosen some time, a private one never", test_random },
	{ "I-06 keep-address stays with an address that is still there", test_keep },
	{ "I-07 I-08 I-09 I-10 I-11 I-12 I-19 I-20 what each answer means, and when the next check is", test_answers },
	{ "I-32 AAAA records count with ipv6 = yes only", test_ipv6 },
	{ "I-15 I-16 I-17 I-18 the TTL says when the next check is, a scan is each minute", test_ttl },
	{ "I-33 the least TTL counts, whichever family has it", test_least_ttl },
	{ "I-19 I-20 the times until the next check can be set", test_settings },
	{ "I-41 a clock that is set back stops neither scans nor checks", test_clock_set_back },
	{ "I-21 a check that is asked for is made at the next scan", test_check_now },
	{ "I-22 Last and Next are shown", test_list },
	{ "I-23 I-24 a mode change is told, in four lines", test_alert },
	{ "I-25 I-26 no alert without an address, or if it is off", test_no_alert },
	{ "I-15 I-27 no alert for another address, or another reason, in the same mode", test_same_mode },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "iphelper", tests };
	static const UnitSuite *const suites[] = { &suite, &suite_others, NULL };

	return unit_main(argc, argv, suites);
}
