/* test-tls-server.c - which certificate we show, to clients and, as a client, to servers. */
#include <string.h>
#include <unistd.h>

#include "suites.h"
#include "unit/io/tls-authority.h"

/* A client that is not ours: it trusts the root alone, and asks for that name. */
static SSL_CTX *
foreign_client(const Authority *authority)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	CU_ASSERT_EQUAL(
		X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority->root.certificate), 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return context;
}

/* Certificates by name, each with its chain, in the order in which they stand in the configuration. */
static TlsServer *
serve_names(const Authority *authority, const char *const *names, size_t n, int minimum)
{
	TlsCertificate rows[5] = { 0 };
	const TlsServerSettings settings = { rows, minimum, false };
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	TlsServer *server;

	for (size_t i = 0; i < n; i++) {
		const char *name = names[i] != NULL ? names[i] : "mail.example.net";
		g_autofree char *alternative = g_strdup_printf("DNS:%s", name),
						*file = g_strdup_printf("%zu.pem", i);
		g_autofree char *key_file = g_strdup_printf("%zu.key", i);
		Pair leaf = authority_issue(
			&authority->intermediate, &(Request){ name, alternative, VALID, NULL, false });
		const Pair *const shown[] = { &leaf, &authority->intermediate, NULL };
		char *certificate = authority_write(authority, file, shown),
			 *key = authority_write_key(authority, key_file, &leaf);

		rows[i] = (TlsCertificate){ names[i], certificate, key };
		g_ptr_array_add(paths, certificate);
		g_ptr_array_add(paths, key);
		authority_clear_pair(&leaf);
	}
	server = tls_server_new(&settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	return server;
}

static void
check_server(TlsServer *server, SSL_CTX *context, const char *asked, const char *shown, int version)
{
	char name[100] = "";
	Handshake handshake;
	X509 *certificate;

	handshake_start(&handshake);
	handshake.client = SSL_new(context);
	SSL_set_fd(handshake.client, handshake.fds[0]);
	SSL_set_connect_state(handshake.client);
	SSL_set_max_proto_version(handshake.client, version);
	if (asked != NULL)
		SSL_set_tlsext_host_name(handshake.client, asked);
	handshake.server = tls_server_session(server, handshake.fds[1]);
	handshake_run(&handshake);
	CU_ASSERT_EQUAL(handshake.is_done, shown != NULL);
	if (shown != NULL) { /* the chain is whole, or the handshake would have failed */
		CU_ASSERT_EQUAL(handshake.verified, X509_V_OK);
		certificate = SSL_get1_peer_certificate(handshake.client);
		CU_ASSERT_PTR_NOT_NULL_FATAL(certificate);
		X509_NAME_get_text_by_NID(
			X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
		X509_free(certificate);
		CU_ASSERT_EQUAL(sk_X509_num(SSL_get_peer_cert_chain(handshake.client)), 2);
		ASSERT_TEXT(name, shown);
	}
	handshake_end(&handshake);
}

static void
test_server_names(void)
{
	static const char *const orders[][3] = { { NULL, "mx.example.net", "smtp.example.org" },
		{ "mx.example.net", NULL, "smtp.example.org" },
		{ "smtp.example.org", "mx.example.net", NULL } };
	static const struct {
		const char *asked, *shown;
	} cases[] = { { NULL, "mail.example.net" }, { "mail.example.net", "mail.example.net" },
		{ "mx.example.net", "mx.example.net" }, { "MX.Example.NET", "mx.example.net" },
		{ "smtp.example.org", "smtp.example.org" }, { "x.mx.example.net", "mail.example.net" },
		{ "example.net", "mail.example.net" },
		{ "mx.example.net.evil.example", "mail.example.net" } };
	Authority authority = authority_new();
	SSL_CTX *context = foreign_client(&authority);

	for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
		g_autoptr(TlsServer) server = serve_names(&authority, orders[i], 3, TLS1_2_VERSION);

		for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
			check_server(server, context, cases[k].asked, cases[k].shown, TLS1_3_VERSION);
			check_server(server, context, cases[k].asked, cases[k].shown, TLS1_2_VERSION);
		}
	}
	SSL_CTX_free(context);
	authority_clear(&authority);
}

static void
test_server_minimum(void)
{
	static const char *const names[] = { NULL, "mx.example.net" };
	Authority authority = authority_new();
	SSL_CTX *context = foreign_client(&authority);
	g_autoptr(TlsServer) server = serve_names(&authority, names, 2, TLS1_3_VERSION);

	check_server(server, context, NULL, "mail.example.net", TLS1_3_VERSION);
	check_server(server, context, NULL, NULL, TLS1_2_VERSION);
	check_server(server, context, "mx.example.net", NULL, TLS1_2_VERSION);
	SSL_CTX_free(context);
	authority_clear(&authority);
}

