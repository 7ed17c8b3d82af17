/* posternctl.h - what the commands that posternctl carries out itself have in common. */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

#include "service/store.h"

typedef struct {
	char *config, *socket;
	gboolean is_json;
	char *password_file;
	char *directory; /* made absolute */
	char **words;
} Arguments;

/* To the daemon's control socket; `timeout_seconds` of each wait, 0: none.  New; NULL with a sentence. */
GSocketConnection *posternctl_connect(const Arguments *arguments, unsigned timeout_seconds, GError **error);

/* A line of an answer (answer.h): its letter, and its fields, borrowed.  False with a sentence ends it. */
typedef bool PosternctlLine(void *data, char letter, char **fields, GError **error);
/* Asks the daemon for `words`, and gives each line but errors and the last to `take`.  False with a sentence: it cannot be
 * reached, it refused, its answer is not whole, or `take` failed. */
bool posternctl_fetch(const Arguments *arguments, unsigned timeout_seconds, const char *const *words,
	PosternctlLine *take, void *data, GError **error);

/* A store to copy from or to, which no daemon may have open; all that the core watches is watched.  New; NULL with a sentence: it
 * cannot be opened, or not be reached. */
Store *posternctl_open_settings(const StoreSettings *settings, GError **error);
