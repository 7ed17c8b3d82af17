/* control-directory.c - posternctl customer, domain, account: add, set, show, passwd, enable, disable, remove; list is in control-list.c. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/control-directory.h"
#include "daemon/control-queue.h"
#include "daemon/control.h"
#include "engine/stay.h"
#include "service/password.h"

/* Core's names per kind; those of plugins are added to them. */
static const char *const directory_names[][10] = {
	[PTN_CUSTOMER] = { "level", "primary", "postmaster", "alert", "outbound", "enabled", "enabled-since", "reason",
		NULL },
	[PTN_DOMAIN] = { "customer", "mode", "destination", "port", "forward-to", "valid-recipients",
		"on-missing-host", NULL },
	[PTN_ACCOUNT] = { "type", "customer", "domain", "enabled", "enabled-since", "reason", "on-refusal",
		"clear-received", NULL },
	[PTN_RECIPIENT] = { "customer", "domain", NULL },
};

/* ---- name=value ---- */

bool
control_is_core_name(PtnKind kind, const char *name)
{
	for (const char *const *known = directory_names[kind]; *known != NULL; known++)
		if (strcmp(*known, name) == 0)
			return true;
	return false;
}

CellType
control_option_type(PluginSet *set, const char *name)
{
	static const struct {
		const char *name;
		CellType type;
	} core[] = { { "outbound", CELL_BOOLEAN }, { "enabled", CELL_BOOLEAN }, { "clear-received", CELL_BOOLEAN },
		{ "valid-recipients", CELL_BOOLEAN }, { "port", CELL_NUMBER } };

	for (size_t i = 0; i < G_N_ELEMENTS(core); i++)
		if (strcmp(core[i].name, name) == 0)
			return core[i].type;
	return strchr(name, '.') != NULL ? cell_option_type(host_option_type(set, name)) : CELL_TEXT;
}

bool
control_unknown_option(PluginSet *set, PtnKind kind, const char *name, GError **error)
{
	g_autoptr(GPtrArray) known = host_option_names(set, kind);
	const char *nearest;

	for (const char *const *core = directory_names[kind]; *core != NULL; core++)
		g_ptr_array_add(known, g_strdup(*core));
	g_ptr_array_add(known, NULL);
	nearest = option_nearest(name, (const char *const *)known->pdata);
	if (nearest != NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "%s has no option \"%s\" (did you mean \"%s\"?)",
			directory_kind_phrase(kind), name, nearest);
	return error_set(error, POSTERN_ERROR_INVALID, "%s has no option \"%s\"", directory_kind_phrase(kind), name);
}

char *
control_full_name(PluginSet *set, PtnKind kind, const char *name)
{
	g_autoptr(GPtrArray) names = NULL;
	char *found = NULL;

	if (control_is_core_name(kind, name) || strchr(name, '.') != NULL)
		return g_strdup(name);
	names = host_option_names(set, kind);
	for (guint i = 0; i < names->len; i++) {
		const char *full = g_ptr_array_index(names, i);

		if (strcmp(strchr(full, '.') + 1, name) != 0)
			continue;
		if (found != NULL) {
			g_free(found);
			return g_strdup(name);
		}
		found = g_strdup(full);
	}
	return found != NULL ? found : g_strdup(name);
}

static bool
directory_assign(
	const Daemon *daemon, PluginSet *set, DirectoryEntry *entry, char *const *words, GError **error)
{
	for (; *words != NULL; words++)
		if (!control_set_value(daemon->engine.directory, set, entry, *words, error))
			return false;
	return true;
}

/* It may come with a later configuration, so this only warns. */
static void
directory_warn_of_level(Daemon *daemon, DirectoryEntry *entry, Answer *answer)
{
	const char *level = directory_entry_get(entry, "level");
	bool is_known;

	if (level == NULL || directory_entry_kind(entry) != PTN_CUSTOMER)
		return;
	g_mutex_lock(&daemon->lock);
	is_known = config_section(daemon->config, "level", level) != NULL;
	g_mutex_unlock(&daemon->lock);
	if (!is_known)
		answer_text(answer, "warning: the configuration has no [level %s]: presets hold for %s.", level,
			directory_entry_name(entry));
}

