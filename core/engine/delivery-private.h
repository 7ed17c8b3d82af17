/* delivery-private.h - what delivery*.c share.
 *
 * Locks: that of an active message, which is held while a report is committed, before the queue's and the delivery's. */
#pragma once

#include "base/thread.h"
#include "engine/bounce.h"
#include "engine/delivery-trust.h"
#include "engine/delivery.h"
#include "engine/host-quirks.h"
#include "engine/observer.h"
#include "engine/smtp-client.h"

#define DELIVERY_LOOK_US (CLOCK_SECOND / 5)          /* how often waiting jobs are looked after */
#define DELIVERY_REPORT_US (5 * 60 * CLOCK_SECOND)   /* a failure is reported after this at the latest */
#define DELIVERY_SPREAD_US (10 * CLOCK_SECOND)      /* mail of an account with too many next hops is looked at again after this */
#define DELIVERY_CROWDED_US CLOCK_SECOND            /* an address without room for us is asked again after this */
#define DELIVERY_DOOMED_US (60 * CLOCK_SECOND)       /* so long a failure to connect counts for messages that waited */
#define DELIVERY_UNTRUSTED_US (10 * 60 * CLOCK_SECOND) /* beyond twice the longest pause: no mail for that next hop is left */
#define DELIVERY_UNREPORTED_US (60 * CLOCK_SECOND)   /* a report that could not be written is tried again after this */

/* One recipient of a message in this attempt. */
typedef struct {
	SentResult result;
	char *peer;        /* who spoke; NULL: nobody */
	bool has_result;
	bool is_settled;   /* the result is in the state, the log and the report */
	bool can_dsn;      /* its next hop reports deliveries itself */
} DeliveryRecipient;

typedef struct Waiting Waiting;

/* Recipients of one message that wait for a next hop which has enough to do. */
typedef struct {
	Waiting *of;
	GList link;           /* in `list` */
	GQueue *list;         /* of the destination, or `wanted`; NULL: in none */
	GArray *places;       /* of guint; NULL: all that are pending */
	int64_t since_us;     /* monotonic */
	bool is_over;         /* they were begun, or wait no more; then in no list */
	bool is_wanted;       /* the destination had room while the message was on its way to the queue */
} WaitingWay;

/* A message under way: shared by its jobs; the last one that ends gives it back to the queue. */
typedef struct {
	Delivery *delivery;
	Snapshot *snapshot;
	SpoolMessage *message;
	GMutex content_lock;           /* while the first job reads the content */
	DeliveryRecipient *recipients; /* in the order of the envelope */
	RouteAnswer *ways;             /* the same: how each was routed */
	Waiting *waiting;              /* recipients that wait for their next hops; NULL: none do */
	bool is_routed;                /* `ways` has those of all recipients that are pending; else only a report is due */

	atomic_uint jobs;              /* that have not ended; whoever ends the last one has the message alone */

	GMutex lock;                   /* guards what follows, while there are jobs */
	MessageState *state;           /* with what is known by now */
	bool has_results;              /* `state` has some that were not put to the spool */
	bool has_changes;              /* or what is of less use: a deferral, a hold */
	bool is_watched;               /* a failure waits for its report, and the scheduler sees to it */
	unsigned deferred, held;       /* recipients, in this attempt */

	GList *link;                   /* in the delivery's list of the watched; the delivery's lock guards it … */
	int64_t watched_us;            /* … and since when it is there; monotonic */
} ActiveMessage;

/* Recipients of one message that go the same way. */
typedef struct Job {
	ActiveMessage *active;
	GArray *places;       /* of guint */
	const char *sender;   /* of the ways of all of them; NULL: the envelope's */
	AccountBudget *account; /* on whose destinations it counts; NULL: nobody's, or it was not begun */
} Job;

/* The ways of one message that wait; the delivery's lock guards it.  It belongs to the active
 * message.  While no other way is under way the message is parked, and the queue has both. */
struct Waiting {
	QueueId id;
	ActiveMessage *active; /* NULL: it is parked */
	bool is_cut_off;       /* a way was ended by a reload: those recipients are to be routed at once */
	WaitingWay first;      /* most have one */
	GPtrArray *others;     /* of WaitingWay*; NULL: none */
};

