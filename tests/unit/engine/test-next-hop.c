/* test-next-hop.c - next hops as text. */
#include "engine/next-hop.h"

#include "base/ip.h"

#include "suites.h"

static void
test_good(void)
{
	static const struct {
		const char *text;
		HopKind kind;
		const char *host;
		int port;
		const char *user;
	} cases[] = { { "smtp:[192.0.2.1]:2525", HOP_SMTP, "192.0.2.1", 2525, NULL },
		{ "smtp:relay.example.org", HOP_SMTP, "relay.example.org", 25, NULL },
		{ "smtp://relay@Relay.Example.org:587", HOP_SMTP, "relay.example.org", 587, "relay" },
		{ "smtp://a@b@relay.example.org", HOP_SMTP, "relay.example.org", 25, "a@b" },
		{ "smtp:[2001:db8::1]", HOP_SMTP, "2001:db8::1", 25, NULL }, { "mx:Example.ORG", HOP_MX, "example.org", 25, NULL },
		{ "lmtp://mail.example.org", HOP_LMTP, "mail.example.org", 24, NULL },
		{ "lmtp:[192.0.2.1]:2003", HOP_LMTP, "192.0.2.1", 2003, NULL },
		{ "lmtp:u@mail.example.org:2003", HOP_LMTP, "mail.example.org", 2003, "u" },
		{ "smtps://relay.example.org", HOP_SMTP, "relay.example.org", 465, NULL },
		{ "smtps://u@relay.example.org:10465", HOP_SMTP, "relay.example.org", 10465, "u" },
		{ "smtps:[192.0.2.1]", HOP_SMTP, "192.0.2.1", 465, NULL },
		{ "plugin:bcc-mirror", HOP_PLUGIN, "bcc-mirror", 0, NULL } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(NextHop) hop = next_hop_parse(cases[i].text, TLS_VERIFY, NULL);
		g_autoptr(NextHop) copy = NULL;

		CU_ASSERT_PTR_NOT_NULL_FATAL(hop);
		copy = next_hop_copy(hop);
		CU_ASSERT_EQUAL(copy->kind, cases[i].kind);
		ASSERT_TEXT(copy->host, cases[i].host);
		CU_ASSERT_EQUAL(copy->port, cases[i].port);
		ASSERT_TEXT(copy->user, cases[i].user);
		CU_ASSERT(cases[i].kind == HOP_PLUGIN || copy->tls == TLS_VERIFY);
	}
}

static void
test_socket(void)
{
	g_autoptr(NextHop) hop = next_hop_parse("lmtp:unix:/run/dovecot/lmtp", TLS_VERIFY, NULL);
	g_autoptr(NextHop) copy = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(hop);
	copy = next_hop_copy(hop);
	CU_ASSERT_EQUAL(copy->kind, HOP_LMTP);
	CU_ASSERT_EQUAL(copy->tls, TLS_NONE);
	ASSERT_TEXT(copy->path, "/run/dovecot/lmtp");
	ASSERT_TEXT(copy->host, NULL);
	ASSERT_TEXT(copy->text, "lmtp:unix:/run/dovecot/lmtp");
}

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

static void
test_bad(void)
{
	static const char *const cases[] = { "", "relay.example.org", "smtp:", "smtp:[192.0.2.1", "smtp:[relay.example.org]",
		"smtp:relay.example.org:0", "smtp:relay.example.org:65536", "smtp:relay.example.org:x", "smtp:re lay", "smtp:[192.0.2.1]2525",
		"smtps:", "smtps:unix:/run/smtp", "lmtps:mail.example.org",
		"lmtp:", "lmtp:unix:", "lmtp:unix:run/lmtp", "smtp:unix:/run/smtp", "lmtp:[mail.example.org]",
		"lmtp:unix:/" SEVENTY SEVENTY };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(NextHop) hop = next_hop_parse(cases[i], TLS_MAY, &error);

		ASSERT_TEXT(hop != NULL ? cases[i] : NULL, NULL);
		CU_ASSERT_PTR_NOT_NULL(error);
	}
}

