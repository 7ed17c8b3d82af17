/* tls.c - TLS contexts over OpenSSL. */
#include "io/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/ip.h"

#define TLS_NO_NAME "no-name.invalid" /* RFC 6761 6.4: nobody's */

typedef struct {
	char *name; /* NULL: for all others */
	SSL_CTX *context;
} TlsName;

typedef struct {
	char *path;
	struct timespec changed;
} TlsFile;

struct TlsServer {
	atomic_int references;
	GArray *names; /* of TlsName */
	GArray *files; /* of TlsFile */
	SSL_CTX *others;
};

struct TlsClient {
	atomic_int references;
	SSL_CTX *context;
};

const char *
tls_failure(void)
{
	const unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	return reason != NULL ? reason : "handshake failed";
}

static void
tls_set_common(SSL_CTX *context, int minimum)
{
	SSL_CTX_set_min_proto_version(context, minimum);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
									 SSL_OP_CLEANSE_PLAINTEXT); /* passwords come through */
	SSL_CTX_set_mode(
		context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static int
tls_choose(SSL *session, int *alert, void *data)
{
	const TlsServer *server = data;
	const char *asked = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	for (guint i = 0; asked != NULL && i < server->names->len; i++) {
		const TlsName *name = &g_array_index(server->names, TlsName, i);

		if (name->name != NULL && g_ascii_strcasecmp(name->name, asked) == 0) {
			SSL_set_SSL_CTX(session, name->context);
			break;
		}
	}
	return SSL_TLSEXT_ERR_OK; /* an unknown name gets the certificate of all others */
}

static int
tls_accept_any(int is_good, X509_STORE_CTX *store)
{
	(void)is_good, (void)store;
	return 1; /* a client's certificate is a fact for plugins, never a condition */
}

static bool
tls_note_file(TlsServer *server, const char *path, GError **error)
{
	TlsFile file = { 0 };
	struct stat status;

	if (stat(path, &status) < 0)
		return error_set_errno(error, "%s", path);
	file.path = g_strdup(path);
	file.changed = status.st_mtim;
	g_array_append_val(server->files, file);
	return true;
}

static bool
tls_use_pair(SSL_CTX *context, const char *certificate, const char *key, GError **error)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return error_set(error, POSTERN_ERROR_INVALID, "certificate %s: %s", certificate, tls_failure());
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return error_set(error, POSTERN_ERROR_INVALID, "key %s: %s", key, tls_failure());
	return SSL_CTX_check_private_key(context) == 1 ||
		   error_set(error, POSTERN_ERROR_INVALID, "key %s does not belong to certificate %s", key, certificate);
}

static SSL_CTX *
tls_load(const TlsCertificate *certificate, const TlsServerSettings *settings, GError **error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	ERR_clear_error();
	tls_set_common(context, settings->minimum);
	SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_id_context(context, (const unsigned char *)"postern", 7);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need no memory of ours */
	if (settings->asks_client)
		SSL_CTX_set_verify(context, SSL_VERIFY_PEER, tls_accept_any);
	if (tls_use_pair(context, certificate->certificate, certificate->key, error))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static bool
tls_add_certificate(
	TlsServer *server, const TlsCertificate *certificate, const TlsServerSettings *settings, GError **error)
{
	TlsName name = { 0 };

	if (!tls_note_file(server, certificate->certificate, error) || !tls_note_file(server, certificate->key, error))
		return false;
	name.context = tls_load(certificate, settings, error);
	if (name.context == NULL)
		return false;
	name.name = g_strdup(certificate->name);
	g_array_append_val(server->names, name);
	if (certificate->name == NULL) {
		server->others = name.context;
		SSL_CTX_set_tlsext_servername_callback(name.context, tls_choose);
		SSL_CTX_set_tlsext_servername_arg(name.context, server);
	}
	return true;
}

TlsServer *
tls_server_new(const TlsServerSettings *settings, GError **error)
{
	g_autoptr(TlsServer) server = g_new0(TlsServer, 1);

	atomic_init(&server->references, 1);
	server->names = g_array_new(FALSE, TRUE, sizeof(TlsName));
	server->files = g_array_new(FALSE, TRUE, sizeof(TlsFile));
	for (const TlsCertificate *row = settings->certificates; row->certificate != NULL; row++)
		if (!tls_add_certificate(server, row, settings, error))
			return NULL;
	if (server->others == NULL) {
		error_set(error, POSTERN_ERROR_INVALID, "no certificate is given for clients that ask for no name");
		return NULL;
	}
	return g_steal_pointer(&server);
}

TlsServer *
tls_server_ref(TlsServer *server)
{
	if (server != NULL)
		atomic_fetch_add(&server->references, 1);
	return server;
}

void
tls_server_unref(TlsServer *server)
{
	if (server == NULL || atomic_fetch_sub(&server->references, 1) != 1)
		return;
	for (guint i = 0; i < server->names->len; i++) {
		g_free(g_array_index(server->names, TlsName, i).name);
		SSL_CTX_free(g_array_index(server->names, TlsName, i).context);
	}
	for (guint i = 0; i < server->files->len; i++)
		g_free(g_array_index(server->files, TlsFile, i).path);
	g_array_unref(server->names);
	g_array_unref(server->files);
	g_free(server);
}

bool
tls_server_is_stale(const TlsServer *server)
{
	for (guint i = 0; i < server->files->len; i++) {
		const TlsFile *file = &g_array_index(server->files, TlsFile, i);
		struct stat status;

		if (stat(file->path, &status) < 0 || status.st_mtim.tv_sec != file->changed.tv_sec ||
			status.st_mtim.tv_nsec != file->changed.tv_nsec)
			return true;
	}
	return false;
}

SSL *
tls_server_session(const TlsServer *server, int fd)
{
	SSL *session = SSL_new(server->others);

	SSL_set_fd(session, fd);
	SSL_set_accept_state(session);
	return session;
}

/* ---- a certificate of our own ---- */

static X509 *
tls_sign_own(EVP_PKEY *key, const char *name)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	g_autofree char *alternative = g_strdup_printf("DNS:%s", name);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative);

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), g_get_real_time());
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3650L * 86400);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	if (extension != NULL)
		X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	X509_sign(certificate, key, EVP_sha256());
	return certificate;
}

