/* dns-unbound.c - names looked up by libunbound, in a thread of its own, from one thread of ours.
 *
 * libunbound's defaults as a library are those of a small tool: 16 sockets, 30 queries, and some healthy name waits for
 * seconds behind the dead ones.  It also answers a list of private and test zones by itself, which is for the resolvers
 * to do.  It knows no deadline for a query: dns.c gives up by itself, and what comes late is still kept. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "service/dns-private.h"

enum { UNBOUND_CLASS_IN = 1, UNBOUND_POLL_MOST_MS = 60 * 1000 };

typedef struct Resolver Resolver;

/* It has a cache of its own, and libunbound cannot be asked past it: what wants the servers' word goes to a context that
 * was made a moment ago. */
typedef struct {
	struct ub_ctx *ub;
	unsigned running;
	int64_t made_us; /* monotonic */
} Context;

#define UNBOUND_FRESH_US CLOCK_SECOND /* how long a context counts as fresh */

typedef struct {
	Resolver *resolver;
	Context *context;
	char *name;
	PtnRecord type;
	bool is_fresh;
	DnsLookup *lookup;
} Job;

struct Resolver {
	Dns *dns;
	const Clock *clock;
	DnsSettings settings; /* with texts of our own: for contexts made later */
	int wake_fd;
	Thread *thread;
	GPtrArray
		*contexts; /* of Context*: the ordinary one first, the newest last; only the thread's, as what follows */
	GHashTable *running; /* Job* that libunbound has */
	GMutex lock;         /* guards what follows */
	GQueue waiting;      /* Job* */
	bool is_stopping;
};

static void
unbound_job_free(void *data)
{
	Job *job = data;

	g_free(job->name);
	g_free(job);
}

static void
unbound_wake(void *data)
{
	const Resolver *resolver = data;
	const uint64_t one = 1;

	(void)!write(resolver->wake_fd, &one, sizeof one);
}

static bool
unbound_start(void *data, const char *name, PtnRecord type, bool is_fresh, DnsLookup *lookup)
{
	Resolver *resolver = data;
	Job *job = g_new0(Job, 1);

	job->resolver = resolver;
	job->name = g_strdup(name);
	job->type = type;
	job->is_fresh = is_fresh;
	job->lookup = lookup;
	g_mutex_lock(&resolver->lock);
	g_queue_push_tail(&resolver->waiting, job);
	g_mutex_unlock(&resolver->lock);
	unbound_wake(resolver);
	return true;
}

/* ---- answers ---- */

static DnsAnswer *
unbound_answer(const DnsLimits *limits, PtnRecord type, const struct ub_result *result)
{
	enum { NOERROR = 0, NXDOMAIN = 3 };
	DnsAnswer *answer;

	if (result->bogus) {
		answer = dns_answer_make(PTN_UNSURE, NULL, 0);
		answer->is_bogus = true;
		return answer;
	}
	if (result->havedata)
		answer = dns_answer_found(limits, type, result->data, result->len, result->ttl);
	else if (result->rcode == NOERROR || result->rcode == NXDOMAIN)
		answer = dns_answer_make(PTN_NONE, NULL, MAX(result->ttl, 0) * CLOCK_SECOND);
	else
		answer = dns_answer_make(PTN_UNSURE, NULL, 0);
	answer->is_nxdomain = result->rcode == NXDOMAIN && !result->havedata;
	answer->shown.is_secure = result->secure != 0;
	return answer;
}

static void
unbound_done(void *data, int error, struct ub_result *result)
{
	Job *job = data;
	const DnsLimits *limits = &job->resolver->settings.limits;
	const bool has_answer = error == 0 && result != NULL;

	dns_deliver(job->resolver->dns, job->lookup,
		has_answer ? unbound_answer(limits, job->type, result) : dns_answer_make(PTN_UNSURE, NULL, 0));
	if (result != NULL)
		ub_resolve_free(result);
	job->context->running--;
	(void)g_hash_table_remove(job->resolver->running, job);
}

/* ---- settings ---- */

static bool
unbound_check(int result, const char *what, const char *value, GError **error)
{
	return result == 0 ||
		   error_set(error, POSTERN_ERROR_INVALID, "dns: %s \"%s\": %s", what, value, ub_strerror(result));
}

