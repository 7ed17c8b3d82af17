/* config.h - the configuration file: sections of checked values that know their file and line.
 *
 * A Config is immutable once loaded and reference-counted; any thread may read it.  It owns the tables of options that it points
 * into, as far as config_keep_tables() named them. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "service/option.h"

typedef struct Config Config;
typedef struct ConfigSection ConfigSection;

/* What a file may say: one row per kind of section; a table ends with a row without kind.  The tables of options must
 * outlive the Config (static tables do, others by config_keep_tables()), the rows themselves need not.
 * Of "plugin NAME" the options that have PTN_IN_SERVER may be set, of "plugin NAME/" those with PTN_IN_ITEM. */
typedef struct {
	const char *kind;         /* "server", "listener"; "plugin NAME" and "plugin NAME/" (items) too  */
	enum { CONFIG_ONCE, CONFIG_NAMED, CONFIG_BOTH } naming; /* [server], [listener NAME], [tls] and [tls NAME] */
	const PtnOption *options;
	bool takes_more;          /* unknown keys are kept unchecked ([level NAME])                      */
	const char *why_not;      /* not NULL: a section of this kind is a mistake, for this reason      */
} ConfigKind;

/* Reads `path` and then the *.conf of the directory "conf.d" beside it, in the order of their names.
 * `path` NULL: no file, all presets.  Checks every section against `kinds`.  Adds one sentence per mistake to `mistakes`
 * ("postern.conf:12: [server] hostnme: no such option (did you mean \"hostname\"?)") and reads on;
 * NULL if there is any.  New. */
Config *config_load(const char *path, const ConfigKind *kinds, GPtrArray *mistakes);
/* The paths that config_load() reads of `path`, in its order; a new array that frees them.  NULL with a sentence: conf.d cannot
 * be listed. */
GPtrArray *config_files(const char *path, GError **error);
/* The same from text, for tests and embedded defaults; `name` stands for the file. */
Config *config_parse(const char *text, const char *name, const ConfigKind *kinds, GPtrArray *mistakes);
/* `tables` frees tables of options when its last reference ends; the Config holds one for all of its life.  Once, by whoever
 * loaded it, before other threads have it. */
void config_keep_tables(Config *config, GPtrArray *tables);
/* What config_keep_tables() was given; NULL: nothing. */
const GPtrArray *config_tables(const Config *config);
Config *config_ref(Config *config);
void config_unref(Config *config);

/* The section [KIND] (name NULL) or [KIND NAME]; a section that is not in the file but of kind CONFIG_ONCE has all presets.
 * NULL: no such section. */
const ConfigSection *config_section(const Config *config, const char *kind, const char *name);
/* All of a kind in file order, a GPtrArray of const ConfigSection*; borrowed, never NULL. */
const GPtrArray *config_sections(const Config *config, const char *kind);
const char *config_section_name(const ConfigSection *section); /* NULL: it has none */

/* Values as set or preset; asking for what the table does not have is a programmer's error.  config_text() also knows
 * the keys of config_more(): of a `takes_more` section any key may be asked for, NULL if it is not set. */
const char *config_text(const ConfigSection *section, const char *option);   /* NULL: not set, no preset */
int64_t config_number(const ConfigSection *section, const char *option);     /* BOOL, NUMBER, SIZE, TIME, CHOICE; least of a TIME_RANGE */
int64_t config_number_most(const ConfigSection *section, const char *option); /* of a TIME_RANGE */
bool config_bool(const ConfigSection *section, const char *option);
const char *const *config_list(const ConfigSection *section, const char *option); /* never NULL */
bool config_is_set(const ConfigSection *section, const char *option);        /* by the file, not by a preset */
/* "postern.conf:12" of the option, or of the section itself with `option` NULL. */
const char *config_where(const ConfigSection *section, const char *option);
/* The file whose first line the value is; NULL: it stands in the configuration itself. */
const char *config_file_of(const ConfigSection *section, const char *option);
/* `text`, a sentence that may repeat the value, or of a value from a file one that does not.  New. */
char *config_complaint(const ConfigSection *section, const char *option, const char *text);
/* Keys of a `takes_more` section that no row knows, in order; NULL-terminated, borrowed. */
const char *const *config_more(const ConfigSection *section);

/* True if both say the same in sections of `kind` (all names), files of "@FILE" as they were read included. */
bool config_same(const Config *a, const Config *b, const char *kind);
/* "[spool] keep-free": options that differ and take effect at a start alone; new, of char*, which it frees. */
GPtrArray *config_waiting_for_restart(const Config *running, const Config *now);
/* The whole as it holds, presets included and marked, secrets hidden: --print-config.  New. */
char *config_print(const Config *config);
/* Takes `text`; new: the same without what config_print() hides of the sections of `kind`, secrets and what files say. */
char *config_hide(const Config *config, const char *kind, char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_unref)