/* Outside of "automatic" a refusal for now becomes one for good, or the other way round. */
static void
directory_warn_of_action(DirectoryEntry *entry, Answer *answer)
{
	const char *action =
		directory_entry_kind(entry) == PTN_ACCOUNT ? directory_entry_get(entry, "on-refusal") : NULL;

	if (g_strcmp0(action, "reject") == 0)
		answer_text(answer, "warning: temporary errors will be permanent for this account; mail may be lost.");
	else if (g_strcmp0(action, "defer") == 0)
		answer_text(answer, "warning: permanent errors will be temporary for this account; "
							"its clients try again for days, and mail may be lost at their end.");
}

/* ---- saving ---- */

bool
control_save_entry(Daemon *daemon, DirectoryEntry *entry, Actor *actor, GError **error)
{
	const char *kind = directory_kind_name(directory_entry_kind(entry));
	const char *name = directory_entry_name(entry);
	g_autoptr(PluginSet) set = control_take_set(daemon);
	g_autoptr(DirectoryEntry) before = NULL;

	(void)directory_find_now(
		daemon->engine.directory, directory_entry_kind(entry), name, CLOCK_NEVER, &before);
	if (!directory_check(daemon->engine.directory, entry, error) ||
		!control_check_changes(daemon->engine.directory, set, before, entry, error))
		return false;
	switch (directory_save(daemon->engine.directory, entry, actor, CLOCK_NEVER)) {
	case PTN_OK:
		return true;
	case PTN_TAKEN:
		if (directory_entry_version(entry) == 0)
			return error_set(error, POSTERN_ERROR_EXISTS, "there is %s %s already",
				directory_kind_phrase(directory_entry_kind(entry)), name);
		return error_set(
			error, POSTERN_ERROR_EXISTS, "%s %s was changed by somebody else; try again", kind, name);
	default:
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the %s %s cannot be written now", kind, name);
	}
}

/* Words behind the name change nothing, so nobody means them. */
static bool
directory_takes_no_more(const Request *request, GError **error)
{
	return request->words[2] == NULL || request->words[3] == NULL ||
		   error_set(error, POSTERN_ERROR_INVALID, "\"%s\": %s takes one name; nothing was done",
			   request->words[3], request->words[1]);
}

static DirectoryEntry *
directory_need(Daemon *daemon, PtnKind kind, const char *name, GError **error)
{
	DirectoryEntry *entry = NULL;
	PtnStatus status;

	if (name == NULL) {
		error_set(error, POSTERN_ERROR_INVALID, "which %s?", directory_kind_name(kind));
		return NULL;
	}
	status = directory_find_now(daemon->engine.directory, kind, name, CLOCK_NEVER, &entry);
	if (status == PTN_NONE)
		error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no %s %s", directory_kind_name(kind), name);
	else if (status != PTN_OK)
		error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "the %s %s cannot be read now", directory_kind_name(kind), name);
	return entry;
}

/* ---- passwords ---- */

enum { DIRECTORY_LEAST_PASSWORD = 5 }; /* characters, where no plugin wants more */

/* What the plugins want that verify passwords; the strictest counts. */
static int64_t
directory_least_password(PluginSet *set)
{
	g_autoptr(GPtrArray) names = host_options_that_mean(set, PTN_MEANS_LEAST_PASSWORD);
	const OptionPlaces nobody = { 0 };
	guint64 most = 0;

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *least = NULL;
		g_autofree char *from = NULL;
		guint64 number;

		if (host_option_of(set, g_ptr_array_index(names, i), &nobody, &least, &from) && least != NULL &&
			g_ascii_string_to_unsigned(least, 10, 1, 1000, &number, NULL))
			most = MAX(most, number);
	}
	return most > 0 ? (int64_t)most : DIRECTORY_LEAST_PASSWORD;
}

