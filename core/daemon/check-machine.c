/* check-machine.c - what a start would find on this machine: users, directories, files, services, plugins. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/check.h"
#include "daemon/levels.h"
#include "daemon/process.h"
#include "daemon/services.h"
#include "daemon/settings.h"
#include "io/tls-inspect.h"

/* ---- users ---- */

/* Those that may use the control socket. */
static bool
machine_check_groups(const ConfigSection *server, GPtrArray *mistakes)
{
	static const char *const options[] = { "control-group", "support-group" };
	bool is_well = true;

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
		const char *group = config_text(server, options[i]);

		if (group == NULL || getgrnam(group) != NULL)
			continue;
		settings_complain(
			mistakes, server, options[i], "[server] %s: there is no group \"%s\"", options[i], group);
		is_well = false;
	}
	return is_well;
}

/* False: the daemon could not become its user, so nothing can be said of what that one may do. */
static bool
machine_check_user(const Loaded *loaded, GPtrArray *mistakes)
{
	const ConfigSection *server = config_section(loaded->config, "server", NULL);
	const char *name = config_text(server, "user");
	const bool has_groups = machine_check_groups(server, mistakes);
	const struct passwd *user = getpwnam(name);

	if (geteuid() == 0 && user == NULL)
		settings_complain(mistakes, server, "user",
			"[server] user: there is no user \"%s\" (make one: useradd --system %s)", name, name);
	else if (geteuid() != 0 && user != NULL && user->pw_uid != geteuid())
		settings_complain(loaded->warnings, server, "user",
			"[server] user: files and directories were checked as the user that you are, not as %s", name);
	return (geteuid() != 0 || user != NULL) && has_groups;
}

/* ---- directories and files ---- */

typedef struct {
	const char *kind, *option; /* whose value it is */
	char *path;
} KeptPlace;

static void
place_clear(void *data)
{
	g_free(((KeptPlace *)data)->path);
}

static void
machine_add_place(GArray *places, const char *kind, const char *option, char *path /* takes; NULL: none */)
{
	const KeptPlace place = { kind, option, path };

	if (path != NULL)
		g_array_append_val(places, place);
}

static GArray *
machine_places(const Config *config)
{
	GArray *places = g_array_new(FALSE, FALSE, sizeof(KeptPlace));
	const char *to = config_text(config_section(config, "log", NULL), "to");

	g_array_set_clear_func(places, place_clear);
	machine_add_place(places, "spool", "directory",
		g_strdup(config_text(config_section(config, "spool", NULL), "directory")));
	machine_add_place(places, "directory", "at",
		settings_parent_of(config_text(config_section(config, "directory", NULL), "at")));
	machine_add_place(
		places, "store", "at", settings_parent_of(config_text(config_section(config, "store", NULL), "at")));
	machine_add_place(
		places, "log", "refusals", g_strdup(config_text(config_section(config, "log", NULL), "refusals")));
	machine_add_place(places, "server", "control",
		g_path_get_dirname(config_text(config_section(config, "server", NULL), "control")));
	if (g_path_is_absolute(to))
		machine_add_place(places, "log", "to", g_path_get_dirname(to));
	return places;
}

static void G_GNUC_PRINTF(4, 5) machine_complain_place(
	const Loaded *loaded, const KeptPlace *place, GPtrArray *mistakes, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	settings_complain(mistakes, config_section(loaded->config, place->kind, NULL), place->option, "[%s] %s: %s",
		place->kind, place->option, text);
}

/* A directory that is missing is made by the start, as the user that starts. */
static void
machine_check_missing(const Loaded *loaded, const KeptPlace *place, GPtrArray *mistakes)
{
	g_autofree char *path = g_strdup(place->path);

	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return;
	if (strcmp(place->option, "to") == 0) { /* nobody makes that of the log */
		machine_complain_place(loaded, place, mistakes, "there is no directory %s", path);
		return;
	}
	while (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		char *parent = g_path_get_dirname(path);

		g_free(path);
		path = parent;
	}
	if (access(path, W_OK | X_OK) != 0 || !g_file_test(path, G_FILE_TEST_IS_DIR))
		machine_complain_place(loaded, place, mistakes, "the directory %s cannot be made in %s: %s", place->path,
			path, g_strerror(g_file_test(path, G_FILE_TEST_IS_DIR) ? errno : ENOTDIR));
}

static void
machine_check_there(const Loaded *loaded, const KeptPlace *place, GPtrArray *mistakes)
{
	if (!g_file_test(place->path, G_FILE_TEST_EXISTS))
		return;
	if (!g_file_test(place->path, G_FILE_TEST_IS_DIR))
		machine_complain_place(loaded, place, mistakes, "%s is no directory", place->path);
	else if (access(place->path, R_OK | W_OK | X_OK) != 0)
		machine_complain_place(
			loaded, place, mistakes, "cannot write to the directory %s: %s", place->path, g_strerror(errno));
}

