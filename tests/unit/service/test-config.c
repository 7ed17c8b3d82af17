/* test-config.c - what the reader takes, what it names as a mistake, and what a configuration answers. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/config.h"
#include "unit/service/suites.h"

static const char *const config_modes[] = { "enforce", "warn", "off", NULL };

static const PtnOption config_server[] = {
	{ "hostname", PTN_DOMAIN_NAME, 0, NULL, "name of the server", .is_required = true },
	{ "max-message", PTN_SIZE, 0, "64K", "SIZE", 1, 1 << 30 },
	{ "exempt", PTN_LIST | PTN_TEXT, 0, NULL, "who is exempt" },
	{ "support", PTN_TEXT, 0, NULL, "second line" },
	{ "plugins", PTN_LIST | PTN_TEXT, 0, "auth limits", "the chain" },
	{ 0 } };
static const PtnOption config_listener[] = {
	{ "ports", PTN_LIST | PTN_NUMBER, 0, "25", "ports" },
	{ "auth", PTN_BOOL, 0, "no", "AUTH" },
	{ 0 } };
static const PtnOption config_tls[] = { { "key", PTN_FILE, 0, NULL, "private key" }, { 0 } };
static const PtnOption config_dnsbl[] = {
	{ "mode", PTN_CHOICE, PTN_IN_SERVER, "enforce", "mode", .choices = config_modes },
	{ "zone", PTN_DOMAIN_NAME, PTN_IN_ITEM, NULL, "list to ask", .is_required = true },
	{ "codes", PTN_LIST | PTN_TEXT, PTN_IN_ITEM, "127.0.0.2", "codes that count" },
	{ "secret", PTN_SECRET, PTN_IN_SERVER, NULL, "secret" },
	{ "wait", PTN_TIME_RANGE, PTN_IN_SERVER, "5m .. 15m", "range" },
	{ 0 } };
static const ConfigKind config_kinds[] = {
	{ "server", CONFIG_ONCE, config_server, false },
	{ "listener", CONFIG_NAMED, config_listener, false },
	{ "tls", CONFIG_BOTH, config_tls, false },
	{ "level", CONFIG_NAMED, NULL, true },
	{ "plugin dnsbl", CONFIG_ONCE, config_dnsbl, false },
	{ "plugin dnsbl/", CONFIG_NAMED, config_dnsbl, false },
	{ NULL, CONFIG_ONCE, NULL, false } };

#define SERVER "[server]\nhostname = mx.example.net\n"

static Config *
config_from(const char *text)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	Config *config = config_parse(text, "t.conf", config_kinds, mistakes);

	for (guint i = 0; i < mistakes->len; i++)
		ASSERT_TEXT(g_ptr_array_index(mistakes, i), NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(config);
	return config;
}

/* All mistakes of `text`, each ended by "\n". */
static char *
config_mistakes(const char *text)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(Config) config = config_parse(text, "t.conf", config_kinds, mistakes);
	GString *all = g_string_new(NULL);

	CU_ASSERT_EQUAL(config == NULL, mistakes->len > 0);
	for (guint i = 0; i < mistakes->len; i++)
		g_string_append_printf(all, "%s\n", (const char *)g_ptr_array_index(mistakes, i));
	return g_string_free(all, FALSE);
}

static void
test_values(void)
{
	g_autoptr(Config) config = config_from("# the file\n" SERVER
		"max-message = 2M   # octets\r\n"
		"exempt      = abuse@ .spamcop.net\n"
		"support     = see https://help.example.net/#x or \"quote\" it # yes\n"
		"plugins     = blocking auth\n"
		"\t# a comment in between\n"
		"              limits  # more\n"
		"\n"
		"[listener  mx]\n"
		"ports=25, 2525\n"
		"auth = yes\n"
		"[tls]\nkey = /a\n[tls mx.example.net]\nkey = \"/b #c \\\"d\\\"\"\n");
	const ConfigSection *server = config_section(config, "server", NULL);
	const ConfigSection *listener = config_section(config, "listener", "mx");

	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	CU_ASSERT_PTR_NOT_NULL_FATAL(listener);
	CU_ASSERT_EQUAL(config_number(server, "max-message"), 2 << 20);
	ASSERT_TEXT(config_text(server, "exempt"), "abuse@ .spamcop.net");
	ASSERT_TEXT(config_text(server, "support"), "see https://help.example.net/#x or \"quote\" it");
	ASSERT_TEXT(config_text(server, "plugins"), "blocking auth limits");
	ASSERT_TEXT(config_list(server, "plugins")[2], "limits");
	CU_ASSERT_PTR_NULL(config_list(server, "plugins")[3]);
	ASSERT_TEXT(config_section_name(listener), "mx");
	CU_ASSERT_TRUE(config_bool(listener, "auth"));
	ASSERT_TEXT(config_list(listener, "ports")[1], "2525");
	ASSERT_TEXT(config_text(config_section(config, "tls", NULL), "key"), "/a");
	ASSERT_TEXT(config_text(config_section(config, "tls", "mx.example.net"), "key"), "/b #c \"d\"");
	CU_ASSERT_PTR_NULL(config_section(config, "listener", "odd"));
	CU_ASSERT_PTR_NULL(config_section(config, "listener", NULL));
}

