/* delivery-thread.c - threads that serve one next hop: connect, send what waits, keep the connection a little. */
#include <pthread.h>
#include <sys/resource.h>

#include "base/log.h"
#include "engine/delivery-private.h"

enum {
	DELIVERY_STACK = 512 * 1024,
	DELIVERY_AHEAD = 64 * 1024, /* octets of a message behind which the next envelope is sent: none waits long */
};

#define DELIVERY_IDLE_US (2 * CLOCK_SECOND) /* a connection waits so long for another message */

#define DELIVERY_TRUST_US (CLOCK_SECOND / 10)  /* a connection that worked just now is not looked at again */
#define DELIVERY_BACKLOG_US (2 * CLOCK_SECOND) /* what waits for one next hop is to be gone within this time … */
#define DELIVERY_UNKNOWN_US CLOCK_SECOND       /* … a message taking so long where nothing is known yet */
#define DELIVERY_FULL_US (60 * CLOCK_SECOND)   /* a server that wants no further connection is offered none so long */

typedef struct {
	Delivery *delivery;
	Destination *destination;
	SmtpClient *client;
	Job *next;          /* taken already, to be sent over this connection; NULL: none */
	Snapshot *snapshot; /* whose settings the client keeps to; NULL without one */
	int64_t used_us;    /* when the connection last worked */
	bool gives_up;      /* others have connections, and its job */
} Server;

static bool delivery_start_thread(Delivery *delivery, Destination *destination);

/* Of the calling thread: mail that comes in goes first.  What is queued is safe, a client that waits is not. */
void
delivery_yield_to_clients(void)
{
	enum { LEAST_PRIORITY = 19 };

	(void)setpriority(PRIO_PROCESS, 0, LEAST_PRIORITY);
}

void
delivery_free_destination(void *data)
{
	Destination *destination = data;

	next_hop_free(destination->hop);
	g_cond_clear(&destination->is_called);
	g_free(destination->key);
	g_free(destination);
}

void
delivery_wake_threads(Delivery *delivery)
{
	GHashTableIter each;
	gpointer destination;

	g_hash_table_iter_init(&each, delivery->destinations);
	while (g_hash_table_iter_next(&each, NULL, &destination))
		g_cond_broadcast(&((Destination *)destination)->is_called);
}

/* ---- results ---- */

static void
delivery_end_job(Job *job)
{
	InHand *in_hand = job->in_hand;

	g_array_unref(job->places);
	g_free(job);
	delivery_job_done(in_hand);
}

static void
delivery_set_all(Job *job, SentStatus status, const char *reply)
{
	for (guint i = 0; i < job->places->len; i++) {
		const guint place = g_array_index(job->places, guint, i);

		job->in_hand->was_tried[place] = true;
		sent_result_set(&job->in_hand->results[place], status, false, reply);
	}
}

/* What cannot be reached cannot be reached for those who wait behind, either. */
static void
delivery_fail_waiting(Server *server, SentStatus status, const char *reply)
{
	Delivery *delivery = server->delivery;
	GQueue jobs = G_QUEUE_INIT;
	Job *job;

	g_mutex_lock(&delivery->lock);
	jobs = server->destination->jobs;
	g_queue_init(&server->destination->jobs);
	g_mutex_unlock(&delivery->lock);
	while ((job = g_queue_pop_head(&jobs)) != NULL) {
		delivery_set_all(job, status, reply);
		delivery_end_job(job);
	}
}

/* ---- one job over SMTP ---- */

/* The connection outlives the job it was opened for, and so must its settings. */
static void
delivery_hang_up(Server *server)
{
	if (server->client != NULL) {
		g_mutex_lock(&server->delivery->lock);
		server->destination->open--;
		g_mutex_unlock(&server->delivery->lock);
	}
	g_clear_pointer(&server->client, smtp_client_close);
	g_clear_pointer(&server->snapshot, snapshot_unref);
}

/* A server that lets others of us in is not down but full: they take the job.  Of several that are not let in at the same
 * time the last one knows.  False: there are no others. */
