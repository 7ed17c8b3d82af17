/* scan.c - which helpers are due, and all of their lookups at the same time.
 *
 * The node with the lease has all helpers in memory.  Domains are read again when one of them changed; a scan in between
 * costs a look at each helper.  A scan is a work behind the tick; what it does not come to, a further one does. */
#include <string.h>

#include "iphelper.h"

enum { UNDER_WAY = 500 }; /* lookups at a time */

#define LEASE_LEAST (10 * PTN_SECOND)
#define PAUSE (PTN_SECOND / 100)
#define MARGIN (2 * PTN_SECOND) /* at the end of a work */

static void
helper_free(void *data)
{
	Helper *helper = data;

	g_free(helper->domain);
	g_free(helper->host);
	g_free(helper->port);
	state_clear(&helper->state);
	g_free(helper);
}

/* Out of the table. */
static void
drop(Helper *helper)
{
	helper->is_gone = true;
	if (!helper->is_taken_up)
		helper_free(helper);
}

static gboolean
drop_row(gpointer name, gpointer helper, gpointer data)
{
	(void)name, (void)data;
	drop(helper);
	return TRUE;
}

Instance *
scan_instance(PtnHook *h)
{
	Instance *instance = ptn_instance(h);

	if (instance->helpers == NULL)
		instance->helpers = g_hash_table_new_full(ptn_hash, g_str_equal, NULL, helper_free);
	return instance;
}

/* ---- the lease ---- */

/* Our own lease, of before a restart or reload, does not keep us waiting. */
static PtnStatus
take_lease(PtnHook *h, int64_t time)
{
	const char *name = ptn_format(h, "%s %s", ptn_fact(h, "node"), ptn_fact(h, "instance")), *holder;
	const PtnStatus status = ptn_store_claim(h, "lease", name, time);

	if (status != PTN_TAKEN)
		return status;
	if (ptn_store_get(h, "lease", &holder) != PTN_OK || strcmp(holder, name) != 0)
		return PTN_TAKEN;
	return ptn_store_set(h, "lease", name, time);
}

/* True: the helpers are ours to check. */
static bool
hold_lease(PtnHook *h, Instance *instance)
{
	const int64_t now = ptn_now(h), scan = ptn_option_number(h, "scan");
	const int64_t time = MAX(3 * scan, LEASE_LEAST);

	if (take_lease(h, time) == PTN_OK) {
		if (instance->leased_until <= now) {
			(void)g_hash_table_foreach_steal(instance->helpers, drop_row, NULL); /* another node saw to them */
			instance->is_read = false;
		}
		instance->leased_until = now + time;
		return true;
	}
	instance->leased_until = 0;
	return false;
}

/* ---- which helpers there are ---- */

static Helper *
new_helper(PtnHook *h, Instance *instance, const char *domain)
{
	Helper *helper = g_new0(Helper, 1);

	helper->domain = g_strdup(domain);
	(void)state_read(h, domain, &helper->state);
	g_hash_table_insert(instance->helpers, helper->domain, helper);
	return helper;
}

static void
see_helper(PtnHook *h, Instance *instance, PtnEntry *domain)
{
	const char *name = ptn_get(domain, "name"), *host = ptn_get(domain, "iphelper.host");
	const char *port = ptn_get(domain, "iphelper.port");
	Helper *helper = g_hash_table_lookup(instance->helpers, name);
	g_autofree char *target = g_strdup_printf("%s:%s", host, port);

	if (!check_is_mode_supported(ptn_get(domain, "mode"))) {
		check_remove(h, domain);
		return;
	}
	if (port == NULL) {
		ptn_log(h, PTN_WARNING, "%s has iphelper.host but no iphelper.port: nothing is done", name);
		return;
	}
	if (helper == NULL)
		helper = new_helper(h, instance, name);
	helper->seen = instance->walks;
	if (g_strcmp0(helper->host, host) != 0 || g_strcmp0(helper->port, port) != 0) {
		g_free(helper->host);
		g_free(helper->port);
		helper->host = g_strdup(host);
		helper->port = g_strdup(port);
	}
	if (g_strcmp0(helper->state.target, target) != 0)
		helper->state.next = 0;
}

/* False: not to be read now; what is known goes on. */
static bool
read_helpers(PtnHook *h, Instance *instance)
{
	PtnEntry *domain = NULL;
	GHashTableIter iter;
	PtnStatus status;
	void *value;

	instance->walks++;
	while ((status = ptn_each(h, PTN_DOMAIN, "iphelper.host", &domain)) == PTN_OK)
		see_helper(h, instance, domain);
	if (status != PTN_NONE)
		return false;
	g_hash_table_iter_init(&iter, instance->helpers);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Helper *helper = value;

		if (helper->seen == instance->walks)
			continue;
		state_remove(h, helper->domain);
		g_hash_table_iter_steal(&iter);
		drop(helper);
	}
	return true;
}

