/* hosts.c - one way to write each host: case, final dots, IDN (UTS #46), numbers, registrable domain. */
#include "plugins/uribl/hosts.h"

#include <idn2.h>
#include <string.h>

#include "plugin-api.h"
#include "plugins/uribl/number.h"

enum {
	HOST_MOST = 1024,     /* octets as found; the DNS has 253 */
	NAME_MOST = 253,
	LABEL_MOST = 63,
	TLDS = 4096,
	TLD_MOST = 24,
	MOST_TLDS_ASKED = 20000, /* of the public suffix list: half a microsecond each */
	MOST_IDN_OCTETS = 32768, /* half a microsecond each, too */
};

typedef struct {
	char name[TLD_MOST];
	bool is_one;
} Tld;

struct Hosts {
	const psl_ctx_t *psl;
	unsigned most; /* different hosts of a kind: some microseconds each */
	GHashTable *seen;               /* hosts as found, lower case -> kind + 1 */
	GHashTable *domains;            /* name -> Domain*, of all kinds */
	GPtrArray *by_kind[LINK_KINDS]; /* of Domain*; one that became surer is in both */
	unsigned tried[LINK_KINDS], tlds_asked;
	size_t idn_octets;
	bool is_cut;
	Tld tlds[TLDS]; /* what was asked of the public suffix list lately */
};

static void
domain_free(void *data)
{
	Domain *domain = data;

	g_free(domain->name);
	g_free(domain);
}

Hosts *
hosts_new(const psl_ctx_t *psl, unsigned most)
{
	Hosts *hosts = g_new0(Hosts, 1);

	hosts->psl = psl;
	hosts->most = most;
	hosts->seen = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, NULL);
	hosts->domains = g_hash_table_new_full(ptn_hash, g_str_equal, NULL, domain_free);
	for (size_t i = 0; i < LINK_KINDS; i++)
		hosts->by_kind[i] = g_ptr_array_new();
	return hosts;
}

void
hosts_free(Hosts *hosts)
{
	if (hosts == NULL)
		return;
	for (size_t i = 0; i < LINK_KINDS; i++)
		g_ptr_array_unref(hosts->by_kind[i]);
	g_hash_table_unref(hosts->domains);
	g_hash_table_unref(hosts->seen);
	g_free(hosts);
}