static bool
delivery_give_back(Server *server, Job *job)
{
	Destination *destination = server->destination;

	g_mutex_lock(&server->delivery->lock);
	server->gives_up = destination->open > 0 || destination->opening > 0;
	if (server->gives_up) {
		destination->most = MAX(destination->open, 1);
		destination->full_until_us =
			g_get_monotonic_time() + (destination->open > 0 ? DELIVERY_FULL_US : CLOCK_SECOND);
		if (server->next != NULL)
			g_queue_push_head(&destination->jobs, g_steal_pointer(&server->next));
		g_queue_push_head(&destination->jobs, job);
	}
	g_mutex_unlock(&server->delivery->lock);
	return server->gives_up;
}

static SmtpClient *
delivery_open(Server *server, const DeliverySettings *settings, const GPtrArray *addresses, SentStatus *status,
	char **reply)
{
	Destination *destination = server->destination;
	SmtpClient *client;

	g_mutex_lock(&server->delivery->lock);
	destination->opening++;
	g_mutex_unlock(&server->delivery->lock);
	client = smtp_client_open(settings, destination->hop, addresses, status, reply);
	g_mutex_lock(&server->delivery->lock);
	destination->opening--;
	destination->open += client != NULL;
	g_mutex_unlock(&server->delivery->lock);
	return client;
}

/* False: nobody can be reached; the job has its result, or was given back. */
static bool
delivery_connect(Server *server, Job *job)
{
	Snapshot *snapshot = job->in_hand->snapshot;
	const DeliverySettings *settings = snapshot->delivery;
	g_autoptr(GPtrArray) addresses = NULL;
	g_autofree char *reply = NULL;
	SentStatus status = SENT_DEFERRED;
	const HopResult found = route_addresses(snapshot->dns, settings, server->destination->hop,
		g_get_monotonic_time() + settings->connect_us, &addresses, &reply);

	if (found == HOP_OK)
		server->client = delivery_open(server, settings, addresses, &status, &reply);
	else if (found == HOP_FAIL)
		status = SENT_FAILED;
	if (server->client != NULL) {
		server->snapshot = snapshot_ref(snapshot);
		return true;
	}
	if (found == HOP_OK && delivery_give_back(server, job))
		return false;
	metrics_add(server->delivery->engine->metrics, "delivery.unreachable", 1);
	delivery_set_all(job, status, reply);
	delivery_fail_waiting(server, status, reply);
	return false;
}

static void
delivery_take_results(Server *server, Job *job, SentResult *results)
{
	for (guint i = 0; i < job->places->len; i++) {
		const guint place = g_array_index(job->places, guint, i);

		job->in_hand->was_tried[place] = true;
		job->in_hand->peers[place] = g_strdup(smtp_client_peer(server->client));
		job->in_hand->can_dsn[place] = smtp_client_relays_dsn(server->client);
		job->in_hand->results[place] = results[i];
	}
}

static bool
delivery_was_lost(const SentResult *results, guint n)
{
	for (guint i = 0; i < n; i++)
		if (results[i].status != SENT_DEFERRED || results[i].is_remote)
			return false;
	return true;
}

static Job *delivery_take_job(Server *server);
static bool delivery_read(const Job *job, GError **error);

/* Of a small message that goes over a connection which worked before: what is sent next, whose envelope may follow it. */
static const Job *
delivery_look_ahead(Server *server, const Job *job)
{
	Delivery *delivery = server->delivery;
	const unsigned before = smtp_client_messages(server->client);
	g_autoptr(GError) error = NULL;

	if (job->in_hand->message->size > DELIVERY_AHEAD || before == 0 ||
		before + 1 >= job->in_hand->snapshot->delivery->per_connection)
		return NULL;
	g_mutex_lock(&delivery->lock);
	if (!server->destination->shuns_ahead)
		server->next = delivery_take_job(server);
	g_mutex_unlock(&delivery->lock);
	return server->next != NULL && delivery_read(server->next, &error) ? server->next : NULL;
}

static SmtpTask
delivery_task(const Job *job)
{
	return (SmtpTask){
		.message = job->in_hand->message, .places = (const guint *)(void *)job->places->data, .n = job->places->len
	};
}

