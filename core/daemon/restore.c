/* restore.c - posternctl restore: what it needs to know first, then stores and files. */
#include "daemon/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "daemon/backup-items.h"
#include "daemon/claim.h"
#include "daemon/options.h"
#include "daemon/owner.h"
#include "daemon/settings.h"
#include "daemon/store-copy.h"

typedef struct {
	const char *section, *items;
	char *url;
	Store *from; /* what the backup has, in memory */
	Store *to;   /* NULL: it is not there yet, or is skipped */
	size_t n;
	bool is_skipped; /* it is kept in memory, and has nothing to restore to */
	bool is_full;
} RestoreStore;

typedef struct {
	const Arguments *arguments;
	char *directory;
	bool says_yes, is_dry, keeps_config;
	Manifest *manifest;
	char *root;   /* what stands before paths of the configuration that rules: "", or the copies in the backup */
	char *config; /* its path */
	GPtrArray *texts;
	char *state, *user;
	RestoreStore stores[2];
	GPtrArray *obstacles; /* char*: what --yes overwrites */
} Restore;

/* ---- the backup ---- */

static bool
restore_read_items(const Restore *restore, RestoreStore *store, GError **error)
{
	const StoreSettings settings = { .url = "memory:", .clock = clock_system(), .most_items = SIZE_MAX };
	g_autofree char *path = g_build_filename(restore->directory, store->items, NULL);
	g_autofree char *text = NULL;
	gsize size;

	store->from = store_open_with(&settings, error);
	if (store->from == NULL || !g_file_get_contents(path, &text, &size, error))
		return false;
	if (backup_read_items(text, size, store->from, &store->n, error))
		return true;
	g_prefix_error(error, "%s is damaged: ", path);
	return false;
}

static bool
restore_read(Restore *restore, GError **error)
{
	restore->manifest = manifest_read(restore->directory, error);
	if (restore->manifest == NULL || !manifest_check_files(restore->manifest, restore->directory, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(restore->stores); i++)
		if (!restore_read_items(restore, &restore->stores[i], error))
			return false;
	return true;
}

/* ---- the configuration that rules ---- */

static bool
restore_choose_config(Restore *restore, GError **error)
{
	const char *given = restore->arguments->config, *saved = restore->manifest->config;
	g_autofree char *mine = given != NULL ? g_canonicalize_filename(given, NULL) : NULL;

	if (saved == NULL)
		restore->keeps_config = true;
	if (!restore->keeps_config && mine != NULL && strcmp(mine, saved) != 0)
		return error_set(error, POSTERN_ERROR_INVALID,
			"the backup has the configuration %s, and here %s is in use: give -c %s to restore that, "
			"or --keep-config to load the backup into the stores that %s names",
			saved, mine, saved, mine);
	restore->root =
		restore->keeps_config ? g_strdup("") : g_build_filename(restore->directory, MANIFEST_FILES, NULL);
	restore->config = restore->keeps_config ? g_steal_pointer(&mine) : g_strdup(saved);
	restore->texts = options_texts(restore->root, restore->config);
	restore->user = options_of_texts(restore->texts, restore->root, "server", "user");
	return true;
}

static char *
restore_option(const Restore *restore, const char *section, const char *name)
{
	return options_of_texts(restore->texts, restore->root, section, name);
}

static void
restore_find_state(Restore *restore)
{
	g_autofree char *at = restore_option(restore, "directory", "at");

	restore->state = settings_parent_of(at);
	if (restore->state == NULL)
		restore->state = restore_option(restore, "spool", "directory");
}

/* ---- the stores ---- */

static Store *
restore_open(const Restore *restore, const RestoreStore *store, GError **error)
{
	g_autofree char *prefix = restore_option(restore, store->section, "prefix");
	g_autofree char *user = restore_option(restore, store->section, "user");
	g_autofree char *password = restore_option(restore, store->section, "password");
	g_autofree char *trust = restore_option(restore, store->section, "trust");
	const StoreSettings settings = { .url = store->url,
		.clock = clock_system(),
		.most_items = SIZE_MAX, /* nothing is lost by restoring */
		.prefix = prefix,
		.user = user,
		.password = password,
		.trust = trust,
		.deadline_us = 10 * CLOCK_SECOND };

	return posternctl_open_settings(&settings, error);
}

typedef struct {
	bool is_full;
	char *holder; /* the node that uses it: the claim's key */
} Contents;

static bool
restore_look(void *data, const StoreItem *item)
{
	Contents *contents = data;

	if (!g_str_has_prefix(item->key, CLAIM_PREFIX)) {
		contents->is_full = true;
	} else if (item->expires_us > g_get_real_time()) {
		contents->holder = g_strdup(item->key);
		return false;
	}
	return true;
}

static bool
restore_look_into(Restore *restore, RestoreStore *store, GError **error)
{
	Contents contents = { 0 };
	const PtnStatus status = store_each(store->to, restore_look, &contents);
	g_autofree char *holder = contents.holder;

	if (holder != NULL)
		return error_set(error, POSTERN_ERROR_EXISTS,
			"[%s] %s is in use by %s: stop all nodes that share it (a node that died counts for another minute)",
			store->section, store->url, holder);
	if (status != PTN_OK)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "[%s] %s cannot be read", store->section, store->url);
	store->is_full = contents.is_full;
	if (store->is_full)
		g_ptr_array_add(restore->obstacles,
			g_strdup_printf("[%s] %s is not empty: what it holds would be replaced", store->section, store->url));
	return true;
}

