/* scan.c - which helpers are due, and all of their lookups at the same time.
 *
 * The node with the lease has all helpers in memory.  Domains are read again when one of them changed; a scan in between
 * costs a look at each helper.  A scan goes on behind the tick, in works of at most BATCH helpers. */
#include <string.h>

#include "iphelper.h"

enum { BATCH = 2000, UNDER_WAY = 500 };

#define LEASE_LEAST (10 * PTN_SECOND)
#define PAUSE (PTN_SECOND / 100)
#define MARGIN (2 * PTN_SECOND) /* at the end of a work; what has no answer by then is due again */

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

Instance *
scan_instance(PtnHook *h)
{
	Instance *instance = ptn_instance(h);

	if (instance->helpers == NULL)
		instance->helpers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, helper_free);
	return instance;
}

/* ---- the lease ---- */

/* Who we are: the same after a restart, so that our own lease does not keep us waiting. */
static const char *
node_name(PtnHook *h)
{
	const char *name = ptn_format(h, "%08x%08x", ptn_random(h, UINT32_MAX), ptn_random(h, UINT32_MAX));

	if (ptn_store_claim(h, "node/name", name, 0) == PTN_OK)
		return name;
	return ptn_store_get(h, "node/name", &name) == PTN_OK ? name : NULL;
}

static PtnStatus
take_lease(PtnHook *h, int64_t time)
{
	const char *name = node_name(h), *holder;
	const PtnStatus status = name != NULL ? ptn_store_claim(h, "lease", name, time) : PTN_UNSURE;

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
		instance->leased_until = now + time;
		return true;
	}
	if (instance->leased_until <= now && instance->is_read) {
		g_hash_table_remove_all(instance->helpers); /* they grow old while another node sees to them */
		instance->is_read = false;
	}
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
		const Helper *helper = value;

		if (helper->seen == instance->walks)
			continue;
		state_remove(h, helper->domain);
		g_hash_table_iter_remove(&iter);
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

/* Those that are due and were not taken up by this scan, at most a batch. */
static GPtrArray *
due_helpers(PtnHook *h, Instance *instance)
{
	const int64_t now = ptn_now(h);
	GPtrArray *due = g_ptr_array_new();
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, instance->helpers);
	while (due->len < BATCH && g_hash_table_iter_next(&iter, NULL, &value)) {
		Helper *helper = value;

		if (helper->state.next > now || helper->scanned == instance->scans)
			continue;
		helper->scanned = instance->scans;
		g_ptr_array_add(due, helper);
	}
	return due;
}

/* Finishes those whose answers are there; how many. */
static size_t
finish_some(PtnHook *h, GPtrArray *under_way)
{
	size_t n = 0;

	for (guint i = under_way->len; i-- > 0;) {
		Helper *helper = g_ptr_array_index(under_way, i);

		if (!check_is_there(h, helper))
			continue;
		g_ptr_array_remove_index_fast(under_way, i);
		check_finish(h, helper);
		n++;
	}
	return n;
}

static void
check_all(PtnHook *h, const Instance *instance, const GPtrArray *due)
{
	g_autoptr(GPtrArray) under_way = g_ptr_array_new();
	guint at = 0;

	while (at < due->len || under_way->len > 0) {
		while (at < due->len && under_way->len < UNDER_WAY) {
			Helper *helper = g_ptr_array_index(due, at++);

			check_start(h, helper);
			g_ptr_array_add(under_way, helper);
		}
		if (ptn_time_left(h) < MARGIN || ptn_now(h) >= instance->leased_until)
			return;
		if (finish_some(h, under_way) == 0 && !ptn_sleep(h, PAUSE))
			return;
	}
}

static PtnVerdict
scan_batch(PtnHook *h)
{
	Instance *instance = scan_instance(h);
	g_autoptr(GPtrArray) due = due_helpers(h, instance);

	check_all(h, instance, due);
	if (due->len == BATCH && hold_lease(h, instance) && ptn_background(h, scan_batch, NULL, 0))
		return PTN_NEXT;
	atomic_store(&instance->is_scanning, false);
	return PTN_NEXT;
}

static PtnVerdict
scan(PtnHook *h)
{
	Instance *instance = scan_instance(h);

	if (!hold_lease(h, instance)) {
		atomic_store(&instance->is_scanning, false);
		return PTN_NEXT;
	}
	follow_changes(h, instance);
	take_requests(h, instance);
	instance->scans++;
	return scan_batch(h);
}

/* A tick is a second, so that a scan comes soon after its time; the scan's interval is the administrator's. */
PtnVerdict
scan_tick(PtnHook *h)
{
	Instance *instance = ptn_instance(h);
	const int64_t now = ptn_now(h);

	if (now < instance->next_scan || atomic_exchange(&instance->is_scanning, true))
		return PTN_NEXT;
	instance->next_scan = now + ptn_option_number(h, "scan");
	if (!ptn_background(h, scan, NULL, 0))
		atomic_store(&instance->is_scanning, false);
	return PTN_NEXT;
}
