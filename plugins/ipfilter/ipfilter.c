/* ipfilter - from where an account may submit: an address, a network or a host, per family.
 *
 * Judged when the password was right, and again at a MAIL before which the filter was changed.  A filter that cannot
 * be judged is never an open one. */
#include "plugin-api.h"

#include <glib.h>
#include <string.h>

#include "source.h"

typedef enum { AS_SEEN, AS_IP, AS_HOST } Selector; /* places in `selectors` */

typedef enum {
	MATCHES,
	DIFFERS,
	ABSENT,
	UNRESOLVED,
	BROKEN, /* a value that would not be taken: written past posternctl */
} Match;

/* One row per family: its options, its name, its kind of address record. */
typedef struct {
	const char *filter, *type, *alternate, *name;
	PtnRecord record;
	bool is_ipv6;
} Family;

static const Family families[] = {
	{ "ipv4", "ipv4-type", "ipv4-alternate", "IPv4", PTN_A, false },
	{ "ipv6", "ipv6-type", "ipv6-alternate", "IPv6", PTN_AAAA, true },
};

typedef struct {
	const char *judged; /* the filters that the client passed */
} Session;

/* ---- does the client match? ---- */

static char *
complaint_of(const char *value, SourceKind kind, bool is_ipv6)
{
	return kind == SOURCE_HOST ? source_host_complaint(value) : source_network_complaint(value, is_ipv6);
}

/* A name that has addresses of the other family alone is no name that will have one soon. */
static bool
is_of_other_family(PtnHook *h, const Family *family, const char *host)
{
	const PtnAnswer *answer = ptn_dns(h, host, family->is_ipv6 ? PTN_A : PTN_AAAA);

	return answer->status == PTN_OK && answer->count > 0;
}

static Match
match_host(PtnHook *h, const Family *family, const char *host)
{
	const PtnAnswer *answer = ptn_dns(h, host, family->record);

	for (size_t i = 0; answer->status == PTN_OK && i < answer->count; i++)
		if (ptn_is_within(ptn_client(h), answer->values[i]))
			return MATCHES;
	if (answer->status == PTN_OK && answer->count > 0)
		return DIFFERS;
	return answer->status == PTN_NONE && is_of_other_family(h, family, host) ? DIFFERS : UNRESOLVED;
}

static Match
match(PtnHook *h, const Family *family, const char *value, Selector selector)
{
	const SourceKind kind = source_kind(value);
	g_autofree char *complaint = complaint_of(value, kind, family->is_ipv6);

	if (complaint != NULL || (selector == AS_IP && kind == SOURCE_HOST) ||
		(selector == AS_HOST && kind == SOURCE_NETWORK))
		return BROKEN;
	if (kind == SOURCE_HOST)
		return match_host(h, family, value);
	return ptn_is_within(ptn_client(h), value) ? MATCHES : DIFFERS;
}

