/* test-host.c - the engine without loops, network and daemon: for the tests of plugins, for replays and fuzzers.
 *
 * Everything but DNS and clock is the real thing: sessions, chain, host, spool (in a temporary directory), directory
 * and store (in memory).  A session runs where its hooks may wait, and commits before the next line is read. */
#include "test-host-private.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/etrn.h"
#include "engine/observer.h"
#include "engine/route.h"
#include "host/module.h"
#include "service/password.h"

void
test_die(const char *what, const char *why)
{
	fprintf(stderr, "plugin-test: %s: %s\n", what, why);
	abort();
}

/* ---- clock and DNS ---- */

static int64_t
test_wall(const Clock *clock)
{
	const TestClock *test = (const TestClock *)clock;

	return INT64_C(1790000000) * CLOCK_SECOND + test->offset_us - test->set_back_us;
}

static int64_t
test_monotonic(const Clock *clock)
{
	return INT64_C(1000) * CLOCK_SECOND + ((const TestClock *)clock)->offset_us;
}

static void
test_free_answer(void *data)
{
	PtnAnswer *answer = data;

	g_strfreev((char **)(uintptr_t)answer->values);
	g_free(answer);
}

static char *
test_dns_key(const char *name, PtnRecord type)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);

	return g_strdup_printf("%s/%d", lower, (int)type);
}

static PtnAnswer *
test_resolve(void *data, const char *name, PtnRecord type)
{
	static const char *const none[] = { NULL };
	const PtnTest *test = data;
	g_autofree char *key = test_dns_key(name, type);
	const PtnAnswer *told = g_hash_table_lookup(test->dns, key);

	if (told == NULL)
		return dns_answer_new(PTN_NONE, none, 300 * PTN_SECOND);
	return dns_answer_new(told->status, told->values, told->ttl);
}

void
ptn_test_dns(PtnTest *test, const char *name, PtnRecord type, PtnStatus status, ...)
{
	g_autoptr(GPtrArray) values = g_ptr_array_new();
	const char *value;
	va_list more;

	va_start(more, status);
	while ((value = va_arg(more, const char *)) != NULL)
		g_ptr_array_add(values, (void *)(uintptr_t)value);
	va_end(more);
	g_ptr_array_add(values, NULL);
	g_hash_table_insert(test->dns, test_dns_key(name, type),
		dns_answer_new(status, (const char *const *)values->pdata, 300 * PTN_SECOND));
}

void
ptn_test_dns_ttl(PtnTest *test, const char *name, PtnRecord type, int64_t ttl)
{
	g_autofree char *key = test_dns_key(name, type);
	PtnAnswer *told = g_hash_table_lookup(test->dns, key);

	if (told == NULL)
		test_die(name, "nothing was told of it");
	told->ttl = ttl;
}

/* ---- making it ---- */

static void
test_retry_domain(void *data, const char *domain)
{
	const PtnTest *test = data;
	g_autofree char *name = g_strdup_printf("retried.%s", domain);

	metrics_add(test->engine.metrics, name, 1);
}

