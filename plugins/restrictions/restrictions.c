/* restrictions - domains of senders and recipients must be known to the DNS, and take mail.
 *
 * What the syntax of an address forbids, and how many recipients there may be, the core knows.  Recipients themselves
 * are never asked for: their exchangers' names are looked up, no connection is made. */
#include "plugin-api.h"

#include <string.h>
#include <strings.h>

/* An outage of the DNS says nothing of the domain. */
static const char *
why_not(PtnStatus status)
{
	return status == PTN_UNSURE ? "Domain lookup failed, try again later" : "Domain not found";
}

static PtnVerdict
refuse_sender(PtnHook *h, PtnStatus status)
{
	return ptn_refuse(
		h, PTN_DNS, 450, "4.1.8", "<%s>: Sender address rejected: %s", ptn_sender(h), why_not(status));
}

static PtnVerdict
refuse_recipient(PtnHook *h, PtnStatus status)
{
	return ptn_refuse(h, PTN_DNS, 450, "4.1.2", "<%s>: Recipient address rejected: %s",
		ptn_recipient(h, PTN_THIS), why_not(status));
}

/* ---- names that the DNS need not know ---- */

/* "example.org" is itself, ".example.org" all below it. */
static bool
matches(const char *pattern, const char *domain)
{
	const size_t size = strlen(domain), pattern_size = strlen(pattern);

	if (pattern[0] != '.')
		return strcasecmp(pattern, domain) == 0;
	return size > pattern_size && strcasecmp(domain + size - pattern_size, pattern) == 0;
}

static bool
is_exempt(PtnHook *h, const char *domain)
{
	const char *const *patterns = ptn_option_list(h, "exempt-domains");

	for (; *patterns != NULL; patterns++)
		if (matches(*patterns, domain))
			return true;
	return false;
}

/* The directory says where its mail goes: redirected, held, kept here. */
static bool
is_routed_by_directory(PtnHook *h, const char *domain)
{
	PtnEntry *entry = NULL;
	const char *mode = ptn_find(h, PTN_DOMAIN, domain, &entry) == PTN_OK ? ptn_get(entry, "mode") : NULL;

	return mode != NULL && strcmp(mode, "outbound-only") != 0;
}

/* ---- the stages ---- */

/* An implicit exchanger (RFC 5321 5.1) is one for whom there is surely no MX record.  `mx` NULL: none is required. */
static PtnVerdict
judge_exchanger_of_sender(PtnHook *h, const PtnAnswer *exchangers, const PtnAnswer *mx)
{
	const char *domain = ptn_domain_of(ptn_sender(h));

	if (exchangers->status != PTN_OK)
		return refuse_sender(h, exchangers->status);
	if (exchangers->count == 0 && ptn_option_number(h, "null-mx-senders"))
		return ptn_refuse(h, PTN_POLICY, 550, "5.7.27",
			"<%s>: Sender address rejected: Domain %s does not accept mail (nullMX)", ptn_sender(h), domain);
	if (mx == NULL || mx->status == PTN_OK)
		return PTN_NEXT;
	if (mx->status == PTN_UNSURE)
		return refuse_sender(h, mx->status);
	return ptn_refuse(h, PTN_DNS, 450, "4.1.8", "<%s>: Sender address rejected: Domain %s has no MX record",
		ptn_sender(h), domain);
}

static PtnVerdict
judge_sender(PtnHook *h)
{
	const char *domain = ptn_domain_of(ptn_sender(h));
	const bool wants_mx = ptn_option_number(h, "require-mx") != 0;
	PtnLookup *exchangers, *mx;
	const PtnAnswer *answer;

	if (ptn_login(h) == NULL || domain[0] == '\0' || is_exempt(h, domain))
		return PTN_NEXT;
	exchangers = ptn_dns_start(h, domain, PTN_EXCHANGERS);
	mx = wants_mx ? ptn_dns_start(h, domain, PTN_MX) : NULL;
	answer = ptn_dns_wait(h, exchangers);
	return judge_exchanger_of_sender(h, answer, wants_mx ? ptn_dns_wait(h, mx) : NULL);
}

static PtnVerdict
judge_recipient(PtnHook *h)
{
	const char *recipient = ptn_recipient(h, PTN_THIS), *domain = ptn_domain_of(recipient);
	const PtnAnswer *answer;

	if (ptn_login(h) == NULL || domain[0] == '\0' || is_exempt(h, domain) || is_routed_by_directory(h, domain))
		return PTN_NEXT;
	answer = ptn_dns(h, domain, PTN_EXCHANGERS);
	if (answer->status != PTN_OK)
		return refuse_recipient(h, answer->status);
	if (answer->count > 0)
		return PTN_NEXT;
	return ptn_refuse(h, PTN_POLICY, 556, "5.1.10",
		"<%s>: Recipient address rejected: Domain %s does not accept mail (nullMX)", recipient, domain);
}

/* ---- the plugin ---- */

#define ANYWHERE (PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_ACCOUNT)

static const char *const null_mx_choices[] = { "accept", "refuse", NULL };

static const PtnOption options[] = {
	{ "require-mx", PTN_BOOL, ANYWHERE, "no", "a sender's domain needs an MX record; an address is not enough" },
	{ "null-mx-senders", PTN_CHOICE, ANYWHERE, "accept", "what becomes of senders whose domain has a null MX", 0,
		0, null_mx_choices },
	{ "exempt-domains", PTN_TEXT | PTN_LIST, PTN_IN_SERVER, NULL,
		"domains that are not looked up; .DOMAIN is all below it" },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MAIL, judge_sender, PTN_INLINE },
	{ PTN_RCPT, judge_recipient, PTN_INLINE },
	{ 0 },
};

PTN_PLUGIN(restrictions) = {
	PTN_HEAD("restrictions"),
	.after = "nullsender-rewrite",
	.version = "1",
	.summary = "domains of senders and recipients must exist and take mail",
	.options = options,
	.hooks = hooks,
};
