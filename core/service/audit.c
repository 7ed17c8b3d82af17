/* audit.c - records of changes: "audit/TIME-RANDOM", where TIME falls, so that a list begins with the newest. */
#include "service/audit.h"

#include <string.h>

#include "base/log.h"
#include "base/random.h"

enum { AUDIT_PAGE = 200, AUDIT_TRIES = 5 };
#define AUDIT_PATIENCE (5 * CLOCK_SECOND)

struct Audit {
	Store *store;
	const Clock *clock;
	char *node;
	int64_t keep_us;
};

/* Names in the record, and where their values are. */
static const struct {
	const char *name;
	size_t at;
	size_t most; /* octets */
} audit_fields[] = {
	{ "who", G_STRUCT_OFFSET(AuditRecord, who), AUDIT_WORD },
	{ "login", G_STRUCT_OFFSET(AuditRecord, login), AUDIT_WORD },
	{ "node", G_STRUCT_OFFSET(AuditRecord, node), AUDIT_WORD },
	{ "command", G_STRUCT_OFFSET(AuditRecord, command), AUDIT_WORD },
	{ "kind", G_STRUCT_OFFSET(AuditRecord, kind), AUDIT_WORD },
	{ "name", G_STRUCT_OFFSET(AuditRecord, name), AUDIT_WORD },
	{ "customer", G_STRUCT_OFFSET(AuditRecord, customer), AUDIT_WORD },
	{ "domain", G_STRUCT_OFFSET(AuditRecord, domain), AUDIT_WORD },
	{ "options", G_STRUCT_OFFSET(AuditRecord, options), AUDIT_WORD },
	{ "before", G_STRUCT_OFFSET(AuditRecord, before), AUDIT_TEXT },
	{ "after", G_STRUCT_OFFSET(AuditRecord, after), AUDIT_TEXT },
};

Audit *
audit_new(Store *store, const Clock *clock, const char *node, int64_t keep_us)
{
	Audit *audit = g_new0(Audit, 1);

	*audit = (Audit){ store, clock, g_strdup(node), keep_us };
	store_watch(store, AUDIT_PREFIX);
	return audit;
}

void
audit_free(Audit *audit)
{
	if (audit == NULL)
		return;
	g_free(audit->node);
	g_free(audit);
}

static const char **
audit_field(AuditRecord *record, size_t i)
{
	return (const char **)G_STRUCT_MEMBER_P(record, audit_fields[i].at);
}

/* ---- as text ---- */

/* At most `most` octets of whole characters, in UTF-8.  New. */
static char *
audit_cut(const char *value, size_t most)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);

	if (strlen(valid) <= most)
		return g_steal_pointer(&valid);
	*g_utf8_find_prev_char(valid, valid + most - strlen("…") + 1) = '\0';
	return g_strconcat(valid, "…", NULL);
}

/* Lines "NAME=VALUE"; in a value control characters and backslashes are escaped as in C. */
static char *
audit_format(AuditRecord *record)
{
	GString *text = g_string_new(NULL);
	char high[129];

	for (int i = 0; i < 128; i++)
		high[i] = (char)(0x80 + i);
	high[128] = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(audit_fields); i++) {
		const char *value = *audit_field(record, i);
		g_autofree char *cut = value != NULL ? audit_cut(value, audit_fields[i].most) : NULL;
		g_autofree char *escaped = cut != NULL ? g_strescape(cut, high) : NULL;

		if (escaped != NULL)
			g_string_append_printf(text, "%s=%s\n", audit_fields[i].name, escaped);
	}
	return g_string_free(text, FALSE);
}

/* The values are freed by audit_clear(). */
static void
audit_parse(const char *text, AuditRecord *record)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line != NULL; line++) {
		char *equals = strchr(*line, '=');

		if (equals == NULL)
			continue;
		*equals = '\0';
		for (size_t i = 0; i < G_N_ELEMENTS(audit_fields); i++)
			if (strcmp(*line, audit_fields[i].name) == 0 && *audit_field(record, i) == NULL)
				*audit_field(record, i) = g_strcompress(equals + 1);
	}
}

static void
audit_clear(AuditRecord *record)
{
	for (size_t i = 0; i < G_N_ELEMENTS(audit_fields); i++)
		g_free((void *)(uintptr_t)*audit_field(record, i));
}

/* ---- keys ---- */

static char *
audit_key(int64_t time_us)
{
	guint8 octets[4];

	random_fill(octets, sizeof octets);
	return g_strdup_printf(AUDIT_PREFIX "%016" G_GINT64_MODIFIER "x-%02x%02x%02x%02x",
		(guint64)(INT64_MAX - time_us), octets[0], octets[1], octets[2], octets[3]);
}

