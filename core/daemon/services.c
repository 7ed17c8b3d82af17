/* services.c - what sessions and deliveries use, opened by the configuration: spool, stores, DNS, threads. */
#include "daemon/services.h"

#include "base/log.h"
#include "daemon/claim.h"
#include "engine/etrn.h"
#include "engine/observer.h"
#include "engine/stay.h"

static bool
services_open_spool(Daemon *daemon, GError **error)
{
	const ConfigSection *section = config_section(daemon->config, "spool", NULL);
	const SpoolSettings settings = { .directory = config_text(section, "directory"),
		.clock = daemon->engine.clock,
		.large = (uint64_t)config_number(section, "large"),
		.memory = (uint64_t)config_number(section, "memory"),
		.keep_free = (uint64_t)config_number(section, "keep-free") };

	daemon->engine.spool = spool_open(&settings, error);
	return daemon->engine.spool != NULL;
}

Store *
services_open_store(Daemon *daemon, const char *name, bool is_durable, GError **error)
{
	const ConfigSection *section = config_section(daemon->config, name, NULL);
	const char *state = is_durable ? NULL : daemon->state_directory;
	g_autofree char *ledger = state != NULL ? g_build_filename(state, "ledger", NULL) : NULL;
	const StoreSettings settings = { .url = config_text(section, "at"),
		.is_durable = is_durable,
		.must_exist = is_durable, /* without it every login would be refused for ever */
		.clock = daemon->engine.clock,
		.prefix = config_text(section, "prefix"),
		.user = config_text(section, "user"),
		.password = config_text(section, "password"),
		.trust = config_text(section, "trust"),
		.deadline_us = config_number(section, "deadline"),
		.node = (unsigned)config_number(config_section(daemon->config, "server", NULL), "node"),
		.ledger = ledger,
		.connections = (unsigned)config_number(section, "connections"),
		.metrics = daemon->engine.metrics,
		.most_items = is_durable ? 0 : (size_t)config_number(section, "items"),
		.name = name };

	return store_open_with(&settings, error);
}

/* With what an earlier process could not store. */
static void
services_open_counts(Daemon *daemon)
{
	const CountsSettings settings = { .store = daemon->engine.store, .metrics = daemon->engine.metrics };
	g_autofree char *path = g_build_filename(daemon->state_directory, COUNTS_FILE, NULL);
	g_autoptr(GError) error = NULL;

	daemon->engine.counts = counts_new(&settings);
	if (!counts_load(daemon->engine.counts, path, &error))
		log_event(LOG_LEVEL_WARNING, "counts are lost", "reason", error->message, NULL);
}

static bool
services_open_stores(Daemon *daemon, GError **error)
{
	daemon->directory_store = services_open_store(daemon, "directory", true, error);
	if (daemon->directory_store == NULL)
		return false;
	daemon->engine.directory = directory_new(daemon->directory_store);
	directory_set_clock(daemon->engine.directory, daemon->engine.clock);
	directory_set_cached(daemon->engine.directory,
		(size_t)config_number(config_section(daemon->config, "directory", NULL), "cached"));
	daemon->engine.store = services_open_store(daemon, "store", false, error);
	if (daemon->engine.store == NULL)
		return false;
	services_open_counts(daemon);
	daemon->engine.blocks = blocks_new(daemon->engine.store, daemon->engine.clock);
	blocks_look(daemon->engine.blocks);
	return true;
}

static bool
services_open_refusals(Daemon *daemon, GError **error)
{
	const ConfigSection *section = config_section(daemon->config, "log", NULL);
	const RefusalsSettings settings = { .directory = config_text(section, "refusals"),
		.keep_us = config_number(section, "keep-refusals"),
		.most_per_day = (uint64_t)config_number(section, "refusals-per-day"),
		.most_waiting = (unsigned)config_number(section, "refusals-waiting") };

	daemon->engine.refusals = refusals_open(&settings, error);
	return daemon->engine.refusals != NULL;
}

bool
services_open_dns(Daemon *daemon, GError **error)
{
	const ConfigSection *section = config_section(daemon->config, "dns", NULL);
	const DnsSettings settings = { .servers = config_list(section, "servers"),
		.trust_anchor = config_text(section, "trust-anchor"),
		.stub_zones = config_list(section, "stub-zones"),
		.timeout_us = config_number(section, "timeout"),
		.cache_size = (size_t)config_number(section, "cache"),
		.most_lookups = (size_t)config_number(section, "lookups"),
		.limits = { .addresses = (unsigned)config_number(section, "max-addresses"),
			.exchangers = (unsigned)config_number(section, "max-exchangers"),
			.text = (size_t)config_number(section, "max-text"),
			.found_us = config_number(section, "keep"),
			.none_us = config_number(section, "keep-missing"),
			.failed_us = config_number(section, "keep-failed") },
		.clock = daemon->engine.clock };

	daemon->services.dns = dns_new(&settings, error);
	return daemon->services.dns != NULL;
}

