/* control-backup.c - what posternctl backup asks of the daemon: its stores, which no one else can open, and where it keeps
 * what.  It holds password hashes and secrets, so control.c runs it for root and the daemon's user alone. */
#include <string.h>

#include "config.h"
#include "daemon/backup-items.h"
#include "daemon/claim.h"
#include "daemon/control.h"

enum { BACKUP_GATHERS = 48 * 1024 };

typedef struct {
	Answer *answer;
	GString *lines; /* whole ones, not sent yet */
	size_t n;
} Items;

static void
backup_send(Items *items)
{
	answer_octets(items->answer, items->lines->str, items->lines->len);
	g_string_truncate(items->lines, 0);
}

static bool
backup_take(void *data, const StoreItem *item)
{
	Items *items = data;

	if (g_str_has_prefix(item->key, CLAIM_PREFIX)) /* a lease of this process, which means nothing to the next */
		return true;
	backup_put_item(items->lines, item);
	items->n++;
	if (items->lines->len > BACKUP_GATHERS)
		backup_send(items);
	return true;
}

static void
backup_send_store(Store *store, const char *name, Answer *answer)
{
	g_autoptr(GString) lines = g_string_new(NULL);
	Items items = { .answer = answer, .lines = lines };

	if (store_each(store, backup_take, &items) != PTN_OK) {
		answer_fail(answer, "[%s] cannot be read now", name);
		return;
	}
	backup_put_end(lines, items.n);
	backup_send(&items);
}

/* NAME VALUE, as lines of the manifest. */
static void
backup_describe(Daemon *daemon, Answer *answer)
{
	g_autoptr(Snapshot) snapshot = control_take_snapshot(daemon);
	g_autofree char *node = g_strdup_printf("%u", daemon->node);
	g_autofree char *config =
		daemon->config_path != NULL ? g_canonicalize_filename(daemon->config_path, NULL) : NULL;
	const char *spool = config_text(config_section(daemon->started_with, "spool", NULL), "directory");

	answer_columns(answer, "name", "value", NULL);
	answer_row(answer, "version", PACKAGE_VERSION, NULL);
	answer_row(answer, "host", snapshot->settings->hostname, NULL);
	answer_row(answer, "node", node, NULL);
	if (config != NULL)
		answer_row(answer, "config", config, NULL);
	answer_row(answer, "state", daemon->state_directory, NULL);
	answer_row(answer, "spool", spool, NULL);
}

void
control_backup(Daemon *daemon, const Request *request, Answer *answer)
{
	const char *const *words = (const char *const *)request->words;
	const char *verb = words[1];

	if (verb != NULL && words[2] == NULL && strcmp(verb, "describe") == 0)
		backup_describe(daemon, answer);
	else if (verb != NULL && words[2] != NULL && words[3] == NULL && strcmp(verb, "items") == 0 &&
			 strcmp(words[2], "directory") == 0)
		backup_send_store(daemon->directory_store, words[2], answer);
	else if (verb != NULL && words[2] != NULL && words[3] == NULL && strcmp(verb, "items") == 0 &&
			 strcmp(words[2], "store") == 0)
		backup_send_store(daemon->engine.store, words[2], answer);
	else
		answer_fail(answer, "backup wants one directory, which posternctl of this version writes itself");
}
