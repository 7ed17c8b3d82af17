/* delivery-thread.c - one thread at its next hop: connects, sends a job, looks ahead to the next, hangs up. */
#include "base/error.h"
#include "base/log.h"
#include "engine/delivery-private.h"

enum { DELIVERY_AHEAD = 64 * 1024 }; /* a content this large is not followed by an envelope: none waits long */

#define DELIVERY_TRUST_US (CLOCK_SECOND / 10) /* a connection that worked just now is not looked at again */
#define DELIVERY_FULL_US (60 * CLOCK_SECOND)  /* who wants no further connection is offered none so long */

/* ---- results ---- */

void
delivery_free_job(Job *job)
{
	g_array_unref(job->places);
	g_free(job);
}

void
delivery_end_job(Job *job)
{
	delivery_job_done(job->active, job->places);
	delivery_end_destination(job);
	delivery_free_job(job);
}

static void
delivery_set_all(Job *job, SentStatus status, const char *reply)
{
	for (guint i = 0; i < job->places->len; i++)
		delivery_set_result(job->active, g_array_index(job->places, guint, i), status, reply);
}

/* What cannot be reached cannot be reached for the jobs behind, and for those who wait, either. */
static void
delivery_fail_waiting(DeliveryThread *thread, SentStatus status, const char *reply)
{
	Delivery *delivery = thread->delivery;
	GQueue jobs = G_QUEUE_INIT;
	Job *job;

	Destination *destination = thread->destination;

	g_mutex_lock(&delivery->lock);
	jobs = destination->jobs;
	g_queue_init(&destination->jobs);
	destination->failed_us = g_get_monotonic_time();
	destination->failed_status = status;
	g_free(destination->failed_reply);
	destination->failed_reply = g_strdup(reply);
	delivery_feed(delivery, destination);
	g_mutex_unlock(&delivery->lock);
	while ((job = g_queue_pop_head(&jobs)) != NULL) {
		delivery_set_all(job, status, reply);
		delivery_end_job(job);
	}
}

/* ---- one job over SMTP ---- */

void
delivery_hang_up(DeliveryThread *thread)
{
	if (thread->client != NULL) {
		g_mutex_lock(&thread->delivery->lock);
		thread->destination->open--;
		g_mutex_unlock(&thread->delivery->lock);
	}
	g_clear_pointer(&thread->client, smtp_client_close);
	g_clear_pointer(&thread->snapshot, snapshot_unref);
	delivery_leave_address(thread);
}

/* Lock held.  The thread ends, and others do what it had to do: the job, and the one that was taken ahead of time. */
static void
delivery_give_up(DeliveryThread *thread, Job *job)
{
	GQueue *jobs = &thread->destination->jobs;

	thread->gives_up = true;
	if (thread->next != NULL)
		g_queue_push_head(jobs, g_steal_pointer(&thread->next));
	g_queue_push_head(jobs, job);
}

/* A server that lets others of us in is not down but full: they take the job.  Of several that are not let in at the same
 * time the last one knows.  False: there are no others. */
static bool
delivery_give_back(DeliveryThread *thread, Job *job)
{
	Destination *destination = thread->destination;

	g_mutex_lock(&thread->delivery->lock);
	if (destination->open > 0 || destination->opening > 0) {
		destination->most = MAX(destination->open, 1);
		destination->full_until_us =
			g_get_monotonic_time() + (destination->open > 0 ? DELIVERY_FULL_US : CLOCK_SECOND);
		delivery_give_up(thread, job);
	}
	g_mutex_unlock(&thread->delivery->lock);
	return thread->gives_up;
}

/* No address was tried, as other next hops have all connections that we may have there: the job waits for one.  Lock not
 * held. */
static bool
delivery_is_crowded(DeliveryThread *thread, Job *job, const char *reply)
{
	Destination *destination = thread->destination;

	if (reply != NULL)
		return false;
	g_mutex_lock(&thread->delivery->lock);
	destination->crowded_until_us = g_get_monotonic_time() + DELIVERY_CROWDED_US;
	delivery_give_up(thread, job);
	g_mutex_unlock(&thread->delivery->lock);
	return true;
}