static void
test_open_services(PtnTest *test)
{
	g_autoptr(GError) error = NULL;
	const SpoolSettings spool = { .directory = test->directory, .clock = &test->clock.clock, .segment_size = 1 << 20 };
	const WorkersSettings pool = { .name = "test-worker", .most = 2, .clock = &test->clock.clock };
	Engine *engine = &test->engine;

	engine->clock = &test->clock.clock;
	engine->ids = id_source_new(engine->clock, 0);
	engine->session_ids = id_source_new(engine->clock, 0);
	engine->metrics = metrics_new();
	engine->spool = spool_open(&spool, &error);
	if (engine->spool == NULL)
		test_die("spool", error->message);
	engine->queue = queue_new(engine->spool, engine->clock, NULL, NULL);
	engine->stay = stay_new();
	engine->store = store_open("memory:", false, engine->clock, &error);
	test->directory_store = store_open("memory:", true, engine->clock, &error);
	engine->directory = directory_new(test->directory_store);
	directory_set_clock(engine->directory, engine->clock);
	engine->counts = counts_new(&(CountsSettings){ .store = engine->store, .metrics = engine->metrics });
	engine->blocks = blocks_new(engine->store, engine->clock);
	engine->clients = client_budgets_new(engine->clock, TEST_CLIENTS);
	engine->accounts = account_budgets_new();
	engine->waiters = workers_new(&pool);
	engine->crunchers = workers_new(&pool);
	engine->hashers = workers_new(&pool);
	engine->observer = observer_new(engine->waiters, engine->metrics, 10000);
	engine->etrn = etrn_new(&(EtrnSettings){ .clock = engine->clock,
		.directory = engine->directory,
		.retry = test_retry_domain,
		.data = test,
		.again_us = 60 * CLOCK_SECOND,
		.distance_us = 5 * CLOCK_SECOND,
		.most = 1000 });
	test->services = (HostServices){ .engine = engine, .dns = dns_new_scripted(test_resolve, test),
		.tls = tls_client_new(NULL, NULL), .helo = "test.example.net",
		.notices = { "test.example.net", "postern", "postmaster@test.example.net", NULL },
		.connect = test_peers_connect, .connect_data = test->peers };
}

static void
test_load_config(PtnTest *test, const char *config)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autofree ConfigKind *kinds = test_config_kinds(test->rows);

	test->config = config_parse(config != NULL ? config : "", "test.conf", kinds, mistakes);
	if (test->config != NULL)
		host_check_config(test->rows, test->config, mistakes);
	if (mistakes->len > 0)
		test_die("configuration", g_ptr_array_index(mistakes, 0));
}

/* The keeper is a fork of this process, made before the test has threads; it serves all tests of plugins that it knows. */
static Parsers *
test_parsers(const PtnPlugin *const *plugins)
{
	static const ParsersLimits limits = { .most = 2, .most_uses = 100, .memory = 256 << 20, .answer = 64 << 20 };
	static Parsers *parsers;
	static GPtrArray *known;
	bool are_known = true;
	g_autoptr(GError) error = NULL;

	if (known == NULL)
		known = g_ptr_array_new();
	for (; *plugins != NULL; plugins++) {
		module_add_linked(*plugins);
		if ((*plugins)->parse == NULL || g_ptr_array_find(known, *plugins, NULL))
			continue;
		g_ptr_array_add(known, (void *)(uintptr_t)*plugins);
		are_known = false;
	}
	if (are_known)
		return parsers;
	parsers_close(parsers);
	parsers = parsers_open(module_load, &limits, &error);
	if (parsers == NULL)
		test_die("parsers", error->message);
	return parsers;
}

static void
test_load_plugins(PtnTest *test, const PtnPlugin *const *plugins, const char *config)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;

	for (; *plugins != NULL; plugins++) {
		g_ptr_array_add(names, (void *)(uintptr_t)(*plugins)->name);
	}
	g_ptr_array_add(names, NULL);
	test->rows = host_load("/nonexistent", (const char *const *)names->pdata, NULL, mistakes);
	if (mistakes->len > 0)
		test_die("plugin", g_ptr_array_index(mistakes, 0));
	test_load_config(test, config);
	test->services.notices.service_name =
		config_text(config_section(test->config, "server", NULL), "service-name");
	test->services.node = (unsigned)config_number(config_section(test->config, "server", NULL), "node");
	test->services.notices.templates = config_text(config_section(test->config, "server", NULL), "templates");
	test->set = host_new(&test->services, test->rows, test->config, NULL, &error);
	if (test->set == NULL)
		test_die("plugin", error->message);
}

