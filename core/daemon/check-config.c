/* check-config.c - sections that are well-formed each by itself, and cannot hold together. */
#include <string.h>

#include "daemon/check.h"
#include "daemon/settings.h"

/* ---- [server] plugins ---- */

static void
check_listed_once(const Config *config, GPtrArray *mistakes)
{
	const ConfigSection *server = config_section(config, "server", NULL);
	const char *const *names = config_list(server, "plugins");

	for (size_t i = 0; names[i] != NULL; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(names[i], names[k]) == 0) {
				settings_complain(mistakes, server, "plugins", "[server] plugins: %s is listed twice", names[i]);
				break;
			}
}

static bool
check_is_listed_before(const GPtrArray *rows, const char *name, guint place)
{
	for (guint i = 0; i < place; i++)
		if (strcmp(((const PluginRows *)g_ptr_array_index(rows, i))->plugin->name, name) == 0)
			return true;
	return false;
}

/* A plugin that counts on what another one found must come behind it, if both are listed. */
static void
check_order(const Loaded *loaded)
{
	const ConfigSection *server = config_section(loaded->config, "server", NULL);
	const GPtrArray *rows = loaded->rows;

	for (guint i = 0; i < rows->len; i++) {
		const PtnPlugin *plugin = ((const PluginRows *)g_ptr_array_index(rows, i))->plugin;
		g_auto(GStrv) after = g_strsplit(plugin->after != NULL ? plugin->after : "", " ", -1);

		for (char **name = after; *name != NULL; name++)
			if (check_is_listed_before(rows, *name, rows->len) && !check_is_listed_before(rows, *name, i))
				settings_complain(loaded->warnings, server, "plugins",
					"[server] plugins: %s comes before %s, and counts on what that one does", plugin->name, *name);
	}
}

/* ---- [listener], [delivery] ---- */

static void
check_listeners(const Loaded *loaded, GPtrArray *mistakes)
{
	for (guint i = 0; i < loaded->engine->listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(loaded->engine->listeners, i);

		if (!listener->takes_auth && !listener->is_inbound)
			settings_complain(mistakes, config_section(loaded->config, "listener", listener->name), "auth",
				"[listener %s] takes no mail from anybody: give auth = yes for accounts, or inbound = yes for "
				"mail to our domains",
				listener->name);
	}
}

static void
check_times(const Loaded *loaded, GPtrArray *mistakes)
{
	const DeliverySettings *delivery = loaded->delivery;

	if (delivery->expire_us < delivery->retry_least_us)
		settings_complain(mistakes, config_section(loaded->config, "delivery", NULL), "expire",
			"[delivery] expire is below retry: mail would be returned before its second attempt");
}

/* ---- [route] ---- */

static bool
check_share_a_word(char *const *a, char *const *b)
{
	const bool a_is_any = a == NULL || *a == NULL, b_is_any = b == NULL || *b == NULL;

	if (a_is_any || b_is_any)
		return a_is_any && b_is_any;
	for (; *a != NULL; a++)
		for (char *const *word = b; *word != NULL; word++)
			if (g_ascii_strcasecmp(*a, *word) == 0)
				return true;
	return false;
}

static const char *
check_common_domain(const Route *a, const Route *b)
{
	for (char *const *domain = a->to; domain != NULL && *domain != NULL; domain++)
		for (char *const *other = b->to; other != NULL && *other != NULL; other++)
			if (g_ascii_strcasecmp(*domain, *other) == 0)
				return *domain;
	return NULL;
}

static void
check_route(const Config *config, const Route *route, const Route *before, GPtrArray *mistakes)
{
	const ConfigSection *section = config_section(config, "route", route->name);
	const char *domain = check_common_domain(route, before);

	if (!check_share_a_word(route->modes, before->modes))
		return;
	if (domain != NULL)
		settings_complain(mistakes, section, "to", "[route %s] to: %s has a way already, [route %s]", route->name,
			domain, before->name);
	else if (check_share_a_word(route->to, before->to))
		settings_complain(mistakes, section, "for-mode",
			"[route %s] for-mode: this mail has a way already, [route %s]", route->name, before->name);
}

static void
check_routes(const Loaded *loaded, GPtrArray *mistakes)
{
	const GPtrArray *routes = loaded->delivery->routes;

	for (guint i = 0; i < routes->len; i++)
		for (guint k = 0; k < i; k++)
			check_route(
				loaded->config, g_ptr_array_index(routes, i), g_ptr_array_index(routes, k), mistakes);
}

/* ---- [level] ---- */

/* As far as it goes; the first level of a ring is named, once. */
static void
check_level_ring(const Config *config, const ConfigSection *level, GPtrArray *mistakes)
{
	const char *first = config_section_name(level), *like = config_text(level, "like");
	g_autoptr(GString) way = g_string_new(first);
	const guint most = config_sections(config, "level")->len;

	for (guint n = 0; n < most && like != NULL; n++) {
		const ConfigSection *next = config_section(config, "level", like);

		g_string_append_printf(way, ", %s", like);
		if (strcmp(like, first) == 0) {
			settings_complain(mistakes, level, "like",
				"[level %s] like: levels refer to each other in a ring: %s", first, way->str);
			return;
		}
		like = next != NULL ? config_text(next, "like") : NULL;
	}
}

void
check_config(const Loaded *loaded, GPtrArray *mistakes)
{
	const GPtrArray *levels = config_sections(loaded->config, "level");

	check_listed_once(loaded->config, mistakes);
	check_order(loaded);
	check_listeners(loaded, mistakes);
	check_times(loaded, mistakes);
	check_routes(loaded, mistakes);
	for (guint i = 0; i < levels->len; i++)
		check_level_ring(loaded->config, g_ptr_array_index(levels, i), mistakes);
}
