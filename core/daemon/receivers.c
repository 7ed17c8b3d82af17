/* receivers.c - addresses of ours that get mail from outside, and whether a listener takes it. */
#include "daemon/receivers.h"

#include <string.h>

#include "daemon/settings.h"

enum { RECEIVERS_PAGE = 1000, RECEIVERS_NAMED = 3 };

static bool
receivers_has_listener(const EngineSettings *engine)
{
	for (guint i = 0; i < engine->listeners->len; i++)
		if (((const ListenerSettings *)g_ptr_array_index(engine->listeners, i))->is_inbound)
			return true;
	return false;
}

typedef struct {
	const Config *config;
	GPtrArray *warnings;
} ReceiverCheck;

/* A section is there if its plugin is listed. */
static void
receivers_check_option(const ReceiverCheck *check, const char *name, const char *option, const char *what)
{
	const ConfigSection *section = config_section(check->config, name, NULL);

	if (section != NULL && config_is_set(section, option))
		settings_complain(check->warnings, section, option,
			"[%s] %s = %s: no listener has inbound = yes, so %s cannot come in here", name, option,
			config_text(section, option), what);
}

static void
receivers_check_plugin(void *data, const PtnPlugin *plugin, const PtnMeaningRow *row)
{
	g_autofree char *section = g_strdup_printf("plugin %s", plugin->name);

	receivers_check_option(data, section, row->option, row->what != NULL ? row->what : "mail");
}

void
receivers_check(const Config *config, const EngineSettings *engine, GPtrArray *warnings)
{
	ReceiverCheck check = { config, warnings };

	if (receivers_has_listener(engine))
		return;
	receivers_check_option(&check, "server", "postmaster", "mail to our postmaster");
	host_each_meaning(config_tables(config), PTN_MEANS_RECEIVER, receivers_check_plugin, &check);
	receivers_check_option(&check, "plugin standing", "address", "complaint reports");
}

/* ---- domains ---- */

static bool
receivers_gets_mail(const DirectoryEntry *domain)
{
	return g_strcmp0(directory_entry_get(domain, "mode"), directory_modes[MODE_OUTBOUND_ONLY]) != 0;
}

static guint
receivers_count(const GPtrArray *page, GString *names, guint so_far)
{
	guint count = 0;

	for (guint i = 0; i < page->len; i++) {
		const DirectoryEntry *domain = g_ptr_array_index(page, i);

		if (!receivers_gets_mail(domain))
			continue;
		if (so_far + count < RECEIVERS_NAMED)
			g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", directory_entry_name(domain));
		count++;
	}
	return count;
}

char *
receivers_check_domains(const EngineSettings *engine, Directory *directory, int64_t deadline_us)
{
	g_autoptr(GString) names = g_string_new(NULL);
	g_autofree char *after = NULL;
	guint count = 0, n;

	if (receivers_has_listener(engine))
		return NULL;
	do {
		g_autoptr(GPtrArray) page = NULL;

		if (directory_list(directory, PTN_DOMAIN, NULL, after, RECEIVERS_PAGE, deadline_us, &page) != PTN_OK)
			break;
		n = page->len;
		count += receivers_count(page, names, count);
		if (n > 0) {
			g_free(after);
			after = g_strdup(directory_entry_name(g_ptr_array_index(page, n - 1)));
		}
	} while (n == RECEIVERS_PAGE);
	if (count == 0)
		return NULL;
	return g_strdup_printf(
		"no listener has inbound = yes, so mail for %u domain%s of the directory cannot come in here: %s%s", count,
		count == 1 ? "" : "s", names->str, count > RECEIVERS_NAMED ? ", ..." : "");
}
