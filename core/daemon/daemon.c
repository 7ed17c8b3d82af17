/* daemon.c - everything wired together. */
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/check.h"
#include "daemon/claim.h"
#include "daemon/commands.h"
#include "daemon/confine.h"
#include "daemon/control-audit.h"
#include "daemon/crash-record.h"
#include "daemon/expiry.h"
#include "daemon/options.h"
#include "daemon/process.h"
#include "daemon/receivers.h"
#include "daemon/services.h"
#include "daemon/settings.h"
#include "daemon/watchdog.h"
#include "engine/etrn.h"
#include "engine/observer.h"
#include "engine/stay.h"

#define DAEMON_DRAIN_US (30 * CLOCK_SECOND)   /* for sessions in the middle of a message */
#define DAEMON_DELIVER_US (30 * CLOCK_SECOND) /* for deliveries under way               */
#define DAEMON_WORK_US (10 * CLOCK_SECOND)
#define DAEMON_COUNTS_US (2 * CLOCK_SECOND)
#define DAEMON_STOP_US (80 * CLOCK_SECOND)     /* for all of these together; what is then known is written */
#define DAEMON_END_US (100 * CLOCK_SECOND)     /* then the process ends, whatever still runs: before TimeoutStopSec= */
#define DAEMON_FREE_US (15 * CLOCK_SECOND)     /* for stop() of plugins; nothing is lost any more */

/* ---- configuration ---- */