/* All that waits for one next hop. */
typedef struct {
	char *key;
	NextHop *hop;
	GQueue jobs;          /* of Job*: few, further ones stay ways that wait */
	GQueue ways;          /* of WaitingWay*, each waiting without being a job */
	bool is_hungry;       /* in `hungry`: jobs are to be made of waiting ways */
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
	int64_t failed_us;    /* when it could not be reached last; monotonic, 0: never */
	int64_t crowded_until_us; /* its addresses have all the connections that we may have there; monotonic */
	SentStatus failed_status; /* what became of the jobs then … */
	char *failed_reply;   /* … and becomes of messages that were waiting for it then */
} Destination;

struct Delivery {
	Engine *engine;
	DeliveryTrust *trust;
	HostQuirks *quirks;
	Thread *scheduler;
	GMutex lock;          /* guards all below */
	GCond wake, has_ended;
	Snapshot *snapshot;
	GHashTable *destinations; /* key -> Destination* */
	GQueue waiting;       /* destinations that want a thread when one is free */
	GQueue hungry;        /* destinations that have room for waiting ways */
	GQueue wanted;        /* of WaitingWay*, to be begun whatever the destination has */
	GQueue watched;       /* of ActiveMessage* with failures to report, oldest first */
	GHashTable *addresses; /* "ADDRESS PORT" -> how many connections, as a pointer */
	unsigned threads, mx_threads, active; /* mx_threads: those at next hops that MX records name */
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
	GPtrArray *tried;   /* of char*: "ADDRESS PORT" of those that were tried for the connection; NULL: none was */
	char *address;      /* of the connection, as it is counted; NULL: none, or a Unix socket */
	AccountBudget *account; /* whose mail it brings; NULL: nobody's */
	bool counts_for_account;
	int64_t used_us;    /* when the connection last worked */
	bool gives_up;      /* others have connections, and its job */
} DeliveryThread;

/* ---- delivery-active.c ---- */
/* New, from a message that the queue made active; takes it.  It has one job, the caller's. */
ActiveMessage *delivery_activate(Delivery *delivery, SpoolMessage *message);
/* One job of the message, that of the recipients in `places` (NULL: of none), has ended.  Their results are recorded; the
 * last job gives the message back.  No lock held; waits for the disk. */
void delivery_job_done(ActiveMessage *active, const GArray *places);
/* Results that the scheduler knows of these recipients without a job are recorded.  `places` NULL: of all. */
void delivery_settle_known(ActiveMessage *active, const GArray *places);
/* Lock of the delivery held: the caller has a job of the message from now on; false: it is ending. */
bool delivery_borrow(ActiveMessage *active);
/* Failures that waited for other jobs long enough are reported.  No lock held; waits for the disk. */
void delivery_report_waiting(Delivery *delivery);
void delivery_set_result(ActiveMessage *active, guint place, SentStatus status, const char *reply);

/* ---- delivery-destination.c ---- */
/* Lock held: the destination of that hop, made if there is none. */
Destination *delivery_destination(Delivery *delivery, const NextHop *hop);
/* Lock held: a job for it; starts a thread if one is wanted and may be. */
void delivery_add_job(Delivery *delivery, Destination *destination, Job *job);
/* Lock held: what waits for the thread's next hop; NULL: nothing, or others see to it. */
Job *delivery_take_job(DeliveryThread *thread);
void delivery_free_destination(void *destination);
/* Lock held: the destination is forgotten if it has nothing to do. */
void delivery_drop_destination(Delivery *delivery, Destination *destination);
/* Of the calling thread: mail that comes in goes first. */
void delivery_yield_to_clients(void);
/* Lock held: threads that only keep a connection look up. */
void delivery_wake_threads(Delivery *delivery);
/* Lock held: destinations where something waits and nothing moves get one more connection. */
void delivery_look_after(Delivery *delivery);

/* ---- delivery.c ---- */
/* Lock held. */
void delivery_wake_scheduler(Delivery *delivery);

/* ---- delivery-park.c ---- */
/* Lock held: the destination has enough jobs. */
bool delivery_is_full(const Delivery *delivery, const Destination *destination);
/* Lock held: jobs may be made of the ways that wait for it; wakes the scheduler. */
void delivery_feed(Delivery *delivery, Destination *destination);
/* Lock held: these recipients wait for the destination.  `places` NULL: all that are pending. */
void delivery_line_up(ActiveMessage *active, Destination *destination, GArray *places);
/* For whoever has the message alone: a way of it waits still, so that the attempt is not over. */
bool delivery_has_waiting(const ActiveMessage *active);
/* The same: a reload ended ways of it. */
bool delivery_is_cut_off(const ActiveMessage *active);
/* The same: the message goes back to the queue until a way of it is begun. */
void delivery_park(ActiveMessage *active);
/* Lock held: no way of the message waits any more. */
void delivery_end_waiting(ActiveMessage *active);
/* Lock held: a way whose next hop has room; NULL: there is none.  If its message is active, the
 * caller has a job of it from now on, and the way is valid as long as that.  Else the message is
 * parked: a verb may free the way as soon as the lock is released, unless queue_unpark() succeeds. */
