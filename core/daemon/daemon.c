/* daemon.c - everything wired together. */
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/claim.h"
#include "daemon/confine.h"
#include "daemon/options.h"
#include "daemon/process.h"
#include "daemon/receivers.h"
#include "daemon/settings.h"
#include "engine/etrn.h"
#include "engine/observer.h"
#include "engine/stay.h"

#define DAEMON_DRAIN_US (30 * CLOCK_SECOND)   /* for sessions in the middle of a message */
#define DAEMON_DELIVER_US (30 * CLOCK_SECOND) /* for deliveries under way               */
#define DAEMON_WORK_US (10 * CLOCK_SECOND)

/* ---- configuration ---- */

bool
daemon_load(const char *path, Loaded *loaded, GPtrArray *mistakes)
{
	g_autofree char *directory = NULL;
	g_auto(GStrv) names = options_plugins(path, &directory);
	g_autofree ConfigKind *kinds = NULL;

	*loaded = (Loaded){ .warnings = g_ptr_array_new_with_free_func(g_free) };
	loaded->rows = host_load(directory, (const char *const *)names, mistakes);
	kinds = options_kinds(loaded->rows);
	loaded->config = config_load(path, kinds, mistakes);
	if (loaded->config != NULL) {
		loaded->engine = settings_engine(loaded->config, mistakes);
		loaded->delivery = settings_delivery(loaded->config, loaded->engine, mistakes);
		settings_check_logins(loaded->config, loaded->delivery, mistakes, loaded->warnings);
		receivers_check(loaded->config, loaded->engine, loaded->warnings);
		host_check_config(loaded->rows, loaded->config, mistakes);
	}
	if (mistakes->len == 0)
		return true;
	loaded_clear(loaded);
	return false;
}

void
loaded_clear(Loaded *loaded)
{
	g_clear_pointer(&loaded->config, config_unref);
	g_clear_pointer(&loaded->engine, engine_settings_free);
	g_clear_pointer(&loaded->delivery, delivery_settings_free);
	g_clear_pointer(&loaded->rows, g_ptr_array_unref);
	g_clear_pointer(&loaded->warnings, g_ptr_array_unref);
}

static bool
daemon_open_log(const Config *config, GError **error)
{
	const ConfigSection *section = config_section(config, "log", NULL);

	return log_open(config_text(section, "to"), (LogFormat)config_number(section, "format"),
		(LogLevel)config_number(section, "level"), error);
}

/* ---- services ---- */

static bool
daemon_open_spool(Daemon *daemon, GError **error)
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

/* `name`: of the section, and of metrics and alarms. */
static Store *
daemon_open_store(Daemon *daemon, const char *name, bool is_durable, GError **error)
{
	const ConfigSection *section = config_section(daemon->config, name, NULL);
	const StoreSettings settings = { .url = config_text(section, "at"),
		.is_durable = is_durable,
		.clock = daemon->engine.clock,
		.prefix = config_text(section, "prefix"),
		.user = config_text(section, "user"),
		.password = config_text(section, "password"),
		.trust = config_text(section, "trust"),
		.deadline_us = config_number(section, "deadline"),
		.connections = (unsigned)config_number(section, "connections"),
		.metrics = daemon->engine.metrics,
		.most_items = is_durable ? 0 : (size_t)config_number(section, "items"),
		.name = name };

	return store_open_with(&settings, error);
}

static bool
daemon_open_stores(Daemon *daemon, GError **error)
{
	daemon->directory_store = daemon_open_store(daemon, "directory", true, error);
	if (daemon->directory_store == NULL)
		return false;
	daemon->engine.directory = directory_new(daemon->directory_store);
	directory_set_cached(daemon->engine.directory,
		(size_t)config_number(config_section(daemon->config, "directory", NULL), "cached"));
	daemon->engine.store = daemon_open_store(daemon, "store", false, error);
	if (daemon->engine.store == NULL)
		return false;
	daemon->engine.blocks = blocks_new(daemon->engine.store, daemon->engine.clock);
	blocks_look(daemon->engine.blocks);
	return true;
}

static bool
daemon_open_refusals(Daemon *daemon, GError **error)
{
	const ConfigSection *section = config_section(daemon->config, "log", NULL);

	daemon->engine.refusals = refusals_open(config_text(section, "refusals"),
		config_number(section, "keep-refusals"), (uint64_t)config_number(section, "refusals-per-day"), error);
	return daemon->engine.refusals != NULL;
}