static void
machine_check_places(const Loaded *loaded, const GArray *places, GPtrArray *mistakes,
	void (*check)(const Loaded *loaded, const KeptPlace *place, GPtrArray *mistakes))
{
	for (guint i = 0; i < places->len; i++)
		check(loaded, &g_array_index(places, KeptPlace, i), mistakes);
}

static void
machine_check_log(const Loaded *loaded, GPtrArray *mistakes)
{
	const ConfigSection *section = config_section(loaded->config, "log", NULL);
	const char *to = config_text(section, "to");
	g_autofree char *why = log_complaint(to);

	if (why != NULL)
		settings_complain(mistakes, section, "to", "[log] to: %s", why);
	else if (g_path_is_absolute(to) && g_file_test(to, G_FILE_TEST_EXISTS) && access(to, W_OK) != 0)
		settings_complain(mistakes, section, "to", "[log] to: cannot write to %s: %s", to, g_strerror(errno));
}

/* ---- certificates ---- */

static void
machine_judge_certificate(const Loaded *loaded, const ConfigSection *section)
{
	const char *path = config_text(section, "certificate"), *own = config_section_name(section);
	const char *name = own != NULL ? own : loaded->engine->hostname;
	TlsFacts facts;

	if (!tls_inspect(path, name, &facts, NULL))
		return; /* a mistake of its own */
	if (facts.ends_us < clock_wall(clock_system()))
		settings_complain(loaded->warnings, section, "certificate", "[tls%s%s] certificate: %s is expired",
			own != NULL ? " " : "", own != NULL ? own : "", path);
	if (!facts.is_for_name)
		settings_complain(loaded->warnings, section, "certificate", "[tls%s%s] certificate: %s is not good for %s",
			own != NULL ? " " : "", own != NULL ? own : "", path, name);
}

void
check_certificates(const Loaded *loaded)
{
	const GPtrArray *sections = config_sections(loaded->config, "tls");

	for (guint i = 0; i < sections->len; i++)
		machine_judge_certificate(loaded, g_ptr_array_index(sections, i));
}

static void
machine_check_tls(const Loaded *loaded, GPtrArray *mistakes)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(TlsServer) tls = NULL;

	if (config_sections(loaded->config, "tls")->len == 0)
		return; /* the start makes one of our own */
	tls = settings_tls(loaded->config, loaded->engine, "", &error);
	if (error != NULL)
		settings_complain(mistakes, config_section(loaded->config, "tls", NULL), NULL, "[tls] %s", error->message);
	check_certificates(loaded);
}

/* ---- what entries of the directory say ---- */

static void
machine_put_missing_level(void *data, const char *customer, const char *level)
{
	const Loaded *loaded = data;

	settings_complain(loaded->warnings, NULL, NULL,
		"there is no [level %s], which customer %s has: the presets hold instead", level, customer);
}

/* The same by the table of customers that the running daemon gives: "R name level …". */
static void
machine_check_levels_of_running(const Loaded *loaded, const char *table)
{
	g_auto(GStrv) lines = g_strsplit(table, "\n", -1);

	for (char **line = lines; *line != NULL; line++) {
		g_auto(GStrv) cells = g_strsplit(*line, "\t", 4);

		if (g_strv_length(cells) > 2 && strcmp(cells[0], "R") == 0 && *cells[2] != '\0' &&
			config_section(loaded->config, "level", cells[2]) == NULL)
			machine_put_missing_level((void *)(uintptr_t)loaded, cells[1], cells[2]);
	}
}

/* ---- services ---- */

/* NULL: nothing can be said of it: a local file that is not there yet, or one that cannot be used. */
static Store *
machine_open_store(const Loaded *loaded, Daemon *trial, const char *name, GPtrArray *mistakes)
{
	const ConfigSection *section = config_section(loaded->config, name, NULL);
	const char *at = config_text(section, "at");
	g_autoptr(GError) error = NULL;
	Store *store;

	if (g_str_has_prefix(at, "sqlite:") && !g_file_test(at + strlen("sqlite:"), G_FILE_TEST_EXISTS))
		return NULL;
	store = services_open_store(trial, name, strcmp(name, "directory") == 0, &error);
	if (store == NULL) {
		settings_complain(mistakes, section, "at", "[%s] at: %s", name, error->message);
		return NULL;
	}
	if (store_is_away(store)) {
		g_autofree char *why = store_describe(store);

		settings_complain(loaded->warnings, section, "at", "[%s] at: %s", name, why);
		g_clear_pointer(&store, store_close);
	}
	return store;
}

