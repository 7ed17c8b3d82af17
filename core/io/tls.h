/* tls.h - TLS contexts: certificates by server name for listeners, one for clients.
 *
 * A context is immutable once made and reference-counted; connections keep the one they began with. */
#pragma once

#include <glib.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct TlsServer TlsServer;
typedef struct TlsClient TlsClient;

typedef struct {
	const char *name; /* server name (SNI), NULL: for all others */
	const char *certificate, *key; /* PEM files; the certificate's chain behind it */
} TlsCertificate;

typedef struct {
	const TlsCertificate *certificates; /* ends with a row without certificate */
	int minimum;                        /* TLS1_2_VERSION or TLS1_3_VERSION    */
	bool asks_client;                   /* for a certificate, never required   */
} TlsServerSettings;

/* NULL with an error that names the file.  One without a name must be among them. */
TlsServer *tls_server_new(const TlsServerSettings *settings, GError **error);
TlsServer *tls_server_ref(TlsServer *server);
void tls_server_unref(TlsServer *server);
/* True if a file changed since it was read. */
bool tls_server_is_stale(const TlsServer *server);
SSL *tls_server_session(const TlsServer *server, int fd); /* new */
/* Writes a self-signed certificate for `name` and its key (ECDSA P-256), for the embedded defaults. */
bool tls_make_certificate(const char *name, const char *certificate, const char *key, GError **error);

typedef enum { TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY } TlsPolicy;

/* `certificate`, `key`: PEM files, shown to servers that ask for a certificate; the certificate's chain behind it; both or
 * neither.  NULL with an error that names the file. */
TlsClient *tls_client_new_with(const char *trust_file /* NULL: the system's */, const char *certificate,
	const char *key, GError **error);
TlsClient *tls_client_new(const char *trust_file, GError **error);
TlsClient *tls_client_ref(TlsClient *client); /* NULL stays NULL */
void tls_client_free(TlsClient *client);      /* gives up one reference; NULL: nothing */
/* New.  With TLS_VERIFY the handshake fails unless the certificate is good for `name`, a host name or an address without
 * brackets; without a name (NULL, "") it fails always. */
SSL *tls_client_session(const TlsClient *client, int fd, const char *name, TlsPolicy policy);

/* The reason of the last failure of this thread, "handshake failed" if none is known. */
const char *tls_failure(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsServer, tls_server_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsClient, tls_client_free)
