/* tls-authority.h - a CA of the tests, and handshakes over a pair of sockets, without a thread or a wait. */
#pragma once

#include <openssl/ssl.h>

#include "io/tls.h"
#include "unit/unit.h"

typedef struct {
	X509 *certificate;
	EVP_PKEY *key;
} Pair;

typedef struct {
	char *directory;
	Pair root, other_root; /* of the same name, with different keys */
	Pair intermediate;     /* by the root */
	Pair no_authority;     /* the same; it may not sign others */
} Authority;

#define AUTHORITY_DAY 86400
#define VALID -AUTHORITY_DAY, 30 * AUTHORITY_DAY /* from … until of a Request */

typedef struct {
	const char *common_name;  /* NULL: none */
	const char *alternatives; /* subjectAltName as OpenSSL writes it; NULL: none */
	long from, until;         /* seconds from now */
	const char *usage;        /* extended; NULL: none */
	bool is_authority;
} Request;

Authority authority_new(void);
void authority_clear(Authority *authority);
/* A certificate by `issuer`, NULL: by itself. */
Pair authority_issue(const Pair *issuer, const Request *request);
void authority_clear_pair(Pair *pair);
/* PEM files in the directory; paths, new.  `pairs` ends with NULL. */
char *authority_write(const Authority *authority, const char *name, const Pair *const *pairs);
char *authority_write_key(const Authority *authority, const char *name, const Pair *pair);

typedef struct {
	int fds[2]; /* of the client, of the server */
	SSL *client, *server;
	bool is_done; /* both sides agree */
	int verified; /* by the client: X509_V_OK, or why not */
} Handshake;

/* Then the test sets `client` and `server`. */
void handshake_start(Handshake *handshake);
void handshake_run(Handshake *handshake);
void handshake_end(Handshake *handshake);