/* There is no clear text to fall back to, or to stay in. */
static void
test_wrapped(void)
{
	g_autoptr(NextHop) may = next_hop_parse("smtps://relay.example.org", TLS_MAY, NULL);
	g_autoptr(NextHop) verify = next_hop_parse("smtps://relay.example.org", TLS_VERIFY, NULL);
	g_autoptr(NextHop) plain = next_hop_parse("smtp://relay.example.org", TLS_MAY, NULL);
	g_autoptr(GError) error = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(may);
	CU_ASSERT_TRUE(may->is_wrapped && may->tls == TLS_ENCRYPT);
	CU_ASSERT_TRUE(verify->is_wrapped && verify->tls == TLS_VERIFY);
	CU_ASSERT_FALSE(plain->is_wrapped);
	CU_ASSERT_PTR_NULL(next_hop_parse("smtps://relay.example.org", TLS_NONE, &error));
	CU_ASSERT_PTR_NOT_NULL(error);
}

/* Connections are shared by mail that goes out by the same addresses, with the same certificate. */
static void
test_sharing(void)
{
	g_autoptr(NextHop) hop = next_hop_parse("smtp://relay.example.org", TLS_MAY, NULL);
	g_autofree char *key = next_hop_key(hop), *from_key = NULL, *identity_key = NULL;
	g_autoptr(NextHop) copy = NULL;
	IpAddress from;

	CU_ASSERT_TRUE(ip_parse("192.0.2.1", &from));
	hop->from = g_array_new(FALSE, FALSE, sizeof from);
	g_array_append_val(hop->from, from);
	from_key = next_hop_key(hop);
	CU_ASSERT_STRING_NOT_EQUAL(key, from_key);
	hop->identity = g_strdup("certificate.pem 1");
	copy = next_hop_copy(hop);
	identity_key = next_hop_key(copy);
	CU_ASSERT_STRING_NOT_EQUAL(from_key, identity_key);
}

static void
test_login(void)
{
	static const struct {
		const char *text;
		TlsPolicy tls;
		NextHopLogin login;
	} cases[] = { { "smtp:relay.example.org", TLS_NONE, LOGIN_PROTECTED },
		{ "smtp://u@relay.example.org", TLS_NONE, LOGIN_IN_CLEAR }, { "smtp://u@relay.example.org", TLS_MAY, LOGIN_IN_CLEAR },
		{ "smtp://u@relay.example.org", TLS_ENCRYPT, LOGIN_UNVERIFIED },
		{ "smtp://u@relay.example.org", TLS_VERIFY, LOGIN_PROTECTED }, { "lmtp://u@[192.0.2.1]", TLS_MAY, LOGIN_IN_CLEAR },
		{ "smtp://u@[127.9.8.7]", TLS_NONE, LOGIN_PROTECTED }, { "smtp://u@[::1]", TLS_MAY, LOGIN_PROTECTED },
		{ "smtp://u@[::ffff:127.0.0.1]", TLS_MAY, LOGIN_PROTECTED }, { "smtp://u@LocalHost", TLS_MAY, LOGIN_PROTECTED },
		{ "smtp://u@[0.0.0.0]", TLS_MAY, LOGIN_IN_CLEAR }, { "smtp://u@[::]", TLS_MAY, LOGIN_IN_CLEAR },
		{ "lmtp:unix:/run/lmtp", TLS_MAY, LOGIN_PROTECTED } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(NextHop) hop = next_hop_parse(cases[i].text, cases[i].tls, NULL);

		CU_ASSERT_PTR_NOT_NULL_FATAL(hop);
		CU_ASSERT_EQUAL(next_hop_login(hop), cases[i].login);
	}
}

static const UnitTest tests[] = {
	{ "Q-38 smtps is TLS from the start", test_wrapped },
	{ "Q-38 another source or certificate is another connection", test_sharing },
	{ "how well a login is protected", test_login },
	{ "hosts, addresses, ports, users, MX, plugins", test_good },
	{ "Unix sockets of LMTP", test_socket },
	{ "what is none says why", test_bad },
	{ NULL, NULL },
};

const UnitSuite suite_next_hop = { "next-hop", tests };