bool
control_set_password(PluginSet *set, DirectoryEntry *entry, const char *password, GError **error)
{
	g_autofree char *hash = NULL;
	const char *complaint;

	if (password == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "a password is needed");
	complaint = password_complaint(password, directory_least_password(set));
	if (complaint != NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "%s", complaint);
	hash = password_hash(password, error);
	if (hash == NULL)
		return false;
	directory_entry_set(entry, "password", hash);
	return true;
}

/* ---- verbs ---- */

typedef bool DirectoryVerb(
	Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error);

static const char *
directory_type_name(const char *type)
{
	if (g_strcmp0(type, "any") == 0)
		return "any-address account";
	return g_strcmp0(type, "server") == 0 ? "mail-server account" : "single-address account";
}

/* A mail server is closed until its sources are filtered. */
static void
directory_tell_of_sources(PluginSet *set, DirectoryEntry *entry, Answer *answer)
{
	g_autoptr(GPtrArray) names = host_options_that_mean(set, PTN_MEANS_SOURCES);
	g_autofree char *wanted = NULL;

	if (g_strcmp0(directory_entry_get(entry, "type"), "server") != 0)
		return;
	if (names->len == 0) {
		answer_text(
			answer, "It may not submit yet: no plugin that filters the sources of mail servers is loaded.");
		return;
	}
	if (!host_enforces(set, PTN_MEANS_SOURCES)) {
		const char *first = g_ptr_array_index(names, 0);

		answer_text(answer, "It may not submit yet: plugin %.*s, which filters its sources, is not in force.",
			(int)strcspn(first, "."), first);
		return;
	}
	for (guint i = 0; i < names->len; i++)
		if (directory_entry_get(entry, g_ptr_array_index(names, i)) != NULL)
			return;
	g_ptr_array_add(names, NULL);
	wanted = g_strjoinv(" or ", (char **)names->pdata);
	answer_text(answer, "It may not submit yet: set %s.", wanted);
}

static bool
directory_add(Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	const char *name = request->words[2];
	g_autoptr(DirectoryEntry) entry = name != NULL ? directory_entry_new(kind, name) : NULL;

	if (entry == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "what is the name of the %s?", directory_kind_name(kind));
	if (!directory_assign(daemon, set, entry, request->words + 3, error))
		return false;
	if (kind == PTN_ACCOUNT && !control_set_password(set, entry, request->input, error))
		return false;
	if (!control_save_entry(daemon, entry, request->actor, error))
		return false;
	if (kind != PTN_ACCOUNT) {
		answer_text(answer, "Created %s %s.", directory_kind_name(kind), directory_entry_name(entry));
		directory_warn_of_level(daemon, entry, answer);
		directory_warn_of_action(entry, answer);
		return true;
	}
	answer_text(answer, "Created %s %s of %s.", directory_type_name(directory_entry_get(entry, "type")),
		directory_entry_name(entry), directory_entry_get(entry, "customer"));
	directory_tell_of_sources(set, entry, answer);
	return true;
}

static bool
directory_set(Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(DirectoryEntry) before = directory_need(daemon, kind, request->words[2], error);
	g_autoptr(DirectoryEntry) entry =
		before != NULL ? directory_need(daemon, kind, request->words[2], error) : NULL;
	g_autofree char *removed = NULL;

	if (entry == NULL)
		return false;
	if (request->words[3] == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "nothing to set: give NAME=VALUE");
	if (!directory_assign(daemon, set, entry, request->words + 3, error))
		return false;
	if (!control_may_leave(daemon->engine.directory, before, entry, error))
		return false;
	removed = control_drop_unfit_options(daemon->engine.directory, set, entry);
	if (!control_save_entry(daemon, entry, request->actor, error))
		return false;
	answer_text(answer, "set.");
	if (removed != NULL) {
		log_event(LOG_LEVEL_INFO, "options removed with the mode", "domain", directory_entry_name(entry), "reason",
			removed, NULL);
		answer_text(answer, "Options of a plugin were removed with the old mode: %s.", removed);
	}
	directory_warn_of_level(daemon, entry, answer);
	directory_warn_of_action(entry, answer);
	return true;
}