static bool
daemon_open_dns(Daemon *daemon, GError **error)
{
	const ConfigSection *section = config_section(daemon->config, "dns", NULL);
	const DnsSettings settings = { .servers = config_list(section, "servers"),
		.trust_anchor = config_text(section, "trust-anchor"),
		.stub_zones = config_list(section, "stub-zones"),
		.timeout_us = config_number(section, "timeout"),
		.cache_size = (size_t)config_number(section, "cache"),
		.most_lookups = (size_t)config_number(section, "lookups"),
		.clock = daemon->engine.clock };

	daemon->services.dns = dns_new(&settings, error);
	return daemon->services.dns != NULL;
}

static void
daemon_start_pools(Daemon *daemon)
{
	const ConfigSection *section = config_section(daemon->config, "server", NULL);
	const WorkersSettings waiters = { .name = "worker",
		.most = (unsigned)config_number(section, "max-workers"),
		.most_queued = (unsigned)config_number(section, "max-waiting"),
		.clock = daemon->engine.clock };
	/* Twice as many threads as cores, of which one client gets half: another client always finds one. */
	const unsigned cores = g_get_num_processors();
	const WorkersSettings crunchers = { .name = "cruncher",
		.most = 2 * cores,
		.most_of_client = cores,
		.most_queued = 1000,
		.most_queued_of_client = 250,
		.nice = 5,
		.clock = daemon->engine.clock };
	const WorkersSettings hashers = { .name = "hasher",
		.most = cores,
		.most_queued = 1000,
		.most_queued_of_client = 250,
		.nice = 10,
		.clock = daemon->engine.clock };

	daemon->engine.waiters = workers_new(&waiters);
	daemon->engine.crunchers = workers_new(&crunchers);
	daemon->engine.hashers = workers_new(&hashers);
	daemon->engine.observer = observer_new(
		daemon->engine.waiters, daemon->engine.metrics, (size_t)config_number(section, "max-events"));
}

static void
daemon_queue_wake(void *data)
{
	const Daemon *daemon = data;

	if (daemon->delivery != NULL)
		delivery_wake(daemon->delivery);
}

static void
daemon_retry_domain(void *data, const char *domain)
{
	const Daemon *daemon = data;

	delivery_retry_domain(daemon->delivery, domain);
}

static bool
daemon_open_services(Daemon *daemon, GError **error)
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
	if (!daemon_open_spool(daemon, error) || !daemon_open_stores(daemon, error) || !claim_take(daemon, error) ||
		!daemon_open_refusals(daemon, error) || !daemon_open_dns(daemon, error))
		return false;
	/* The clock may have been set back since: ids of mail, and of the sessions in its Received lines, only rise. */
	id_source_pass(engine->ids, spool_highest_id(engine->spool));
	id_source_pass(engine->session_ids, spool_highest_id(engine->spool));
	engine->queue = queue_new(engine->spool, engine->clock, daemon_queue_wake, daemon);
	engine->stay = stay_new();
	stay_fill(engine);
	daemon_start_pools(daemon);
	engine->etrn = etrn_new(&(EtrnSettings){ .clock = engine->clock,
		.workers = engine->waiters,
		.directory = engine->directory,
		.retry = daemon_retry_domain,
		.data = daemon });
	return true;
}

/* ---- the snapshot ---- */

/* Takes engine and delivery settings of `loaded`. */
static Snapshot *
daemon_make_snapshot(Daemon *daemon, Loaded *loaded, PluginSet *set, GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(TlsServer) tls = settings_tls(loaded->config, loaded->engine, daemon->state_directory, &failure);
	Snapshot *snapshot;

	if (failure != NULL) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return NULL;
	}
	loaded->engine->opens_server_accounts = host_enforces(set, "ipfilter");
	snapshot = snapshot_new(g_steal_pointer(&loaded->engine), g_steal_pointer(&loaded->delivery), host_chain(set),
		daemon->services.dns, tls);
	snapshot->release = host_unref;
	snapshot->release_data = host_ref(set);
	return snapshot;
}

