/* tls-authority.c - a CA of the tests, and handshakes over a pair of sockets. */
#include "unit/io/tls-authority.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void
add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	CU_ASSERT_PTR_NOT_NULL_FATAL(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

Pair
authority_issue(const Pair *issuer, const Request *request)
{
	static long serial = 1000;
	Pair made = { X509_new(), EVP_EC_gen("P-256") };
	X509_NAME *subject = X509_get_subject_name(made.certificate);
	const Pair *by = issuer != NULL ? issuer : &made;

	X509_set_version(made.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), request->from);
	X509_gmtime_adj(X509_getm_notAfter(made.certificate), request->until);
	X509_set_pubkey(made.certificate, made.key);
	if (request->common_name != NULL)
		X509_NAME_add_entry_by_txt(
			subject, "CN", MBSTRING_UTF8, (const unsigned char *)request->common_name, -1, -1, 0);
	else
		X509_NAME_add_entry_by_txt(
			subject, "O", MBSTRING_UTF8, (const unsigned char *)"Nobody", -1, -1, 0);
	X509_set_issuer_name(made.certificate, X509_get_subject_name(by->certificate));
	add_extension(made.certificate, by->certificate, NID_basic_constraints,
		request->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (request->alternatives != NULL)
		add_extension(
			made.certificate, by->certificate, NID_subject_alt_name, request->alternatives);
	if (request->usage != NULL)
		add_extension(made.certificate, by->certificate, NID_ext_key_usage, request->usage);
	CU_ASSERT_FATAL(X509_sign(made.certificate, by->key, EVP_sha256()) > 0);
	return made;
}

void
authority_clear_pair(Pair *pair)
{
	X509_free(pair->certificate);
	EVP_PKEY_free(pair->key);
}

char *
authority_write(const Authority *authority, const char *name, const Pair *const *pairs)
{
	char *path = g_build_filename(authority->directory, name, NULL);
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (; *pairs != NULL; pairs++)
		CU_ASSERT_EQUAL(PEM_write_X509(file, (*pairs)->certificate), 1);
	CU_ASSERT_EQUAL(fclose(file), 0);
	return path;
}

char *
authority_write_key(const Authority *authority, const char *name, const Pair *pair)
{
	char *path = g_build_filename(authority->directory, name, NULL);
	FILE *file = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(PEM_write_PrivateKey(file, pair->key, NULL, NULL, 0, NULL, NULL), 1);
	CU_ASSERT_EQUAL(fclose(file), 0);
	return path;
}

Authority
authority_new(void)
{
	const Request root = { "Test Root", NULL, -AUTHORITY_DAY, 30 * AUTHORITY_DAY, NULL, true };
	const Request intermediate = { "Test Intermediate", NULL, -AUTHORITY_DAY, 30 * AUTHORITY_DAY,
		NULL, true };
	const Request no_authority = { "Test Customer", "DNS:customer.example", -AUTHORITY_DAY,
		30 * AUTHORITY_DAY, NULL, false };
	Authority authority = { .directory = unit_new_directory() };

	authority.root = authority_issue(NULL, &root);
	authority.other_root = authority_issue(NULL, &root); /* of the same name, with another key */
	authority.intermediate = authority_issue(&authority.root, &intermediate);
	authority.no_authority = authority_issue(&authority.root, &no_authority);
	return authority;
}

void
authority_clear(Authority *authority)
{
	authority_clear_pair(&authority->root);
	authority_clear_pair(&authority->other_root);
	authority_clear_pair(&authority->intermediate);
	authority_clear_pair(&authority->no_authority);
	unit_remove_directory(authority->directory);
	g_free(authority->directory);
}

/* ---- handshakes ---- */

static int
step(SSL *session)
{
	const int result = SSL_do_handshake(session);
	const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(session, result);

	ERR_clear_error();
	return result == 1 ? 1 : error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

void
handshake_start(Handshake *handshake)
{
	CU_ASSERT_EQUAL_FATAL(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, handshake->fds), 0);
}

void
handshake_run(Handshake *handshake)
{
	int client = 0, server = 0;

	for (int i = 0; i < 20 && client >= 0 && server >= 0 && (client == 0 || server == 0); i++) {
		client = step(handshake->client);
		server = step(handshake->server);
	}
	handshake->is_done = client == 1 && server == 1;
	handshake->verified = (int)SSL_get_verify_result(handshake->client);
}

void
handshake_end(Handshake *handshake)
{
	SSL_free(handshake->client);
	SSL_free(handshake->server);
	(void)close(handshake->fds[0]);
	(void)close(handshake->fds[1]);
}