bool
daemon_load(const char *path, Loaded *loaded, GPtrArray *mistakes)
{
	g_autofree char *directory = NULL;
	g_auto(GStrv) names = options_plugins(path, &directory);
	g_autofree ConfigKind *kinds = NULL;

	*loaded = (Loaded){ .warnings = g_ptr_array_new_with_free_func(g_free) };
	loaded->rows = host_load(directory, (const char *const *)names, commands_is_reserved, mistakes);
	kinds = options_kinds(loaded->rows, directory);
	loaded->config = config_load(path, kinds, mistakes);
	if (loaded->config != NULL) {
		config_keep_tables(loaded->config, loaded->rows);
		loaded->engine = settings_engine(loaded->config, mistakes);
		loaded->delivery = settings_delivery(loaded->config, loaded->engine, mistakes);
		settings_check_logins(loaded->config, loaded->delivery, mistakes, loaded->warnings);
		receivers_check(loaded->config, loaded->engine, loaded->warnings);
		host_check_config(loaded->rows, loaded->config, mistakes);
		check_config(loaded, mistakes);
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
	loaded->engine->opens_server_accounts = host_enforces(set, PTN_MEANS_SOURCES);
	snapshot = snapshot_new(g_steal_pointer(&loaded->engine), g_steal_pointer(&loaded->delivery), host_chain(set),
		daemon->services.dns, tls);
	snapshot->release = host_unref;
	snapshot->release_data = host_ref(set);
	return snapshot;
}

/* With what plugins call us, to other servers and in notices.  A set may outlive the configuration that it was made of. */
static HostServices
daemon_host_services(const Daemon *daemon, const Loaded *loaded)
{
	const NoticeSettings now = notice_settings(loaded->engine);
	HostServices services = daemon->services;

	services.helo = g_intern_string(loaded->delivery->helo);
	services.notices = (NoticeSettings){ g_intern_string(now.hostname), g_intern_string(now.service_name),
		g_intern_string(now.postmaster), g_intern_string(now.templates) };
	return services;
}

static bool
daemon_start_plugins(Daemon *daemon, Loaded *loaded, GError **error)
{
	HostServices services;

	daemon->services.engine = &daemon->engine;
	daemon->services.node = daemon->node;
	daemon->services.tls = tls_client_new(NULL, error);
	if (daemon->services.tls == NULL)
		return false;
	services = daemon_host_services(daemon, loaded);
	daemon->set = host_new(&services, loaded->rows, loaded->config, NULL, error);
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
	crash_record_hold(daemon->crashes, daemon->engine.spool, daemon->engine.queue);
	delivery_start(daemon->delivery);
	delivery_wake(daemon->delivery);
	server_start(daemon->server);
	daemon->started_us = clock_wall(daemon->engine.clock);
	(void)clock_jump_check(&daemon->clock_jump, daemon->engine.clock);
	watchdog_serving(daemon->watchdog);
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
	g_mutex_init(&daemon->audit_lock);
	if (!daemon_load(path, &loaded, mistakes)) {
		g_autofree char *all = NULL;

		g_ptr_array_add(mistakes, NULL);
		all = g_strjoinv("\n", (char **)mistakes->pdata);
		error_set(error, POSTERN_ERROR_INVALID, "%s", all);
		return NULL;
	}
	daemon->config = loaded.config;
	daemon->started_with = config_ref(daemon->config);
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
	daemon->crashes = crash_record_open(daemon->state_directory);
	process_notify("STATUS=starting: reading the queue");
	if (!services_open(daemon, error))
		return NULL;
	daemon->alarms = kept_alarms_open(
		daemon->state_directory, daemon->engine.metrics, clock_wall(daemon->engine.clock));
	audit_open(daemon);
	daemon->watchdog = watchdog_new(daemon);
	process_notify("STATUS=starting: plugins");
	if (!daemon_start_plugins(daemon, &loaded, error))
		return NULL;
	g_clear_pointer(&loaded.rows, g_ptr_array_unref);
	audit_use_plugins(daemon, daemon->set);
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

/* `started`: names of the plugins that were; new. */
static bool
daemon_apply(Daemon *daemon, Loaded *loaded, GPtrArray **started, GError **error)
{
	const HostServices services = daemon_host_services(daemon, loaded);
	g_autoptr(PluginSet) set = host_new(&services, loaded->rows, loaded->config, daemon->set, error);
	g_autoptr(Snapshot) snapshot = NULL;

	if (set == NULL)
		return false;
	snapshot = daemon_make_snapshot(daemon, loaded, set, error);
	if (snapshot == NULL || !server_open(daemon->server, snapshot, NULL, error))
		return false;
	daemon_swap_snapshot(daemon, g_steal_pointer(&snapshot));
	*started = host_started(set, daemon->set);
	host_unref(daemon->set);
	daemon->set = g_steal_pointer(&set);
	audit_use_plugins(daemon, daemon->set);
	return true;
}

/* Lock held.  What was read and holds only after a restart: in the answer, and as an alarm until then.  New; NULL: nothing. */
static char *
daemon_say_waiting(Daemon *daemon)
{
	g_autoptr(GPtrArray) waiting = config_waiting_for_restart(daemon->started_with, daemon->config);
	g_autofree char *options = NULL;
	char *text;

	g_ptr_array_add(waiting, NULL);
	options = g_strjoinv(", ", (char **)waiting->pdata);
	text = waiting->len > 1 ? g_strdup_printf("%s: a change needs a restart", options) : NULL;
	metrics_alarm(daemon->engine.metrics, "config.restart", text);
	return text;
}

static char *
daemon_describe_reload(Daemon *daemon, const Config *before, const GPtrArray *started)
{
	static const char *const kinds[] = { "server", "listener", "tls", "clients", "accounts", "spool", "directory",
		"store", "dns", "sandbox", "log", "delivery", "route", "level" };
	g_autofree char *waiting = daemon_say_waiting(daemon);
	GString *text = g_string_new("reloaded:");
	unsigned changed = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (!config_same(before, daemon->config, kinds[i])) {
			g_string_append_printf(text, "%s [%s]", changed++ > 0 ? "," : "", kinds[i]);
		}
	for (guint i = 0; i < started->len; i++)
		g_string_append_printf(text, "%s plugin %s restarted", changed++ > 0 ? "," : "",
			(const char *)g_ptr_array_index(started, i));
	g_string_append_printf(text, "%s, %u sessions keep the old configuration",
		changed == 0 ? " nothing changed" : "", server_connections(daemon->server));
	if (waiting != NULL)
		g_string_append_printf(text, "; not in force: %s", waiting);
	return g_string_free(text, FALSE);
}

/* Lock held. */
static void
daemon_reopen_log_locked(Daemon *daemon)
{
	g_autoptr(GError) error = NULL;

	(void)daemon_open_log(daemon->config, &error);
	metrics_alarm(daemon->engine.metrics, "log.closed", error != NULL ? error->message : NULL);
}

void
daemon_reopen_log(Daemon *daemon)
{
	g_mutex_lock(&daemon->lock);
	daemon_reopen_log_locked(daemon);
	g_mutex_unlock(&daemon->lock);
}

/* Lock held.  Whoever changed the file may not be the one who sees that it was refused. */
static void
daemon_refuse_reload(Daemon *daemon, const GPtrArray *mistakes)
{
	const char *first = g_ptr_array_index(mistakes, 0);
	g_autofree char *text = mistakes->len == 1
		? g_strdup_printf("the changed configuration is not in use: %s", first)
		: g_strdup_printf("the changed configuration is not in use: %s (and %u more)", first, mistakes->len - 1);

	daemon_reopen_log_locked(daemon);
	metrics_alarm(daemon->engine.metrics, "reload.refused", text);
}

char *
daemon_reload(Daemon *daemon, GPtrArray *mistakes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Config) before = NULL;
	g_autoptr(GPtrArray) started = NULL;
	char *text = NULL;
	Loaded loaded;

	g_mutex_lock(&daemon->lock);
	if (!daemon_load(daemon->config_path, &loaded, mistakes)) {
		daemon_refuse_reload(daemon, mistakes);
		g_mutex_unlock(&daemon->lock);
		return NULL;
	}
	if (!daemon_open_log(loaded.config, &error) || !daemon_apply(daemon, &loaded, &started, &error)) {
		g_ptr_array_add(mistakes, g_strdup(error->message));
		daemon_refuse_reload(daemon, mistakes);
	} else {
		metrics_alarm(daemon->engine.metrics, "reload.refused", NULL);
		metrics_alarm(daemon->engine.metrics, "log.closed", NULL);
		before = g_steal_pointer(&daemon->config);
		daemon->config = g_steal_pointer(&loaded.config);
		settings_log_warnings(loaded.warnings);
		confine_set_limits(daemon);
		watchdog_set(daemon->watchdog, daemon->config);
		text = daemon_describe_reload(daemon, before, started);
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

static void
daemon_look_at_expiry(Daemon *daemon)
{
	g_autoptr(Config) config = NULL;

	g_mutex_lock(&daemon->lock);
	config = config_ref(daemon->config);
	g_mutex_unlock(&daemon->lock);
	expiry_look(daemon->engine.metrics, config, clock_wall(daemon->engine.clock));
}

void
daemon_look_at_certificates(Daemon *daemon)
{
	g_autoptr(GError) error = NULL;
	bool is_renewed = false;

	if (!g_mutex_trylock(&daemon->lock))
		return; /* a reload looks at them itself */
	if (daemon->snapshot->tls != NULL && tls_server_is_stale(daemon->snapshot->tls))
		is_renewed = daemon_renew_certificates(daemon, &error);
	g_mutex_unlock(&daemon->lock);
	metrics_alarm(daemon->engine.metrics, "tls.certificate", error != NULL ? error->message : NULL);
	daemon_look_at_expiry(daemon);
	if (is_renewed)
		log_event(LOG_LEVEL_INFO, "certificates read anew", NULL);
}

/* ---- the stop ---- */

static int64_t
daemon_until(const Daemon *daemon, int64_t time_us, const volatile bool *is_hasty)
{
	const int64_t until_us = clock_monotonic(daemon->engine.clock) + (*is_hasty ? 0 : time_us);

	return MIN(until_us, daemon->stopping_us + DAEMON_STOP_US);
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
	config_unref(daemon->started_with);
	config_unref(daemon->levels_config);
	g_mutex_clear(&daemon->lock);
	g_mutex_clear(&daemon->audit_lock);
	g_free(daemon->config_path);
	g_free(daemon->state_directory);
	g_free(daemon);
}

/* The watchdog looks at it no more. */
static PluginSet *
daemon_take_set(Daemon *daemon)
{
	PluginSet *set;

	g_mutex_lock(&daemon->lock);
	set = g_steal_pointer(&daemon->set);
	g_mutex_unlock(&daemon->lock);
	return set;
}

/* The last of what was counted: into the store, or into a file for the next process. */
static void
daemon_store_counts(Daemon *daemon)
{
	g_autofree char *path = g_build_filename(daemon->state_directory, COUNTS_FILE, NULL);
	g_autoptr(GError) error = NULL;

	(void)counts_flush(daemon->engine.counts, g_get_monotonic_time() + DAEMON_COUNTS_US);
	if (!counts_save(daemon->engine.counts, path, &error))
		log_event(LOG_LEVEL_WARNING, "counts are lost", "reason", error->message, NULL);
}

/* Something still runs: nothing that it may use is freed. */
static void G_GNUC_NORETURN
daemon_leave(Daemon *daemon)
{
	g_autofree char *hooks = watchdog_name_hooks();

	daemon_store_counts(daemon);
	(void)store_flush(daemon->engine.store);
	claim_release(daemon);
	log_event(LOG_LEVEL_WARNING, "stopped with work left behind; the queue has it", "hooks", hooks, NULL);
	_exit(EXIT_SUCCESS);
}

/* What is left behind by a thread that does not return must not be freed: the process ends right after. */
void
daemon_stop(Daemon *daemon, bool is_in_use, const volatile bool *is_hasty)
{
	bool is_clean = !is_in_use;

	daemon->stopping_us = clock_monotonic(daemon->engine.clock);
	watchdog_stopping(daemon->watchdog, DAEMON_END_US);
	log_event(LOG_LEVEL_INFO, "stopping", NULL);
	is_clean &= daemon_stop_sessions(daemon, is_hasty);
	is_clean &= daemon_stop_deliveries(daemon, is_hasty);
	observer_stop(daemon->engine.observer, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	is_clean &= workers_stop(daemon->engine.waiters, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	is_clean &= workers_stop(daemon->engine.crunchers, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	is_clean &= workers_stop(daemon->engine.hashers, daemon_until(daemon, DAEMON_WORK_US, is_hasty));
	if (!spool_flush(daemon->engine.spool, clock_monotonic(daemon->engine.clock) + DAEMON_WORK_US))
		log_event(LOG_LEVEL_ERROR, "results of deliveries could not be recorded", "effect",
			"the next hops get these messages again", NULL);
	if (!is_clean)
		daemon_leave(daemon);
	watchdog_stopping(daemon->watchdog, DAEMON_FREE_US);
	daemon_report_left_out(daemon);
	delivery_free(daemon->delivery);
	server_free(daemon->server);
	snapshot_unref(daemon->snapshot);
	audit_use_plugins(daemon, NULL);
	host_unref(daemon_take_set(daemon));
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
	audit_free(daemon->audit);
	store_close(daemon->directory_store);
	blocks_free(daemon->engine.blocks);
	daemon_store_counts(daemon);
	counts_free(daemon->engine.counts);
	store_close(daemon->engine.store);
	watchdog_free(daemon->watchdog);
	kept_alarms_close(daemon->alarms);
	crash_record_close(daemon->crashes);
	log_event(LOG_LEVEL_INFO, "stopped", NULL);
	daemon_free(daemon);
}