static void
directory_show_value(Answer *answer, const char *name, CellType type, const char *value, const char *from)
{
	g_autofree char *cell = cell_of(type, value);

	answer_row(answer, name, cell, from != NULL ? from : "", NULL);
}

static void
directory_show_plugin_options(Daemon *daemon, PluginSet *set, DirectoryEntry *entry, Answer *answer)
{
	g_autoptr(GPtrArray) names = host_option_names(set, directory_entry_kind(entry));
	OptionPlaces places;

	control_find_places(daemon->engine.directory, entry, &places);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *value = NULL;
		g_autofree char *from = NULL;
		const char *name = g_ptr_array_index(names, i);

		if (host_show_option(set, name, &places, &value, &from))
			directory_show_value(answer, name, control_option_type(set, name), value, from);
	}
	control_clear_places(entry, &places);
}

/* What its mode is called where mail services speak to people, and what waits because of it. */
static void
directory_show_held(Daemon *daemon, const DirectoryEntry *domain, Answer *answer)
{
	g_autofree char *octets = NULL;
	g_autofree char *messages = NULL;
	g_autofree char *seconds = NULL;
	g_autofree char *oldest = NULL;
	StayFigures held;

	stay_figures(daemon->engine.stay, directory_entry_name(domain), &held);
	messages = g_strdup_printf("number:%" G_GUINT64_FORMAT, held.messages);
	octets = g_strdup_printf("octets:%" G_GUINT64_FORMAT, held.octets);
	seconds = cell_time(held.oldest_us);
	oldest = cell_of(CELL_TIME, seconds);
	directory_show_value(
		answer, "service", CELL_TEXT, directory_mode_title(directory_entry_get(domain, "mode")), "mode");
	answer_row(answer, "held", messages, "queue", NULL);
	answer_row(answer, "held-octets", octets, "queue", NULL);
	if (held.messages > 0)
		answer_row(answer, "held-oldest", oldest, "queue", NULL);
}

static bool
directory_show(
	Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(DirectoryEntry) entry = NULL;

	if (!directory_takes_no_more(request, error))
		return false;
	entry = directory_need(daemon, kind, request->words[2], error);
	if (entry == NULL)
		return false;
	answer_columns(answer, "option", "value:value", "from", NULL);
	for (const char *const *name = directory_names[kind]; *name != NULL; name++) {
		const char *value = directory_entry_get(entry, *name);
		const char *preset = directory_preset(*name);

		if (value != NULL || preset != NULL)
			directory_show_value(answer, *name, control_option_type(set, *name), value != NULL ? value : preset,
				value != NULL ? directory_kind_name(kind) : "preset");
	}
	if (kind == PTN_DOMAIN)
		directory_show_held(daemon, entry, answer);
	directory_show_plugin_options(daemon, set, entry, answer);
	return true;
}

static bool
directory_passwd(
	Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(DirectoryEntry) entry = NULL;

	if (!directory_takes_no_more(request, error))
		return false;
	entry = directory_need(daemon, kind, request->words[2], error);
	if (entry == NULL || !control_set_password(set, entry, request->input, error) ||
		!control_save_entry(daemon, entry, request->actor, error))
		return false;
	answer_text(answer, "The new password is in force.");
	return true;
}