static void
test_places(void)
{
	g_autoptr(Config) config = config_from("\n" SERVER "[listener b]\n\nauth = yes\n[listener a]\n");
	const ConfigSection *b = config_section(config, "listener", "b");
	const GPtrArray *all = config_sections(config, "listener");

	ASSERT_TEXT(config_where(b, "auth"), "t.conf:6");
	ASSERT_TEXT(config_where(b, "ports"), "t.conf:4");
	ASSERT_TEXT(config_where(b, NULL), "t.conf:4");
	CU_ASSERT_TRUE(config_is_set(b, "auth"));
	CU_ASSERT_FALSE(config_is_set(b, "ports"));
	CU_ASSERT_EQUAL(config_number(config_section(config, "server", NULL), "max-message"), 65536);
	CU_ASSERT_EQUAL_FATAL(all->len, 2);
	ASSERT_TEXT(config_section_name(g_ptr_array_index(all, 0)), "b");
	CU_ASSERT_EQUAL(config_sections(config, "level")->len, 0);
	CU_ASSERT_EQUAL(config_sections(config, "nonesuch")->len, 0);
}

static void
test_items_and_levels(void)
{
	g_autoptr(Config) config = config_from(SERVER "[plugin dnsbl/xbl]\nzone = x.example\n[plugin dnsbl/authbl]\n"
		"zone = a.example\ncodes = 127.0.0.20\n[level standard]\nlimits.messages = 200/1h 1000/1d # two\nlike = personal\n");
	const ConfigSection *common = config_section(config, "plugin dnsbl", NULL);
	const ConfigSection *xbl = config_section(config, "plugin dnsbl/", "xbl");
	const ConfigSection *level = config_section(config, "level", "standard");

	CU_ASSERT_PTR_NOT_NULL_FATAL(common);
	CU_ASSERT_PTR_NOT_NULL_FATAL(xbl);
	CU_ASSERT_PTR_NOT_NULL_FATAL(level);
	ASSERT_TEXT(config_text(common, "mode"), "enforce");
	CU_ASSERT_EQUAL(config_number_most(common, "wait"), 900 * CLOCK_SECOND);
	ASSERT_TEXT(config_text(xbl, "codes"), "127.0.0.2");
	CU_ASSERT_EQUAL(config_sections(config, "plugin dnsbl/")->len, 2);
	ASSERT_TEXT(config_more(level)[0], "limits.messages");
	ASSERT_TEXT(config_more(level)[1], "like");
	CU_ASSERT_PTR_NULL(config_more(level)[2]);
	ASSERT_TEXT(config_text(level, "limits.messages"), "200/1h 1000/1d");
	CU_ASSERT_PTR_NULL(config_more(xbl)[0]);
}

