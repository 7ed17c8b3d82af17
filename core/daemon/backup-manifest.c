/* backup-manifest.c - MANIFEST of a backup. */
#include "daemon/backup-manifest.h"

#include <stddef.h>
#include <string.h>

#include "base/error.h"

#define MANIFEST_MAGIC "postern-backup "
enum { MANIFEST_FORMAT = 1, MANIFEST_FIELDS = 8 };

static const struct {
	const char *name;
	size_t offset;
} manifest_texts[] = {
	{ "version", offsetof(Manifest, version) },
	{ "host", offsetof(Manifest, host) },
	{ "machine", offsetof(Manifest, machine) },
	{ "node", offsetof(Manifest, node) },
	{ "made", offsetof(Manifest, made) },
	{ "config", offsetof(Manifest, config) },
	{ "state", offsetof(Manifest, state) },
	{ "spool", offsetof(Manifest, spool) },
};

static char **
manifest_member(Manifest *manifest, size_t i)
{
	return (char **)(void *)((char *)manifest + manifest_texts[i].offset);
}

static void
manifest_free_file(void *data)
{
	ManifestFile *file = data;

	g_free(file->kind);
	g_free(file->sha256);
	g_free(file->user);
	g_free(file->group);
	g_free(file->path);
	g_free(file);
}

Manifest *
manifest_new(void)
{
	Manifest *manifest = g_new0(Manifest, 1);

	manifest->files = g_ptr_array_new_with_free_func(manifest_free_file);
	manifest->without = g_ptr_array_new_with_free_func(g_free);
	return manifest;
}

void
manifest_free(Manifest *manifest)
{
	if (manifest == NULL)
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(manifest_texts); i++)
		g_free(*manifest_member(manifest, i));
	g_ptr_array_unref(manifest->files);
	g_ptr_array_unref(manifest->without);
	g_free(manifest);
}

void
manifest_add(Manifest *manifest, const ManifestFile *file)
{
	ManifestFile *mine = g_new0(ManifestFile, 1);

	*mine = (ManifestFile){ g_strdup(file->kind), g_strdup(file->sha256), g_strdup(file->user),
		g_strdup(file->group), g_strdup(file->path), file->size, file->mode };
	g_ptr_array_add(manifest->files, mine);
}

/* ---- writing ---- */

static void
manifest_put_lines(const Manifest *manifest, GString *out)
{
	g_string_printf(out, MANIFEST_MAGIC "%d\n", MANIFEST_FORMAT);
	for (size_t i = 0; i < G_N_ELEMENTS(manifest_texts); i++) {
		const char *value = *manifest_member((Manifest *)(uintptr_t)manifest, i);

		if (value != NULL)
			g_string_append_printf(out, "%s %s\n", manifest_texts[i].name, value);
	}
	for (guint i = 0; i < manifest->files->len; i++) {
		const ManifestFile *file = g_ptr_array_index(manifest->files, i);

		g_string_append_printf(out, "file %s %s %" G_GUINT64_FORMAT " %04o %s %s %s\n", file->kind, file->sha256,
			file->size, (unsigned)file->mode, file->user, file->group, file->path);
	}
	for (guint i = 0; i < manifest->without->len; i++)
		g_string_append_printf(out, "without %s\n", (const char *)g_ptr_array_index(manifest->without, i));
}

char *
manifest_text(const Manifest *manifest, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *sha256 = NULL;

	for (guint i = 0; i < manifest->files->len; i++) {
		const ManifestFile *file = g_ptr_array_index(manifest->files, i);

		if (strchr(file->path, '\n') != NULL) {
			(void)error_set(error, POSTERN_ERROR_INVALID, "the name of a file holds a newline: %s", file->path);
			return NULL;
		}
	}
	manifest_put_lines(manifest, out);
	sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)out->str, out->len);
	g_string_append_printf(out, "end %s\n", sha256);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

/* ---- reading ---- */

/* A path that leaves the backup would let a forged one read or write elsewhere. */
static bool
manifest_is_inside(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);

	for (char **part = parts; *part != NULL; part++)
		if (**part == '\0' || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
			return false;
	return true;
}

static bool
manifest_fits_kind(const ManifestFile *file)
{
	if (strcmp(file->kind, "items") == 0)
		return strcmp(file->path, MANIFEST_DIRECTORY) == 0 || strcmp(file->path, MANIFEST_STORE) == 0;
	if (strcmp(file->kind, "config") == 0)
		return g_str_has_prefix(file->path, MANIFEST_FILES "/");
	return strcmp(file->kind, "state") == 0 && g_str_has_prefix(file->path, MANIFEST_STATE "/") &&
		   strchr(file->path + strlen(MANIFEST_STATE) + 1, '/') == NULL;
}

static bool
manifest_read_file(Manifest *manifest, const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", MANIFEST_FIELDS);
	guint64 mode;
	ManifestFile file = { 0 };

	if (g_strv_length(words) != MANIFEST_FIELDS ||
		!g_ascii_string_to_unsigned(words[3], 10, 0, G_MAXINT64, &file.size, NULL) ||
		!g_ascii_string_to_unsigned(words[4], 8, 0, 07777, &mode, NULL))
		return false;
	file.kind = words[1];
	file.sha256 = words[2];
	file.mode = (mode_t)mode;
	file.user = words[5];
	file.group = words[6];
	file.path = words[7];
	if (!manifest_is_inside(file.path) || !manifest_fits_kind(&file))
		return false;
	manifest_add(manifest, &file);
	return true;
}