static bool
tls_write_pem(BIO *memory, const char *path, int mode, GError **error)
{
	char *text;
	const long size = BIO_get_mem_data(memory, &text);

	return g_file_set_contents_full(path, text, size, G_FILE_SET_CONTENTS_CONSISTENT, mode, error);
}

bool
tls_make_certificate(const char *name, const char *certificate, const char *key, GError **error)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	BIO *public = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_mem());
	X509 *own;
	bool is_made;

	if (pair == NULL)
		return error_set(error, POSTERN_ERROR_IO, "cannot make a key: %s", tls_failure());
	own = tls_sign_own(pair, name);
	is_made = PEM_write_bio_X509(public, own) == 1 &&
			  PEM_write_bio_PrivateKey(private, pair, NULL, NULL, 0, NULL, NULL) == 1;
	is_made = is_made ? tls_write_pem(private, key, 0600, error) && tls_write_pem(public, certificate, 0644, error)
					  : error_set(error, POSTERN_ERROR_IO, "cannot write a certificate: %s", tls_failure());
	X509_free(own);
	EVP_PKEY_free(pair);
	BIO_free(public);
	BIO_free(private);
	return is_made;
}

/* ---- clients ---- */

static bool
tls_trust(SSL_CTX *context, const char *trust_file, GError **error)
{
	if (trust_file == NULL)
		return (void)SSL_CTX_set_default_verify_paths(context), true; /* without any, nobody is trusted */
	return SSL_CTX_load_verify_locations(context, trust_file, NULL) == 1 ||
		   error_set(error, POSTERN_ERROR_INVALID, "trusted certificates %s: %s", trust_file, tls_failure());
}

TlsClient *
tls_client_new_with(const char *trust_file, const char *certificate, const char *key, GError **error)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	TlsClient *client;

	ERR_clear_error();
	tls_set_common(context, TLS1_2_VERSION);
	if (!tls_trust(context, trust_file, error) ||
		(certificate != NULL && !tls_use_pair(context, certificate, key, error))) {
		SSL_CTX_free(context);
		return NULL;
	}
	client = g_new0(TlsClient, 1);
	atomic_init(&client->references, 1);
	client->context = context;
	return client;
}

TlsClient *
tls_client_new(const char *trust_file, GError **error)
{
	return tls_client_new_with(trust_file, NULL, NULL, error);
}

TlsClient *
tls_client_ref(TlsClient *client)
{
	if (client != NULL)
		atomic_fetch_add(&client->references, 1);
	return client;
}

void
tls_client_free(TlsClient *client)
{
	if (client == NULL || atomic_fetch_sub(&client->references, 1) != 1)
		return;
	SSL_CTX_free(client->context);
	g_free(client);
}

SSL *
tls_client_session(const TlsClient *client, int fd, const char *name, TlsPolicy policy)
{
	const bool has_name = name != NULL && name[0] != '\0';
	SSL *session = SSL_new(client->context);
	IpAddress address;

	SSL_set_fd(session, fd);
	SSL_set_connect_state(session);
	if (has_name && !ip_parse(name, &address)) /* RFC 6066 3: an address is no server name */
		SSL_set_tlsext_host_name(session, name);
	if (policy == TLS_VERIFY) {
		SSL_set_verify(session, SSL_VERIFY_PEER, NULL);
		/* OpenSSL takes no name for every name */
		SSL_set1_host(session, has_name ? name : TLS_NO_NAME);
	}
	return session;
}