static void
test_server_files(void)
{
	static const char *const names[] = { NULL };
	Authority authority = authority_new();
	g_autoptr(TlsServer) server = serve_names(&authority, names, 1, TLS1_2_VERSION);
	g_autofree char *certificate = g_build_filename(authority.directory, "0.pem", NULL);
	g_autofree char *other_key = authority_write_key(&authority, "other.key", &authority.root);
	const TlsCertificate mixed[] = { { NULL, certificate, other_key }, { 0 } };
	const TlsCertificate named[] = { { "mx.example.net", certificate, other_key }, { 0 } };
	g_autoptr(GError) error = NULL, other_error = NULL;

	CU_ASSERT_FALSE(tls_server_is_stale(server));
	CU_ASSERT_PTR_NULL(
		tls_server_new(&(TlsServerSettings){ mixed, TLS1_2_VERSION, false }, &error));
	CU_ASSERT_PTR_NOT_NULL_FATAL(error);
	CU_ASSERT_PTR_NOT_NULL(strstr(error->message, other_key));
	CU_ASSERT_PTR_NULL(
		tls_server_new(&(TlsServerSettings){ named, TLS1_2_VERSION, false }, &other_error));
	CU_ASSERT_EQUAL(unlink(certificate), 0);
	CU_ASSERT_TRUE(tls_server_is_stale(server));
	authority_clear(&authority);
}

/* What we show to a server that asks: our certificate with its chain, and nothing where we have none. */
static int
accept_any(int is_good, X509_STORE_CTX *store)
{
	(void)is_good, (void)store;
	return 1;
}

static void
check_own_certificate(const Authority *authority, const TlsClient *client, int n, int version)
{
	Pair leaf = authority_issue(
		&authority->root, &(Request){ "x", "DNS:mx.example.org", VALID, NULL, false });
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	Handshake handshake;
	X509 *shown;

	CU_ASSERT_EQUAL(SSL_CTX_use_certificate(context, leaf.certificate), 1);
	CU_ASSERT_EQUAL(SSL_CTX_use_PrivateKey(context, leaf.key), 1);
	CU_ASSERT_EQUAL(
		X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority->root.certificate), 1);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
	SSL_CTX_set_max_proto_version(context, version);
	handshake_start(&handshake);
	handshake.client = tls_client_session(client, handshake.fds[0], "mx.example.org", TLS_VERIFY);
	handshake.server = SSL_new(context);
	SSL_set_fd(handshake.server, handshake.fds[1]);
	SSL_set_accept_state(handshake.server);
	handshake_run(&handshake);
	CU_ASSERT_TRUE(handshake.is_done);
	shown = SSL_get1_peer_certificate(handshake.server);
	CU_ASSERT_EQUAL(shown != NULL, n > 0);
	CU_ASSERT_EQUAL(SSL_get_verify_result(handshake.server), X509_V_OK);
	/* of a client OpenSSL leaves the first certificate out of the chain */
	CU_ASSERT_EQUAL(MAX(sk_X509_num(SSL_get_peer_cert_chain(handshake.server)), 0), MAX(n - 1, 0));
	X509_free(shown);
	handshake_end(&handshake);
	SSL_CTX_free(context);
	authority_clear_pair(&leaf);
}

static void
test_own_certificate(void)
{
	Authority authority = authority_new();
	Pair leaf = authority_issue(
		&authority.intermediate, &(Request){ "x", "DNS:out.example.net", VALID, NULL, false });
	g_autofree char *certificate = authority_write(
		&authority, "own.pem", (const Pair *[]){ &leaf, &authority.intermediate, NULL });
	g_autofree char *key = authority_write_key(&authority, "own.key", &leaf);
	g_autofree char *trust =
		authority_write(&authority, "trust.pem", (const Pair *[]){ &authority.root, NULL });
	g_autoptr(TlsClient) with = NULL, without = NULL;

	with = tls_client_new_with(trust, certificate, key, NULL);
	without = tls_client_new(trust, NULL);
	CU_ASSERT_FATAL(with != NULL && without != NULL);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		check_own_certificate(&authority, with, 2, version);
		check_own_certificate(&authority, without, 0, version);
	}
	authority_clear_pair(&leaf);
	authority_clear(&authority);
}

static const UnitTest tests[] = {
	{ "C-04 C-12 the certificate of the name that was asked for, with its chain",
		test_server_names },
	{ "the least version, for each name", test_server_minimum },
	{ "a key of another certificate, and files that change", test_server_files },
	{ "Q-38 our certificate with its chain, to servers that ask", test_own_certificate },
	{ NULL, NULL },
};

const UnitSuite suite_tls_server = { "tls-server", tests };