WaitingWay *delivery_take_way(Delivery *delivery);
/* No lock held: the message of a parked way became active. */
void delivery_resume(ActiveMessage *active, Waiting *waiting);
/* No lock held: frees the ways of a message that was parked; for queue_set_unparked(). */
void delivery_unparked(void *delivery, void *waiting);
/* No lock held: no way waits any more; the messages are due, and routed again. */
void delivery_end_parking(Delivery *delivery);

/* ---- delivery-share.c ---- */
/* Lock held: one more connection may work for the destination. */
bool delivery_may_start(const Delivery *delivery, Destination *destination);
/* Lock held: one of the destinations that wait for a thread, taken out of their list; NULL: none may have one now. */
Destination *delivery_next_to_start(Delivery *delivery);
/* The thread works for the account of the job from now on, or for none any more.  Its own thread, or the one that starts it. */
void delivery_begin_share(DeliveryThread *thread, const Job *job);
void delivery_end_share(DeliveryThread *thread);
/* The job, and no other, counts as one of its account's destinations until delivery_end_destination(). */
void delivery_begin_destination(const Delivery *delivery, Job *job);
void delivery_end_destination(Job *job);
/* No lock held.  False: mail of the message's account has as many next hops as it may; it stays in the queue for now. */
bool delivery_may_spread(Delivery *delivery, const Envelope *envelope);
/* No lock held.  False: we have `most` connections to that address. */
bool delivery_enter_address(DeliveryThread *thread, const HopAddress *to, unsigned most);
void delivery_leave_address(DeliveryThread *thread);

/* ---- delivery-hosts.c; no lock held ---- */
/* A connection to the first of the addresses that was not tried in this attempt, and where we may have one.  NULL: there is
 * none; `reply` (new) of the last one that was tried, NULL: none was. */
SmtpClient *delivery_open(
	DeliveryThread *thread, const DeliverySettings *settings, const GPtrArray *addresses, char **reply);
SmtpTask delivery_task(const Job *job);
/* What was sent over the thread's connection becomes the result of the job's recipients; takes what is in `results`. */
void delivery_take_results(DeliveryThread *thread, const Job *job, const SentResult *results);
/* Those that the first server deferred, or did not answer for, are offered to the next ones. */
void delivery_ask_others(DeliveryThread *thread, const Job *job);

/* ---- delivery-thread.c ---- */
/* Takes the job: it has no more to say of its recipients.  No lock held. */
void delivery_end_job(Job *job);
void delivery_free_job(Job *job);
/* Ends the job, unless the thread gives up: then others have it. */
void delivery_do_job(DeliveryThread *thread, Job *job);
/* The connection outlives the job it was opened for, and so must its settings. */
void delivery_hang_up(DeliveryThread *thread);

/* ---- delivery-settle.c; with the message's lock held, or alone with it ---- */
/* The result of one recipient goes to the state, the log and the observers. */
void settle_recipient(ActiveMessage *active, guint place);
/* True once it is time to warn the sender that the recipient has to wait. */
bool settle_is_late(const ActiveMessage *active, guint place);
/* No job is left: when each recipient is tried again. */
void settle_schedule(ActiveMessage *active);
/* After the reports: a message whose recipients are all held is held, for the reason of the last one, until the first wants to be
 * released; not while a failure is unreported, as held messages are left alone. */
void settle_hold(ActiveMessage *active);
/* The recipients that are left wait for the next change of their domains, too. */
void settle_stay(const ActiveMessage *active);

/* ---- delivery-report.c; the same; waits for the disk ---- */
/* Reports of deliveries for those of `places` that want one. */
void report_successes(ActiveMessage *active, const GArray *places);
/* A warning that the message is late, where it is time for one. */
void report_delay(ActiveMessage *active);
/* One report of all failures that wait for one, committed together with the state.  True: there is nothing left to be
 * reported; false: it could not be written, and the failures wait. */
bool report_failures(ActiveMessage *active);