static bool
restore_check_store(Restore *restore, RestoreStore *store, GError **error)
{
	const char *file;

	store->url = restore_option(restore, store->section, "at");
	if (store->url == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "[%s] at cannot be read", store->section);
	store->is_skipped = g_str_has_prefix(store->url, "memory:");
	if (store->is_skipped && strcmp(store->section, "directory") == 0)
		return error_set(error, POSTERN_ERROR_INVALID,
			"[directory] is kept in memory by this configuration, so there is nothing to restore it to");
	file = owner_file_of(store->url);
	if (store->is_skipped || (file != NULL && !g_file_test(file, G_FILE_TEST_EXISTS)))
		return true;
	store->to = restore_open(restore, store, error);
	return store->to != NULL && restore_look_into(restore, store, error);
}

/* Keys that the backup does not have. */
typedef struct {
	Store *from;
	GPtrArray *keys;
} Surplus;

static bool
restore_find_surplus(void *data, const StoreItem *item)
{
	Surplus *surplus = data;
	g_autofree char *value = NULL;

	if (store_get(surplus->from, item->key, CLOCK_NEVER, &value, NULL) == PTN_NONE)
		g_ptr_array_add(surplus->keys, g_strdup(item->key));
	return true;
}

static bool
restore_remove_surplus(const RestoreStore *store, GError **error)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	Surplus surplus = { store->from, keys };

	if (store_each(store->to, restore_find_surplus, &surplus) != PTN_OK)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "[%s] cannot be read", store->section);
	for (guint i = 0; i < keys->len; i++)
		if (store_remove(store->to, g_ptr_array_index(keys, i), CLOCK_NEVER) == PTN_UNSURE)
			return error_set(error, POSTERN_ERROR_UNAVAILABLE, "[%s] cannot be emptied", store->section);
	return true;
}

static bool
restore_fill_store(const Restore *restore, const RestoreFiles *files, RestoreStore *store, GError **error)
{
	g_autofree char *parent = settings_parent_of(store->url);
	const bool is_made = parent != NULL && !g_file_test(parent, G_FILE_TEST_EXISTS);
	StoreCopied copied;
	size_t expired;

	if (store->is_skipped) {
		printf("store: not restored, since this configuration keeps it in memory.\n");
		return true;
	}
	if (is_made && g_mkdir_with_parents(parent, 0700) != 0)
		return error_set_errno(error, "cannot make the directory %s", parent);
	if (store->to == NULL)
		store->to = restore_open(restore, store, error);
	if (store->to == NULL || (store->is_full && !restore_remove_surplus(store, error)) ||
		!store_copy(store->from, store->to, true, &copied, error))
		return false;
	g_clear_pointer(&store->to, store_close);
	if (!owner_give_store(files->user, store->url, error) || (is_made && !owner_give(files->user, parent, error)))
		return false;
	printf("%s: %zu item%s into %s, all compared", store->section, copied.copied, copied.copied == 1 ? "" : "s",
		store->url);
	expired = store->n - copied.copied + copied.expired;
	printf(expired > 0 ? " (%zu had expired since the backup).\n" : ".\n", expired);
	return true;
}

/* ---- the command ---- */

static bool
restore_is_running(const Restore *restore)
{
	g_autoptr(GSocketConnection) connection = posternctl_connect(restore->arguments, 5, NULL);

	return connection != NULL;
}

/* For who checks backups while the daemon runs, whose stores nobody else can look into. */
static void
restore_report_whole(const Restore *restore)
{
	printf("the backup of %s, made at %s, is whole: %zu items of the directory, %zu of the store, %u files.  "
		   "posternd runs, so what a restore would replace was not looked at.\n",
		restore->manifest->host, restore->manifest->made, restore->stores[0].n, restore->stores[1].n,
		restore->manifest->files->len - 2);
}

static bool
restore_refuse_obstacles(const Restore *restore, GError **error)
{
	g_autofree char *all = NULL;

	if (restore->obstacles->len == 0 || restore->says_yes || restore->is_dry)
		return true;
	g_ptr_array_add(restore->obstacles, NULL);
	all = g_strjoinv("\n", (char **)restore->obstacles->pdata);
	return error_set(error, POSTERN_ERROR_EXISTS,
		"%s\n--yes replaces it; --keep-config leaves files of the configuration as they are", all);
}

