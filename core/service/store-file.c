/* store-file.c - the SQLite file behind a store.
 *
 * One table of items; the format number is SQLite's user_version, so that the sqlite3 program shows it.  A lock file
 * beside it keeps a second daemon away, whose memory would not agree with ours; people may read the file at any time. */
#include "service/store-file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { STORE_FORMAT = 1, STORE_APPLICATION = 0x50746e53 /* "PtnS" */, STORE_BUSY_MS = 5000 };

struct StoreFile {
	sqlite3 *db;
	sqlite3_stmt *put, *remove, *note;
	char *path;
	int lock_fd;
};

static bool
store_file_fail(StoreFile *file, const char *what, GError **error)
{
	const int code = sqlite3_errcode(file->db) & 0xff;
	const PosternError kind = code == SQLITE_FULL                               ? POSTERN_ERROR_FULL
							  : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? POSTERN_ERROR_DAMAGED
																				: POSTERN_ERROR_IO;

	return error_set(error, kind, "%s: %s: %s", file->path, what, sqlite3_errmsg(file->db));
}

static bool
store_file_run(StoreFile *file, const char *sql, GError **error)
{
	return sqlite3_exec(file->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
		   store_file_fail(file, "cannot write", error);
}

static bool
store_file_number(StoreFile *file, const char *sql, int64_t *number, GError **error)
{
	sqlite3_stmt *statement = NULL;
	bool is_read;

	is_read = sqlite3_prepare_v2(file->db, sql, -1, &statement, NULL) == SQLITE_OK &&
			  sqlite3_step(statement) == SQLITE_ROW;
	if (is_read)
		*number = sqlite3_column_int64(statement, 0);
	else
		(void)store_file_fail(file, "cannot read", error);
	sqlite3_finalize(statement);
	return is_read;
}

static bool
store_file_lock(StoreFile *file, GError **error)
{
	g_autofree char *path = g_strconcat(file->path, ".lock", NULL);

	file->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (file->lock_fd < 0)
		return error_set_errno(error, "cannot open %s", path);
	if (flock(file->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? error_set(error, POSTERN_ERROR_EXISTS,
										  "%s is in use already, here or by another process", file->path)
									: error_set_errno(error, "cannot lock %s", path);
	return true;
}

/* The password hashes of the directory are nobody else's: SQLite gives its WAL the mode of the file. */
static bool
store_file_make(StoreFile *file, GError **error)
{
	const int fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return error_set_errno(error, "cannot open %s", file->path);
	(void)close(fd);
	if (sqlite3_open_v2(file->path, &file->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return store_file_fail(file, "cannot open", error);
	(void)sqlite3_busy_timeout(file->db, STORE_BUSY_MS);
	return true;
}

static bool
store_file_check_format(StoreFile *file, GError **error)
{
	int64_t format, application;

	if (!store_file_number(file, "PRAGMA user_version", &format, error) ||
		!store_file_number(file, "PRAGMA application_id", &application, error))
		return false;
	if (format > STORE_FORMAT)
		return error_set(error, POSTERN_ERROR_INVALID,
			"%s has format %d, this Postern knows formats up to %d: it was written by a newer one", file->path,
			(int)format, STORE_FORMAT);
	if (format != 0 && application != STORE_APPLICATION)
		return error_set(error, POSTERN_ERROR_INVALID, "%s is not a store of Postern", file->path);
	return true;
}

static bool
store_file_set_up(StoreFile *file, bool is_durable, GError **error)
{
	g_autofree char *marks =
		g_strdup_printf("PRAGMA application_id = %d; PRAGMA user_version = %d", STORE_APPLICATION, STORE_FORMAT);

	return store_file_run(file, "PRAGMA journal_mode = WAL", error) &&
		   store_file_run(file, is_durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", error) &&
		   store_file_run(file,
			   "BEGIN IMMEDIATE;"
			   "CREATE TABLE IF NOT EXISTS items (key TEXT PRIMARY KEY, value TEXT NOT NULL, "
			   "version INTEGER NOT NULL,"
			   " expires INTEGER NOT NULL) WITHOUT ROWID;"
			   "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;"
			   "INSERT OR IGNORE INTO meta VALUES ('version', 0)",
			   error) &&
		   store_file_run(file, marks, error) && store_file_run(file, "COMMIT", error);
}

static bool
store_file_prepare(StoreFile *file, GError **error)
{
	const struct {
		const char *sql;
		sqlite3_stmt **statement;
	} all[] = { { "INSERT OR REPLACE INTO items VALUES (?1, ?2, ?3, ?4)", &file->put },
		{ "DELETE FROM items WHERE key = ?1", &file->remove },
		{ "UPDATE meta SET number = ?1 WHERE name = 'version'", &file->note } };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		if (sqlite3_prepare_v3(file->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].statement, NULL) !=
			SQLITE_OK)
			return store_file_fail(file, "cannot prepare", error);
	return true;
}

StoreFile *
store_file_open(const char *path, bool is_durable, GError **error)
{
	g_autoptr(StoreFile) file = g_new0(StoreFile, 1);

	file->path = g_strdup(path);
	file->lock_fd = -1;
	if (!store_file_lock(file, error) || !store_file_make(file, error) || !store_file_check_format(file, error) ||
		!store_file_set_up(file, is_durable, error) || !store_file_prepare(file, error))
		return NULL;
	return g_steal_pointer(&file);
}

void
store_file_close(StoreFile *file)
{
	if (file == NULL)
		return;
	sqlite3_finalize(file->put);
	sqlite3_finalize(file->remove);
	sqlite3_finalize(file->note);
	sqlite3_close(file->db);
	if (file->lock_fd >= 0)
		(void)close(file->lock_fd);
	g_free(file->path);
	g_free(file);
}

bool
store_file_load(
	StoreFile *file, void (*each)(void *data, const StoreRow *row), void *data, uint64_t *version, GError **error)
{
	sqlite3_stmt *statement = NULL;
	int64_t highest;
	int result;

	if (!store_file_number(file, "SELECT number FROM meta WHERE name = 'version'", &highest, error))
		return false;
	if (sqlite3_prepare_v2(file->db, "SELECT key, value, version, expires FROM items", -1, &statement, NULL) !=
		SQLITE_OK)
		return store_file_fail(file, "cannot read", error);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const StoreRow row = { (char *)(uintptr_t)sqlite3_column_text(statement, 0),
			(char *)(uintptr_t)sqlite3_column_text(statement, 1), (uint64_t)sqlite3_column_int64(statement, 2),
			sqlite3_column_int64(statement, 3) };

		if (row.key != NULL && row.value != NULL)
			each(data, &row);
	}
	if (result != SQLITE_DONE)
		(void)store_file_fail(file, "cannot read", error);
	sqlite3_finalize(statement);
	*version = (uint64_t)highest;
	return result == SQLITE_DONE;
}

/* Bound texts are the caller's until the reset. */
static bool
store_file_step(StoreFile *file, sqlite3_stmt *statement, GError **error)
{
	const bool is_done = sqlite3_step(statement) == SQLITE_DONE || store_file_fail(file, "cannot write", error);

	(void)sqlite3_reset(statement);
	(void)sqlite3_clear_bindings(statement);
	return is_done;
}

bool
store_file_begin(StoreFile *file, GError **error)
{
	return store_file_run(file, "BEGIN IMMEDIATE", error);
}

bool
store_file_put(StoreFile *file, const StoreRow *row, GError **error)
{
	sqlite3_stmt *statement = row->value != NULL ? file->put : file->remove;

	(void)sqlite3_bind_text(statement, 1, row->key, -1, SQLITE_STATIC);
	if (row->value != NULL) {
		(void)sqlite3_bind_text(statement, 2, row->value, -1, SQLITE_STATIC);
		(void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)row->version);
		(void)sqlite3_bind_int64(statement, 4, row->expires_us);
	}
	return store_file_step(file, statement, error);
}

bool
store_file_commit(StoreFile *file, uint64_t version, GError **error)
{
	(void)sqlite3_bind_int64(file->note, 1, (sqlite3_int64)version);
	return store_file_step(file, file->note, error) && store_file_run(file, "COMMIT", error);
}

void
store_file_rollback(StoreFile *file)
{
	if (sqlite3_get_autocommit(file->db) == 0)
		(void)sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL);
}