static void
test_mistakes(void)
{
	static const struct {
		const char *text, *mistakes;
	} cases[] = {
		{ SERVER "[plugin dnsbl/xbl]\nzone = x.example\ncode = 1\n",
			"t.conf:5: [plugin dnsbl/xbl] code: no such option (did you mean \"codes\"?)\n" },
		{ "[server]\nhostnme = x\n", "t.conf:2: [server] hostnme: no such option (did you mean \"hostname\"?)\n"
			"t.conf:1: [server] hostname: must be given (name of the server)\n" },
		{ SERVER "max-message = 1x\nplugins = a\n", "t.conf:3: [server] max-message: \"1x\" is not a size (as 64K, 200M, 10G)\n" },
		{ SERVER "support = a\nsupport = b\n", "t.conf:4: [server] support: is given twice, first at t.conf:3\n" },
		{ SERVER "[listener a]\n[listener a]\nauth = x\n",
			"t.conf:4: [listener a] is given twice, first at t.conf:3\n"
			"t.conf:5: [listener a] auth: \"x\" is neither yes nor no\n" },
		{ SERVER "[listner a]\nx = y\n[listener]\n[server b]\n[what]\n",
			"t.conf:3: [listner a]: no such section (did you mean \"listener\"?)\n"
			"t.conf:5: [listener] needs a name: [listener NAME]\n"
			"t.conf:6: [server b] takes no name: [server]\n"
			"t.conf:7: [what]: no such section\n" },
		{ "x = 1\n" SERVER "what is this\n= 3\nbad key = 4\n",
			"t.conf:1: x: stands before the first [SECTION]\n"
			"t.conf:4: neither \"[SECTION]\" nor \"key = value\"\n"
			"t.conf:5: \"\" cannot be the name of a key\n"
			"t.conf:6: \"bad key\" cannot be the name of a key\n" },
		{ SERVER "[tls\nkey = x\n[]\n[tls] x\n", "t.conf:3: the heading has no \"]\"\nt.conf:5: the heading is empty\n"
			"t.conf:6: text behind the heading\n" },
		{ SERVER "support = \"a\n", "t.conf:3: the quote is not closed\n" },
		{ SERVER "support = \"a\" b\n", "t.conf:3: text behind the closing quote\n" },
		{ SERVER " support = a\n", "t.conf:3: an indented line continues the value above; keys start at the line's first column\n" },
		{ SERVER "\n  more\n", "t.conf:4: an indented line, but no value above that it could continue\n" },
		{ SERVER "support = \"a\"\n  more\n", "t.conf:4: an indented line, but no value above that it could continue\n" },
		{ SERVER "support = a\001b\n", "t.conf:3: the line has a control character\n" },
		{ SERVER "support = a\xff\n", "t.conf:3: the line is not valid UTF-8\n" },
		{ SERVER "[plugin dnsbl]\nzone = x.example\n", "t.conf:4: [plugin dnsbl] zone: cannot be set in this section\n" },
		{ SERVER "[plugin dnsbl/x]\n", "t.conf:3: [plugin dnsbl/x] zone: must be given (list to ask)\n" },
		{ "", "t.conf: [server] hostname: must be given (name of the server)\n" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *mistakes = config_mistakes(cases[i].text);

		ASSERT_TEXT(mistakes, cases[i].mistakes);
	}
}

static void
test_same(void)
{
	g_autoptr(Config) a = config_from(SERVER "[listener x]\nauth = yes\n[level a]\nl.x = 1\n");
	g_autoptr(Config) b = config_from("# moved\n" SERVER "[listener x]\nauth = yes # same\nports = 25\n[level a]\nl.x = 2\n");
	g_autoptr(Config) c = config_from(SERVER "[listener y]\nauth = yes\n");

	CU_ASSERT_TRUE(config_same(a, b, "server"));
	CU_ASSERT_TRUE(config_same(a, b, "listener"));
	CU_ASSERT_FALSE(config_same(a, b, "level"));
	CU_ASSERT_FALSE(config_same(a, c, "listener"));
	CU_ASSERT_FALSE(config_same(a, c, "level"));
	CU_ASSERT_TRUE(config_same(a, c, "plugin dnsbl"));
}

static void
test_same_secret_file(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *path = g_build_filename(directory, "s", NULL);
	g_autofree char *text = g_strdup_printf(SERVER "[plugin dnsbl]\nsecret = @%s\n", path);
	g_autoptr(Config) a = NULL;
	g_autoptr(Config) b = NULL;
	g_autofree char *printed = NULL;

	CU_ASSERT_TRUE(g_file_set_contents(path, "one\n", -1, NULL));
	a = config_from(text);
	CU_ASSERT_TRUE(g_file_set_contents(path, "two\n", -1, NULL));
	b = config_from(text);
	CU_ASSERT_FALSE(config_same(a, b, "plugin dnsbl"));
	printed = config_print(a);
	CU_ASSERT_PTR_NULL(strstr(printed, "one"));
	CU_ASSERT_PTR_NOT_NULL(strstr(printed, path));
	unit_remove_directory(directory);
}

static void
test_print(void)
{
	g_autoptr(Config) config = config_from(SERVER "support = \" a # b\"\n[plugin dnsbl]\nsecret = hush\n[level a]\nl.x = 1\n");
	g_autofree char *printed = config_print(config);

	ASSERT_TEXT(printed, "[server]\nhostname = mx.example.net\nmax-message = 64K # preset\n# exempt is not set\n"
		"support = \"a # b\"\nplugins = auth limits # preset\n\n"
		"[plugin dnsbl]\nmode = enforce # preset\nsecret = (hidden)\nwait = 5m .. 15m # preset\n\n[level a]\nl.x = 1\n");
}

static void
test_hide(void)
{
	g_autoptr(Config) config = config_from(SERVER "[plugin dnsbl]\nsecret = hush\n");
	g_autofree char *hidden = config_hide(config, "plugin dnsbl", g_strdup("a.hush.example, mx.example.net, hush"));
	g_autofree char *other = config_hide(config, "server", g_strdup("mx.example.net"));

	ASSERT_TEXT(hidden, "a.(hidden).example, mx.example.net, (hidden)");
	ASSERT_TEXT(other, "mx.example.net");
}

static void
test_files(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *path = g_build_filename(directory, "postern.conf", NULL);
	g_autofree char *more = g_build_filename(directory, "conf.d", NULL);
	g_autofree char *first = g_build_filename(more, "10-a.conf", NULL);
	g_autofree char *second = g_build_filename(more, "20-b.conf", NULL);
	g_autofree char *other = g_build_filename(more, "30-c.conf.bak", NULL);
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(Config) config = NULL;

	CU_ASSERT_PTR_NULL(config_load(path, config_kinds, mistakes));
	CU_ASSERT_TRUE(mistakes->len > 0);
	g_ptr_array_set_size(mistakes, 0);
	CU_ASSERT_EQUAL(g_mkdir(more, 0700), 0);
	CU_ASSERT_TRUE(g_file_set_contents(path, SERVER, -1, NULL));
	CU_ASSERT_TRUE(g_file_set_contents(second, "[listener b]\n[listener a]\n", -1, NULL));
	CU_ASSERT_TRUE(g_file_set_contents(first, "[listener z]\n", -1, NULL));
	CU_ASSERT_TRUE(g_file_set_contents(other, "[nonesuch]\n", -1, NULL));
	config = config_load(path, config_kinds, mistakes);
	CU_ASSERT_PTR_NOT_NULL_FATAL(config);
	ASSERT_TEXT(config_section_name(g_ptr_array_index(config_sections(config, "listener"), 0)), "z");
	ASSERT_TEXT(config_where(config_section(config, "listener", "a"), NULL), "conf.d/20-b.conf:2");
	CU_ASSERT_TRUE(g_file_set_contents(first, "[server]\nx=\n", -1, NULL));
	CU_ASSERT_PTR_NULL(config_load(path, config_kinds, mistakes));
	CU_ASSERT_EQUAL_FATAL(mistakes->len, 2);
	ASSERT_TEXT(g_ptr_array_index(mistakes, 0), "conf.d/10-a.conf:1: [server] is given twice, first at postern.conf:1");
	unit_remove_directory(directory);
}

static void
test_no_file(void)
{
	const ConfigKind kinds[] = { { "listener", CONFIG_NAMED, config_listener, false },
		{ "plugin dnsbl", CONFIG_ONCE, config_dnsbl, false }, { NULL, CONFIG_ONCE, NULL, false } };
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(Config) config = config_load(NULL, kinds, mistakes);
	g_autoptr(Config) same = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(config);
	same = config_ref(config);
	ASSERT_TEXT(config_text(config_section(same, "plugin dnsbl", NULL), "mode"), "enforce");
	CU_ASSERT_PTR_NULL(config_text(config_section(same, "plugin dnsbl", NULL), "secret"));
}

static void
config_count_freed(void *table)
{
	++*(unsigned *)table;
}

/* Tables that were made for a Config end with its last reference, whoever has that. */
static void
test_keep_tables(void)
{
	unsigned n_freed = 0;
	GPtrArray *tables = g_ptr_array_new_with_free_func(config_count_freed);
	Config *first = config_from(SERVER), *second = config_from(SERVER), *again;

	g_ptr_array_add(tables, &n_freed);
	config_keep_tables(first, tables);
	config_keep_tables(second, tables);
	g_ptr_array_unref(tables);
	again = config_ref(first);
	config_unref(first);
	config_unref(second);
	CU_ASSERT_EQUAL(n_freed, 0);
	ASSERT_TEXT(config_text(config_section(again, "server", NULL), "hostname"), "mx.example.net");
	config_unref(again);
	CU_ASSERT_EQUAL(n_freed, 1);
}

static const UnitTest config_tests[] = {
	{ "values, comments, quotes, continued lines", test_values },
	{ "every value knows its file and line", test_places },
	{ "items of plugins, levels that take more", test_items_and_levels },
	{ "every mistake is named with file and line, and reading goes on", test_mistakes },
	{ "what is the same in two configurations", test_same },
	{ "a secret's file that changed is a change, and is not printed", test_same_secret_file },
	{ "printing marks presets and hides secrets", test_print },
	{ "secrets are hidden in other text, too", test_hide },
	{ "conf.d is read in the order of names", test_files },
	{ "without a file all presets hold", test_no_file },
	{ "tables of options end with the last configuration that has them", test_keep_tables },
	{ NULL, NULL },
};
const UnitSuite suite_config = { "config", config_tests };
