/* fuzz-config.c - any octets as a configuration: it is taken, or every mistake is named; what is printed reads the same. */
#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"
#include "service/config.h"

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

static const FuzzRule fuzz_rules[] = { { 'L', "[$s]\n" }, { 'L', "[$s]\n$o$o" }, { 'L', "$o" }, { 'L', "$o" }, { 'L', "$o\t$v\n" },
	{ 'L', "# $v\n" }, { 'L', "\n" }, { 'L', "$n = $v, $v # $v\n" },
	{ 's', "server" }, { 's', "listener $i" }, { 's', "tls" }, { 's', "tls $i" }, { 's', "level $i" }, { 's', "plugin x" },
	{ 's', "plugin x/$i" }, { 's', "plugin y" }, { 's', "$v" },
	{ 'i', "a" }, { 'i', "b" }, { 'i', "a b" }, { 'i', "$v" },
	{ 'o', "text = $v\n" }, { 'o', "bool = $b\n" }, { 'o', "number = $d\n" }, { 'o', "size = $d$u\n" }, { 'o', "time = $t\n" },
	{ 'o', "range = $t .. $t\n" }, { 'o', "choice = $c\n" }, { 'o', "file = $f\n" }, { 'o', "host = $h\n" },
	{ 'o', "domain = $h\n" }, { 'o', "network = $w\n" }, { 'o', "mailbox = $m\n" }, { 'o', "url = $r\n" },
	{ 'o', "list = $w, $w\n\t$w\n" }, { 'o', "words = $v $v\n" }, { 'o', "$n = $v\n" }, { 'o', "a.b = $v\n" },
	{ 'n', "text" }, { 'n', "list" }, { 'n', "number" }, { 'n', "words" }, { 'n', "mailbox" }, { 'n', "hots" },
	{ 'v', "\"a # b\"" }, { 'v', "x" }, { 'v', "\"a\\\"b\\\\\"" }, { 'v', "\"open" }, { 'v', "a b" }, { 'v', "" }, { 'v', "j\xc3\xbc" },
	{ 'v', "$d" }, { 'v', "$w" }, { 'v', "$m" }, { 'v', "$r" }, { 'v', "@file" },
	{ 'b', "yes" }, { 'b', "no" }, { 'b', "on" }, { 'b', "$v" },
	{ 'd', "5" }, { 'd', "0" }, { 'd', "-3" }, { 'd', "1000" }, { 'd', "9223372036854775807" }, { 'd', "99999999999999999999" },
	{ 'd', "1.5" },
	{ 'u', "" }, { 'u', "K" }, { 'u', "M" }, { 'u', "T" }, { 'u', "KiB" },
	{ 't', "$dms" }, { 't', "$ds" }, { 't', "$dm" }, { 't', "$dh" }, { 't', "$dd" }, { 't', "1h30m" }, { 't', "$d" },
	{ 'c', "enforce" }, { 'c', "warn" }, { 'c', "off" }, { 'c', "$v" },
	{ 'f', "/x" }, { 'f', "x" }, { 'f', "\"/a b\"" }, { 'f', "/x/../y" },
	{ 'h', "mail.example.net" }, { 'h', "b\xc3\xbc" "cher.example" }, { 'h', "xn--bcher-kva.example" }, { 'h', "$v" }, { 'h', "a..b" },
	{ 'h', "$w" },
	{ 'w', "192.0.2.0/24" }, { 'w', "2001:db8::/32" }, { 'w', "192.0.2.1" }, { 'w', "::ffff:192.0.2.1/120" }, { 'w', "1.2.3.4/33" },
	{ 'm', "a@b.example" }, { 'm', "\"\\\"a b\\\"@b.example\"" }, { 'm', "<a@b.example>" }, { 'm', "@b.example" },
	{ 'r', "redis://h:1/0" }, { 'r', "rediss://u:p@h/1" }, { 'r', "unix:/x" }, { 'r', "http://[2001:db8::1]:8/" }, { 0 } };

const FuzzGrammar fuzz_grammar = { 0, fuzz_rules };

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