static void
machine_check_stores(const Loaded *loaded, Daemon *trial, GPtrArray *mistakes)
{
	Store *store = machine_open_store(loaded, trial, "store", mistakes);
	Store *entries = machine_open_store(loaded, trial, "directory", mistakes);
	Directory *directory = entries != NULL ? directory_new(entries) : NULL;

	if (directory != NULL)
		(void)levels_each_missing(
			loaded->config, directory, machine_put_missing_level, (void *)(uintptr_t)loaded);
	directory_free(directory);
	store_close(entries);
	store_close(store);
}

/* Local stores are open already where the daemon of this configuration runs. */
static void
machine_check_services(const Loaded *loaded, Daemon *trial, GPtrArray *mistakes)
{
	g_autofree char *customers =
		check_ask_running(loaded->config, (const char *const[]){ "customer", "list", NULL });
	g_autoptr(GError) error = NULL;

	if (customers != NULL)
		machine_check_levels_of_running(loaded, customers);
	else
		machine_check_stores(loaded, trial, mistakes);
	if (!services_open_dns(trial, &error))
		settings_complain(mistakes, config_section(loaded->config, "dns", NULL), NULL, "%s", error->message);
}

/* ---- plugins ---- */

static void
machine_put_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	(void)since_us;
	g_ptr_array_add(data, g_strdup_printf("alarm %s: %s", name, text));
}

/* Each by itself, so that all of them are heard. */
static void
machine_start_plugin(const Loaded *loaded, const HostServices *services, PluginRows *row, GPtrArray *mistakes)
{
	g_autofree char *title = g_strdup_printf("plugin %s", row->plugin->name);
	g_autoptr(GPtrArray) alone = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(PluginSet) set = NULL;

	g_ptr_array_add(alone, row);
	set = host_new(services, alone, loaded->config, NULL, &error);
	if (set == NULL)
		settings_complain(
			mistakes, config_section(loaded->config, title, NULL), NULL, "[%s] %s", title, error->message);
}

/* They start in a world that is empty and forgotten afterwards. */
static void
machine_check_plugins(const Loaded *loaded, Daemon *trial, GPtrArray *mistakes)
{
	Engine *engine = &trial->engine;
	g_autoptr(TlsClient) tls = tls_client_new(NULL, NULL);

	engine->metrics = metrics_new(); /* their alarms alone */
	engine->store = store_open("memory:", false, engine->clock, NULL);
	engine->counts = counts_new(
		&(CountsSettings){ .store = engine->store, .metrics = engine->metrics });
	trial->directory_store = store_open("memory:", true, engine->clock, NULL);
	engine->directory = directory_new(trial->directory_store);
	engine->blocks = blocks_new(engine->store, engine->clock);
	trial->services.engine = engine;
	trial->services.is_check = true;
	trial->services.tls = tls;
	trial->services.helo = loaded->delivery->helo;
	trial->services.node = (unsigned)config_number(config_section(loaded->config, "server", NULL), "node");
	trial->services.notices = notice_settings(loaded->engine);
	for (guint i = 0; i < loaded->rows->len; i++)
		machine_start_plugin(loaded, &trial->services, g_ptr_array_index(loaded->rows, i), mistakes);
	metrics_each_alarm(engine->metrics, machine_put_alarm, loaded->warnings);
	blocks_free(engine->blocks);
	directory_free(engine->directory);
	store_close(trial->directory_store);
	counts_free(engine->counts);
	store_close(engine->store);
	metrics_free(engine->metrics);
}

void
check_machine(const Loaded *loaded, GPtrArray *mistakes)
{
	g_autoptr(GArray) places = machine_places(loaded->config);
	g_autoptr(Metrics) metrics = metrics_new();
	Daemon trial = { .config = loaded->config, .engine = { .clock = clock_system(), .metrics = metrics } };
	g_autoptr(GError) error = NULL;
	const bool is_user = machine_check_user(loaded, mistakes);

	(void)log_open("/dev/null", LOG_TEXT, LOG_LEVEL_ERROR, NULL); /* what there is to say is said below */
	check_doors(loaded, mistakes);
	machine_check_places(loaded, places, mistakes, machine_check_missing);
	if (!is_user)
		return;
	if (!process_take_user(loaded->config, &error)) {
		g_ptr_array_add(mistakes, g_strdup(error->message));
		return;
	}
	machine_check_places(loaded, places, mistakes, machine_check_there);
	machine_check_log(loaded, mistakes);
	machine_check_tls(loaded, mistakes);
	machine_check_services(loaded, &trial, mistakes);
	if (trial.services.dns != NULL)
		machine_check_plugins(loaded, &trial, mistakes);
	dns_free(trial.services.dns);
}