/* False: nobody can be reached; the job has its result, or was given back. */
static bool
delivery_connect(DeliveryThread *thread, Job *job)
{
	Snapshot *snapshot = job->active->snapshot;
	const DeliverySettings *settings = snapshot->delivery;
	g_autoptr(GPtrArray) addresses = NULL;
	g_autofree char *reply = NULL;
	SentStatus status = SENT_DEFERRED;
	const HopResult found = route_addresses(snapshot->dns, settings, thread->destination->hop,
		g_get_monotonic_time() + settings->connect_us, &addresses, &reply);

	g_clear_pointer(&thread->tried, g_ptr_array_unref);
	thread->tried = g_ptr_array_new_with_free_func(g_free);
	if (found == HOP_OK)
		thread->client = delivery_open(thread, settings, addresses, &reply);
	else if (found != HOP_DEFER)
		status = found == HOP_FAIL ? SENT_FAILED : SENT_HELD;
	if (thread->client != NULL) {
		thread->snapshot = snapshot_ref(snapshot);
		return true;
	}
	if (found == HOP_OK && (delivery_give_back(thread, job) || delivery_is_crowded(thread, job, reply)))
		return false;
	metrics_add(thread->delivery->engine->metrics, "delivery.unreachable", 1);
	delivery_set_all(job, status, reply);
	delivery_fail_waiting(thread, status, reply);
	return false;
}

/* The server has nothing of the message, whatever was to become of it. */
static bool
delivery_was_lost(const SentResult *results, guint n)
{
	for (guint i = 0; i < n; i++)
		if (!results[i].is_cut_off)
			return false;
	return true;
}

/* A plugin is given all of it in memory; what goes out over SMTP is read in steps. */
static bool
delivery_read(const Job *job, bool is_whole, GError **error)
{
	SpoolMessage *message = job->active->message;
	bool is_read;

	g_mutex_lock(&job->active->content_lock);
	is_read = is_whole ? spool_read_whole(message, error) : spool_read_content(message, error);
	g_mutex_unlock(&job->active->content_lock);
	return is_read;
}

/* Lock held.  The connection was opened by the settings before a reload, the message came in after it.  Messages of before that go
 * over a newer connection are no reason to open another one. */
static bool
delivery_is_outdated(const DeliveryThread *thread, const Job *job)
{
	const Snapshot *snapshot = job->active->snapshot;

	return snapshot != thread->snapshot && snapshot == thread->delivery->snapshot;
}

/* Of a small message that goes over a connection which worked before: what is sent next, whose envelope may follow it. */
static const Job *
delivery_look_ahead(DeliveryThread *thread, const Job *job)
{
	Delivery *delivery = thread->delivery;
	const unsigned before = smtp_client_messages(thread->client);
	bool is_outdated;
	g_autoptr(GError) error = NULL;

	if (job->active->message->size > DELIVERY_AHEAD || before == 0 ||
		before + 1 >= job->active->snapshot->delivery->per_connection)
		return NULL;
	if (!spool_can_record(delivery->engine->spool))
		return NULL;
	g_mutex_lock(&delivery->lock);
	if (!thread->destination->shuns_ahead)
		thread->next = delivery_take_job(thread);
	is_outdated = thread->next != NULL && delivery_is_outdated(thread, thread->next);
	g_mutex_unlock(&delivery->lock);
	if (thread->next == NULL || is_outdated)
		return NULL;
	return delivery_read(thread->next, false, &error) ? thread->next : NULL;
}

/* False: the connection is of no more use, and `results` tell what became of the job. */
static bool
delivery_send_once(DeliveryThread *thread, const Job *job, SentResult *results)
{
	const SmtpTask task = delivery_task(job);
	const bool was_ahead = smtp_client_is_ahead(thread->client);
	const Job *ahead = thread->next == NULL ? delivery_look_ahead(thread, job) : NULL;
	const SmtpTask next = ahead != NULL ? delivery_task(ahead) : (SmtpTask){ 0 };
	const bool is_sent = smtp_client_send(thread->client, &task, ahead != NULL ? &next : NULL, results);

	if (!is_sent && (was_ahead || smtp_client_is_ahead(thread->client))) {
		g_mutex_lock(&thread->delivery->lock);
		thread->destination->shuns_ahead = true;
		g_mutex_unlock(&thread->delivery->lock);
	}
	return is_sent;
}

