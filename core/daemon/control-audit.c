/* control-audit.c - posternctl audit, and the records of commands. */
#include "daemon/control-audit.h"

#include <string.h>

#include "base/error.h"
#include "daemon/control.h"
#include "service/option.h"

enum { AUDIT_ROWS = 100, AUDIT_ROWS_MOST = 1000000 };

/* ---- writing ---- */

/* Its own reference, with its own lock: a plugin may save an entry while the daemon's lock is held for a reload. */
void
audit_use_plugins(Daemon *daemon, PluginSet *set)
{
	PluginSet *before;

	g_mutex_lock(&daemon->audit_lock);
	before = daemon->audit_set;
	daemon->audit_set = set != NULL ? host_ref(set) : NULL;
	g_mutex_unlock(&daemon->audit_lock);
	if (before != NULL)
		host_unref(before);
}

static PluginSet *
audit_take_set(Daemon *daemon)
{
	PluginSet *set;

	g_mutex_lock(&daemon->audit_lock);
	set = daemon->audit_set != NULL ? host_ref(daemon->audit_set) : NULL;
	g_mutex_unlock(&daemon->audit_lock);
	return set;
}

static char *
audit_hide(void *data, PtnKind kind, const char *name, const char *value)
{
	g_autoptr(PluginSet) set = audit_take_set(data);

	(void)kind;
	if (set == NULL)
		return g_strdup(value);
	return host_option_is_secret(set, name) ? g_strdup("(hidden)") : host_hide(set, g_strdup(value));
}

/* Words and answers of a command may have a key in them, too.  New. */
static char *
audit_hide_text(Daemon *daemon, const char *text)
{
	g_autoptr(PluginSet) set = audit_take_set(daemon);

	return set != NULL ? host_hide(set, g_strdup(text)) : g_strdup(text);
}

void
audit_open(Daemon *daemon)
{
	const int64_t keep_us = config_number(config_section(daemon->config, "directory", NULL), "keep-audit");
	g_autofree char *node = g_strdup_printf("%u", daemon->node);

	daemon->audit = audit_new(daemon->directory_store, daemon->engine.clock, node, keep_us);
	directory_set_audit(daemon->engine.directory, daemon->audit, audit_hide, daemon);
}

void
audit_command(Daemon *daemon, const Request *request, ControlNeed need, const Answer *answer)
{
	g_autofree char *given = NULL;
	g_autofree char *words = NULL;
	g_autofree char *said = NULL;
	AuditRecord record = { .kind = "" };

	if (request->is_dry || need == NEEDS_LOOKING || need == NEEDS_SECRETS)
		return;
	/* Entries have their own records; what --hold did to the queue has not. */
	if (need == NEEDS_ENTRIES ? !request->says_hold : request->actor->records > 0)
		return;
	given = g_strjoinv(" ", request->words + request->n_named);
	words = audit_hide_text(daemon, given);
	said = audit_hide_text(daemon, answer_said(answer));
	record.name = words;
	record.after = said;
	audit_write(daemon->audit, request->actor, &record);
}

void
audit_reload(Daemon *daemon, const char *answer)
{
	Actor actor = { .who = "daemon", .command = "reload" };
	g_autofree char *said = audit_hide_text(daemon, answer);
	const AuditRecord record = { .kind = "", .name = "SIGHUP", .after = said };

	audit_write(daemon->audit, &actor, &record);
}

/* ---- reading ---- */

static void
audit_put_row(void *data, const AuditRecord *record)
{
	g_autofree char *time = cell_time(record->time_us);
	const char *const cells[] = { time, record->who, record->login, record->node, record->command, record->kind,
		record->name, record->customer, record->domain, record->options, record->before, record->after };
	const char *row[G_N_ELEMENTS(cells) + 1] = { NULL };

	for (size_t i = 0; i < G_N_ELEMENTS(cells); i++)
		row[i] = cells[i] != NULL ? cells[i] : "";
	answer_row_v(data, row);
}

/* "2h", "3d": so long ago; "2026-11-20", "2026-11-20 09:00": local time. */
static bool
audit_read_since(const char *text, int64_t now_us, int64_t *since_us, GError **error)
{
	static const PtnOption age = { .name = "since", .type = PTN_TIME };
	g_autoptr(OptionValue) value = option_parse(&age, text, NULL);
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	const size_t length = strlen(text);
	const bool is_day = length == strlen("2026-11-20"), is_minute = length == strlen("2026-11-20 09:00");
	const char *rest = is_day ? "T00:00:00" : is_minute ? ":00" : "";
	g_autofree char *whole = g_strconcat(text, rest, NULL);
	g_autoptr(GDateTime) time = NULL;

	if (value != NULL) {
		*since_us = now_us - value->number;
		return true;
	}
	time = g_date_time_new_from_iso8601(whole, zone);
	if (time == NULL)
		return error_set(error, POSTERN_ERROR_INVALID,
			"since is an age (2h, 30d) or a time (2026-11-20, \"2026-11-20 09:00\"), not \"%s\"", text);
	*since_us = g_date_time_to_unix(time) * CLOCK_SECOND;
	return true;
}

static bool
audit_read_word(const char *word, int64_t now_us, AuditFilter *filter, GError **error)
{
	const char *equals = strchr(word, '=');
	const size_t length = equals != NULL ? (size_t)(equals - word) : 0;
	const struct {
		const char *name, **value;
	} texts[] = { { "customer", &filter->customer }, { "domain", &filter->domain },
		{ "account", &filter->account }, { "who", &filter->who } };
	guint64 limit;

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		if (length == strlen(texts[i].name) && strncmp(word, texts[i].name, length) == 0 && equals[1] != '\0') {
			*texts[i].value = equals + 1;
			return true;
		}
	}
	if (g_str_has_prefix(word, "since="))
		return audit_read_since(equals + 1, now_us, &filter->since_us, error);
	if (!g_str_has_prefix(word, "limit="))
		return error_set(error, POSTERN_ERROR_INVALID,
			"\"%s\" is none of customer=, domain=, account=, who=, since=, limit=", word);
	if (!g_ascii_string_to_unsigned(equals + 1, 10, 1, AUDIT_ROWS_MOST, &limit, NULL))
		return error_set(error, POSTERN_ERROR_INVALID, "limit is a number, 1 to %d", AUDIT_ROWS_MOST);
	filter->limit = (size_t)limit;
	return true;
}

void
control_audit(Daemon *daemon, const Request *request, Answer *answer)
{
	AuditFilter filter = { .limit = AUDIT_ROWS };
	g_autoptr(GError) error = NULL;

	for (char *const *word = request->words + 1; *word != NULL; word++) {
		if (!audit_read_word(*word, clock_wall(daemon->engine.clock), &filter, &error)) {
			answer_fail(answer, "%s", error->message);
			return;
		}
	}
	answer_columns(answer, "time:time", "who", "login", "node", "command", "kind", "name", "customer", "domain",
		"options:list", "before", "after", NULL);
	if (audit_each(daemon->audit, &filter, audit_put_row, answer) != PTN_OK)
		answer_fail(answer, "the directory cannot be read now: what was written is not all");
}
