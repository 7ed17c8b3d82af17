/* backup-config.c - which files belong to a configuration: read from its text, since posternctl loads no plugins. */
#include <string.h>

#include "base/error.h"
#include "daemon/backup.h"
#include "daemon/options.h"
#include "service/config-read.h"

static void
backup_add_once(GPtrArray *paths, const char *path)
{
	if (!g_ptr_array_find_with_equal_func(paths, path, g_str_equal, NULL))
		g_ptr_array_add(paths, g_strdup(path));
}

static bool
backup_is_below(const char *path, const char *directory)
{
	return directory != NULL && g_str_has_prefix(path, directory) && path[strlen(directory)] == '/';
}

static void
backup_add_key(const ConfigText *section, const ConfigKey *key, const char *state_directory, BackupConfig *files)
{
	const bool is_tls = strcmp(section->title, "tls") == 0 || g_str_has_prefix(section->title, "tls ");

	if (option_is_reference(key->value))
		backup_add_once(files->copied, key->value + 1);
	else if (strcmp(key->key, "trust") == 0 || strcmp(key->key, "trust-anchor") == 0)
		backup_add_once(files->copied, key->value);
	else if (is_tls && (strcmp(key->key, "certificate") == 0 || strcmp(key->key, "key") == 0))
		backup_add_once(backup_is_below(key->value, state_directory) ? files->copied : files->named, key->value);
}

static void
backup_add_templates(const GPtrArray *sections, BackupConfig *files)
{
	g_autofree char *directory = options_of_texts(sections, "", "server", "templates");
	g_autoptr(GDir) dir = directory != NULL ? g_dir_open(directory, 0, NULL) : NULL;
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *path = g_build_filename(directory, name, NULL);

		if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
			backup_add_once(files->copied, path);
	}
}

bool
backup_list_config(const char *path, const char *state_directory, BackupConfig *files, GError **error)
{
	g_autoptr(GPtrArray) own = config_files(path, error);
	g_autoptr(GPtrArray) sections = options_texts("", path);

	if (own == NULL)
		return false;
	for (guint i = 0; i < own->len; i++)
		backup_add_once(files->copied, g_ptr_array_index(own, i));
	for (guint i = 0; i < sections->len; i++) {
		const ConfigText *section = g_ptr_array_index(sections, i);

		for (guint k = 0; k < section->keys->len; k++)
			backup_add_key(section, g_ptr_array_index(section->keys, k), state_directory, files);
	}
	backup_add_templates(sections, files);
	return true;
}
