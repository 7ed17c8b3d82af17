/* module.h - plugins as found: shared objects, or linked in; loaded once, never unloaded. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugin-api.h"

/* The plugin NAME: linked in, or DIRECTORY/NAME.so.  NULL with a sentence that says what is wrong with it:
 * not there, made for another API, missing a function of the host, a name it may not have.  Main thread. */
const PtnPlugin *module_load(const char *directory, const char *name, GError **error);
/* The directory that a loaded plugin came from; "" of one that is linked in.  New.  Any thread. */
char *module_directory(const char *name);
/* True if the file of a loaded plugin is newer than what was loaded. */
bool module_is_newer_on_disk(const char *name);
/* Makes a plugin known as linked in (tests, sanitizer builds); before module_load(). */
void module_add_linked(const PtnPlugin *plugin);
