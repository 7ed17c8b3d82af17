/* host-private.h - what a PtnHook is, for the files of host only. */
#pragma once

#include "engine/transaction.h"
#include "host/host.h"
#include "io/wire.h"

/* One plugin with one configuration; shared by the sets whose sections agree. */
typedef struct {
	atomic_int references;
	const PtnPlugin *plugin;
	const HostServices *services;
	HookPlugin core;
	void *memory;           /* instance_size octets */
	Config *config;         /* that it was made from */
	GPtrArray *items;       /* names of its items, ends with NULL */
	bool is_started;
	int64_t next_tick_us;
	atomic_bool is_ticking;
} Instance;

struct PluginSet {
	atomic_int references;
	HostServices services;
	Config *config;
	GPtrArray *instances;   /* of Instance* */
	GPtrArray *bindings;    /* of Binding* */
};

/* What a row of the chain leads to. */
typedef struct {
	PluginSet *set;
	Instance *instance;
	PtnFunction *function;
} Binding;

struct PtnHook {
	HookCall *call;
	Instance *instance;
	PluginSet *set;         /* NULL: in start and stop */
	GPtrArray *streams;     /* of PtnStream*, closed with the hook */
	GPtrArray *entries;     /* of DirectoryEntry*, freed with the hook */
	const void *work_data;
	const char *const *arguments;
	HostRow *row;
	void *row_data;
};

struct PtnEntry {
	PtnHook *h;
	DirectoryEntry *entry;
	bool is_shared; /* the session's: copied before it is changed */
};

struct PtnStream {
	Wire *wire;
	char *host;
};

/* Calls a plugin's function, then lets go of what it left open. */
PtnVerdict call_function(Binding *binding, PtnFunction *function, HookCall *call);
PtnVerdict call_hook(const HookRow *row, HookCall *call);
/* The same for a PtnHook prepared by the caller (work, commands). */
PtnVerdict call_prepared(PtnHook *h, PtnFunction *function);

const PtnOption *instance_option(const Instance *instance, const char *name, bool is_item);
Instance *instance_new(const HostServices *services, const PluginRows *rows, Config *config, unsigned place);
Instance *instance_ref(Instance *instance);
void instance_unref(void *instance);
bool instance_start(Instance *instance, GError **error);
/* True if `config` says the same of the plugin as the instance's. */
bool instance_agrees(const Instance *instance, Config *config);

/* Where an option's value is found, nearest first.  `value` is borrowed or in `keep`. */
typedef struct {
	DirectoryEntry *account, *domain, *customer;
} OptionPlaces;
const char *option_text_for(const Instance *instance, const PtnOption *option,
	const OptionPlaces *places, char **from);
