/* test-check.c - of the test host: whether values and configurations are taken, and what was raised as an alarm. */
#include "test-host-private.h"

#include <string.h>

#include "host/module.h"

ConfigKind *
test_config_kinds(const GPtrArray *rows)
{
	static const PtnOption level[] = { { "like", PTN_TEXT, PTN_IN_SERVER, NULL, "another level" }, { 0 } };
	static const PtnOption server[] = { { "header-prefix", PTN_TEXT, PTN_IN_SERVER, "X-Postern", "begins header names" },
		{ "monitors", PTN_NETWORK | PTN_LIST, PTN_IN_SERVER, "127.0.0.0/8 ::1", "never blocked" },
		{ "node", PTN_NUMBER, PTN_IN_SERVER, "0", "number of this node" },
		{ "service-name", PTN_TEXT, PTN_IN_SERVER, "postern", "in the subjects of notices" },
		{ "templates", PTN_FILE, PTN_IN_SERVER, NULL, "texts of notices" }, { 0 } };
	/* Peers of tests have the addresses of documentation. */
	static const PtnOption delivery[] = { { "private-networks", PTN_NETWORK | PTN_LIST, PTN_IN_SERVER,
											  "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32", "as in the core" },
		{ 0 } };
	ConfigKind *kinds = g_new0(ConfigKind, 2 * (size_t)rows->len + 4);

	kinds[0] = (ConfigKind){ "level", CONFIG_NAMED, level, true };
	kinds[2 * rows->len + 1] = (ConfigKind){ "server", CONFIG_ONCE, server, false };
	kinds[2 * rows->len + 2] = (ConfigKind){ "delivery", CONFIG_ONCE, delivery, false };
	for (guint i = 0; i < rows->len; i++) {
		const PluginRows *row = g_ptr_array_index(rows, i);
		g_autofree char *kind = g_strdup_printf("plugin %s", row->plugin->name);
		g_autofree char *items = g_strdup_printf("plugin %s/", row->plugin->name);

		kinds[2 * i + 1] = (ConfigKind){ g_intern_string(kind), CONFIG_ONCE, row->rows, false };
		kinds[2 * i + 2] = (ConfigKind){ g_intern_string(items), CONFIG_NAMED, row->items, false };
	}
	return kinds;
}

const char *
ptn_test_mistake(const PtnPlugin *plugin, const char *config)
{
	const char *const names[] = { plugin->name, NULL };
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) rows = NULL;
	g_autofree ConfigKind *kinds = NULL;
	g_autoptr(Config) parsed = NULL;

	module_add_linked(plugin);
	rows = host_load("/nonexistent", names, NULL, mistakes);
	kinds = test_config_kinds(rows);
	parsed = config_parse(config, "test.conf", kinds, mistakes);
	if (parsed != NULL)
		host_check_config(rows, parsed, mistakes);
	return mistakes->len > 0 ? g_intern_string(g_ptr_array_index(mistakes, 0)) : NULL;
}

/* ---- entries ---- */

static DirectoryEntry *
test_find(PtnTest *test, PtnKind kind, const char *name)
{
	DirectoryEntry *found = NULL;

	if (name != NULL)
		(void)directory_find(test->engine.directory, kind, name, CLOCK_NEVER, &found);
	return found;
}

const char *
ptn_test_set(PtnTest *test, PtnKind kind, const char *name, const char *option, const char *value)
{
	g_autoptr(DirectoryEntry) entry = test_find(test, kind, name);
	g_autoptr(DirectoryEntry) domain = NULL;
	g_autoptr(DirectoryEntry) customer = NULL;
	OptionPlaces places = { 0 };
	g_autofree char *canonical = NULL;
	g_autoptr(GError) error = NULL;

	if (entry == NULL)
		test_die(name, "no such entry");
	domain = test_find(test, PTN_DOMAIN, directory_entry_get(entry, "domain"));
	customer = test_find(test, PTN_CUSTOMER, directory_entry_get(entry, "customer"));
	places.account = kind == PTN_ACCOUNT ? entry : NULL;
	places.domain = kind == PTN_DOMAIN ? entry : domain;
	places.customer = kind == PTN_CUSTOMER ? entry : customer;
	canonical = host_canonical_value(test->set, option, kind, value, &error);
	directory_entry_set(entry, option, canonical != NULL ? canonical : value);
	if (canonical == NULL || !host_check_value(test->set, option, &places, canonical, &error))
		return test_hand_out(test, g_strdup(error->message));
	if (directory_save(test->engine.directory, entry, NULL, CLOCK_NEVER) != PTN_OK)
		test_die(name, "cannot be saved");
	return NULL;
}

const char *
ptn_test_get(PtnTest *test, PtnKind kind, const char *name, const char *option)
{
	g_autoptr(DirectoryEntry) entry = test_find(test, kind, name);
	const char *value = entry != NULL ? directory_entry_get(entry, option) : NULL;

	return value != NULL ? test_hand_out(test, g_strdup(value)) : NULL;
}

/* ---- alarms ---- */

typedef struct {
	const char *name;
	char *text;
} Wanted;

static void
test_take_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	Wanted *wanted = data;

	(void)since_us;
	if (strcmp(name, wanted->name) == 0)
		wanted->text = g_strdup(text);
}

const char *
ptn_test_alarm(PtnTest *test, const char *name)
{
	Wanted wanted = { name, NULL };

	metrics_each_alarm(test->engine.metrics, test_take_alarm, &wanted);
	return wanted.text != NULL ? test_hand_out(test, wanted.text) : NULL;
}

/* ---- blocks ---- */

const char *
ptn_test_blocked(PtnTest *test, const char *client)
{
	g_autoptr(GPtrArray) blocks = NULL;
	const Block *block;
	IpAddress address;

	if (!ip_parse(client, &address))
		test_die(client, "is not an address");
	if (blocks_test(test->engine.blocks, &address) == BLOCKS_FREE)
		return NULL;
	blocks = blocks_list(test->engine.blocks, &address);
	block = g_ptr_array_index(blocks, 0);
	return test_hand_out(test, g_strdup_printf("%s: %s", block->by, block->reason));
}
