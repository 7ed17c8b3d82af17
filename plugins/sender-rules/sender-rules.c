/* sender-rules - MAIL FROM must fit the account: its address, its domain, or any (mail servers). */
#include "plugin-api.h"

#include <string.h>
#include <strings.h>

/* "a.b.example.net" is below "example.net"; "evilexample.net" is not. */
static bool
is_below(const char *domain, const char *parent)
{
	const size_t size = strlen(domain), parent_size = strlen(parent);

	return size > parent_size + 1 && domain[size - parent_size - 1] == '.' &&
		   strcasecmp(domain + size - parent_size, parent) == 0;
}

static bool
has_local_part_of(const char *sender, const char *login)
{
	const size_t size = (size_t)(ptn_domain_of(sender) - sender);

	return size == (size_t)(ptn_domain_of(login) - login) && strncasecmp(sender, login, size) == 0;
}

static PtnVerdict
refuse_mismatch(PtnHook *h)
{
	return ptn_refuse(h, PTN_POLICY, 553, "5.7.1",
		"<%s>: Sender address rejected: not owned by user %s (address mismatch)", ptn_sender(h), ptn_login(h));
}

static const char *
owner_of(PtnHook *h, const char *domain, PtnStatus *status)
{
	PtnEntry *entry = NULL;

	*status = ptn_find(h, PTN_DOMAIN, domain, &entry);
	return *status == PTN_OK ? ptn_get(entry, "customer") : NULL;
}

/* A subdomain may have been given to somebody else: the nearest mail domain at or above it says whose it is.  OK: that of
 * `parent`. */
static PtnStatus
find_same_owner(PtnHook *h, const char *domain, const char *parent)
{
	PtnStatus status;
	const char *owner = owner_of(h, parent, &status), *other;

	for (; status != PTN_UNSURE && is_below(domain, parent); domain = strchr(domain, '.') + 1) {
		other = owner_of(h, domain, &status);
		if (status == PTN_OK)
			return owner != NULL && other != NULL && strcmp(owner, other) == 0 ? PTN_OK : PTN_NONE;
	}
	return status == PTN_UNSURE ? PTN_UNSURE : PTN_OK;
}

/* A subdomain is valid if the DNS knows it; what could not be found out may be known later. */
static PtnVerdict
check_subdomain(PtnHook *h)
{
	const PtnAnswer *answer = ptn_dns(h, ptn_domain_of(ptn_sender(h)), PTN_EXCHANGERS);

	if (answer->status == PTN_OK)
		return PTN_NEXT;
	return ptn_refuse(h, PTN_DNS, 450, "4.1.8", "<%s>: Sender address rejected: %s", ptn_sender(h),
		answer->status == PTN_UNSURE ? "Domain lookup failed, try again later" : "Domain not found");
}

/* Bounces of a rewritten message go there, so it may always send. */
static bool
is_postmaster(PtnHook *h)
{
	PtnEntry *customer = ptn_customer(h);
	const char *postmaster = customer != NULL ? ptn_get(customer, "postmaster") : NULL;

	if (customer != NULL && (postmaster == NULL || postmaster[0] == '\0'))
		postmaster = ptn_get(customer, "primary");
	return postmaster != NULL && strcasecmp(postmaster, ptn_sender(h)) == 0;
}

static PtnVerdict
check_sender(PtnHook *h)
{
	PtnEntry *account = ptn_account(h);
	const char *login = ptn_login(h), *sender = ptn_sender(h);
	const char *type = account != NULL ? ptn_get(account, "type") : "single";
	PtnStatus status;
	bool is_single;

	if (login == NULL || sender[0] == '\0' || (type != NULL && strcmp(type, "server") == 0))
		return PTN_NEXT;
	is_single = type == NULL || strcmp(type, "single") == 0;
	if (is_postmaster(h))
		return PTN_NEXT;
	if (is_single && !ptn_option_number(h, "identities") && !has_local_part_of(sender, login))
		return refuse_mismatch(h);
	if (strcasecmp(ptn_domain_of(sender), ptn_domain_of(login)) == 0)
		return PTN_NEXT;
	if (!ptn_option_number(h, "subdomains") || !is_below(ptn_domain_of(sender), ptn_domain_of(login)))
		return refuse_mismatch(h);
	status = find_same_owner(h, ptn_domain_of(sender), ptn_domain_of(login));
	if (status == PTN_UNSURE)
		return ptn_fail(h, "the directory cannot tell now whose domain that of %s is", sender);
	if (status == PTN_NONE)
		return refuse_mismatch(h);
	return check_subdomain(h);
}

static const PtnOption options[] = {
	{ "identities", PTN_BOOL, PTN_IN_ACCOUNT, "no", "a single-address account may send with any local part" },
	{ "subdomains", PTN_BOOL, PTN_IN_ACCOUNT, "no",
		"the sender's domain may be any valid subdomain that is no other customer's" },
	{ 0 },
};

/* What would have no effect is not set: whoever sets it believes that it has one. */
static const char *
check(PtnHook *h, const char *option, const char *value)
{
	PtnEntry *account = ptn_account(h);
	const char *type = account != NULL ? ptn_get(account, "type") : NULL;

	(void)value;
	if (type == NULL || strcmp(option, "identities") != 0 || ptn_option_number(h, option) == 0)
		return NULL;
	if (strcmp(type, "server") == 0)
		return "a mail server sends for any domain of its customer, with any local part";
	if (strcmp(type, "any") == 0)
		return "an account of a whole domain sends with any local part anyway";
	return NULL;
}

static const PtnHookRow hooks[] = {
	{ PTN_MAIL, check_sender, PTN_INLINE },
	{ 0 },
};

PTN_PLUGIN(sender_rules) = {
	PTN_HEAD("sender-rules"),
	.after = "auth",
	.version = "1",
	.summary = "the envelope sender must fit the account",
	.options = options,
	.check = check,
	.hooks = hooks,
};
