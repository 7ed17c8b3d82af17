/* control-directory.h - changing entries of the directory with all checks: for verbs and for import. */
#pragma once

#include "daemon/daemon.h"

/* A reference to the plugins in use. */
PluginSet *control_take_set(Daemon *daemon);
/* "NAME=VALUE", "NAME+=WORD", "NAME-=WORD"; an empty value unsets. */
bool control_set_value(PluginSet *set, DirectoryEntry *entry, const char *assignment, GError **error);
bool control_set_password(PluginSet *set, DirectoryEntry *entry, const char *password, GError **error);
/* Checks and saves; the sentence says what is wrong, or that the name is taken. */
bool control_save_entry(Daemon *daemon, DirectoryEntry *entry, GError **error);