/* What plugins' notices say of us.  A set may outlive the configuration that it was made of. */
static void
daemon_set_notices(Daemon *daemon, const EngineSettings *engine)
{
	const NoticeSettings now = notice_settings(engine);

	daemon->services.notices = (NoticeSettings){ g_intern_string(now.hostname), g_intern_string(now.service_name),
		g_intern_string(now.postmaster), g_intern_string(now.templates) };
}

static bool
daemon_start_plugins(Daemon *daemon, Loaded *loaded, GError **error)
{
	daemon->services.engine = &daemon->engine;
	daemon->services.helo = g_intern_string(loaded->delivery->helo);
	daemon_set_notices(daemon, loaded->engine);
	daemon->services.tls = tls_client_new(NULL, error);
	if (daemon->services.tls == NULL)
		return false;
	daemon->set = host_new(&daemon->services, loaded->rows, loaded->config, NULL, error);
	return daemon->set != NULL;
}

static bool
daemon_open_doors(Daemon *daemon, const GArray *inherited, GError **error)
{
	daemon->server = server_new(&daemon->engine, 0, error);
	return daemon->server != NULL && server_open(daemon->server, daemon->snapshot, inherited, error);
}

static void
daemon_begin(Daemon *daemon)
{
	g_autoptr(GPtrArray) damage = spool_damage(daemon->engine.spool);

	for (guint i = 0; i < damage->len; i++)
		log_event(LOG_LEVEL_ERROR, "spool damaged", "error", g_ptr_array_index(damage, i), NULL);
	if (damage->len > 0)
		metrics_alarm(daemon->engine.metrics, "spool.damage", g_ptr_array_index(damage, 0));
	daemon->delivery = delivery_new(&daemon->engine, daemon->snapshot);
	delivery_start(daemon->delivery);
	delivery_wake(daemon->delivery);
	server_start(daemon->server);
	daemon->started_us = clock_wall(daemon->engine.clock);
	(void)clock_jump_check(&daemon->clock_jump, daemon->engine.clock);
	log_event(LOG_LEVEL_INFO, "started", "config", daemon->config_path, NULL);
}

Daemon *
daemon_start(const char *path, GError **error)
{
	Daemon *daemon = g_new0(Daemon, 1);
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) sockets = NULL;
	Loaded loaded;

	daemon->config_path = g_strdup(path);
	g_mutex_init(&daemon->lock);
	daemon->old_rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	if (!daemon_load(path, &loaded, mistakes)) {
		g_autofree char *all = NULL;

		g_ptr_array_add(mistakes, NULL);
		all = g_strjoinv("\n", (char **)mistakes->pdata);
		error_set(error, POSTERN_ERROR_INVALID, "%s", all);
		return NULL;
	}
	daemon->config = loaded.config;
	daemon->rows = g_steal_pointer(&loaded.rows);
	loaded.rows = daemon->rows;
	sockets = process_take_sockets();
	if (!process_bind_low_ports(loaded.engine, sockets, error) || !process_become_user(daemon->config, error) ||
		!daemon_open_log(daemon->config, error) || !confine_open_parsers(daemon, error))
		return NULL;
	settings_log_warnings(loaded.warnings);
	g_clear_pointer(&loaded.warnings, g_ptr_array_unref);
	daemon->state_directory =
		settings_parent_of(config_text(config_section(daemon->config, "directory", NULL), "at"));
	if (daemon->state_directory == NULL)
		daemon->state_directory =
			g_strdup(config_text(config_section(daemon->config, "spool", NULL), "directory"));
	if (!daemon_open_services(daemon, error) || !daemon_start_plugins(daemon, &loaded, error))
		return NULL;
	daemon->snapshot = daemon_make_snapshot(daemon, &loaded, daemon->set, error);
	if (daemon->snapshot == NULL || !daemon_open_doors(daemon, sockets, error))
		return NULL;
	confine_daemon(daemon);
	daemon_begin(daemon);
	return daemon;
}

/* ---- reload ---- */

/* Lock held. */
static void
daemon_swap_snapshot(Daemon *daemon, Snapshot *snapshot)
{
	Snapshot *old = daemon->snapshot;

	daemon->snapshot = snapshot;
	delivery_set_snapshot(daemon->delivery, snapshot);
	snapshot_unref(old);
}

