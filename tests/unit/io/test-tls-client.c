/* test-tls-client.c - whose certificate is accepted, over a CA of the tests. */
#include "suites.h"
#include "unit/io/tls-authority.h"

static TlsServer *
serve(const char *certificate, const char *key)
{
	const TlsCertificate certificates[] = { { NULL, certificate, key }, { 0 } };
	const TlsServerSettings settings = { certificates, TLS1_2_VERSION, false };
	TlsServer *server = tls_server_new(&settings, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	return server;
}

typedef enum {
	BY_ROOT,
	BY_INTERMEDIATE,
	WITHOUT_INTERMEDIATE,
	BY_OTHER_ROOT,
	BY_CUSTOMER,
	BY_ITSELF,
	BY_ITSELF_TRUSTED
} Signer;

static const struct {
	const char *what, *asked; /* the name of the next hop */
	Signer signer;
	Request request;
	int verified;
} clients[] = {
	{ "right name", "mx.example.org", BY_ROOT, { "x", "DNS:mx.example.org", VALID, NULL, false },
		X509_V_OK },
	{ "right name of several", "mx.example.org", BY_ROOT,
		{ "x", "DNS:a.example.org,DNS:mx.example.org,IP:192.0.2.9", VALID, NULL, false },
		X509_V_OK },
	{ "right name, other case", "MX.example.ORG", BY_ROOT,
		{ "x", "DNS:mx.Example.org", VALID, NULL, false }, X509_V_OK },
	{ "wrong name", "mx.example.org", BY_ROOT, { "x", "DNS:mx.example.net", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "name below", "mx.example.org", BY_ROOT, { "x", "DNS:example.org", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "name above", "example.org", BY_ROOT, { "x", "DNS:mx.example.org", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "name as a prefix", "mx.example.org", BY_ROOT,
		{ "x", "DNS:mx.example.org.evil.example", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "mail address for a name", "mx.example.org", BY_ROOT,
		{ "x", "email:x@mx.example.org", VALID, NULL, false }, X509_V_ERR_HOSTNAME_MISMATCH },
	{ "no name", "mx.example.org", BY_ROOT, { NULL, NULL, VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "name in CN alone", "mx.example.org", BY_ROOT, { "mx.example.org", NULL, VALID, NULL, false },
		X509_V_OK },
	{ "wrong name in CN alone", "mx.example.org", BY_ROOT,
		{ "mx.example.net", NULL, VALID, NULL, false }, X509_V_ERR_HOSTNAME_MISMATCH },
	{ "name in CN, others besides", "mx.example.org", BY_ROOT,
		{ "mx.example.org", "DNS:mx.example.net", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "wildcard", "mx.example.org", BY_ROOT, { "x", "DNS:*.example.org", VALID, NULL, false },
		X509_V_OK },
	{ "wildcard, two labels", "a.mx.example.org", BY_ROOT,
		{ "x", "DNS:*.example.org", VALID, NULL, false }, X509_V_ERR_HOSTNAME_MISMATCH },
	{ "wildcard, no label", "example.org", BY_ROOT,
		{ "x", "DNS:*.example.org", VALID, NULL, false }, X509_V_ERR_HOSTNAME_MISMATCH },
	{ "wildcard for all", "mx.example.org", BY_ROOT, { "x", "DNS:*", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "wildcard for a top level", "example.org", BY_ROOT, { "x", "DNS:*.org", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "address", "192.0.2.1", BY_ROOT, { "x", "IP:192.0.2.1", VALID, NULL, false }, X509_V_OK },
	{ "address, IPv6", "2001:db8::1", BY_ROOT, { "x", "IP:2001:db8:0:0::1", VALID, NULL, false },
		X509_V_OK },
	{ "wrong address", "192.0.2.1", BY_ROOT, { "x", "IP:192.0.2.2", VALID, NULL, false },
		X509_V_ERR_IP_ADDRESS_MISMATCH },
	{ "address as a name", "192.0.2.1", BY_ROOT, { "x", "DNS:192.0.2.1", VALID, NULL, false },
		X509_V_ERR_IP_ADDRESS_MISMATCH },
	{ "address in CN", "192.0.2.1", BY_ROOT, { "192.0.2.1", NULL, VALID, NULL, false },
		X509_V_ERR_IP_ADDRESS_MISMATCH },
	{ "address for a name", "mx.example.org", BY_ROOT, { "x", "IP:192.0.2.1", VALID, NULL, false },
		X509_V_ERR_HOSTNAME_MISMATCH },
	{ "expired", "mx.example.org", BY_ROOT,
		{ "x", "DNS:mx.example.org", -3 * AUTHORITY_DAY, -60, NULL, false },
		X509_V_ERR_CERT_HAS_EXPIRED },
	{ "not yet valid", "mx.example.org", BY_ROOT,
		{ "x", "DNS:mx.example.org", AUTHORITY_DAY, 3 * AUTHORITY_DAY, NULL, false },
		X509_V_ERR_CERT_NOT_YET_VALID },
	{ "with intermediate", "mx.example.org", BY_INTERMEDIATE,
		{ "x", "DNS:mx.example.org", VALID, NULL, false }, X509_V_OK },
	{ "without intermediate", "mx.example.org", WITHOUT_INTERMEDIATE,
		{ "x", "DNS:mx.example.org", VALID, NULL, false },
		X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY },
	{ "with intermediate, wrong name", "mx.example.org", BY_INTERMEDIATE,
		{ "x", "DNS:mx.example.net", VALID, NULL, false }, X509_V_ERR_HOSTNAME_MISMATCH },
	{ "another CA of that name", "mx.example.org", BY_OTHER_ROOT,
		{ "x", "DNS:mx.example.org", VALID, NULL, false }, X509_V_ERR_CERT_SIGNATURE_FAILURE },
	{ "signed by a customer", "mx.example.org", BY_CUSTOMER,
		{ "x", "DNS:mx.example.org", VALID, NULL, false }, X509_V_ERR_INVALID_CA },
	{ "self-signed", "mx.example.org", BY_ITSELF, { "x", "DNS:mx.example.org", VALID, NULL, false },
		X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT },
	{ "self-signed, trusted", "mx.example.org", BY_ITSELF_TRUSTED,
		{ "x", "DNS:mx.example.org", VALID, NULL, false }, X509_V_OK },
	{ "self-signed, trusted, wrong name", "mx.example.org", BY_ITSELF_TRUSTED,
		{ "x", "DNS:mx.example.net", VALID, NULL, false }, X509_V_ERR_HOSTNAME_MISMATCH },
	{ "for servers", "mx.example.org", BY_ROOT,
		{ "x", "DNS:mx.example.org", VALID, "serverAuth", false }, X509_V_OK },
	{ "for clients alone", "mx.example.org", BY_ROOT,
		{ "x", "DNS:mx.example.org", VALID, "clientAuth", false }, X509_V_ERR_INVALID_PURPOSE },
};

/* The server's certificate and key, and what the client trusts, as files. */
static void
write_case(const Authority *authority, Signer signer, const Request *request, char **certificate,
	char **key, char **trust)
{
	const Pair *const signers[] = { [BY_ROOT] = &authority->root,
		[BY_INTERMEDIATE] = &authority->intermediate,
		[WITHOUT_INTERMEDIATE] = &authority->intermediate,
		[BY_OTHER_ROOT] = &authority->other_root,
		[BY_CUSTOMER] = &authority->no_authority,
		[BY_ITSELF] = NULL,
		[BY_ITSELF_TRUSTED] = NULL };
	Pair leaf = authority_issue(signers[signer], request);
	const Pair *const shown[] = { &leaf,
		signer == BY_INTERMEDIATE || signer == BY_CUSTOMER ? signers[signer] : NULL, NULL };
	const Pair *const trusted[] = { &authority->root, signer == BY_ITSELF_TRUSTED ? &leaf : NULL,
		NULL };

	*certificate = authority_write(authority, "server.pem", shown);
	*key = authority_write_key(authority, "server.key", &leaf);
	*trust = authority_write(authority, "trust.pem", trusted);
	authority_clear_pair(&leaf);
}

/* handshake_end() is the caller's. */
static void
shake_hands(
	Handshake *handshake, TlsServer *server, const TlsClient *client, const char *name, TlsPolicy policy)
{
	handshake_start(handshake);
	handshake->client = tls_client_session(client, handshake->fds[0], name, policy);
	handshake->server = tls_server_session(server, handshake->fds[1]);
	handshake_run(handshake);
}

/* A server and a client that trusts the CA of its certificate; both new. */
static void
make_peers(
	const Authority *authority, Signer signer, const Request *request, TlsServer **server, TlsClient **client)
{
	g_autofree char *certificate = NULL, *key = NULL, *trust = NULL;

	write_case(authority, signer, request, &certificate, &key, &trust);
	*server = serve(certificate, key);
	*client = tls_client_new(trust, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(*client);
}

static void
check_client(TlsServer *server, const TlsClient *client, size_t k, TlsPolicy policy)
{
	const bool is_good = policy != TLS_VERIFY || clients[k].verified == X509_V_OK;
	Handshake handshake;

	shake_hands(&handshake, server, client, clients[k].asked, policy);
	if (handshake.is_done != is_good)
		ASSERT_TEXT(clients[k].what, is_good ? "is accepted" : "is not accepted");
	if (policy == TLS_VERIFY && handshake.verified != clients[k].verified) {
		g_autofree char *said = g_strdup_printf(
			"%s: %s", clients[k].what, X509_verify_cert_error_string(handshake.verified));

		ASSERT_TEXT(said, X509_verify_cert_error_string(clients[k].verified));
	}
	handshake_end(&handshake);
}

static void
test_client(void)
{
	Authority authority = authority_new();

	for (size_t k = 0; k < G_N_ELEMENTS(clients); k++) {
		g_autoptr(TlsServer) server = NULL;
		g_autoptr(TlsClient) client = NULL;

		make_peers(&authority, clients[k].signer, &clients[k].request, &server, &client);
		check_client(server, client, k, TLS_VERIFY);
		check_client(server, client, k, TLS_ENCRYPT);
		check_client(server, client, k, TLS_MAY);
	}
	authority_clear(&authority);
}

/* RFC 6066 3: an address is no server name. */
static void
test_name_asked_for(void)
{
	static const struct {
		const char *asked, *sent;
	} cases[] = { { "mx.example.org", "mx.example.org" }, { "192.0.2.1", NULL },
		{ "2001:db8::1", NULL }, { NULL, NULL } };
	Authority authority = authority_new();
	const Request request = { "x", "DNS:mx.example.org", VALID, NULL, false };
	g_autoptr(TlsServer) server = NULL;
	g_autoptr(TlsClient) client = NULL;

	make_peers(&authority, BY_ROOT, &request, &server, &client);
	for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
		Handshake handshake;

		shake_hands(&handshake, server, client, cases[k].asked, TLS_ENCRYPT);
		CU_ASSERT_TRUE(handshake.is_done);
		ASSERT_TEXT(SSL_get_servername(handshake.server, TLSEXT_NAMETYPE_host_name), cases[k].sent);
		handshake_end(&handshake);
	}
	authority_clear(&authority);
}

/* Without a name to check the certificate against, no server is accepted. */
static void
test_nothing_to_verify(void)
{
	Authority authority = authority_new();
	const Request request = { "x", "DNS:mx.example.org", VALID, NULL, false };
	g_autoptr(TlsServer) server = NULL;
	g_autoptr(TlsClient) client = NULL;

	make_peers(&authority, BY_ROOT, &request, &server, &client);
	for (int is_empty = 0; is_empty < 2; is_empty++) {
		Handshake handshake;

		shake_hands(&handshake, server, client, is_empty ? "" : NULL, TLS_VERIFY);
		CU_ASSERT_FALSE(handshake.is_done);
		CU_ASSERT_EQUAL(handshake.verified, X509_V_ERR_HOSTNAME_MISMATCH);
		handshake_end(&handshake);
	}
	authority_clear(&authority);
}

static const UnitTest tests[] = {
	{ "Q-09 which certificates `verify` accepts, and the weaker levels accept all", test_client },
	{ "Q-09 an address is not sent as server name", test_name_asked_for },
	{ "Q-09 `verify` without a name accepts nobody", test_nothing_to_verify },
	{ NULL, NULL },
};

const UnitSuite suite_tls_client = { "tls-client", tests };
