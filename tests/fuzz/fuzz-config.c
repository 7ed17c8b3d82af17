/* fuzz-config.c - any octets as a configuration: it is taken, or every mistake is named; what is printed reads the same. */
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const fuzz_choices[] = { "enforce", "warn", "off", NULL };

static const PtnOption fuzz_server[] = {
	{ "text", PTN_TEXT, 0, "a # b", "text" }, { "bool", PTN_BOOL, 0, "yes", "bool" },
	{ "number", PTN_NUMBER, 0, "5", "number", -3, 1000 }, { "size", PTN_SIZE, 0, "64K", "size" },
	{ "time", PTN_TIME, 0, "5m", "time", 1, INT64_MAX }, { "range", PTN_TIME_RANGE, 0, "5m .. 15m", "range" },
	{ "choice", PTN_CHOICE, 0, "warn", "choice", .choices = fuzz_choices }, { "file", PTN_FILE, 0, "/x", "file" },
	{ "host", PTN_HOST, 0, NULL, "host" }, { "domain", PTN_DOMAIN_NAME, 0, NULL, "domain" },
	{ "network", PTN_NETWORK, 0, NULL, "network" }, { "mailbox", PTN_MAILBOX, 0, NULL, "mailbox" },
	{ "url", PTN_URL, 0, NULL, "url" }, { "list", PTN_LIST | PTN_NETWORK, 0, NULL, "list", 0, 9 },
	{ "words", PTN_LIST | PTN_TEXT, 0, NULL, "words" }, { 0 } };
static const ConfigKind fuzz_kinds[] = { { "server", CONFIG_ONCE, fuzz_server, false },
	{ "listener", CONFIG_NAMED, fuzz_server, false }, { "tls", CONFIG_BOTH, fuzz_server, false },
	{ "level", CONFIG_NAMED, NULL, true }, { "plugin x", CONFIG_ONCE, fuzz_server, false },
	{ "plugin x/", CONFIG_NAMED, fuzz_server, false }, { NULL, CONFIG_ONCE, NULL, false } };

/* Values must not be read from files of this machine. */
static bool
fuzz_names_a_file(const char *text)
{
	return strstr(text, "@/") != NULL;
}

static void
fuzz_check_printed(Config *config)
{
	g_autofree char *printed = config_print(config);
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(Config) again = config_parse(printed, "printed", fuzz_kinds, mistakes);

	if (again == NULL)
		abort();
	for (const ConfigKind *kind = fuzz_kinds; kind->kind != NULL; kind++)
		if (!config_same(config, again, kind->kind))
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *text = g_strndup((const char *)data, size);
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(Config) config = NULL;

	if (fuzz_names_a_file(text))
		return 0;
	config = config_parse(text, "fuzz", fuzz_kinds, mistakes);
	if ((config == NULL) != (mistakes->len > 0))
		abort();
	if (config != NULL)
		fuzz_check_printed(config);
	return 0;
}