static bool
directory_switch(Daemon *daemon, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	const bool is_enabled = strcmp(request->words[1], "enable") == 0;
	g_autoptr(DirectoryEntry) entry = directory_need(daemon, kind, request->words[2], error);

	if (entry == NULL)
		return false;
	directory_entry_set(entry, "enabled", is_enabled ? NULL : "no");
	directory_entry_set(entry, "reason", NULL);
	for (char *const *word = request->words + 3; *word != NULL; word++) {
		if (is_enabled || !g_str_has_prefix(*word, "reason="))
			return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not reason=TEXT", *word);
		if (!directory_check_value("reason", *word + strlen("reason="), error))
			return false;
		directory_entry_set(entry, "reason", *word + strlen("reason="));
	}
	if (!control_save_entry(daemon, entry, request->actor, error))
		return false;
	answer_text(answer, "%s %s is %s.", directory_kind_name(kind), directory_entry_name(entry),
		is_enabled ? "enabled" : "disabled; its sessions end before their next message");
	if (request->says_hold)
		queue_hold_all(
			daemon, directory_kind_name(kind), directory_entry_name(entry), "its sender was disabled", answer);
	return true;
}

static bool
directory_able(
	Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	(void)set;
	if (kind == PTN_DOMAIN)
		return error_set(
			error, POSTERN_ERROR_INVALID, "a domain is not enabled or disabled: set its mode, or its customer");
	if (kind == PTN_RECIPIENT)
		return error_set(error, POSTERN_ERROR_INVALID, "a recipient is not enabled or disabled: remove it");
	return directory_switch(daemon, kind, request, answer, error);
}

static bool
directory_remove_one(
	Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(GPtrArray) removed = g_ptr_array_new_with_free_func(g_free);

	(void)set;
	if (request->words[2] == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "which %s?", directory_kind_name(kind));
	if (!directory_takes_no_more(request, error))
		return false;
	if (kind == PTN_DOMAIN && !request->says_yes && !control_may_remove(daemon, request->words[2], error))
		return false;
	if (!directory_remove_checked(
			daemon->engine.directory, kind, request->words[2], request->actor, removed, error))
		return false;
	for (guint i = 0; i < removed->len; i++)
		answer_text(answer, "removed %s", (const char *)g_ptr_array_index(removed, i));
	return true;
}

static const struct {
	const char *word;
	DirectoryVerb *run;
	bool is_of_accounts;
} directory_verbs[] = {
	{ "add", directory_add, false },
	{ "set", directory_set, false },
	{ "show", directory_show, false },
	{ "list", control_list, false },
	{ "passwd", directory_passwd, true },
	{ "enable", directory_able, false },
	{ "disable", directory_able, false },
	{ "remove", directory_remove_one, false },
};

static void
directory_run(Daemon *daemon, PtnKind kind, const Request *request, Answer *answer)
{
	const char *word = request->words[1] != NULL ? request->words[1] : "list";
	g_autoptr(PluginSet) set = control_take_set(daemon);
	g_autoptr(GError) error = NULL;

	if (request->says_hold && strcmp(word, "disable") != 0) {
		answer_fail(answer, "%s %s takes no --hold; nothing was done.", directory_kind_name(kind), word);
		return;
	}
	if (request->says_yes && strcmp(word, "remove") != 0) {
		answer_fail(answer, "%s %s takes no --yes; nothing was done.", directory_kind_name(kind), word);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(directory_verbs); i++) {
		if (strcmp(directory_verbs[i].word, word) != 0 ||
			(directory_verbs[i].is_of_accounts && kind != PTN_ACCOUNT))
			continue;
		if (!directory_verbs[i].run(daemon, set, kind, request, answer, &error))
			answer_fail(answer, "%s", error->message);
		return;
	}
	answer_fail(answer, "%s knows: add set show list %senable disable remove", directory_kind_name(kind),
		kind == PTN_ACCOUNT ? "passwd " : "");
}

void
control_customer(Daemon *daemon, const Request *request, Answer *answer)
{
	directory_run(daemon, PTN_CUSTOMER, request, answer);
}

void
control_domain(Daemon *daemon, const Request *request, Answer *answer)
{
	directory_run(daemon, PTN_DOMAIN, request, answer);
}

void
control_recipient(Daemon *daemon, const Request *request, Answer *answer)
{
	directory_run(daemon, PTN_RECIPIENT, request, answer);
}

void
control_account(Daemon *daemon, const Request *request, Answer *answer)
{
	directory_run(daemon, PTN_ACCOUNT, request, answer);
}