static unsigned
services_threads(const ConfigSection *server, const char *option, unsigned by_processors)
{
	const unsigned set = (unsigned)config_number(server, option);

	return set > 0 ? set : by_processors;
}

static void
services_start_pools(Daemon *daemon)
{
	const ConfigSection *section = config_section(daemon->config, "server", NULL);
	const WorkersSettings waiters = { .name = "worker",
		.most = (unsigned)config_number(section, "max-workers"),
		.most_queued = (unsigned)config_number(section, "max-waiting"),
		.clock = daemon->engine.clock };
	const unsigned cores = g_get_num_processors();
	const unsigned content = services_threads(section, "content-threads", 2 * cores);
	const unsigned queued = (unsigned)config_number(section, "max-computing");
	const unsigned queued_of_client =
		(unsigned)config_number(config_section(daemon->config, "clients", NULL), "computing");
	/* One client gets half: another one always finds a thread, if there are two. */
	const WorkersSettings crunchers = { .name = "cruncher",
		.most = content,
		.most_of_client = (content + 1) / 2,
		.most_queued = queued,
		.most_queued_of_client = queued_of_client,
		.nice = 5,
		.clock = daemon->engine.clock };
	const WorkersSettings hashers = { .name = "hasher",
		.most = services_threads(section, "password-threads", cores),
		.most_queued = queued,
		.most_queued_of_client = queued_of_client,
		.nice = 10,
		.clock = daemon->engine.clock };

	daemon->engine.waiters = workers_new(&waiters);
	daemon->engine.crunchers = workers_new(&crunchers);
	daemon->engine.hashers = workers_new(&hashers);
	daemon->engine.observer = observer_new(
		daemon->engine.waiters, daemon->engine.metrics, (size_t)config_number(section, "max-events"));
}

static void
services_queue_wake(void *data)
{
	const Daemon *daemon = data;

	if (daemon->delivery != NULL)
		delivery_wake(daemon->delivery);
}

static void
services_retry_domain(void *data, const char *domain)
{
	const Daemon *daemon = data;

	delivery_retry_domain(daemon->delivery, domain);
}

static void
services_start_etrn(Daemon *daemon)
{
	const ConfigSection *section = config_section(daemon->config, "server", NULL);
	const EtrnSettings settings = { .clock = daemon->engine.clock,
		.workers = daemon->engine.waiters,
		.directory = daemon->engine.directory,
		.retry = services_retry_domain,
		.data = daemon,
		.again_us = config_number(section, "etrn-again"),
		.distance_us = config_number(section, "etrn-distance"),
		.most = (unsigned)config_number(section, "max-etrn") };

	daemon->engine.etrn = etrn_new(&settings);
}

bool
services_open(Daemon *daemon, GError **error)
{
	const unsigned node = (unsigned)config_number(config_section(daemon->config, "server", NULL), "node");
	Engine *engine = &daemon->engine;

	engine->clock = clock_system();
	engine->metrics = metrics_new();
	engine->clients = client_budgets_new(engine->clock,
		(size_t)config_number(config_section(daemon->config, "clients", NULL), "known"));
	engine->accounts = account_budgets_new();
	engine->ids = id_source_new(engine->clock, node);
	engine->session_ids = id_source_new(engine->clock, node);
	daemon->node = node;
	if (!services_open_spool(daemon, error) || !services_open_stores(daemon, error) ||
		!claim_take(daemon, error) || !services_open_refusals(daemon, error) || !services_open_dns(daemon, error))
		return false;
	/* The clock may have been set back since: ids of mail, and of the sessions in its Received lines, only rise. */
	id_source_pass(engine->ids, spool_highest_id(engine->spool));
	id_source_pass(engine->session_ids, spool_highest_id(engine->spool));
	engine->queue = queue_new(engine->spool, engine->clock, services_queue_wake, daemon);
	engine->stay = stay_new();
	stay_fill(engine);
	services_start_pools(daemon);
	services_start_etrn(daemon);
	return true;
}