/* False: the connection is of no more use, and `results` tell what became of the job. */
static bool
delivery_send_once(Server *server, const Job *job, SentResult *results)
{
	const SmtpTask task = delivery_task(job);
	const bool was_ahead = smtp_client_is_ahead(server->client);
	const Job *ahead = server->next == NULL ? delivery_look_ahead(server, job) : NULL;
	const SmtpTask next = ahead != NULL ? delivery_task(ahead) : (SmtpTask){ 0 };
	const bool is_sent = smtp_client_send(server->client, &task, ahead != NULL ? &next : NULL, results);

	if (!is_sent && (was_ahead || smtp_client_is_ahead(server->client))) {
		g_mutex_lock(&server->delivery->lock);
		server->destination->shuns_ahead = true;
		g_mutex_unlock(&server->delivery->lock);
	}
	return is_sent;
}

/* A kept connection may have been closed meanwhile: then, and only then, a new one is tried at once. */
static void
delivery_send(Server *server, Job *job)
{
	g_autofree SentResult *results = g_new0(SentResult, job->places->len);
	bool is_reused = server->client != NULL && smtp_client_messages(server->client) > 0;

	if (server->client != NULL && g_get_monotonic_time() - server->used_us > DELIVERY_TRUST_US &&
		!smtp_client_is_ahead(server->client) && !smtp_client_is_alive(server->client))
		delivery_hang_up(server);
	for (;;) {
		if (server->client == NULL && !delivery_connect(server, job))
			return;
		if (delivery_send_once(server, job, results))
			break;
		if (!is_reused || !delivery_was_lost(results, job->places->len)) {
			delivery_take_results(server, job, results);
			delivery_hang_up(server);
			return;
		}
		is_reused = false;
		delivery_hang_up(server);
		for (guint i = 0; i < job->places->len; i++)
			g_clear_pointer(&results[i].reply, g_free);
	}
	delivery_take_results(server, job, results);
	server->used_us = g_get_monotonic_time();
	if (smtp_client_messages(server->client) >= job->in_hand->snapshot->delivery->per_connection)
		delivery_hang_up(server);
}

/* ---- a plugin as next hop ---- */

static void
delivery_apply(void *data, const HookRow *row, HookCall *call)
{
	(void)data, (void)row, (void)call; /* what is delivered is edited no more */
}

static void
delivery_to_plugin_one(const HookRow *row, Job *job, guint place)
{
	const Snapshot *snapshot = job->in_hand->snapshot;
	g_autoptr(Region) region = region_new();
	Chain *chain = chain_new();
	const ChainTask task = {
		.chain = chain, .chain_us = snapshot->settings->chain_us, .place = ANYWHERE, .apply = delivery_apply
	};
	ChainRun run = { .stage = PTN_DELIVER };
	HookCall call = {
		.stage = PTN_DELIVER, .envelope = job->in_hand->message->envelope, .recipient = place, .region = region
	};
	SentStatus status = SENT_DEFERRED;
	g_autofree char *reply = NULL;
	ChainResult result;

	chain_add(chain, row);
	result = chain_run(&run, &task, &call);
	if (result == CHAIN_SETTLED)
		status = SENT_OK;
	else if (result == CHAIN_REFUSED || result == CHAIN_CLOSED)
		status = call.code >= 500 ? SENT_FAILED : SENT_DEFERRED;
	reply = result == CHAIN_SETTLED ? g_strdup_printf("2.0.0 delivered by plugin %s", row->plugin->name)
			: call.code != 0        ? g_strdup_printf("%d %s %s", call.code, call.enhanced, call.text)
									: g_strdup_printf("4.3.0 plugin %s did not take it", row->plugin->name);
	job->in_hand->was_tried[place] = true;
	sent_result_set(&job->in_hand->results[place], status, false, reply);
	chain_free(chain);
}

static void
delivery_to_plugin(Server *server, Job *job)
{
	const char *name = server->destination->hop->host;
	const HookRow *row;
	g_autofree char *reply = NULL;

	for (size_t i = 0; (row = chain_row(job->in_hand->snapshot->chain, PTN_DELIVER, i)) != NULL; i++) {
		if (g_strcmp0(row->plugin->name, name) != 0)
			continue;
		for (guint k = 0; k < job->places->len; k++)
			delivery_to_plugin_one(row, job, g_array_index(job->places, guint, k));
		return;
	}
	reply = g_strdup_printf("4.3.5 no plugin %s that delivers is loaded", name);
	delivery_set_all(job, SENT_DEFERRED, reply);
}

/* ---- the thread ---- */