static const char *
filter_of(PtnHook *h, const char *option)
{
	const char *value = ptn_option(h, option);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *
alternate_of(PtnHook *h, const Family *family)
{
	return ptn_option_number(h, "alternates") != 0 ? filter_of(h, family->alternate) : NULL;
}

/* The alternate is asked where the filter does not match, whatever the reason. */
static Match
match_filters(PtnHook *h, const Family *family)
{
	const char *value = filter_of(h, family->filter), *alternate = alternate_of(h, family);
	const Selector selector = (Selector)ptn_option_number(h, family->type);
	const Match first = value != NULL ? match(h, family, value, selector) : ABSENT;
	Match second;

	if (first == MATCHES || alternate == NULL)
		return first;
	second = match(h, family, alternate, AS_IP);
	return second == MATCHES || first == ABSENT ? second : first;
}

/* ---- what follows ---- */

static bool
is_server(PtnHook *h)
{
	PtnEntry *account = ptn_account(h);
	const char *type = account != NULL ? ptn_get(account, "type") : NULL;

	return type != NULL && strcmp(type, "server") == 0;
}

static PtnVerdict
refuse_mismatch(PtnHook *h, PtnStage stage, const char *why)
{
	ptn_count(h, "mismatch", 1);
	if (stage == PTN_AUTHENTICATED && ptn_option_number(h, "hide-mismatch"))
		return ptn_refuse(
			h, PTN_CREDENTIALS, 535, "5.7.8", "Error: authentication failed: wrong login or password");
	return ptn_refuse(h, PTN_POLICY, 554, "5.7.1", "Client host rejected: Access denied%s", why);
}

static PtnVerdict
refuse_unsure(PtnHook *h, PtnStage stage, PtnCause cause, const char *why)
{
	if (stage == PTN_MAIL)
		return ptn_refuse(h, cause, 450, "4.7.1", "Client host rejected: %s", why);
	if (ptn_option_number(h, "hide-mismatch"))
		return ptn_refuse(h, cause, 454, "4.7.0", "Temporary authentication failure");
	return ptn_refuse(h, cause, 454, "4.7.0", "Client host rejected: %s", why);
}

static PtnVerdict
judge(PtnHook *h, PtnStage stage)
{
	const Family *family = &families[strchr(ptn_client(h), ':') != NULL ? 1 : 0];

	switch (match_filters(h, family)) {
	case MATCHES:
		return PTN_NEXT;
	case DIFFERS:
		return refuse_mismatch(h, stage, "");
	case ABSENT:
		if (!is_server(h))
			return PTN_NEXT;
		return refuse_mismatch(
			h, stage, ptn_format(h, " (this mail-server account has no %s filter)", family->name));
	case UNRESOLVED:
		if (ptn_sleep(h, 0)) /* else this run is repeated where it may wait */
			ptn_count(h, "unresolved", 1);
		return refuse_unsure(h, stage, PTN_DNS, "the host of the source filter cannot be resolved");
	case BROKEN:
		break;
	}
	ptn_log(h, PTN_WARNING, "the %s filter of %s makes no sense", family->name, ptn_login(h));
	return refuse_unsure(h, stage, PTN_LOCAL, "the source filter makes no sense");
}

/* All that a verdict depends on but the client and the DNS. */
static const char *
describe_filters(PtnHook *h)
{
	const Family *family = &families[strchr(ptn_client(h), ':') != NULL ? 1 : 0];
	const char *value = filter_of(h, family->filter), *alternate = alternate_of(h, family);

	return ptn_format(h, "%s %d %s %d", value != NULL ? value : "-", (int)ptn_option_number(h, family->type),
		alternate != NULL ? alternate : "-", is_server(h));
}

static PtnVerdict
judge_and_remember(PtnHook *h, PtnStage stage, const char *filters)
{
	Session *session = ptn_session(h);
	const PtnVerdict verdict = judge(h, stage);

	if (verdict == PTN_NEXT)
		session->judged = ptn_keep(h, PTN_FOR_SESSION, filters, strlen(filters) + 1);
	return verdict;
}

static PtnVerdict
at_login(PtnHook *h)
{
	return judge_and_remember(h, PTN_AUTHENTICATED, describe_filters(h));
}

/* An answer of the DNS that runs out does not end a session; a filter that was changed does. */
static PtnVerdict
at_mail(PtnHook *h)
{
	const Session *session = ptn_session(h);
	const char *filters;

	if (ptn_login(h) == NULL)
		return PTN_NEXT;
	filters = describe_filters(h);
	if (session->judged != NULL && strcmp(session->judged, filters) == 0)
		return PTN_NEXT;
	return judge_and_remember(h, PTN_MAIL, filters);
}

/* ---- values, before they are set ---- */

static const char *
keep(PtnHook *h, char *text /* takes */)
{
	g_autofree char *mine = text;

	return mine != NULL ? ptn_format(h, "%s", mine) : NULL;
}

static const char *
check_selector(PtnHook *h, const Family *family, const char *value)
{
	const Selector selector = (Selector)ptn_option_number(h, family->type);
	const SourceKind kind = value != NULL ? source_kind(value) : SOURCE_HOST;

	if (value == NULL)
		return NULL;
	if (selector == AS_IP && kind == SOURCE_HOST)
		return ptn_format(h, "\"%s\" is not an address or network, and %s is ip; for a host name set %s=host",
			value, family->type, family->type);
	if (selector == AS_HOST && kind == SOURCE_NETWORK)
		return ptn_format(h, "\"%s\" is not a host name, and %s is host; for an address or network set %s=ip",
			value, family->type, family->type);
	return NULL;
}

static const char *
check_alternate(PtnHook *h, const Family *family, const char *value)
{
	PtnEntry *customer = ptn_customer(h);
	const char *level = customer != NULL ? ptn_get(customer, "level") : NULL;

	if (ptn_option_number(h, "alternates") == 0)
		return level != NULL ? ptn_format(h, "level %s has no alternate filters", level)
							 : "alternate filters need a level that has them (ipfilter.alternates = yes)";
	if (source_kind(value) == SOURCE_HOST)
		return ptn_format(h, "\"%s\": an alternate filter is an address or a network, not a host name", value);
	return keep(h, source_network_complaint(value, family->is_ipv6));
}

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		const Family *family = &families[i];
		const char *complaint;

		if (strcmp(option, family->type) == 0)
			return check_selector(h, family, filter_of(h, family->filter));
		if (strcmp(option, family->alternate) == 0)
			return check_alternate(h, family, value);
		if (strcmp(option, family->filter) != 0)
			continue;
		complaint = check_selector(h, family, value);
		return complaint != NULL ? complaint : keep(h, complaint_of(value, source_kind(value), family->is_ipv6));
	}
	return NULL;
}

static const char *const selectors[] = { "auto", "ip", "host", NULL };

static const PtnOption options[] = {
	{ "ipv4", PTN_TEXT, PTN_IN_ACCOUNT, NULL, "IPv4 address, network or host to submit from" },
	{ "ipv4-type", PTN_CHOICE, PTN_IN_ACCOUNT, "auto", "what ipv4 has to be", .choices = selectors },
	{ "ipv4-alternate", PTN_TEXT, PTN_IN_ACCOUNT, NULL, "IPv4 address or network that will do as well" },
	{ "ipv6", PTN_TEXT, PTN_IN_ACCOUNT, NULL, "IPv6 address, network or host to submit from" },
	{ "ipv6-type", PTN_CHOICE, PTN_IN_ACCOUNT, "auto", "what ipv6 has to be", .choices = selectors },
	{ "ipv6-alternate", PTN_TEXT, PTN_IN_ACCOUNT, NULL, "IPv6 address or network that will do as well" },
	{ "alternates", PTN_BOOL, PTN_IN_SERVER | PTN_IN_LEVEL, "no", "accounts may have alternate filters" },
	{ "hide-mismatch", PTN_BOOL, PTN_IN_SERVER, "no",
		"answer a client that no filter lets in as if its password were wrong" },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_AUTHENTICATED, at_login, PTN_INLINE },
	{ PTN_MAIL, at_mail, PTN_INLINE },
	{ 0 },
};

static const PtnMeaningRow meanings[] = { { "ipv4", PTN_MEANS_SOURCES }, { "ipv6", PTN_MEANS_SOURCES }, { 0 } };

PTN_PLUGIN(ipfilter) = {
	PTN_HEAD("ipfilter"),
	.after = "auth",
	.version = "1",
	.summary = "from where an account may submit",
	.options = options,
	.meanings = meanings,
	.hooks = hooks,
	.session_size = sizeof(Session),
	.check = check,
};