static bool
daemon_apply(Daemon *daemon, Loaded *loaded, GError **error)
{
	g_autoptr(PluginSet) set = NULL;
	g_autoptr(Snapshot) snapshot = NULL;
	const NoticeSettings before = daemon->services.notices;

	daemon_set_notices(daemon, loaded->engine);
	set = host_new(&daemon->services, loaded->rows, loaded->config, daemon->set, error);
	daemon->services.notices = set != NULL ? daemon->services.notices : before;

	if (set == NULL)
		return false;
	snapshot = daemon_make_snapshot(daemon, loaded, set, error);
	if (snapshot == NULL || !server_open(daemon->server, snapshot, NULL, error))
		return false;
	daemon_swap_snapshot(daemon, g_steal_pointer(&snapshot));
	host_unref(daemon->set);
	daemon->set = g_steal_pointer(&set);
	return true;
}

static char *
daemon_describe_reload(Daemon *daemon, const Config *before)
{
	static const char *const kinds[] = { "server", "listener", "tls", "clients", "accounts", "spool", "directory",
		"store", "dns", "sandbox", "log", "delivery", "route", "level" };
	GString *text = g_string_new("reloaded:");
	unsigned changed = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!config_same(before, daemon->config, kinds[i])) {
			g_string_append_printf(text, "%s [%s]", changed++ > 0 ? "," : "", kinds[i]);
		}
	for (guint i = 0; i < daemon->rows->len; i++) {
		const PluginRows *row = g_ptr_array_index(daemon->rows, i);
		g_autofree char *kind = g_strdup_printf("plugin %s", row->plugin->name);
		g_autofree char *items = g_strdup_printf("plugin %s/", row->plugin->name);

		if (!config_same(before, daemon->config, kind) || !config_same(before, daemon->config, items))
			g_string_append_printf(text, "%s plugin %s restarted", changed++ > 0 ? "," : "", row->plugin->name);
	}
	g_string_append_printf(text, "%s, %u sessions keep the old configuration",
		changed == 0 ? " nothing changed" : "", server_connections(daemon->server));
	return g_string_free(text, FALSE);
}

char *
daemon_reload(Daemon *daemon, GPtrArray *mistakes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Config) before = NULL;
	char *text = NULL;
	Loaded loaded;

	g_mutex_lock(&daemon->lock);
	if (!daemon_load(daemon->config_path, &loaded, mistakes)) {
		g_mutex_unlock(&daemon->lock);
		return NULL;
	}
	if (!daemon_open_log(loaded.config, &error) || !daemon_apply(daemon, &loaded, &error)) {
		g_ptr_array_add(mistakes, g_strdup(error->message));
		(void)daemon_open_log(daemon->config, NULL);
	} else {
		before = g_steal_pointer(&daemon->config);
		daemon->config = g_steal_pointer(&loaded.config);
		g_ptr_array_add(daemon->old_rows, daemon->rows);
		daemon->rows = g_steal_pointer(&loaded.rows);
		settings_log_warnings(loaded.warnings);
		confine_set_limits(daemon);
		text = daemon_describe_reload(daemon, before);
	}
	loaded_clear(&loaded);
	g_mutex_unlock(&daemon->lock);
	return text;
}

/* Lock held.  The configuration in use, not the file: what is edited there waits for its own reload. */
static bool
daemon_renew_certificates(Daemon *daemon, GError **error)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	Loaded loaded = { .config = config_ref(daemon->config) };
	g_autoptr(Snapshot) snapshot = NULL;

	loaded.engine = settings_engine(loaded.config, mistakes);
	loaded.delivery = settings_delivery(loaded.config, loaded.engine, mistakes);
	snapshot = daemon_make_snapshot(daemon, &loaded, daemon->set, error);
	loaded_clear(&loaded);
	if (snapshot == NULL || !server_open(daemon->server, snapshot, NULL, error))
		return false;
	daemon_swap_snapshot(daemon, g_steal_pointer(&snapshot));
	return true;
}

void
daemon_look_at_certificates(Daemon *daemon)
{
	g_autoptr(GError) error = NULL;
	bool is_renewed = false;

	g_mutex_lock(&daemon->lock);
	if (daemon->snapshot->tls != NULL && tls_server_is_stale(daemon->snapshot->tls))
		is_renewed = daemon_renew_certificates(daemon, &error);
	g_mutex_unlock(&daemon->lock);
	metrics_alarm(daemon->engine.metrics, "tls.certificate", error != NULL ? error->message : NULL);
	if (is_renewed)
		log_event(LOG_LEVEL_INFO, "certificates read anew", NULL);
}

