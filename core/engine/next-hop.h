/* next-hop.h - where a recipient's mail goes next, as text and as a value.
 *
 *   smtp://[USER@]HOST[:PORT]   smtp:[192.0.2.1]:2525   smtp:HOST:PORT   mx:DOMAIN   plugin:NAME
 *   smtps://[USER@]HOST[:PORT]  TLS from the start (RFC 8314 3.3; port 465 unless it is said)
 *   lmtp:unix:/PATH   lmtp://HOST[:PORT]   lmtp:[ADDRESS]:PORT   (RFC 2033; port 24 unless it is said)
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/tls.h"

typedef enum { HOP_MX, HOP_SMTP, HOP_LMTP, HOP_PLUGIN } HopKind;
/* What becomes of mail for a host that does not exist. */
typedef enum { MISSING_DEFERS, MISSING_BOUNCES, MISSING_HOLDS } HopMissing;

typedef struct {
	HopKind kind;
	char *host; /* domain, host, address without brackets, or plugin; NULL with a path */
	char *path; /* of a Unix socket; NULL: there is a host */
	uint16_t port;
	char *user; /* NULL: no AUTH */
	char *password;
	TlsPolicy tls;
	bool is_wrapped;       /* in TLS from the start; `tls` is ENCRYPT or VERIFY then */
	TlsClient *client;     /* with our certificate for this hop; NULL: that of all */
	char *identity;        /* what that certificate is known by; NULL: there is none */
	GArray *from;          /* of IpAddress: to send from, never changed; NULL: those of all */
	HopMissing on_missing; /* of HOP_SMTP */
	bool is_trusted;       /* the administrator wrote it: it may be at any address, see io/reach.h */
	char *text;            /* what it is known by */
} NextHop;

/* New; NULL with a sentence. */
NextHop *next_hop_parse(const char *text, TlsPolicy tls, GError **error);
NextHop *next_hop_for_domain(const char *domain, TlsPolicy tls);
NextHop *next_hop_copy(const NextHop *hop);
/* How well a login at the hop is protected by what its configuration says. */
typedef enum {
	LOGIN_PROTECTED,  /* none is sent, or over verified TLS, to loopback, or through a Unix socket */
	LOGIN_UNVERIFIED, /* encrypted, to a server that nobody verifies */
	LOGIN_IN_CLEAR,   /* it could be sent in clear, or to whoever answers */
} NextHopLogin;

NextHopLogin next_hop_login(const NextHop *hop);
/* True: `host`, a name or an address without brackets, is this machine as far as its text says: loopback or
 * "localhost".  Where a name leads is checked again when the connection is there. */
bool next_hop_is_local(const char *host);
/* What messages that may share a connection have in common; new. */
char *next_hop_key(const NextHop *hop);
void next_hop_free(NextHop *hop);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NextHop, next_hop_free)
