/* fuzz-uribl.c - hosts of any message: each found domain is one that may be asked for, and bounds hold.
 *
 * The first octet of an input chooses the limits; the rest is the message. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "plugins/mime/mime.h"
#include "plugins/uribl/extract.h"
#include "plugins/uribl/number.h"

enum { FUZZ_SMALL = 1, FUZZ_BARE = 2, FUZZ_ADDRESSES = 4, FUZZ_MOST = 30 };

static const psl_ctx_t *
fuzz_psl(void)
{
	static psl_ctx_t *psl;

	if (psl == NULL) {
		mime_start();
		psl = psl_latest(NULL);
	}
	return psl;
}

static void
fuzz_check_domain(const Domain *domain)
{
	char address[NUMBER_SIZE];
	struct in6_addr binary;

	if (domain->is_number) {
		g_assert(
			inet_pton(AF_INET, domain->name, &binary) == 1 || inet_pton(AF_INET6, domain->name, &binary) == 1);
		return;
	}
	g_assert(domain->name[strspn(domain->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0');
	g_assert(domain->name[0] != '.' && strchr(domain->name, '.') != NULL && strstr(domain->name, "..") == NULL);
	g_assert(strlen(domain->name) <= 253 && !g_str_has_suffix(domain->name, "."));
	g_assert(number_parse(domain->name, address) == NUMBER_IS_NAME);
}

/* What is found without the library is what the library finds. */
static void
fuzz_plain(const char *octets, size_t size, const ExtractLimits *limits, unsigned most, MimeResult result,
	const GPtrArray *domains)
{
	g_autoptr(Hosts) hosts = hosts_new(fuzz_psl(), most);
	const MimeResult plain = extract_hosts(hosts, octets, size, limits, MIME_PLAIN);
	g_autoptr(GPtrArray) found = NULL;

	if (plain == MIME_NOT_PLAIN)
		return;
	g_assert(plain == result);
	found = hosts_domains(hosts, FUZZ_MOST);
	g_assert(found->len == domains->len);
	for (guint i = 0; i < found->len; i++)
		g_assert(strcmp(((const Domain *)g_ptr_array_index(found, i))->name,
			((const Domain *)g_ptr_array_index(domains, i))->name) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned flags = size > 0 ? data[0] : 0;
	const ExtractLimits limits = { .most_parts = (flags & FUZZ_SMALL) != 0 ? 5 : 200,
		.most_depth = (flags & FUZZ_SMALL) != 0 ? 3 : 50,
		.most_octets = (flags & FUZZ_SMALL) != 0 ? 100 : 1 << 20,
		.takes_bare = (flags & FUZZ_BARE) != 0,
		.takes_addresses = (flags & FUZZ_ADDRESSES) != 0 };
	const unsigned most = (flags & FUZZ_SMALL) != 0 ? 3 : 1000;
	g_autoptr(Hosts) hosts = hosts_new(fuzz_psl(), most);
	g_autoptr(GPtrArray) domains = NULL;
	MimeResult result;

	if (size < 1)
		return 0;
	result = extract_hosts(hosts, (const char *)data + 1, size - 1, &limits, MIME_LIBRARY);
	domains = hosts_domains(hosts, FUZZ_MOST);
	g_assert(domains->len == MIN(hosts_count(hosts), FUZZ_MOST));
	fuzz_plain((const char *)data + 1, size - 1, &limits, most, result, domains);
	g_ptr_array_foreach(domains, (GFunc)(void (*)(void))fuzz_check_domain, NULL);
	return 0;
}