/* g_ascii_tolower() is a call each time. */
static inline char
lower_of(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* ---- top-level domains ---- */

bool
hosts_ends_with_tld(Hosts *hosts, const char *host, size_t size)
{
	const char *dot = memrchr(host, '.', size);
	const size_t length = dot != NULL ? (size_t)(host + size - dot - 1) : 0;
	char name[TLD_MOST];
	Tld *tld;

	if (length < 2 || length >= sizeof name)
		return false;
	for (size_t i = 0; i < length; i++)
		name[i] = lower_of(dot[1 + i]);
	name[length] = '\0';
	tld = &hosts->tlds[ptn_hash(name) % TLDS];
	if (strcmp(tld->name, name) != 0) {
		if (++hosts->tlds_asked > MOST_TLDS_ASKED) {
			hosts->is_cut = true;
			return false;
		}
		memcpy(tld->name, name, length + 1);
		tld->is_one = psl_is_public_suffix2(hosts->psl, name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
	}
	return tld->is_one;
}

/* ---- names ---- */

static bool
has_long_label(const char *name)
{
	for (size_t size = strcspn(name, "."); size <= LABEL_MOST; size = strcspn(name, ".")) {
		if (name[size] == '\0')
			return false;
		name += size + 1;
	}
	return true;
}

/* To ask for what no name can be fails, and a list would seem not to answer. */
static bool
is_name(const char *name)
{
	const size_t size = strlen(name);

	if (size == 0 || size > NAME_MOST || name[0] == '.' || strstr(name, "..") != NULL || has_long_label(name))
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0' && strchr(name, '.') != NULL;
}

/* "xn--…" of what is not ASCII, as browsers do it: full width, other dots, what cannot be seen.  New, or NULL. */
static char *
host_to_ascii(Hosts *hosts, const char *host)
{
	const size_t size = strlen(host);
	uint8_t *made = NULL;
	char *ascii;

	if (g_str_is_ascii(host))
		return g_strdup(host);
	if (hosts->idn_octets + size > MOST_IDN_OCTETS) {
		hosts->is_cut = true;
		return NULL;
	}
	hosts->idn_octets += size;
	if (!g_utf8_validate(host, -1, NULL) ||
		idn2_lookup_u8((const uint8_t *)host, &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return NULL;
	ascii = g_ascii_strdown((const char *)made, -1);
	idn2_free(made);
	return ascii;
}

static void
host_strip_dots(char *host)
{
	size_t size = strlen(host);

	while (size > 0 && host[size - 1] == '.')
		host[--size] = '\0';
}

/* ---- keeping ---- */

static void
hosts_keep(Hosts *hosts, const char *name, bool is_number, LinkKind kind)
{
	Domain *domain = g_hash_table_lookup(hosts->domains, name);

	if (domain == NULL) {
		domain = g_new0(Domain, 1);
		domain->name = g_strdup(name);
		domain->is_number = is_number;
		g_hash_table_insert(hosts->domains, domain->name, domain);
	}
	g_ptr_array_add(hosts->by_kind[kind], domain);
}

/* A public suffix with nothing before it ("blogspot.com") is somebody's host, too. */
static void
hosts_keep_name(Hosts *hosts, const char *name, LinkKind kind)
{
	const char *domain = psl_registrable_domain(hosts->psl, name);

	hosts_keep(hosts, domain != NULL ? domain : name, false, kind);
}

static void
hosts_add_plain(Hosts *hosts, const char *host, LinkKind kind)
{
	g_autofree char *name = host_to_ascii(hosts, host);
	char address[NUMBER_SIZE];

	if (name == NULL)
		return;
	host_strip_dots(name);
	switch (number_parse(name, address)) {
	case NUMBER_IS_ADDRESS:
		hosts_keep(hosts, address, true, kind);
		break;
	case NUMBER_IS_NAME:
		if (is_name(name) && (kind != LINK_BARE || hosts_ends_with_tld(hosts, name, strlen(name))))
			hosts_keep_name(hosts, name, kind);
		break;
	case NUMBER_IS_NONE:
		break;
	}
}

/* "shop.example看": text without blanks follows the link; the name before it is tried, too. */
static void
hosts_add_before_text(Hosts *hosts, char *host, LinkKind kind)
{
	const char *dot = strrchr(host, '.');
	size_t letters = 0;

	while (dot != NULL && g_ascii_isalnum(dot[1 + letters]))
		letters++;
	if (letters < 2 || (unsigned char)dot[1 + letters] < 0x80)
		return;
	host[(size_t)(dot - host) + 1 + letters] = '\0';
	if (hosts_ends_with_tld(hosts, host, strlen(host)))
		hosts_add_plain(hosts, host, kind);
}

void
hosts_add(Hosts *hosts, const char *host, size_t size, LinkKind kind)
{
	char lower[HOST_MOST + 1];
	unsigned known;

	if (size == 0 || size > HOST_MOST)
		return;
	for (size_t i = 0; i < size; i++)
		lower[i] = lower_of(host[i]);
	lower[size] = '\0';
	known = GPOINTER_TO_UINT(g_hash_table_lookup(hosts->seen, lower));
	if (known != 0 && known <= (unsigned)kind + 1)
		return;
	if (hosts->tried[kind] >= hosts->most) {
		hosts->is_cut = true;
		return;
	}
	hosts->tried[kind]++;
	g_hash_table_insert(hosts->seen, g_strdup(lower), GUINT_TO_POINTER((unsigned)kind + 1));
	hosts_add_plain(hosts, lower, kind);
	hosts_add_before_text(hosts, lower, kind);
}

/* ---- what was found ---- */

GPtrArray *
hosts_domains(const Hosts *hosts, unsigned most)
{
	GPtrArray *domains = g_ptr_array_new();
	g_autoptr(GHashTable) taken = g_hash_table_new(NULL, NULL);

	for (size_t kind = 0; kind < LINK_KINDS; kind++)
		for (guint i = 0; i < hosts->by_kind[kind]->len && domains->len < most; i++) {
			Domain *domain = g_ptr_array_index(hosts->by_kind[kind], i);

			if (g_hash_table_add(taken, domain))
				g_ptr_array_add(domains, domain);
		}
	return domains;
}

unsigned
hosts_count(const Hosts *hosts)
{
	return g_hash_table_size(hosts->domains);
}

bool
hosts_are_cut(const Hosts *hosts)
{
	return hosts->is_cut;
}
