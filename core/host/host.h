/* host.h - the plugins of one configuration: their instances, and the chain made of their hooks. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/engine.h"
#include "engine/notice.h"
#include "io/tls.h"
#include "plugin-api.h"
#include "sandbox/parsers.h"
#include "service/config.h"

typedef struct PluginSet PluginSet;

typedef struct {
	Engine *engine;        /* NULL for a check alone: nothing is started */
	Dns *dns;
	TlsClient *tls;        /* for plugins' own connections */
	const char *helo;      /* what plugins call us to other servers; texts here outlive all sets */
	NoticeSettings notices;
	unsigned node;         /* our number, which a reload does not change */
	/* Of [server], by host_new() from its configuration, which the set keeps.  NULL: the configuration does not have them. */
	const char *header_prefix, *monitors;
	Parsers *parsers;      /* NULL: plugins that have a parser do not start */
	bool is_check;         /* they start to see whether they can; parsers are not */
	/* NULL: the network.  Else the test's: a socket of the peer at "192.0.2.25" or "unix:/PATH", or -1. */
	int (*connect)(void *data, const char *address, uint16_t port);
	void *connect_data;
} HostServices;

/* The rows that [plugin NAME] may have: common to all plugins, then its own.  The Config that was checked against them keeps
 * them; see config_keep_tables(). */
typedef struct {
	const PtnPlugin *plugin;
	PtnOption *rows;  /* for "plugin NAME" */
	PtnOption *items; /* for "plugin NAME/" */
} PluginRows;

/* Entries for which an option may be set, nearest first; NULL: none at hand. */
typedef struct {
	DirectoryEntry *account, *domain, *customer;
} OptionPlaces;

/* True: a word of posternctl that no plugin may have. */
typedef bool HostReserved(const char *word);
/* Loads the plugins named; adds a sentence to `mistakes` for each that does not load, or has commands under a word that is
 * reserved (NULL: none is) or another plugin's.  An array of PluginRows* that frees them: for the kinds of the configuration. */
GPtrArray *host_load(
	const char *directory, const char *const *names, HostReserved *is_reserved, GPtrArray *mistakes);

/* Makes and starts the instances, taking over from `before` (NULL: none) those whose sections did not change.  Copies `services`:
 * hooks go by those of their set, start() and stop() by those of the set that made the instance.
 * False: one did not start; `before` is whole. */
PluginSet *host_new(const HostServices *services, const GPtrArray *rows, Config *config,
	PluginSet *before, GError **error);
/* Names of the plugins of `set` that were started for it: those whose instances `before` does not have.  New, of borrowed texts. */
GPtrArray *host_started(const PluginSet *set, const PluginSet *before);
/* Instances stop when nobody has them any more. */
PluginSet *host_ref(PluginSet *set);
void host_unref(void *set);
/* The chain of the set; new. */
Chain *host_chain(PluginSet *set);
/* Runs the ticks that are due, on workers.  `now_us`: monotonic. */
void host_tick(PluginSet *set, int64_t now_us);
/* The chain in words, for `posternd --hooks`; new. */
char *host_describe(PluginSet *set);
/* What the option holds in these places, and where that comes from ("account", "level standard", "preset", a file's line).
 * False: there is no such plugin or option.  New texts. */
bool host_option_of(PluginSet *set, const char *name, const OptionPlaces *places, char **value, char **from);
/* The same for people's eyes: what the configuration hides is hidden. */
bool host_show_option(PluginSet *set, const char *name, const OptionPlaces *places, char **value, char **from);
/* The type of "PLUGIN.OPTION", one of PtnType, perhaps with PTN_LIST; 0: there is no such option. */
unsigned host_option_type(PluginSet *set, const char *name);
/* The value of "PLUGIN.OPTION" is not for people's eyes. */
bool host_option_is_secret(PluginSet *set, const char *name);
/* Takes `text`; new: the same without secrets of the configuration, and what it reads from files. */
char *host_hide(PluginSet *set, char *text);
/* The value as it is to be kept, with names of domains in A-labels.  New; NULL: an entry of `kind` may not have option
 * "PLUGIN.OPTION", or `value` is not of its type; the sentence says what would be right. */
char *host_canonical_value(PluginSet *set, const char *name, PtnKind kind, const char *value, GError **error);
/* Asks the plugin itself whether the entry may have the value that it has in `places` by now. */
bool host_check_value(PluginSet *set, const char *name, const OptionPlaces *places, const char *value,
	GError **error);
/* Values that the configuration sets for plugins: those of [level NAME] against their rows, all of them by the plugins
 * themselves.  One sentence per mistake. */
void host_check_config(const GPtrArray *rows, Config *config, GPtrArray *mistakes);
/* Names "PLUGIN.OPTION" of the options that plugins declare to mean this to the core, in the order of the chain; new. */
GPtrArray *host_options_that_mean(PluginSet *set, PtnMeaning meaning);
/* The same of loaded plugins (host_load()), before there is a set. */
void host_each_meaning(const GPtrArray *rows, PtnMeaning meaning,
	void (*each)(void *data, const PtnPlugin *plugin, const PtnMeaningRow *row), void *data);
/* True: a plugin that has such an option is in the chain, and what it says is done. */
bool host_enforces(PluginSet *set, PtnMeaning meaning);
/* Names "PLUGIN.OPTION" that entries of `kind` may have, sorted; new. */
GPtrArray *host_option_names(PluginSet *set, PtnKind kind);
/* One row of figures per plugin. */
void host_each(PluginSet *set, void (*each)(void *data, const PtnPlugin *plugin,
	const HookPlugin *figures), void *data);

/* ---- host-commands.c ---- */

/* `words` (NULL-terminated) with the plugin's name and its verb in place of a short word: "usage", "WHO" are "limits", "usage",
 * "WHO".  `n_named`: how many of `words` name the command.  New. */
char **host_expand(PluginSet *set, const char *const *words, size_t *n_named);
/* True: there is such a command, and it does not declare that it only reads. */
bool host_command_changes(PluginSet *set, const char *plugin, const char *verb);
/* `posternctl NAME verb …`, after host_expand().  What it saves is saved by `actor`; NULL: by the plugin.  `row` gets column,
 * text, …, NULL.  False: the error says why.  May block. */
typedef void HostRow(void *data, const char *const *columns_and_texts);
bool host_command(PluginSet *set, const char *plugin, const char *const *words, Actor *actor, HostRow *row,
	void *data, GError **error);
/* What the plugins' doctor() find; `failed` for one that could not tell.  May block. */
typedef void HostFailure(void *data, const char *plugin, const char *why);
void host_examine(PluginSet *set, HostRow *row, HostFailure *failed, void *data);

/* Every command of every plugin of the set, in its order, and every short word with the command that it stands for. */
void host_each_command(PluginSet *set,
	void (*each)(void *data, const PtnPlugin *plugin, const PtnCommand *command), void *data);
void host_each_word(PluginSet *set,
	void (*each)(void *data, const PtnShortWord *row, const PtnCommand *command), void *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PluginSet, host_unref)
