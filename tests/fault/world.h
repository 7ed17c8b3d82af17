/* world.h - deliveries over a simulated disk: next hops that a test holds up, or makes refuse.
 *
 * A hop is a plugin that delivers: mail for NAME.example goes to the hop NAME.  Its name says what it does: "fast…" takes
 * everything, "no…" refuses for good, "later…" for now, "slow…" takes it (or "slow…-no" refuses it) when the test opens
 * the gate, "stepN" when the test has gone N steps. */
#pragma once

#include "engine/delivery.h"
#include "engine/stay.h"
#include "fault/sim-disk.h"
#include "unit/unit.h"

typedef struct {
	Clock clock; /* first: the table is the object */
	_Atomic int64_t ahead_us, wall_ahead_us; /* of the machine's clocks; the second of the wall clock alone */
	char *directory;
	SimDisk *sim;
	SpoolSettings spool_settings;
	Engine engine;
	Snapshot *snapshot;
	Delivery *delivery;
	GPtrArray *plugins;    /* of HookPlugin* */
	const char *account;   /* whose mail is sent from now on; NULL: nobody's */

	GMutex lock;           /* guards what follows */
	GCond changed;
	bool is_open;          /* the gate of slow hops */
	unsigned begun;        /* deliveries by slow hops that came to the gate */
	unsigned steps;
	GHashTable *taken;     /* "recipient#id of its message" -> how often */
	GHashTable *tried;     /* the same, refused ones too */
	char *report;          /* the last one that came to its hop; NULL: none did */
} World;

World *world_new(void);
void world_free(World *world);
/* The hops that routes may lead to, by name; before the deliveries start. */
void world_add_hop(World *world, const char *name);
void world_start(World *world);
/* Stops in an orderly way, within `wait_us`; the gate stays as it is.  True: nothing was under way. */
bool world_stop(World *world, int64_t wait_us);
/* What is in memory, and what was not synced, is gone; another process opens the spool.  Counts start again at 0. */
void world_cut_power(World *world);

/* Queues a message from sender@example.net for these recipients (to NULL), and says which id it got. */
QueueId world_send(World *world, ...) G_GNUC_NULL_TERMINATED;
/* The same; 0: the spool did not take it. */
QueueId world_try_to_send(World *world, const char *const *recipients);
void world_open_gate(World *world);
/* A reload, after which mail for NAME.example goes to the hop `to`. */
void world_reroute(World *world, const char *name, const char *to);
void world_next_step(World *world);
void world_pass_time(World *world, int64_t us);

unsigned world_taken(World *world, QueueId id, const char *recipient);
unsigned world_tried(World *world, QueueId id, const char *recipient);
unsigned world_taken_in_all(World *world);
unsigned world_waiting(World *world); /* recipients that wait for a busy hop */
/* How often so far a slow hop was asked. */
unsigned world_begun(World *world);
/* The recorded status of a recipient; of a finished message DELIVERED. */
RecipientStatus world_status(World *world, QueueId id, unsigned place);
uint64_t world_octets_written(World *world); /* to the disk, so far */
/* How many reports came to their hop: messages with the null sender. */
unsigned world_reports(World *world);
/* The last of them, new; NULL: none. */
char *world_last_report(World *world);

/* Waits for a minute at most: a busy machine takes long for many messages. */
#define WORLD_WAIT_UNTIL(world, claim) \
	do { \
		for (int tries_ = 0; tries_ < 60000 && !(claim); tries_++) \
			g_usleep(1000); \
		CU_ASSERT(claim); \
	} while (0)
