/* route.h - the way out: settings of delivery, and the next hop of a recipient. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "engine/engine.h"
#include "engine/next-hop.h"
#include "engine/stay.h"

/* [route NAME]; tried in order. */
typedef struct {
	char *name;
	char **to;     /* domains, ".parent" for all below, "*" for all; none: all */
	char **modes;  /* of the recipient's domain in the directory; none: any, or not there */
	NextHop *hop;
} Route;

/* One place where we listen; 0.0.0.0 and :: are all addresses of this machine. */
typedef struct {
	IpAddress address;
	uint16_t port;
} OwnDoor;

struct DeliverySettings {
	char *hostname, *helo;
	char *spf_record;      /* the domain that our customers include; NULL: none */
	GArray *from;          /* of IpAddress: our own to send from; empty: the system's choice */
	GPtrArray *routes;     /* of Route*, frees them */
	GArray *own;           /* of IpAddress: where we take mail for domains: an exchanger that leads here is us */
	GArray *outside;       /* of IpAddress: ours behind NAT, which no interface has */
	GArray *doors;         /* of OwnDoor: where we listen at all */
	GArray *private_networks; /* of IpNetwork: io/reach.h */
	TlsPolicy tls;
	int64_t retry_least_us, retry_most_us, expire_us, warn_after_us;
	int64_t connect_us, greeting_us, command_us, data_us, attempt_us;
	unsigned max_active; /* messages whose envelopes are in memory at a time */
	unsigned max_deliveries, per_destination, per_connection;
	unsigned max_addresses; /* of a next hop that are tried in one attempt */
	unsigned ready;         /* jobs that wait for one next hop */
	TlsClient *client;     /* owned */
};

DeliverySettings *delivery_settings_new(void);
void delivery_settings_free(DeliverySettings *settings);
/* What the administrator wrote: the hop may be at any address. */
Route *route_new(const char *name, char **to /* takes */, char **modes /* takes; NULL: none */, NextHop *hop /* takes */);

typedef enum {
	ROUTE_FOUND,
	ROUTE_REFUSED,   /* permanently: the reply says why */
	ROUTE_DEFERRED,  /* it cannot be found out now      */
	ROUTE_HELD,      /* the reply is the reason         */
	ROUTE_FORWARDED, /* to another recipient: within domain.c and route.c only */
} RouteResult;

typedef struct {
	RouteResult result;
	NextHop *hop;          /* new, of FOUND */
	char *reply;           /* new, of the others: "5.4.6 …" */
	int64_t release_at_us; /* of HELD */
	char *recipient, *sender; /* new, where the mail is forwarded: instead of those of the envelope; else NULL */
	GPtrArray *ways;       /* of StayWay*, frees them: domains of the directory on the way, in the order of forwards;
	                          NULL: there are none */
} RouteAnswer;

void route_answer_clear(RouteAnswer *answer);
/* Recipient `i` of the message: hooks of stage ROUTE, [route]s that name its domain, what the directory says of it, [route]s for
 * all, MX.  Waits where a hook does. */
void route_recipient(const Engine *engine, Snapshot *snapshot, const DeliverySettings *settings,
	const Envelope *envelope, size_t i, RouteAnswer *answer);

/* Addresses to try for a hop, best first. */
typedef struct {
	char *name;    /* of the host, for TLS and the log */
	IpAddress address;
	uint16_t port;
} HopAddress;

/* What a server is counted and remembered by: "ADDRESS PORT", or the path of a Unix socket; new. */
char *hop_address_text(const NextHop *hop, const HopAddress *to);

/* One of our addresses to send from to `to`, each as often as the others; NULL: the system's choice. */
const IpAddress *hop_from(const DeliverySettings *settings, const NextHop *hop, const IpAddress *to);

typedef enum { HOP_OK, HOP_DEFER, HOP_FAIL, HOP_HOLD } HopResult;

/* Looks up; waits until `deadline_us`.  Addresses of a family that we have none of to send from are left out, but for
 * loopback addresses that the hop itself names; if none is left, DEFER.  Of a hop that is not trusted only addresses that
 * reach.h allows and that do not lead to ourselves (own.h); if none is left, FAIL.  An array of HopAddress* that frees
 * them; else the reply ("5.1.2 …"), new. */
HopResult route_addresses(Dns *dns, const DeliverySettings *settings, const NextHop *hop, int64_t deadline_us,
	GPtrArray **addresses, char **reply);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DeliverySettings, delivery_settings_free)
