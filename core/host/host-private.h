/* host-private.h - what a PtnHook is, for the files of host only. */
#pragma once

#include "base/activity.h"
#include "engine/transaction.h"
#include "host/host.h"
#include "io/wire.h"

/* One plugin with one configuration; shared by the sets whose sections agree. */
typedef struct {
	atomic_int references;
	const PtnPlugin *plugin;
	HostServices *services; /* as they were when it was made; of hooks see call_services() */
	HookPlugin core;
	void *memory;           /* instance_size octets */
	Config *config;         /* that it was made from */
	GPtrArray *items;       /* names of its items, ends with NULL */
	bool is_started;
	int64_t next_tick_us;
	atomic_bool is_ticking;
} Instance;

typedef struct HostReach HostReach; /* see api-reach.c */

struct PluginSet {
	atomic_int references;
	HostServices services;
	Config *config;
	HostReach *reach;       /* where its hooks may connect to, read from `config` */
	GPtrArray *instances;   /* of Instance* */
	GPtrArray *bindings;    /* of Binding* */
};

/* What a row of the chain leads to. */
typedef struct {
	PluginSet *set;
	Instance *instance;
	PtnFunction *function;
} Binding;

typedef struct Walk Walk; /* see api-directory.c */

struct PtnHook {
	HookCall *call;
	Instance *instance;
	PluginSet *set;         /* NULL: in start and stop */
	GPtrArray *streams;     /* of PtnStream*, closed with the hook */
	GPtrArray *entries;     /* of DirectoryEntry*, freed with the hook */
	Walk *walk;             /* of ptn_each(); NULL: none */
	const void *work_data;
	const char *purpose;    /* what it is called for where no stage says so ("start"); a text that lives for ever, or NULL */
	const char *const *arguments;
	Actor *actor;           /* whose command it is; NULL: nobody's */
	HostRow *row;
	void *row_data;
	OptionPlaces places;    /* whose options hold, as far as places_at_hand() was asked */
	bool has_owner, has_domain;
	bool is_inline;         /* a hook that may run on a loop: it goes by what is remembered of the directory */
	bool is_check;          /* a value is looked at, not used: the places are those it is for */
};

struct PtnEntry {
	PtnHook *h;
	DirectoryEntry *entry;
	bool is_shared; /* the session's: copied before it is changed */
	const char *complaint; /* of the first value that was set and cannot be; NULL: none */
};

struct PtnStream {
	Wire *wire;
	char *host;        /* or "unix:/PATH" */
	IpAddress address; /* that answered */
	uint16_t port;
	bool is_broken;    /* a reply did not come, or made no sense */
};

/* The instance of the plugin whose name is the first `size` octets of `name`; NULL: it is not in the set. */
Instance *host_find(PluginSet *set, const char *name, size_t size);
/* Words of posternctl that plugins of `rows` have, each against those of the core and of the plugins before it. */
void host_check_words(const GPtrArray *rows, HostReserved *is_reserved, GPtrArray *mistakes);
/* Calls a plugin's function, then lets go of what it left open. */
PtnVerdict call_function(Binding *binding, PtnFunction *function, HookCall *call);
PtnVerdict call_hook(const HookRow *row, HookCall *call);
/* The same for a PtnHook prepared by the caller (work, commands). */
PtnVerdict call_prepared(PtnHook *h, PtnFunction *function);
/* The thread's record says from now on what it calls the plugin for; activity_end() takes it back. */
void call_begin(const PtnHook *h, ActivityView *before);
/* The services of the hook's set, as the last reload made them; of a hook without a set those of the instance. */
const HostServices *call_services(const PtnHook *h);
/* Of a rehearsal: notes what a service was asked, and what it said; else nothing. */
void call_note(PtnHook *h, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* A rehearsal writes and counts nothing. */
bool call_is_rehearsed(const PtnHook *h);
/* "ok", "none", "unsure", "taken". */
const char *call_status_name(PtnStatus status);
/* Closes and frees what the hook left open. */
void call_let_go(PtnHook *h);
void api_end_walk(PtnHook *h);
/* Of IpAddress: those of a name, or the address that `host` is; new.  `is_unsure`: some could not be looked up. */
GArray *api_addresses(PtnHook *h, const char *host, bool *is_unsure);
HostReach *host_reach_new(const Config *config);
void host_reach_free(HostReach *reach); /* NULL is allowed */
/* True: a host that the administrator did not write may be connected to at this address. */
bool api_may_reach(const PtnHook *h, const IpAddress *address, uint16_t port);

/* The row of an option that every plugin has; NULL: no such. */
const PtnOption *host_common_option(const char *name);
/* One of the plugin's own options, else (not of an item) one that every plugin has. */
const PtnOption *instance_option(const Instance *instance, const char *name, bool is_item);
/* The settings of `config` that plugins ask for as facts, into their slots. */
void host_read_facts(HostServices *services, const Config *config);
Instance *instance_new(const HostServices *services, const PluginRows *rows, Config *config, unsigned place);
Instance *instance_ref(Instance *instance);
void instance_unref(void *instance);
/* What the plugin's check() has against `value`; new, NULL: nothing. */
char *instance_complaint(Instance *instance, const PtnOption *option, const OptionPlaces *places,
	const char *value);
bool instance_start(Instance *instance, GError **error);
/* True if `config` says the same of the plugin as the instance's. */
bool instance_agrees(const Instance *instance, Config *config);

/* Whose options hold in this hook: the account's, its domain's, its customer's; where there is no account, those of the
 * domain of the recipient at hand and of its customer.  `wanted`: the PtnPlaces of the option, so that nothing else is
 * looked up.  Lives as long as the hook. */
const OptionPlaces *places_at_hand(PtnHook *h, unsigned wanted);

/* The value of the nearest place; borrowed, lives as long as `config` and `places`.  `config`: the one in use, which agrees with the
 * instance's and may say so in other lines.  `from` NULL: does not matter, else new. */
const char *option_text_for(const Config *config, const Instance *instance, const PtnOption *option,
	const OptionPlaces *places, char **from);