static bool
unbound_set_options(struct ub_ctx *context, bool is_validating, GError **error)
{
	const char *const options[][2] = {
		{ "outgoing-range:", "2048" },
		{ "num-queries-per-thread:", "1024" },
		{ "msg-cache-size:", "4m" },
		{ "rrset-cache-size:", "8m" },
		{ "neg-cache-size:", "1m" },
		{ "do-not-query-localhost:", "no" },
		{ "unblock-lan-zones:", "yes" },
		{ "insecure-lan-zones:", "yes" },
		/* A list's name has as many labels as an address: asked label by label it costs as many queries. */
		{ "qname-minimisation:", "no" },
		/* A resolver that was away for a while is asked again soon after it is back. */
		{ "infra-host-ttl:", "60" },
		{ "infra-keep-probing:", "yes" },
		{ "module-config:", is_validating ? "validator iterator" : "iterator" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		if (!unbound_check(
				ub_ctx_set_option(context, options[i][0], options[i][1]), options[i][0], options[i][1], error))
			return false;
	return true;
}

static bool
unbound_set_stub(struct ub_ctx *context, const char *stub, GError **error)
{
	const char *equals = strchr(stub, '=');
	g_autofree char *zone = equals != NULL ? g_strndup(stub, (size_t)(equals - stub)) : NULL;

	if (zone == NULL || *zone == '\0' || equals[1] == '\0')
		return error_set(error, POSTERN_ERROR_INVALID, "dns: stub zone \"%s\" is not ZONE=ADDRESS[@PORT]", stub);
	/* A zone that is asked at a place of its own has no signed way down from the root; an anchor of its own counts. */
	return unbound_check(ub_ctx_set_stub(context, zone, equals + 1, 0), "stub zone", stub, error) &&
		   unbound_check(ub_ctx_set_option(context, "domain-insecure:", zone), "stub zone", stub, error);
}

static bool
unbound_set_servers(struct ub_ctx *context, const DnsSettings *settings, GError **error)
{
	const char *const *servers = settings->servers;

	if (servers == NULL || *servers == NULL)
		return unbound_check(ub_ctx_resolvconf(context, NULL), "servers of", "/etc/resolv.conf", error);
	for (; *servers != NULL; servers++)
		if (!unbound_check(ub_ctx_set_fwd(context, *servers), "server", *servers, error))
			return false;
	return true;
}

/* This ends the settings, so mistakes in the anchors show here and not with the first query. */
static bool
unbound_remove_local_zones(struct ub_ctx *context, const DnsSettings *settings, GError **error)
{
	const char *const *stubs = settings->stub_zones;

	if (!unbound_check(ub_ctx_zone_remove(context, "test."), "settings", "trust anchors", error))
		return false;
	for (; stubs != NULL && *stubs != NULL; stubs++) {
		g_autofree char *zone = g_strndup(*stubs, strcspn(*stubs, "="));

		if (!unbound_check(ub_ctx_zone_remove(context, zone), "stub zone", *stubs, error))
			return false;
	}
	return true;
}

static bool
unbound_set_up(struct ub_ctx *context, const DnsSettings *settings, GError **error)
{
	const char *const *stubs = settings->stub_zones;
	const char *anchor = settings->trust_anchor;

	(void)ub_ctx_debugout(context, NULL);
	if (!unbound_check(ub_ctx_async(context, 1), "threads", "yes", error) ||
		!unbound_set_options(context, anchor != NULL, error) || !unbound_set_servers(context, settings, error))
		return false;
	for (; stubs != NULL && *stubs != NULL; stubs++)
		if (!unbound_set_stub(context, *stubs, error))
			return false;
	if (anchor != NULL && access(anchor, R_OK) != 0)
		return error_set_errno(error, "dns: cannot read the trust anchor %s", anchor);
	if (anchor != NULL && !unbound_check(ub_ctx_add_ta_file(context, anchor), "trust anchor", anchor, error))
		return false;
	return unbound_remove_local_zones(context, settings, error);
}

static void
unbound_context_free(void *data)
{
	Context *context = data;

	if (context->ub != NULL)
		ub_ctx_delete(context->ub);
	g_free(context);
}

static Context *
unbound_context_new(const DnsSettings *settings, GError **error)
{
	Context *context = g_new0(Context, 1);

	context->ub = ub_ctx_create();
	context->made_us = clock_monotonic(settings->clock);
	if (context->ub == NULL)
		(void)error_set_errno(error, "dns: cannot start libunbound");
	if (context->ub != NULL && unbound_set_up(context->ub, settings, error))
		return context;
	unbound_context_free(context);
	return NULL;
}

/* Texts of a configuration go with it. */
static DnsSettings
unbound_settings_copy(const DnsSettings *settings)
{
	DnsSettings copy = *settings;

	copy.servers = (const char *const *)g_strdupv((char **)(uintptr_t)settings->servers);
	copy.stub_zones = (const char *const *)g_strdupv((char **)(uintptr_t)settings->stub_zones);
	copy.trust_anchor = g_strdup(settings->trust_anchor);
	return copy;
}

static void
unbound_settings_clear(DnsSettings *settings)
{
	g_strfreev((char **)(uintptr_t)settings->servers);
	g_strfreev((char **)(uintptr_t)settings->stub_zones);
	g_free((char *)(uintptr_t)settings->trust_anchor);
}

/* ---- the thread ---- */

static bool
unbound_is_fresh(const Resolver *resolver, const Context *context)
{
	return clock_monotonic(resolver->clock) - context->made_us < UNBOUND_FRESH_US;
}

/* NULL: none can be made. */
static Context *
unbound_fresh_context(Resolver *resolver)
{
	Context *context = g_ptr_array_index(resolver->contexts, resolver->contexts->len - 1);

	if (resolver->contexts->len > 1 && unbound_is_fresh(resolver, context))
		return context;
	context = unbound_context_new(&resolver->settings, NULL);
	if (context != NULL)
		g_ptr_array_add(resolver->contexts, context);
	return context;
}

static void
unbound_ask(Resolver *resolver, Job *job)
{
	Context *context = job->is_fresh ? unbound_fresh_context(resolver) : g_ptr_array_index(resolver->contexts, 0);

	/* Without one the ordinary one knows more than nothing. */
	job->context = context != NULL ? context : g_ptr_array_index(resolver->contexts, 0);
	job->context->running++;
	g_hash_table_add(resolver->running, job);
	if (ub_resolve_async(job->context->ub, job->name, (int)job->type, UNBOUND_CLASS_IN, job, unbound_done, NULL) !=
		0)
		unbound_done(job, UB_SERVFAIL, NULL);
}

/* False: the end has come. */
static bool
unbound_take_jobs(Resolver *resolver, GQueue *jobs)
{
	bool is_stopping;
	uint64_t count;

	(void)!read(resolver->wake_fd, &count, sizeof count);
	g_mutex_lock(&resolver->lock);
	*jobs = resolver->waiting;
	g_queue_init(&resolver->waiting);
	is_stopping = resolver->is_stopping;
	g_mutex_unlock(&resolver->lock);
	return !is_stopping;
}

static void
unbound_wait(Resolver *resolver)
{
	const guint n = resolver->contexts->len;
	g_autofree struct pollfd *fds = g_new0(struct pollfd, n + 1);
	const int64_t next_us = dns_expire(resolver->dns);
	const int64_t now_us = clock_monotonic(resolver->clock);
	int wait_ms = -1;

	if (next_us != CLOCK_NEVER)
		wait_ms = (int)CLAMP((next_us - now_us) / 1000 + 1, 0, UNBOUND_POLL_MOST_MS);
	for (guint i = 0; i <= n; i++)
		fds[i] = (struct pollfd){ i < n ? ub_fd(((Context *)resolver->contexts->pdata[i])->ub) : resolver->wake_fd,
			POLLIN, 0 };
	if (poll(fds, n + 1, wait_ms) <= 0)
		return;
	for (guint i = 0; i < n; i++)
		if (fds[i].revents != 0)
			(void)ub_process(((Context *)resolver->contexts->pdata[i])->ub);
}

/* Those that are fresh no more go when their last answer has come. */
static void
unbound_drop_contexts(Resolver *resolver)
{
	for (guint i = resolver->contexts->len; i-- > 1;) {
		const Context *context = g_ptr_array_index(resolver->contexts, i);

		if (context->running == 0 && !unbound_is_fresh(resolver, context))
			g_ptr_array_remove_index(resolver->contexts, i);
	}
}

static void *
unbound_run(void *data)
{
	Resolver *resolver = data;
	GQueue jobs = G_QUEUE_INIT;
	Job *job;

	while (unbound_take_jobs(resolver, &jobs)) {
		while ((job = g_queue_pop_head(&jobs)) != NULL)
			unbound_ask(resolver, job);
		unbound_drop_contexts(resolver);
		unbound_wait(resolver);
	}
	g_queue_clear_full(&jobs, unbound_job_free);
	return NULL;
}

static void
unbound_free(Resolver *resolver)
{
	g_ptr_array_unref(resolver->contexts);
	unbound_settings_clear(&resolver->settings);
	if (resolver->wake_fd >= 0)
		(void)close(resolver->wake_fd);
	g_hash_table_unref(resolver->running);
	g_queue_clear_full(&resolver->waiting, unbound_job_free);
	g_mutex_clear(&resolver->lock);
	g_free(resolver);
}

static void
unbound_stop(void *data)
{
	Resolver *resolver = data;

	g_mutex_lock(&resolver->lock);
	resolver->is_stopping = true;
	g_mutex_unlock(&resolver->lock);
	unbound_wake(resolver);
	thread_join(resolver->thread);
	unbound_free(resolver);
}

Dns *
dns_new(const DnsSettings *settings, GError **error)
{
	static const DnsTransport transport = { unbound_start, unbound_wake, unbound_stop };
	Resolver *resolver = g_new0(Resolver, 1);
	Context *context;

	resolver->clock = settings->clock;
	resolver->running = g_hash_table_new_full(NULL, NULL, unbound_job_free, NULL);
	g_mutex_init(&resolver->lock);
	g_queue_init(&resolver->waiting);
	resolver->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	resolver->settings = unbound_settings_copy(settings);
	resolver->contexts = g_ptr_array_new_with_free_func(unbound_context_free);
	if (resolver->wake_fd < 0)
		(void)error_set_errno(error, "dns: cannot start libunbound");
	context = resolver->wake_fd >= 0 ? unbound_context_new(settings, error) : NULL;
	if (context == NULL) {
		unbound_free(resolver);
		return NULL;
	}
	g_ptr_array_add(resolver->contexts, context);
	resolver->dns = dns_new_over(&transport, resolver, settings);
	resolver->thread = thread_new("dns", unbound_run, resolver);
	return resolver->dns;
}