static void
test_read_monitors(const PtnTest *test, GArray *monitors)
{
	g_array_set_size(monitors, 0);
	for (const char *const *text = config_list(config_section(test->config, "server", NULL), "monitors"); *text != NULL; text++) {
		IpNetwork network;

		if (ip_network_parse(*text, &network, NULL))
			g_array_append_val(monitors, network);
	}
}

static void
test_make_snapshot(PtnTest *test)
{
	EngineSettings *settings = engine_settings_new();

	settings->hostname = g_strdup("test.example.net");
	settings->banner_name = g_strdup("Postern");
	settings->header_prefix = g_strdup("X-Postern");
	test_read_monitors(test, settings->monitors);
	test->listener = listener_settings_new("test");
	test->listener->takes_auth = test->listener->takes_auth_in_clear = true;
	g_ptr_array_add(settings->listeners, test->listener);
	test->settings = settings;
	test->snapshot = snapshot_new(settings, NULL, host_chain(test->set), test->services.dns, NULL);
}

PtnTest *
ptn_test_new_chain(const PtnPlugin *const *plugins, const char *config)
{
	PtnTest *test = g_new0(PtnTest, 1);
	Parsers *parsers;

	(void)log_open("stderr", LOG_TEXT, LOG_LEVEL_WARNING, NULL);
	test->clock.clock = (Clock){ test_wall, test_monotonic };
	test->directory = g_dir_make_tmp("postern-test-XXXXXX", NULL);
	if (test->directory == NULL)
		test_die("temporary directory", "cannot be made");
	test->dns = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, test_free_answer);
	test->texts = g_ptr_array_new_with_free_func(g_free);
	test->reply = g_string_new(NULL);
	test->peers = test_peers_new();
	test->dialogs = g_ptr_array_new_with_free_func(g_free);
	parsers = test_parsers(plugins);
	test_open_services(test);
	test->services.parsers = parsers;
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "primary", "it@acme.example", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "example.net", "customer", "acme", "mode", "outbound-only", NULL);
	test_load_plugins(test, plugins, config);
	test_make_snapshot(test);
	return test;
}

PtnTest *
ptn_test_new(const PtnPlugin *plugin, const char *config)
{
	const PtnPlugin *const plugins[] = { plugin, NULL };

	return ptn_test_new_chain(plugins, config);
}

void
test_end_session(PtnTest *test)
{
	if (test->session == NULL)
		return;
	session_end(test->session);
	session_free(test->session);
	test->session = NULL;
	observer_stop(test->engine.observer, g_get_monotonic_time() + 10 * PTN_SECOND);
}

static void
test_remove_directory(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		if (g_file_test(inner, G_FILE_TEST_IS_DIR))
			test_remove_directory(inner);
		else
			(void)g_unlink(inner);
	}
	if (dir != NULL)
		g_dir_close(dir);
	(void)g_rmdir(path);
}

void
ptn_test_free(PtnTest *test)
{
	Engine *engine = &test->engine;
	const int64_t soon_us = clock_monotonic(engine->clock) + 10 * PTN_SECOND;

	test_end_session(test);
	test_peers_close(test->peers);
	(void)workers_stop(engine->waiters, soon_us);
	(void)workers_stop(engine->crunchers, soon_us);
	(void)workers_stop(engine->hashers, soon_us);
	snapshot_unref(test->snapshot);
	host_unref(test->set);
	g_ptr_array_unref(test->rows);
	config_unref(test->config);
	observer_free(engine->observer);
	workers_free(engine->waiters);
	workers_free(engine->crunchers);
	workers_free(engine->hashers);
	queue_free(engine->queue);
	stay_free(engine->stay);
	etrn_free(engine->etrn);
	blocks_free(engine->blocks);
	spool_close(engine->spool);
	directory_free(engine->directory);
	store_close(test->directory_store);
	counts_free(engine->counts);
	store_close(engine->store);
	dns_free(test->services.dns);
	tls_client_free(test->services.tls);
	id_source_free(engine->ids);
	id_source_free(engine->session_ids);
	metrics_free(engine->metrics);
	client_budgets_free(engine->clients);
	account_budgets_free(engine->accounts);
	test_peers_free(test->peers);
	g_ptr_array_unref(test->dialogs);
	g_hash_table_unref(test->dns);
	g_ptr_array_unref(test->texts);
	g_string_free(test->reply, TRUE);
	test_remove_directory(test->directory);
	g_free(test->directory);
	g_free(test);
}

