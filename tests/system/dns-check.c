/* dns-check.c - asks the DNS service for names, all at once, and shows what it answers: for test_dns.py.
 *
 * dns-check [--server A] [--stub ZONE=A] [--anchor FILE] [--timeout MS] NAME/TYPE …
 * Without names it reads them from its input, one a line, and answers each before it reads the next. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/dns.h"

static PtnRecord
check_type(const char *text)
{
	static const struct {
		const char *name;
		PtnRecord type;
	} types[] = { { "A", PTN_A }, { "AAAA", PTN_AAAA }, { "MX", PTN_MX }, { "TXT", PTN_TXT }, { "PTR", PTN_PTR } };

	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		if (strcmp(types[i].name, text) == 0)
			return types[i].type;
	return PTN_EXCHANGERS;
}

static void
check_show(const char *question, DnsQuery *query, int64_t start_us)
{
	static const char *const names[] = { "found", "none", "unsure", "taken" };
	const PtnAnswer *answer = dns_wait(query, CLOCK_NEVER);

	printf("%s %s%s%s ttl=%d ms=%d", question, names[answer->status], answer->is_secure ? " secure" : "",
		dns_query_is_bogus(query) ? " bogus" : "", (int)(answer->ttl / CLOCK_SECOND),
		(int)((clock_monotonic(clock_system()) - start_us) / 1000));
	for (size_t i = 0; i < answer->count; i++)
		printf(" [%s]", answer->values[i]);
	printf("\n");
}

static DnsQuery *
check_start(Dns *dns, const char *question)
{
	const char *slash = strrchr(question, '/');
	g_autofree char *name = slash != NULL ? g_strndup(question, (size_t)(slash - question)) : g_strdup(question);

	return dns_start(dns, name, check_type(slash != NULL ? slash + 1 : ""));
}

static void
check_all(Dns *dns, char **questions)
{
	g_autoptr(GPtrArray) queries = g_ptr_array_new_with_free_func((GDestroyNotify)dns_query_unref);
	const int64_t start_us = clock_monotonic(clock_system());

	for (char **question = questions; *question != NULL; question++)
		g_ptr_array_add(queries, check_start(dns, *question));
	/* The last one first: what it waited for is its own, not the others' time. */
	for (guint i = queries->len; i-- > 0;)
		check_show(questions[i], g_ptr_array_index(queries, i), start_us);
}

static void
check_input(Dns *dns)
{
	char line[1000];

	while (fgets(line, sizeof line, stdin) != NULL) {
		g_autoptr(DnsQuery) query = check_start(dns, g_strchomp(line));

		check_show(line, query, clock_monotonic(clock_system()));
		(void)fflush(stdout);
	}
}

static int
check_run(const DnsSettings *settings, char **questions)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Dns) dns = dns_new(settings, &error);

	if (dns == NULL) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	if (questions != NULL)
		check_all(dns, questions);
	else
		check_input(dns);
	return 0;
}

int
main(int argc, char **argv)
{
	g_auto(GStrv) servers = NULL, stubs = NULL, questions = NULL;
	g_autofree char *anchor = NULL;
	int timeout_ms = 5000;
	const GOptionEntry options[] = { { "server", 0, 0, G_OPTION_ARG_STRING_ARRAY, &servers, NULL, NULL },
		{ "stub", 0, 0, G_OPTION_ARG_STRING_ARRAY, &stubs, NULL, NULL },
		{ "anchor", 0, 0, G_OPTION_ARG_STRING, &anchor, NULL, NULL },
		{ "timeout", 0, 0, G_OPTION_ARG_INT, &timeout_ms, NULL, NULL },
		{ G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &questions, NULL, NULL }, { 0 } };
	g_autoptr(GOptionContext) context = g_option_context_new("NAME/TYPE …");
	g_autoptr(GError) error = NULL;
	DnsSettings settings = { .cache_size = 1 << 20, .most_lookups = 20000, .limits = dns_limits_default(), .clock = clock_system() };

	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "%s\n", error->message);
		return 2;
	}
	settings.servers = (const char *const *)servers;
	settings.stub_zones = (const char *const *)stubs;
	settings.trust_anchor = anchor;
	settings.timeout_us = (int64_t)timeout_ms * 1000;
	return check_run(&settings, questions);
}