/* Names that this version does not know are passed over: a later one may add some to the same format. */
static bool
manifest_read_line(Manifest *manifest, const char *line)
{
	if (g_str_has_prefix(line, "file "))
		return manifest_read_file(manifest, line);
	if (g_str_has_prefix(line, "without "))
		g_ptr_array_add(manifest->without, g_strdup(line + strlen("without ")));
	for (size_t i = 0; i < G_N_ELEMENTS(manifest_texts); i++) {
		const size_t length = strlen(manifest_texts[i].name);
		char **member = manifest_member(manifest, i);

		if (g_str_has_prefix(line, manifest_texts[i].name) && line[length] == ' ' && *member == NULL)
			*member = g_strdup(line + length + 1);
	}
	return true;
}

static bool
manifest_check_format(const char *path, const char *text, GError **error)
{
	if (!g_str_has_prefix(text, MANIFEST_MAGIC))
		return error_set(error, POSTERN_ERROR_INVALID, "%s is not that of a backup of Postern", path);
	if (g_ascii_strtoll(text + strlen(MANIFEST_MAGIC), NULL, 10) > MANIFEST_FORMAT)
		return error_set(error, POSTERN_ERROR_INVALID,
			"%s is of format %" G_GINT64_FORMAT ", made by a later version; this one reads format %d", path,
			g_ascii_strtoll(text + strlen(MANIFEST_MAGIC), NULL, 10), MANIFEST_FORMAT);
	return true;
}

/* Cuts the last line off; false: it is not there, or not the checksum of the others. */
static bool
manifest_check_end(const char *path, char *text, GError **error)
{
	char *last = g_strrstr(text, "\nend ");
	g_autofree char *sha256 = NULL;

	if (last != NULL) {
		last++;
		sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, (gsize)(last - text));
	}
	if (last == NULL || strncmp(last + 4, sha256, strlen(sha256)) != 0 ||
		strcmp(last + 4 + strlen(sha256), "\n") != 0)
		return error_set(
			error, POSTERN_ERROR_DAMAGED, "%s is damaged or truncated: its checksum is another", path);
	*last = '\0';
	return true;
}

Manifest *
manifest_read(const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, MANIFEST_NAME, NULL);
	g_autoptr(Manifest) manifest = manifest_new();
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	g_autoptr(GError) why = NULL;

	if (!g_file_get_contents(path, &text, NULL, &why)) {
		(void)error_set(error, POSTERN_ERROR_NOT_FOUND, "%s is no backup: %s", directory, why->message);
		return NULL;
	}
	if (!manifest_check_format(path, text, error) || !manifest_check_end(path, text, error))
		return NULL;
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		if (!manifest_read_line(manifest, *line)) {
			(void)error_set(error, POSTERN_ERROR_DAMAGED, "%s holds a line that makes no sense: %s", path, *line);
			return NULL;
		}
	}
	return g_steal_pointer(&manifest);
}

/* ---- the files ---- */

static bool
manifest_check_file(const ManifestFile *file, const char *directory, GError **error)
{
	g_autofree char *path = g_build_filename(directory, file->path, NULL);
	g_autofree char *data = NULL;
	g_autofree char *sha256 = NULL;
	g_autoptr(GError) why = NULL;
	gsize size;

	if (g_file_test(path, G_FILE_TEST_IS_SYMLINK))
		return error_set(error, POSTERN_ERROR_DAMAGED, "%s is a symbolic link; a backup has none", path);
	if (!g_file_get_contents(path, &data, &size, &why))
		return error_set(error, POSTERN_ERROR_DAMAGED, "the backup is not whole: %s", why->message);
	if (size != file->size)
		return error_set(error, POSTERN_ERROR_DAMAGED,
			"%s has %zu octets, and had %" G_GUINT64_FORMAT " when the backup was made", path, size, file->size);
	sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)data, size);
	return strcmp(sha256, file->sha256) == 0 ||
		   error_set(error, POSTERN_ERROR_DAMAGED, "%s is damaged: its checksum is another", path);
}

bool
manifest_check_files(const Manifest *manifest, const char *directory, GError **error)
{
	unsigned items = 0;

	for (guint i = 0; i < manifest->files->len; i++) {
		const ManifestFile *file = g_ptr_array_index(manifest->files, i);

		if (!manifest_check_file(file, directory, error))
			return false;
		items += strcmp(file->kind, "items") == 0;
	}
	return items == 2 ||
		   error_set(error, POSTERN_ERROR_DAMAGED, "%s lacks the items of directory and store", directory);
}

bool
manifest_is_ours(const char *directory, bool may_lack_manifest)
{
	static const char *const names[] = { MANIFEST_NAME, MANIFEST_FILES, MANIFEST_DIRECTORY, MANIFEST_STORE,
		MANIFEST_STATE, NULL };
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	g_autofree char *path = g_build_filename(directory, MANIFEST_NAME, NULL);
	g_autofree char *text = NULL;
	const char *name;

	if (dir == NULL)
		return false;
	while ((name = g_dir_read_name(dir)) != NULL)
		if (!g_strv_contains(names, name))
			return false;
	if (!g_file_get_contents(path, &text, NULL, NULL))
		return may_lack_manifest;
	return g_str_has_prefix(text, MANIFEST_MAGIC);
}