void
ptn_test_open_server_accounts(PtnTest *test)
{
	test->settings->opens_server_accounts = true;
}

/* ---- the directory, the time ---- */

void
ptn_test_entry(PtnTest *test, PtnKind kind, const char *name, ...)
{
	DirectoryEntry *entry = NULL;
	g_autoptr(GError) error = NULL;
	const char *option;
	va_list more;

	if (directory_find(test->engine.directory, kind, name, CLOCK_NEVER, &entry) != PTN_OK)
		entry = directory_entry_new(kind, name);
	va_start(more, name);
	while ((option = va_arg(more, const char *)) != NULL) {
		const char *value = va_arg(more, const char *);
		g_autofree char *hash = strcmp(option, "password") == 0 && value[0] != '$' ? password_hash(value, NULL) : NULL;

		directory_entry_set(entry, option, hash != NULL ? hash : value);
	}
	va_end(more);
	if (!directory_check(test->engine.directory, entry, &error))
		test_die(name, error->message);
	if (directory_save(test->engine.directory, entry, NULL, CLOCK_NEVER) != PTN_OK)
		test_die(name, "cannot be saved");
	directory_entry_free(entry);
}

void
ptn_test_remove(PtnTest *test, PtnKind kind, const char *name)
{
	if (directory_remove(test->engine.directory, kind, name, NULL, CLOCK_NEVER) != PTN_OK)
		test_die(name, "cannot be removed");
}

void
ptn_test_advance(PtnTest *test, int64_t time)
{
	if (time < 0)
		test->clock.set_back_us -= time;
	else
		test->clock.offset_us += time;
	host_tick(test->set, clock_monotonic(&test->clock.clock));
	metrics_end_alarms(test->engine.metrics, clock_wall(&test->clock.clock));
	g_usleep(1000);
}

/* ---- the session ---- */

const char *
test_hand_out(PtnTest *test, char *text /* takes */)
{
	g_ptr_array_add(test->texts, text);
	return text;
}

static void
test_take_output(PtnTest *test)
{
	GString *out = session_take_output(test->session);

	if (out == NULL)
		return;
	for (const char *at = out->str, *end = out->str + out->len; at < end; at++) {
		const char *cr = memchr(at, '\r', (size_t)(end - at));

		g_string_append_len(test->reply, at, (cr != NULL ? cr : end) - at);
		at = cr != NULL ? cr : end;
	}
	g_string_free(out, TRUE);
}

static SpoolResult
test_commit(PtnTest *test, SpoolTransaction *transaction /* takes */)
{
	SpoolResult result;

	if (test->commit == NULL)
		return spool_commit_wait(test->engine.spool, transaction);
	result = test->commit(test->commit_data, transaction);
	spool_transaction_free(transaction);
	return result;
}

static void
test_run(PtnTest *test)
{
	Place place = ON_WORKER;

	for (;;) {
		const SessionNeed need = session_run(test->session, place);

		test_take_output(test);
		place = need == SESSION_WANTS_CRUNCHER ? ON_CRUNCHER : ON_WORKER;
		switch (need) {
		case SESSION_WANTS_COMMIT:
			session_committed(test->session, test_commit(test, session_take_transaction(test->session)));
			break;
		case SESSION_WANTS_TLS:
			session_secured(test->session, "TLSv1.3", "TLS_TEST", NULL);
			break;
		case SESSION_WANTS_CLOSE:
			test->is_closed = true;
			return;
		case SESSION_WANTS_INPUT:
			return;
		case SESSION_WANTS_WORKER:
		case SESSION_WANTS_CRUNCHER:
		case SESSION_WANTS_LOOP:
		case SESSION_WANTS_PAUSE:
			break;
		}
	}
}