static bool
delivery_read(const Job *job, GError **error)
{
	bool is_read;

	g_mutex_lock(&job->in_hand->lock);
	is_read = spool_read_content(job->in_hand->message, error);
	g_mutex_unlock(&job->in_hand->lock);
	return is_read;
}

static void
delivery_do_job(Server *server, Job *job)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *reply = NULL;

	if (!delivery_read(job, &error)) {
		reply = g_strdup_printf("4.3.0 the message cannot be read: %s", error->message);
		metrics_alarm(server->delivery->engine->metrics, "spool.damage", error->message);
		delivery_set_all(job, SENT_DEFERRED, reply);
	} else if (server->destination->hop->kind == HOP_PLUGIN) {
		delivery_to_plugin(server, job);
	} else {
		delivery_send(server, job);
	}
	if (!server->gives_up)
		delivery_end_job(job);
}

/* Lock held.  How many connections are to work: so many that what waits is gone in time.  A near server is served
 * best over few, as each further one only takes processor time from the mail that comes in; a far one needs many. */
static unsigned
delivery_wanted(const Destination *destination)
{
	const int64_t still_us = g_get_monotonic_time() - destination->moved_us;
	const int64_t each_us =
		destination->service_us == 0 ? DELIVERY_UNKNOWN_US : MAX(destination->service_us, still_us);
	const int64_t waiting = destination->jobs.length;
	const int64_t most =
		g_get_monotonic_time() < destination->full_until_us ? destination->most : (int64_t)(G_MAXUINT / 2);

	return (unsigned)MIN(1 + waiting * each_us / DELIVERY_BACKLOG_US, most);
}

/* Lock held. */
static Job *
delivery_take_job(Server *server)
{
	Destination *destination = server->destination;
	const unsigned others = destination->threads - destination->idle - 1;

	if (server->delivery->is_stopping || others >= delivery_wanted(destination))
		return NULL;
	return g_queue_pop_head(&destination->jobs);
}

/* Lock held.  With a connection it waits a little for more. */
static Job *
delivery_next_job(Server *server)
{
	Delivery *delivery = server->delivery;
	Destination *destination = server->destination;
	const int64_t until_us = g_get_monotonic_time() + (server->client != NULL ? DELIVERY_IDLE_US : 0);
	Job *job;

	while ((job = delivery_take_job(server)) == NULL && !delivery->is_stopping) {
		bool is_in_time = true;

		destination->idle++;
		while (destination->calls == 0 && !delivery->is_stopping && g_queue_is_empty(&delivery->waiting) &&
			   is_in_time)
			is_in_time = g_cond_wait_until(&destination->is_called, &delivery->lock, until_us);
		if (destination->calls == 0) {
			destination->idle--;
			return delivery_take_job(server);
		}
		destination->calls--; /* who called has counted it as busy */
	}
	return job;
}

/* Lock held. */
static void
delivery_want_thread(Delivery *delivery, Destination *destination)
{
	if (destination->threads > 0 || destination->is_waiting)
		return;
	destination->is_waiting = true;
	g_queue_push_tail(&delivery->waiting, destination);
}

/* Lock held. */
static bool
delivery_call_idle(Destination *destination)
{
	if (destination->idle == 0)
		return false;
	destination->idle--;
	destination->calls++;
	g_cond_signal(&destination->is_called);
	return true;
}

/* Lock held: the thread leaves its destination; one that waits for a thread gets one.  A job may have come after the
 * thread had decided to leave: then its own destination waits, too. */
static void
delivery_leave(Delivery *delivery, Destination *destination)
{
	Destination *next;

	destination->threads--;
	delivery->threads--;
	if (!g_queue_is_empty(&destination->jobs) && destination->threads > 0)
		(void)delivery_call_idle(destination);
	else if (!g_queue_is_empty(&destination->jobs))
		delivery_want_thread(delivery, destination);
	else if (destination->threads == 0 && !destination->is_waiting)
		g_hash_table_remove(delivery->destinations, destination->key);
	next = delivery->is_stopping ? NULL : g_queue_pop_head(&delivery->waiting);
	if (next != NULL) {
		next->is_waiting = false;
		if (!delivery_start_thread(delivery, next))
			delivery_want_thread(delivery, next);
	}
	g_cond_broadcast(&delivery->has_ended);
}