/* A kept connection may have been closed meanwhile, and one with a quirk is avoided from now on: then, and only then, a new
 * one is tried at once.  False: the job has its result, or was given back. */
static bool
delivery_send_to_first(DeliveryThread *thread, Job *job)
{
	g_autofree SentResult *results = g_new0(SentResult, job->places->len);
	bool is_reused = thread->client != NULL && smtp_client_messages(thread->client) > 0;
	bool is_sent;

	for (;;) {
		if (thread->client == NULL && !delivery_connect(thread, job))
			return false;
		is_sent = delivery_send_once(thread, job, results);
		if (is_sent || !delivery_was_lost(results, job->places->len) ||
			(!is_reused && !smtp_client_has_new_quirk(thread->client)))
			break;
		is_reused = false;
		delivery_hang_up(thread);
		for (guint i = 0; i < job->places->len; i++)
			g_clear_pointer(&results[i].reply, g_free);
	}
	delivery_take_results(thread, job, results);
	thread->used_us = g_get_monotonic_time();
	if (!is_sent || smtp_client_messages(thread->client) >= job->active->snapshot->delivery->per_connection)
		delivery_hang_up(thread);
	return true;
}

static void
delivery_send(DeliveryThread *thread, Job *job)
{
	bool is_outdated;

	g_mutex_lock(&thread->delivery->lock);
	is_outdated = delivery_is_outdated(thread, job);
	g_mutex_unlock(&thread->delivery->lock);
	if (thread->client != NULL && !smtp_client_is_ahead(thread->client) &&
		(is_outdated || (g_get_monotonic_time() - thread->used_us > DELIVERY_TRUST_US &&
							!smtp_client_is_alive(thread->client))))
		delivery_hang_up(thread);
	if (delivery_send_to_first(thread, job))
		delivery_ask_others(thread, job);
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
	const Snapshot *snapshot = job->active->snapshot;
	g_autoptr(Region) region = region_new();
	Chain *chain = chain_new();
	const ChainTask task = {
		.chain = chain, .chain_us = snapshot->settings->chain_us, .place = ANYWHERE, .apply = delivery_apply
	};
	ChainRun run = { .stage = PTN_DELIVER };
	HookCall call = { .stage = PTN_DELIVER,
		.envelope = job->active->message->envelope,
		.recipient = place,
		.content = job->active->message->content,
		.content_size = job->active->message->size,
		.region = region };
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
	delivery_set_result(job->active, place, status, reply);
	chain_free(chain);
}

static void
delivery_to_plugin(DeliveryThread *thread, Job *job)
{
	const char *name = thread->destination->hop->host;
	const HookRow *row;
	g_autofree char *reply = NULL;

	for (size_t i = 0; (row = chain_row(job->active->snapshot->chain, PTN_DELIVER, i)) != NULL; i++) {
		if (g_strcmp0(row->plugin->name, name) != 0)
			continue;
		for (guint k = 0; k < job->places->len; k++)
			delivery_to_plugin_one(row, job, g_array_index(job->places, guint, k));
		return;
	}
	reply = g_strdup_printf("4.3.5 no plugin %s that delivers is loaded", name);
	delivery_set_all(job, SENT_DEFERRED, reply);
}

/* ---- any job ---- */

void
delivery_do_job(DeliveryThread *thread, Job *job)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *reply = NULL;
	const bool is_begun = thread->client != NULL && smtp_client_is_ahead(thread->client);

	if (!is_begun && queue_is_called_back(thread->delivery->engine->queue, job->active->message->envelope->id)) {
		delivery_end_job(job); /* without a result: the verb gets all of it */
		return;
	}
	if (!delivery_read(job, thread->destination->hop->kind == HOP_PLUGIN, &error)) {
		reply = g_strdup_printf("4.3.0 the message cannot be read: %s", error->message);
		if (!g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_FULL))
			metrics_alarm(thread->delivery->engine->metrics, "spool.damage", error->message);
		delivery_set_all(job, SENT_DEFERRED, reply);
	} else if (thread->destination->hop->kind == HOP_PLUGIN) {
		delivery_to_plugin(thread, job);
	} else {
		delivery_send(thread, job);
	}
	if (!thread->gives_up)
		delivery_end_job(job);
}
