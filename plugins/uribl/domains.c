/* domains.c - what the plugin asks its parser, and what the parser answers: an octet that says whether a limit cut it, then
 * each domain with its kind before it and a NUL behind it. */
#include "plugins/uribl/domains.h"

#include <string.h>

enum { NAME_MOST = 253 };

typedef struct {
	ExtractLimits limits;
	unsigned most;
} Question;

enum { IS_WHOLE = 'w', IS_CUT = 'c', IS_NAME = 'n', IS_NUMBER = '#' };

/* ---- in both processes ---- */

static void
domain_free(void *data)
{
	Domain *domain = data;

	g_free(domain->name);
	g_free(domain);
}

void
domains_clear(Domains *domains)
{
	g_clear_pointer(&domains->names, g_ptr_array_unref);
}

static void
domains_add(Domains *domains, const char *name, bool is_number)
{
	Domain *domain = g_new0(Domain, 1);

	domain->name = g_strdup(name);
	domain->is_number = is_number;
	g_ptr_array_add(domains->names, domain);
}

/* False: by these means it cannot be read. */
static bool
domains_extract(const psl_ctx_t *psl, const Question *question, const char *content, size_t size, MimeMeans means,
	Domains *domains)
{
	g_autoptr(Hosts) hosts = hosts_new(psl, question->most);
	const MimeResult result = extract_hosts(hosts, content, size, &question->limits, means);
	g_autoptr(GPtrArray) found = NULL;

	if (result == MIME_NOT_PLAIN)
		return false;
	found = hosts_domains(hosts, question->most);
	domains->is_cut = result == MIME_CUT || hosts_count(hosts) > question->most;
	for (guint i = 0; i < found->len; i++) {
		const Domain *domain = g_ptr_array_index(found, i);

		domains_add(domains, domain->name, domain->is_number);
	}
	return true;
}

/* ---- in the parser ---- */

bool
domains_parser_start(void **state)
{
	mime_start();
	*state = psl_latest(NULL);
	return *state != NULL;
}

void
domains_parse(
	PtnParse *parse, void *state, const void *parameters, size_t parameters_size, const char *octets, size_t size)
{
	g_auto(Domains) domains = { .names = g_ptr_array_new_with_free_func(domain_free) };
	char kind;

	if (parameters_size != sizeof(Question) ||
		!domains_extract(state, parameters, octets, size, MIME_LIBRARY, &domains))
		return;
	kind = domains.is_cut ? IS_CUT : IS_WHOLE;
	ptn_parsed(parse, &kind, 1);
	for (guint i = 0; i < domains.names->len; i++) {
		const Domain *domain = g_ptr_array_index(domains.names, i);

		kind = domain->is_number ? IS_NUMBER : IS_NAME;
		ptn_parsed(parse, &kind, 1);
		ptn_parsed(parse, domain->name, strlen(domain->name) + 1);
	}
}

/* ---- in the daemon ---- */

/* As hosts.c makes them.  The answer may be a stranger's. */
static bool
is_name(const char *name)
{
	const size_t size = strlen(name);

	return size > 0 && size <= NAME_MOST && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_:") == size;
}

static bool
domains_read(Domains *domains, const char *answer, size_t size, unsigned most)
{
	const char *at = answer + 1, *end = answer + size;

	if (size == 0 || (answer[0] != IS_WHOLE && answer[0] != IS_CUT) || end[-1] != (size > 1 ? '\0' : answer[0]))
		return false;
	domains->is_cut = answer[0] == IS_CUT;
	for (; at < end; at += strlen(at) + 1) {
		if ((*at != IS_NAME && *at != IS_NUMBER) || !is_name(at + 1) || domains->names->len == most)
			return false;
		domains_add(domains, at + 1, *at == IS_NUMBER);
	}
	return true;
}

bool
domains_find(PtnHook *h, const psl_ctx_t *psl, const ExtractLimits *limits, unsigned most, const char *content,
	size_t size, Domains *domains)
{
	const Question question = { *limits, most };
	const char *answer;
	size_t answer_size;

	domains->names = g_ptr_array_new_with_free_func(domain_free);
	if (domains_extract(psl, &question, content, size, MIME_PLAIN, domains))
		return true;
	answer = ptn_parse(h, &question, sizeof question, content, size, &answer_size);
	if (answer == NULL)
		return false;
	ptn_count(h, "parsed", 1);
	if (domains_read(domains, answer, answer_size, most))
		return true;
	ptn_log(h, PTN_WARNING, "the parser's answer makes no sense");
	return false;
}
