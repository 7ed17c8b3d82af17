/* uribl-cost.c - the extraction of hosts, with the presets of the plugin. */
#include "content-cost.h"

#include "plugins/mime/mime.h"
#include "plugins/uribl/extract.h"

static psl_ctx_t *psl;

void
content_start(void)
{
	mime_start();
	psl = psl_latest(NULL);
}

void
content_look(const char *content, size_t size)
{
	static const ExtractLimits limits = { .most_parts = 1000, .most_depth = 20, .most_octets = 1 << 28, .takes_bare = true };
	g_autoptr(Hosts) hosts = hosts_new(psl, 1000);

	(void)extract_hosts(hosts, content, size, &limits, MIME_LIBRARY);
}

double
content_more(int n_files, char **files)
{
	(void)n_files, (void)files;
	return 0;
}
