/* observer.c - one bounded queue, emptied by one worker at a time: so everything comes in order. */
#include "engine/observer.h"

#include "base/log.h"
#include "service/dns.h"

enum { OBSERVER_ENDS = 2 }; /* so many times as many ends of sessions may wait: these are the last to be lost */

typedef struct {
	Snapshot *snapshot;
	SessionFacts *facts;
	Envelope *envelope;
	char *enhanced, *text, *about, *login;
	Region *session_region;
	void **session_states;
	Lookups *lookups;
	HookCall call;
} Told;

struct Observer {
	Workers *workers;
	Metrics *metrics;
	Work work;
	size_t most; /* events that wait */
	GMutex lock; /* guards what follows */
	GCond is_idle;
	GQueue queue; /* of Told* */
	size_t ends;  /* in it, of stage DISCONNECT */
	bool is_running, is_losing;
};

static void observer_run(void *data);

Observer *
observer_new(Workers *workers, Metrics *metrics, size_t most)
{
	Observer *observer = g_new0(Observer, 1);

	observer->workers = workers;
	observer->metrics = metrics;
	observer->most = most;
	observer->work.run = observer_run;
	observer->work.data = observer;
	g_mutex_init(&observer->lock);
	g_cond_init(&observer->is_idle);
	g_queue_init(&observer->queue);
	return observer;
}

void
observer_stop(Observer *observer, int64_t deadline_us)
{
	g_mutex_lock(&observer->lock);
	while (observer->is_running)
		if (!g_cond_wait_until(&observer->is_idle, &observer->lock, deadline_us))
			break;
	g_mutex_unlock(&observer->lock);
}

static void
observer_forget(Told *told)
{
	g_clear_pointer(&told->lookups, lookups_free); /* first: they borrow limits and budgets of what follows */
	session_facts_free(told->facts);
	snapshot_unref(told->snapshot);
	g_clear_pointer(&told->envelope, envelope_free);
	region_free(told->session_region);
	region_free(told->call.region);
	g_free(told->session_states);
	g_free(told->enhanced);
	g_free(told->text);
	g_free(told->about);
	g_free(told->login);
	g_free(told);
}

void
observer_free(Observer *observer)
{
	if (observer == NULL)
		return;
	g_queue_clear_full(&observer->queue, (GDestroyNotify)observer_forget);
	g_mutex_clear(&observer->lock);
	g_cond_clear(&observer->is_idle);
	g_free(observer);
}

static void
observer_apply(void *data, const HookRow *row, HookCall *call)
{
	(void)data, (void)row, (void)call; /* what is over cannot be changed */
}

static void
observer_call(Told *told)
{
	const ChainTask task = { .chain = told->snapshot->chain,
		.chain_us = told->snapshot->settings->chain_us,
		.place = ANYWHERE,
		.apply = observer_apply };
	ChainRun run = { .stage = told->call.stage };

	(void)chain_run(&run, &task, &told->call);
}

static void
observer_run(void *data)
{
	Observer *observer = data;
	Told *told;

	g_mutex_lock(&observer->lock);
	while ((told = g_queue_pop_head(&observer->queue)) != NULL) {
		observer->ends -= told->call.stage == PTN_DISCONNECT;
		g_mutex_unlock(&observer->lock);
		observer_call(told);
		observer_forget(told);
		g_mutex_lock(&observer->lock);
	}
	observer->is_running = false;
	observer->is_losing = false;
	g_cond_broadcast(&observer->is_idle);
	g_mutex_unlock(&observer->lock);
}

static Told *
observer_remember(const Observation *observation)
{
	Told *told = g_new0(Told, 1);
	HookCall *call = &told->call;

	told->snapshot = snapshot_ref(observation->snapshot);
	told->facts = observation->facts != NULL ? session_facts_copy(observation->facts) : NULL;
	told->envelope = observation->envelope != NULL ? envelope_copy(observation->envelope) : NULL;
	told->enhanced = g_strdup(observation->enhanced);
	told->text = g_strdup(observation->text);
	told->about = g_strdup(observation->about);
	told->login = g_strdup(observation->login);
	told->session_region = observation->session_region;
	told->session_states = observation->session_states;
	told->lookups = observation->lookups;
	call->stage = observation->stage;
	call->facts = told->facts;
	call->envelope = told->envelope;
	call->recipient = observation->recipient;
	call->region = region_new();
	call->session_region = told->session_region;
	call->session_states = told->session_states;
	call->lookups = told->lookups;
	call->code = observation->code;
	call->cause = observation->cause;
	call->enhanced = told->enhanced;
	call->text = told->text;
	call->about = told->about;
	call->login = told->login;
	call->is_ours = observation->is_ours;
	return told;
}

/* Lock held.  False: there are too many of its kind. */
static bool
observer_enqueue(Observer *observer, Told *told)
{
	const bool is_end = told->call.stage == PTN_DISCONNECT;
	const size_t others = g_queue_get_length(&observer->queue) - observer->ends;

	if (is_end ? observer->ends >= OBSERVER_ENDS * observer->most : others >= observer->most)
		return false;
	observer->ends += is_end;
	g_queue_push_tail(&observer->queue, told);
	return true;
}

/* Of a DISCONNECT that is lost the memory of the session is freed all the same; its hooks are not called. */
static void
observer_lose(Observer *observer, Told *told, bool is_first)
{
	metrics_add(observer->metrics, "observer.lost", 1);
	if (is_first)
		log_event(LOG_LEVEL_WARNING, "events for plugins are lost", "stage", stage_name(told->call.stage),
			"reason", "hooks of observers do not keep up", NULL);
	observer_forget(told);
}

void
observer_tell(Observer *observer, const Observation *observation)
{
	Told *told;
	bool is_lost, is_first;

	if (!chain_has(observation->snapshot->chain, observation->stage)) {
		region_free(observation->session_region);
		g_free(observation->session_states);
		lookups_free(observation->lookups);
		return;
	}
	told = observer_remember(observation);
	g_mutex_lock(&observer->lock);
	is_lost = !observer_enqueue(observer, told);
	is_first = is_lost && !observer->is_losing;
	observer->is_losing |= is_lost;
	if (!observer->is_running)
		observer->is_running = workers_run(observer->workers, &observer->work);
	g_mutex_unlock(&observer->lock);
	if (is_lost)
		observer_lose(observer, told, is_first);
}
