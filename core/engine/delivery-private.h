/* delivery-private.h - what delivery*.c share. */
#pragma once

#include "engine/delivery.h"
#include "engine/observer.h"
#include "engine/smtp-client.h"

enum { DELIVERY_IN_HAND = 20000 }; /* messages whose envelopes are in memory at a time */

#define DELIVERY_LOOK_US (CLOCK_SECOND / 5) /* how often what waits is looked after */

/* A message under way: shared by its jobs, settled by the last one that ends. */
typedef struct {
	Delivery *delivery;
	Snapshot *snapshot;
	SpoolMessage *message;
	GMutex lock;          /* while the first job reads the content */
	SentResult *results;  /* one per recipient of the envelope */
	char **peers;         /* who spoke, per recipient; NULL: nobody */
	bool *was_tried, *can_dsn;
	RouteAnswer *ways;    /* one per recipient: how it was routed */
	atomic_uint jobs;
} InHand;

/* Recipients of one message that go the same way. */
typedef struct Job {
	InHand *in_hand;
	GArray *places;       /* of guint */
	const char *sender;   /* of the ways of all of them; NULL: the envelope's */
} Job;

/* All that waits for one next hop. */
typedef struct {
	char *key;
	NextHop *hop;
	GQueue jobs;          /* of Job* */
	unsigned threads, idle; /* idle: those that keep a connection and wait to be called */
	unsigned calls;       /* idle ones that were called and are not awake yet: they count as busy */
	GCond is_called;
	int64_t service_us;   /* what a message takes here, smoothed */
	int64_t moved_us;     /* when the last one ended, or the first began; monotonic */
	bool is_waiting;      /* for a thread, in `waiting` */
	unsigned open, opening; /* connections to it; those that are being made */
	unsigned most;        /* so many it lets us have … */
	int64_t full_until_us; /* … until then; monotonic */
	bool shuns_ahead;     /* a connection broke where an envelope had been sent behind a content */
} Destination;

struct Delivery {
	Engine *engine;
	GThread *scheduler;
	GMutex lock;          /* guards all below */
	GCond wake, has_ended;
	Snapshot *snapshot;
	GHashTable *destinations; /* key -> Destination* */
	GQueue waiting;       /* destinations that want a thread when one is free */
	unsigned threads, in_hand;
	int64_t looked_us;    /* delivery_look_after(), monotonic */
	bool is_awake, is_stopping;
};

/* A thread that works for one next hop. */
typedef struct {
	Delivery *delivery;
	Destination *destination;
	SmtpClient *client; /* NULL: it has no connection */
	Job *next;          /* taken already, to be sent over this connection; NULL: none */
	Snapshot *snapshot; /* whose settings the client keeps to; NULL without one */
	int64_t used_us;    /* when the connection last worked */
	bool gives_up;      /* others have connections, and its job */
} DeliveryThread;

/* ---- delivery-destination.c ---- */
/* Lock held: a job for `hop`; starts a thread if one is wanted and may be. */
void delivery_add_job(Delivery *delivery, const NextHop *hop, Job *job);
/* Lock held: what waits for the thread's next hop; NULL: nothing, or others see to it. */
Job *delivery_take_job(DeliveryThread *thread);
void delivery_free_destination(void *destination);
/* Of the calling thread: mail that comes in goes first. */
void delivery_yield_to_clients(void);
/* Lock held: threads that only keep a connection look up. */
void delivery_wake_threads(Delivery *delivery);
/* Lock held: destinations where something waits and nothing moves get one more connection. */
void delivery_look_after(Delivery *delivery);

/* ---- delivery-thread.c ---- */
/* Takes the job: it has no more to say of its recipients.  No lock held. */
void delivery_end_job(Job *job);
/* Ends the job, unless the thread gives up: then others have it. */
void delivery_do_job(DeliveryThread *thread, Job *job);
/* The connection outlives the job it was opened for, and so must its settings. */
void delivery_hang_up(DeliveryThread *thread);

/* ---- delivery-settle.c ---- */
/* Any thread, no lock held: one job fewer; the last one settles the message. */
void delivery_job_done(InHand *in_hand);
