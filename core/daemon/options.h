/* options.h - every option of the core, as rows: check, sample and manual come from them. */
#pragma once

#include <glib.h>

#include "service/config.h"

/* The kinds of section of the core, then those of the plugins in `rows` (PluginRows*), then those of other plugins in
 * `directory`, which may have no section; ends with an empty row.  New, g_free(). */
ConfigKind *options_kinds(const GPtrArray *rows, const char *directory);
/* The rows of "server", "spool" and so on; NULL: the core has no such section. */
const PtnOption *options_of_core(const char *kind);
/* The option chapters as roff or Markdown for the manual: `section` NULL for all.  New. */
char *options_manual(void);

/* ---- options-early.c ---- */

/* What [server] plugins says in `path` (NULL: its preset), read before the plugins' own options are known. */
char **options_plugins(const char *path, char **directory);
/* What [server] control and [spool] directory say in `path` (NULL: their presets); new. */
char *options_control(const char *path);
char *options_spool(const char *path);
/* Sections of `path` and of the conf.d beside it, unchecked; `root` stands before both paths ("" for none).  New, as
 * config_text_new().  Blocks on the disk. */
GPtrArray *options_texts(const char *root, const char *path);
/* The value that such texts give to an option of the core, or its preset; "@FILE", below `root`, is read.  NULL: it is not set.
 * New. */
char *options_of_texts(const GPtrArray *sections, const char *root, const char *kind, const char *name);
/* The same of an option of [store] or [directory]; "@FILE" is the first line of FILE.  NULL: it is not set. */
char *options_of_store(const char *path, const char *section, const char *name);
