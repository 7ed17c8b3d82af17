/* engine.h - what sessions and deliveries work with: services for the life of the daemon, and the
 * snapshot of a configuration that each session keeps to its end. */
#pragma once

#include <glib.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/id.h"
#include "engine/chain.h"
#include "engine/settings.h"
#include "io/tls.h"
#include "io/workers.h"
#include "mail/queue.h"
#include "mail/spool.h"
#include "service/account-budget.h"
#include "service/blocks.h"
#include "service/client-budget.h"
#include "service/directory.h"
#include "service/dns.h"
#include "service/metrics.h"
#include "service/refusals.h"
#include "service/counts.h"
#include "service/store.h"

typedef struct Observer Observer;
typedef struct Stay Stay;
typedef struct Etrn Etrn;
typedef struct DeliverySettings DeliverySettings;

/* Made by the daemon (or a test) before the first session; borrowed by all. */
typedef struct {
	const Clock *clock;
	IdSource *ids;       /* of messages */
	IdSource *session_ids;
	Spool *spool;
	Queue *queue;
	Store *store;
	Counts *counts;      /* with the store */
	Directory *directory;
	Blocks *blocks;
	ClientBudgets *clients;   /* NULL: nothing is counted of clients */
	AccountBudgets *accounts; /* NULL: nothing is counted of accounts */
	Metrics *metrics;
	Refusals *refusals;  /* NULL: not kept */
	Workers *waiters, *crunchers;
	Workers *hashers;    /* threads for password hashes: guessing passwords must not delay content checks */
	Observer *observer;
	Stay *stay;          /* mail that waits for a domain; see engine/stay.h */
	atomic_uint submissions; /* the n of Submit IDs */
	Etrn *etrn;          /* domains whose mail clients want to be tried; see engine/etrn.h */
} Engine;

/* Immutable; reference-counted. */
typedef struct {
	atomic_int references;
	EngineSettings *settings;
	Chain *chain;
	Dns *dns;
	TlsServer *tls;          /* NULL: none is configured */
	DeliverySettings *delivery; /* owned; see engine/route.h */
	void (*release)(void *data); /* lets go of the instances behind `chain` */
	void *release_data;
} Snapshot;

/* Takes settings, delivery (may be NULL) and chain; `tls` gets a reference of its own, `dns` is borrowed. */
Snapshot *snapshot_new(EngineSettings *settings, DeliverySettings *delivery, Chain *chain, Dns *dns,
	TlsServer *tls);
Snapshot *snapshot_ref(Snapshot *snapshot);
void snapshot_unref(Snapshot *snapshot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Snapshot, snapshot_unref)