/* Lock held: an eighth of the newest. */
static void
delivery_note_time(Destination *destination, int64_t began_us)
{
	destination->moved_us = g_get_monotonic_time();
	if (destination->service_us == 0)
		destination->service_us = destination->moved_us - began_us;
	destination->service_us += (destination->moved_us - began_us - destination->service_us) / 8;
}

static void *
delivery_serve(void *data)
{
	Server *server = data;
	Delivery *delivery = server->delivery;
	Job *job;

	pthread_setname_np(pthread_self(), "deliver");
	delivery_yield_to_clients();
	g_mutex_lock(&delivery->lock);
	while (!server->gives_up &&
		   (job = server->next != NULL ? g_steal_pointer(&server->next) : delivery_next_job(server)) != NULL) {
		const int64_t began_us = g_get_monotonic_time();

		g_mutex_unlock(&delivery->lock);
		delivery_do_job(server, job);
		g_mutex_lock(&delivery->lock);
		if (!server->gives_up)
			delivery_note_time(server->destination, began_us);
	}
	g_mutex_unlock(&delivery->lock);
	delivery_hang_up(server);
	g_mutex_lock(&delivery->lock);
	delivery_leave(delivery, server->destination);
	g_mutex_unlock(&delivery->lock);
	g_free(server);
	return NULL;
}

static bool
delivery_start_thread(Delivery *delivery, Destination *destination)
{
	Server *server = g_new0(Server, 1);
	pthread_attr_t attributes;
	pthread_t thread;
	bool is_started;

	server->delivery = delivery;
	server->destination = destination;
	pthread_attr_init(&attributes);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	pthread_attr_setstacksize(&attributes, DELIVERY_STACK);
#endif
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	is_started = pthread_create(&thread, &attributes, delivery_serve, server) == 0;
	pthread_attr_destroy(&attributes);
	if (!is_started) {
		g_free(server);
		return false;
	}
	destination->threads++;
	delivery->threads++;
	return true;
}

static Destination *
delivery_destination(Delivery *delivery, const NextHop *hop)
{
	/* a reload may have changed how the same server is spoken to */
	g_autofree char *key =
		g_strdup_printf("%s %d %s", hop->text, (int)hop->tls, hop->password != NULL ? hop->password : "");
	Destination *destination = g_hash_table_lookup(delivery->destinations, key);

	if (destination != NULL)
		return destination;
	destination = g_new0(Destination, 1);
	destination->key = g_steal_pointer(&key);
	destination->hop = next_hop_copy(hop);
	g_queue_init(&destination->jobs);
	g_cond_init(&destination->is_called);
	g_hash_table_insert(delivery->destinations, destination->key, destination);
	return destination;
}

/* Lock held: one more connection works, if one is wanted and may be. */
static void
delivery_call(Delivery *delivery, Destination *destination, const DeliverySettings *settings)
{
	if (destination->threads == destination->idle)
		destination->moved_us = g_get_monotonic_time();
	if (destination->threads - destination->idle >= delivery_wanted(destination))
		return;
	if (delivery_call_idle(destination) || destination->threads >= settings->per_destination)
		return;
	if (delivery->threads >= settings->max_deliveries || !delivery_start_thread(delivery, destination)) {
		delivery_want_thread(delivery, destination);
		delivery_wake_threads(delivery); /* those that only keep a connection make room */
	}
}

void
delivery_add_job(Delivery *delivery, const NextHop *hop, Job *job)
{
	Destination *destination = delivery_destination(delivery, hop);

	g_queue_push_tail(&destination->jobs, job);
	delivery_call(delivery, destination, job->in_hand->snapshot->delivery);
}

void
delivery_look_after(Delivery *delivery)
{
	const int64_t now_us = g_get_monotonic_time();
	GHashTableIter each;
	gpointer destination;

	if (now_us - delivery->looked_us < DELIVERY_LOOK_US)
		return;
	delivery->looked_us = now_us;
	g_hash_table_iter_init(&each, delivery->destinations);
	while (g_hash_table_iter_next(&each, NULL, &destination))
		if (!g_queue_is_empty(&((Destination *)destination)->jobs))
			delivery_call(delivery, destination, delivery->snapshot->delivery);
}