/* ---- the stop ---- */

static int64_t
daemon_until(const Daemon *daemon, int64_t time_us, const volatile bool *is_hasty)
{
	return clock_monotonic(daemon->engine.clock) + (*is_hasty ? 0 : time_us);
}

/* A second SIGTERM may come at any time of the wait. */
static bool
daemon_stop_sessions(Daemon *daemon, const volatile bool *is_hasty)
{
	const int64_t until_us = daemon_until(daemon, DAEMON_DRAIN_US, is_hasty);

	server_drain(daemon->server);
	while (
		server_connections(daemon->server) > 0 && clock_monotonic(daemon->engine.clock) < until_us && !*is_hasty)
		g_usleep(10000);
	return server_stop(daemon->server, clock_monotonic(daemon->engine.clock));
}

static bool
daemon_stop_deliveries(Daemon *daemon, const volatile bool *is_hasty)
{
	const int64_t until_us = daemon_until(daemon, DAEMON_DELIVER_US, is_hasty);
	bool is_done;

	do
		is_done = delivery_stop(daemon->delivery, clock_monotonic(daemon->engine.clock) + CLOCK_SECOND / 10);
	while (!is_done && clock_monotonic(daemon->engine.clock) < until_us && !*is_hasty);
	return is_done;
}

static void
daemon_free(Daemon *daemon)
{
	tls_client_free(daemon->services.tls);
	id_source_free(daemon->engine.ids);
	id_source_free(daemon->engine.session_ids);
	metrics_free(daemon->engine.metrics);
	client_budgets_free(daemon->engine.clients);
	account_budgets_free(daemon->engine.accounts);
	config_unref(daemon->config);
	g_ptr_array_unref(daemon->rows);
	g_ptr_array_unref(daemon->old_rows);
	g_mutex_clear(&daemon->lock);
	g_free(daemon->config_path);
	g_free(daemon->state_directory);
	g_free(daemon);
}

/* What is left behind by a thread that does not return must not be freed: the process ends right after. */
void
daemon_stop(Daemon *daemon, bool is_in_use, const volatile bool *is_hasty)
{
	bool is_clean = !is_in_use;

	log_event(LOG_LEVEL_INFO, "stopping", NULL);
	is_clean &= daemon_stop_sessions(daemon, is_hasty);
	is_clean &= daemon_stop_deliveries(daemon, is_hasty);
	observer_stop(daemon->engine.observer, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	is_clean &= workers_stop(daemon->engine.waiters, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	is_clean &= workers_stop(daemon->engine.crunchers, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	is_clean &= workers_stop(daemon->engine.hashers, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	if (!is_clean) {
		if (!spool_flush(daemon->engine.spool, daemon_until(daemon, DAEMON_WORK_US, is_hasty)))
			log_event(LOG_LEVEL_ERROR, "results of deliveries could not be recorded", "effect",
				"the next hops get these messages again", NULL);
		(void)store_flush(daemon->engine.store);
		claim_release(daemon);
		log_event(LOG_LEVEL_WARNING, "stopped with work left behind; the queue has it", NULL);
		_exit(EXIT_SUCCESS);
	}
	daemon_report_left_out(daemon);
	delivery_free(daemon->delivery);
	server_free(daemon->server);
	snapshot_unref(daemon->snapshot);
	host_unref(daemon->set);
	observer_free(daemon->engine.observer);
	queue_free(daemon->engine.queue);
	stay_free(daemon->engine.stay);
	claim_release(daemon);
	etrn_free(daemon->engine.etrn);
	spool_close(daemon->engine.spool);
	workers_free(daemon->engine.waiters);
	workers_free(daemon->engine.crunchers);
	workers_free(daemon->engine.hashers);
	parsers_close(daemon->services.parsers);
	dns_free(daemon->services.dns);
	refusals_close(daemon->engine.refusals);
	directory_free(daemon->engine.directory);
	store_close(daemon->directory_store);
	blocks_free(daemon->engine.blocks);
	store_close(daemon->engine.store);
	log_event(LOG_LEVEL_INFO, "stopped", NULL);
	daemon_free(daemon);
}