/* 0: it is not one of ours. */
static int64_t
audit_time_of(const char *key)
{
	const guint64 number = g_ascii_strtoull(key + strlen(AUDIT_PREFIX), NULL, 16);

	return number > 0 && number < (guint64)INT64_MAX ? INT64_MAX - (int64_t)number : 0;
}

/* ---- writing ---- */

static int64_t
audit_deadline(void)
{
	return clock_monotonic(clock_system()) + AUDIT_PATIENCE;
}

/* The line has everything that the record would have had. */
static void
audit_log_instead(const AuditRecord *record)
{
	log_event(LOG_LEVEL_ERROR, "audit record not written", "who", record->who, "login", record->login, "command",
		record->command, "kind", record->kind, "name", record->name, "customer", record->customer, "domain",
		record->domain, "options", record->options, "before", record->before, "after", record->after, NULL);
}

void
audit_write(Audit *audit, Actor *actor, const AuditRecord *given)
{
	AuditRecord record = *given;
	g_autofree char *text = NULL;
	PtnStatus status = PTN_TAKEN;

	record.time_us = clock_wall(audit->clock);
	record.who = actor != NULL ? actor->who : "daemon";
	record.login = actor != NULL ? actor->login : NULL;
	record.command = actor != NULL ? actor->command : NULL;
	record.node = audit->node;
	text = audit_format(&record);
	for (int i = 0; i < AUDIT_TRIES && status == PTN_TAKEN; i++) {
		g_autofree char *key = audit_key(record.time_us);

		status = store_claim(audit->store, key, text, audit->keep_us, audit_deadline());
	}
	if (status != PTN_OK)
		audit_log_instead(&record);
	if (actor != NULL)
		actor->records++;
}

/* ---- reading ---- */

static bool
audit_has_word(const char *text, const char *word)
{
	g_auto(GStrv) words = g_strsplit(text != NULL ? text : "", " ", -1);

	for (char **each = words; *each != NULL; each++)
		if (g_ascii_strcasecmp(*each, word) == 0)
			return true;
	return false;
}

/* Of a command without an entry: one of its words is the name, or "account=NAME". */
static bool
audit_command_names(const AuditRecord *record, const char *filter, const char *value)
{
	g_autofree char *selector = g_strdup_printf("%s=%s", filter, value);

	return (record->kind == NULL || *record->kind == '\0') &&
		   (audit_has_word(record->name, value) || audit_has_word(record->name, selector));
}

static bool
audit_is_about(const AuditRecord *record, const char *filter, const char *field, const char *value)
{
	return value == NULL || audit_has_word(field, value) || audit_command_names(record, filter, value);
}

static bool
audit_wants(const AuditFilter *filter, const AuditRecord *record)
{
	const bool is_account = g_strcmp0(record->kind, "account") == 0;

	return audit_is_about(record, "customer", record->customer, filter->customer) &&
		   audit_is_about(record, "domain", record->domain, filter->domain) &&
		   audit_is_about(record, "account", is_account ? record->name : NULL, filter->account) &&
		   (filter->who == NULL || g_strcmp0(record->who, filter->who) == 0 ||
			   g_strcmp0(record->login, filter->who) == 0);
}

/* False: what follows is too old, or enough was found. */
static bool
audit_take_item(const AuditFilter *filter, const StoreItem *item, size_t *n,
	void (*each)(void *data, const AuditRecord *record), void *data)
{
	AuditRecord record = { .time_us = audit_time_of(item->key) };

	if (record.time_us == 0)
		return true;
	if (record.time_us < filter->since_us)
		return false;
	audit_parse(item->value, &record);
	if (audit_wants(filter, &record)) {
		each(data, &record);
		(*n)++;
	}
	audit_clear(&record);
	return filter->limit == 0 || *n < filter->limit;
}

PtnStatus
audit_each(
	Audit *audit, const AuditFilter *filter, void (*each)(void *data, const AuditRecord *record), void *data)
{
	g_autofree char *after = NULL;
	size_t n = 0;

	for (;;) {
		g_autoptr(GPtrArray) page = NULL;

		if (store_list(audit->store, AUDIT_PREFIX, after, AUDIT_PAGE, audit_deadline(), &page) != PTN_OK)
			return PTN_UNSURE;
		for (guint i = 0; i < page->len; i++)
			if (!audit_take_item(filter, g_ptr_array_index(page, i), &n, each, data))
				return PTN_OK;
		if (page->len < AUDIT_PAGE)
			return PTN_OK;
		g_free(after);
		after = g_strdup(((const StoreItem *)g_ptr_array_index(page, page->len - 1))->key);
	}
}
