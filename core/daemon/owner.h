/* owner.h - what root makes for the daemon belongs to the daemon's user: else a start could not open it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The path of "sqlite:PATH", borrowed; NULL: `url` names no file.  Pure. */
const char *owner_file_of(const char *url);
/* Gives `path`, if it is there, to `user`, if we are root and there is such a user (NULL: none).  Follows no symbolic link. */
bool owner_give(const char *user, const char *path, GError **error);
/* The same for the file of a store and those that SQLite and we keep beside it. */
bool owner_give_store(const char *user, const char *url, GError **error);