static void
follow_changes(PtnHook *h, Instance *instance)
{
	uint64_t changes;

	if (ptn_changes(h, PTN_DOMAIN, &changes) != PTN_OK || (instance->is_read && changes == instance->changes))
		return;
	instance->is_read = read_helpers(h, instance);
	instance->changes = changes;
}

static void
take_requests(PtnHook *h, Instance *instance)
{
	const char *domain;

	while ((domain = state_next_request(h, &instance->requests)) != NULL) {
		Helper *helper = g_hash_table_lookup(instance->helpers, domain);

		if (helper != NULL)
			helper->state.next = 0;
	}
}

/* ---- their checks ---- */

typedef struct {
	GPtrArray *due;       /* of Helper*: not started yet */
	GPtrArray *under_way; /* started */
} Work;

/* A check in the future: the clock was set back, and the next one may be hours away. */
static bool
is_due(const Helper *helper, int64_t now)
{
	return helper->state.next <= now || helper->state.last > now;
}

/* Those that are due, and not taken up already. */
static void
gather(PtnHook *h, Instance *instance, Work *work)
{
	const int64_t now = ptn_now(h);
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, instance->helpers);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Helper *helper = value;

		if (!is_due(helper, now) || helper->is_taken_up || helper->scanned == instance->scans)
			continue;
		helper->scanned = instance->scans;
		helper->is_taken_up = true;
		g_ptr_array_add(work->due, helper);
	}
}

static void
let_go(Helper *helper)
{
	helper->is_taken_up = false;
	if (helper->is_gone)
		helper_free(helper);
}

static void
start_some(PtnHook *h, Work *work)
{
	while (work->due->len > 0 && work->under_way->len < UNDER_WAY) {
		Helper *helper = g_ptr_array_steal_index_fast(work->due, work->due->len - 1);

		check_start(h, helper);
		g_ptr_array_add(work->under_way, helper);
	}
}

/* Finishes those whose answers are there; false: none. */
static bool
finish_some(PtnHook *h, Work *work)
{
	bool has_some = false;

	for (guint i = work->under_way->len; i-- > 0;) {
		Helper *helper = g_ptr_array_index(work->under_way, i);

		if (!check_is_there(h, helper))
			continue;
		(void)g_ptr_array_steal_index_fast(work->under_way, i);
		if (!helper->is_gone)
			check_finish(h, helper);
		let_go(helper);
		has_some = true;
	}
	return has_some;
}

/* A scan that is further away than scans are apart was planned before the clock was set back. */
static bool
is_time_to_scan(PtnHook *h, const Instance *instance)
{
	const int64_t left = instance->next_scan - ptn_now(h);

	return left <= 0 || left > ptn_option_number(h, "scan");
}

/* False: the helpers are another node's. */
static bool
look_through(PtnHook *h, Instance *instance, Work *work)
{
	instance->next_scan = ptn_now(h) + ptn_option_number(h, "scan");
	instance->scans++;
	if (!hold_lease(h, instance))
		return false;
	follow_changes(h, instance);
	take_requests(h, instance);
	gather(h, instance, work);
	return true;
}

/* While some wait for slow servers the next scans come in their time.  True: there is more to do. */
static bool
run(PtnHook *h, Instance *instance, Work *work)
{
	if (!look_through(h, instance, work))
		return false;
	while (work->due->len > 0 || work->under_way->len > 0) {
		const bool may_start = ptn_time_left(h) > CHECK_MOST + MARGIN;

		if (ptn_now(h) >= instance->leased_until || ptn_time_left(h) < MARGIN)
			return false;
		if (may_start)
			start_some(h, work);
		else if (work->under_way->len == 0)
			return true;
		if (!finish_some(h, work) && !ptn_sleep(h, PAUSE))
			return false;
		if (may_start && is_time_to_scan(h, instance) && !look_through(h, instance, work))
			return false;
	}
	return false;
}

static PtnVerdict
scan(PtnHook *h)
{
	Instance *instance = scan_instance(h);
	Work work = { g_ptr_array_new(), g_ptr_array_new() };
	const bool has_more = run(h, instance, &work);

	g_ptr_array_foreach(work.due, (GFunc)(void (*)(void))let_go, NULL);
	g_ptr_array_foreach(work.under_way, (GFunc)(void (*)(void))let_go, NULL);
	g_ptr_array_unref(work.due);
	g_ptr_array_unref(work.under_way);
	if (!has_more || !ptn_background(h, scan, NULL, 0))
		atomic_store(&instance->is_scanning, false);
	return PTN_NEXT;
}

/* A tick is a second, so that a scan comes soon after its time; the scan's interval is the administrator's. */
PtnVerdict
scan_tick(PtnHook *h)
{
	Instance *instance = ptn_instance(h);

	if (atomic_exchange(&instance->is_scanning, true))
		return PTN_NEXT;
	if (!is_time_to_scan(h, instance) || !ptn_background(h, scan, NULL, 0))
		atomic_store(&instance->is_scanning, false);
	return PTN_NEXT;
}