static void
restore_report_plan(const Restore *restore)
{
	for (size_t i = 0; i < G_N_ELEMENTS(restore->stores); i++)
		printf("%s: %zu items would go into %s.\n", restore->stores[i].section, restore->stores[i].n,
			restore->stores[i].url);
	for (guint i = 0; i < restore->obstacles->len; i++)
		printf("only with --yes: %s.\n", (const char *)g_ptr_array_index(restore->obstacles, i));
	printf("the backup is whole; nothing was written.\n");
}

static void
restore_report(const Restore *restore, const RestoreFiles *files)
{
	const Manifest *manifest = restore->manifest;

	printf("files: %u written, %u were so already%s.\n", files->written, files->same,
		restore->keeps_config ? "; the configuration of this machine was kept" : "");
	printf("restored: node %s of %s as it was at %s (Postern %s, made on %s).\n", manifest->node, manifest->host,
		manifest->made, manifest->version, manifest->machine);
	for (guint i = 0; i < manifest->without->len; i++) {
		const char *path = g_ptr_array_index(manifest->without, i);

		if (!g_file_test(path, G_FILE_TEST_EXISTS))
			printf("still missing, since no backup has it: %s\n", path);
	}
}

static bool
restore_write(Restore *restore, RestoreFiles *files, GError **error)
{
	if (!restore_write_files(files, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(restore->stores); i++)
		if (!restore_fill_store(restore, files, &restore->stores[i], error))
			return false;
	return true;
}

static bool
restore_run(Restore *restore, GError **error)
{
	RestoreFiles files = { .directory = restore->directory };

	if (!restore_read(restore, error))
		return false;
	if (restore_is_running(restore)) {
		if (restore->is_dry)
			restore_report_whole(restore);
		return restore->is_dry ||
			   error_set(error, POSTERN_ERROR_EXISTS, "posternd runs: stop it first (systemctl stop postern)");
	}
	if (!restore_choose_config(restore, error))
		return false;
	restore_find_state(restore);
	files.manifest = restore->manifest;
	files.state = restore->state;
	files.user = restore->user;
	files.keeps_config = restore->keeps_config;
	for (size_t i = 0; i < G_N_ELEMENTS(restore->stores); i++)
		if (!restore_check_store(restore, &restore->stores[i], error))
			return false;
	if (!restore_check_files(&files, restore->obstacles, error) || !restore_refuse_obstacles(restore, error))
		return false;
	if (restore->is_dry) {
		restore_report_plan(restore);
		return true;
	}
	if (!restore_write(restore, &files, error)) {
		g_prefix_error(error, "the restore is not complete; give it again, with --yes: ");
		return true;
	}
	restore_report(restore, &files);
	return true;
}

static bool
restore_take_words(Restore *restore, char *const *words, GError **error)
{
	for (; *words != NULL; words++) {
		if (strcmp(*words, "--yes") == 0)
			restore->says_yes = true;
		else if (strcmp(*words, "--dry-run") == 0)
			restore->is_dry = true;
		else if (strcmp(*words, "--keep-config") == 0)
			restore->keeps_config = true;
		else if ((*words)[0] != '-' && restore->directory == NULL)
			restore->directory = g_canonicalize_filename(*words, NULL);
		else
			return error_set(error, POSTERN_ERROR_INVALID, "restore takes no \"%s\"; nothing was done", *words);
	}
	return restore->directory != NULL ||
		   error_set(error, POSTERN_ERROR_INVALID, "restore wants the directory of a backup");
}

static void
restore_clear(Restore *restore)
{
	for (size_t i = 0; i < G_N_ELEMENTS(restore->stores); i++) {
		g_clear_pointer(&restore->stores[i].from, store_close);
		g_clear_pointer(&restore->stores[i].to, store_close);
		g_free(restore->stores[i].url);
	}
	manifest_free(restore->manifest);
	if (restore->texts != NULL)
		g_ptr_array_unref(restore->texts);
	g_ptr_array_unref(restore->obstacles);
	g_free(restore->directory);
	g_free(restore->root);
	g_free(restore->config);
	g_free(restore->state);
	g_free(restore->user);
}

int
posternctl_restore(const Arguments *arguments, GError **error)
{
	Restore restore = { .arguments = arguments,
		.stores = { { .section = "directory", .items = MANIFEST_DIRECTORY },
			{ .section = "store", .items = MANIFEST_STORE } } };
	GError *failure = NULL;

	restore.obstacles = g_ptr_array_new_with_free_func(g_free);
	if (restore_take_words(&restore, arguments->words + 1, &failure) && !restore_run(&restore, &failure))
		g_prefix_error(&failure, "nothing was restored: ");
	restore_clear(&restore);
	if (failure == NULL)
		return EXIT_SUCCESS;
	g_propagate_error(error, failure);
	return EXIT_FAILURE;
}
