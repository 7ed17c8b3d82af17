/* show-content.c - what the plugins that look into content find in messages, for test-content.
 *
 * Reads messages from standard input, each behind a line with its size.  Writes for each of them
 * lines, with octets in hexadecimal: "part TYPE OCTETS NAME…" per visited part, "domain NAME",
 * "file NAME" if one is refused, and "end whole" or "end cut". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/attachments/inspect.h"
#include "plugins/attachments/names.h"
#include "plugins/mime/mime.h"
#include "plugins/uribl/extract.h"

enum { OCTETS_MOST = 1 << 20, DOMAINS_MOST = 100 };

static const MimeLimits limits = { .most_parts = 200, .most_depth = 20 };

static void
show_hex(const char *octets, size_t size)
{
	putchar(' ');
	for (size_t i = 0; i < size; i++)
		printf("%02x", (unsigned char)octets[i]);
}

static void
show_part(const MimePart *part, void *data)
{
	size_t size;
	g_autofree char *octets = mime_decode(part, OCTETS_MOST, &size);

	(void)data;
	printf("part %s", part->type);
	show_hex(octets, size);
	for (const char *const *name = part->names; *name != NULL; name++)
		show_hex(*name, strlen(*name));
	putchar('\n');
}

static void
show_domains(const psl_ctx_t *psl, const char *content, size_t size)
{
	static const ExtractLimits most = {
		.most_parts = 200, .most_depth = 20, .most_octets = 1 << 24, .takes_bare = true
	};
	g_autoptr(Hosts) hosts = hosts_new(psl, 1000);
	g_autoptr(GPtrArray) domains = NULL;

	(void)extract_hosts(hosts, content, size, &most, MIME_LIBRARY);
	domains = hosts_domains(hosts, DOMAINS_MOST);
	for (guint i = 0; i < domains->len; i++)
		printf("domain %s\n", ((const Domain *)g_ptr_array_index(domains, i))->name);
}

static void
show_file(const InspectRules *rules, const char *content, size_t size)
{
	Finding finding;

	(void)inspect(&finding, content, size, rules, MIME_LIBRARY);
	if (finding.name != NULL)
		printf("file %s\n", finding.name);
	g_free(finding.name);
}

int
main(void)
{
	static const char *const names[] = { "*.exe", NULL }, *const types[] = { NULL };
	const InspectRules rules = { .names = patterns_new(names),
		.types = patterns_new(types),
		.looks_into_archives = true,
		.refuses_encrypted = true,
		.most_entries = 1000,
		.most_archive = 1 << 24,
		.mime = limits };
	psl_ctx_t *psl;
	char line[32];

	mime_start();
	psl = psl_latest(NULL);
	while (fgets(line, sizeof line, stdin) != NULL) {
		const size_t size = strtoul(line, NULL, 10);
		g_autofree char *content = g_malloc(size + 1);
		MimeResult result;

		if (fread(content, 1, size, stdin) != size)
			return 2;
		result = mime_walk(content, size, &limits, MIME_LIBRARY, show_part, NULL);
		show_domains(psl, content, size);
		show_file(&rules, content, size);
		puts(result == MIME_WHOLE ? "end whole" : "end cut");
		(void)fflush(stdout);
	}
	g_ptr_array_unref(rules.names);
	g_ptr_array_unref(rules.types);
	psl_free(psl);
	return 0;
}
