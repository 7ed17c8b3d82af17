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

/* Plugins of ours that permit recipients without a login; a section is there if its plugin is listed. */
void
receivers_check(const Config *config, const EngineSettings *engine, GPtrArray *warnings)
{
	static const struct {
		const char *section, *option, *what;
	} receivers[] = { { "server", "postmaster", "mail to our postmaster" },
		{ "plugin bcc-mirror", "bounce-domain", "bounces of copies" },
		{ "plugin senderverify", "probe-sender", "mail to the sender of probes" },
		{ "plugin standing", "address", "complaint reports" } };

	if (receivers_has_listener(engine))
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(receivers); i++) {
		const ConfigSection *section = config_section(config, receivers[i].section, NULL);
		const char *option = receivers[i].option;

		if (section != NULL && config_is_set(section, option))
			settings_complain(warnings, section, option,
				"[%s] %s = %s: no listener has inbound = yes, so %s cannot come in here", receivers[i].section,
				option, config_text(section, option), receivers[i].what);
	}
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