void
ptn_test_connect(PtnTest *test, const char *ip)
{
	SessionSettings settings = { .engine = &test->engine, .snapshot = test->snapshot, .listener = test->listener,
		.client_port = 40000 };
	ClientBudget *budget;

	if (!ip_parse(ip, &settings.client))
		test_die(ip, "not an IP address");
	test_end_session(test);
	g_string_truncate(test->reply, 0);
	test->is_closed = false;
	budget = client_budget_take(test->engine.clients, &settings.client, 64);
	settings.client_budget = budget;
	test->session = session_new(&settings);
	client_budget_drop(budget);
	test_run(test);
}

const char *
ptn_test_send(PtnTest *test, const void *data, size_t size)
{
	if (test->session == NULL)
		ptn_test_connect(test, "192.0.2.1");
	g_ptr_array_set_size(test->texts, 0);
	g_string_truncate(test->reply, 0);
	if (!test->is_closed) {
		session_input(test->session, data, size);
		test_run(test);
	}
	return test->reply->str;
}

const char *
ptn_test_say(PtnTest *test, const char *line)
{
	g_autofree char *whole = g_strdup_printf("%s\r\n", line);

	return ptn_test_send(test, whole, strlen(whole));
}

const char *
ptn_test_reply(PtnTest *test)
{
	return test->reply->str;
}

bool
ptn_test_is_closed(PtnTest *test)
{
	return test->is_closed;
}

/* Of two replies the second. */
static const char *
test_behind_first(const char *replies)
{
	const char *line = replies;

	while (line[0] != '\0' && line[3] == '-')
		line = strchr(line, '\n') + 1;
	return strchr(line, '\n') != NULL && strchr(line, '\n')[1] != '\0' ? strchr(line, '\n') + 1 : replies;
}

const char *
ptn_test_login(PtnTest *test, const char *login, const char *password)
{
	const size_t login_size = strlen(login), size = login_size + strlen(password) + 2;
	g_autofree char *octets = g_malloc0(size);
	g_autofree char *word = NULL;
	g_autofree char *line = NULL;

	memcpy(octets + 1, login, login_size);
	memcpy(octets + login_size + 2, password, strlen(password));
	word = g_base64_encode((const guchar *)octets, size);
	line = g_strdup_printf("EHLO client.example.net\r\nAUTH PLAIN %s", word);
	(void)ptn_test_say(test, line);
	return test_hand_out(test, g_strdup(test_behind_first(test->reply->str)));
}

static bool
test_is_refused(const char *reply)
{
	return reply[0] == '4' || reply[0] == '5';
}

const char *
ptn_test_submit(PtnTest *test, const char *sender, const char *recipient, const char *content)
{
	g_autofree char *mail = g_strdup_printf("MAIL FROM:<%s>", sender);
	g_autofree char *rcpt = g_strdup_printf("RCPT TO:<%s>", recipient);
	g_autofree char *data = g_strdup_printf("%s%s.", content, g_str_has_suffix(content, "\r\n") ? "" : "\r\n");
	const char *const steps[] = { mail, rcpt, "DATA", data };

	for (size_t i = 0; i < G_N_ELEMENTS(steps); i++)
		if (test_is_refused(ptn_test_say(test, steps[i])))
			break;
	return test->reply->str;
}

void
test_host_idle(PtnTest *test)
{
	ptn_test_advance(test, test->settings->idle_us);
	g_string_truncate(test->reply, 0);
	if (test->session == NULL || test->is_closed)
		return;
	session_say_end(test->session, SESSION_IDLE);
	test_run(test);
}
