/* nullsender-rewrite - null and foreign senders become the customer's postmaster; bounces that nobody asked for are
 * refused.
 *
 * The envelope only is changed, and at MAIL, so that what comes behind (restrictions, senderverify) judges the sender
 * as it will be seen.  What was submitted is known to all by ptn_sender_submitted(). */
#include "plugin-api.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { NULL_REWRITE, NULL_REFUSE, NULL_KEEP };
enum { FOREIGN_REWRITE, FOREIGN_REFUSE, FOREIGN_KEEP };

/* ---- the sender ---- */

static const char *
value_of(PtnEntry *entry, const char *name)
{
	const char *value = ptn_get(entry, name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *
postmaster_of(PtnEntry *customer)
{
	const char *postmaster = value_of(customer, "postmaster");

	return postmaster != NULL ? postmaster : value_of(customer, "primary");
}

static PtnVerdict
rewrite(PtnHook *h, PtnEntry *customer, const char *metric)
{
	const char *postmaster = postmaster_of(customer);

	if (postmaster == NULL)
		return ptn_fail(h, "customer %s has no postmaster address and no primary one", ptn_get(customer, "name"));
	ptn_set_sender(h, postmaster);
	ptn_count(h, metric, 1);
	return PTN_NEXT;
}

static PtnVerdict
judge_null_sender(PtnHook *h, PtnEntry *customer)
{
	switch (ptn_option_number(h, "null-senders")) {
	case NULL_REFUSE:
		return ptn_refuse(
			h, PTN_POLICY, 550, "5.7.1", "<>: Sender address rejected: null senders are not taken here");
	case NULL_REWRITE:
		return rewrite(h, customer, "null-senders");
	default:
		return PTN_NEXT;
	}
}

/* OK: it, or a parent of it, is a mail domain of the customer.  The nearest one that is anybody's decides. */
static PtnStatus
find_own_domain(PtnHook *h, PtnEntry *customer, const char *domain)
{
	const char *name = ptn_get(customer, "name");

	while (domain != NULL && strchr(domain, '.') != NULL) {
		PtnEntry *entry = NULL;
		const PtnStatus status = ptn_find(h, PTN_DOMAIN, domain, &entry);
		const char *owner = status == PTN_OK ? ptn_get(entry, "customer") : NULL;

		if (status == PTN_UNSURE)
			return PTN_UNSURE;
		if (owner != NULL)
			return strcmp(owner, name) == 0 ? PTN_OK : PTN_NONE;
		domain = strchr(domain, '.') + 1;
	}
	return PTN_NONE;
}

static PtnVerdict
judge_foreign_sender(PtnHook *h, PtnEntry *customer)
{
	const int64_t choice = ptn_option_number(h, "foreign-senders");
	const char *sender = ptn_sender(h), *postmaster = postmaster_of(customer);
	PtnStatus status;

	if (choice == FOREIGN_KEEP || (postmaster != NULL && strcasecmp(sender, postmaster) == 0))
		return PTN_NEXT;
	status = find_own_domain(h, customer, ptn_domain_of(sender));
	if (status == PTN_UNSURE)
		return ptn_fail(h, "the directory cannot tell now whose domain that of %s is", sender);
	if (status == PTN_OK)
		return PTN_NEXT;
	if (choice == FOREIGN_REFUSE)
		return ptn_refuse(
			h, PTN_POLICY, 553, "5.7.1", "<%s>: Sender address rejected: not a domain of this account", sender);
	return rewrite(h, customer, "foreign-senders");
}

static PtnVerdict
judge_sender(PtnHook *h)
{
	PtnEntry *customer = ptn_login(h) != NULL ? ptn_customer(h) : NULL;

	if (customer == NULL)
		return PTN_NEXT;
	return ptn_sender(h)[0] == '\0' ? judge_null_sender(h, customer) : judge_foreign_sender(h, customer);
}

/* ---- bounces ---- */

/* A report has one recipient: who sent what failed. */
static PtnVerdict
judge_recipients(PtnHook *h)
{
	if (ptn_sender_submitted(h)[0] != '\0' || ptn_recipients(h) < 2)
		return PTN_NEXT;
	return ptn_refuse(h, PTN_POLICY, 550, "5.5.3", "<>: Data command rejected: Multi-recipient bounce");
}

static const char *
skip_blanks(const char *text)
{
	while (*text == ' ' || *text == '\t')
		text++;
	return text;
}

/* The value behind "name=", a quote left out; NULL: there is no such parameter. */
static const char *
parameter_of(const char *type, const char *name)
{
	const size_t size = strlen(name);

	for (const char *at = strchr(type, ';'); at != NULL; at = strchr(at, ';')) {
		at = skip_blanks(at + 1);
		if (strncasecmp(at, name, size) != 0 || *skip_blanks(at + size) != '=')
			continue;
		at = skip_blanks(skip_blanks(at + size) + 1);
		return *at == '"' ? at + 1 : at;
	}
	return NULL;
}

/* multipart/report is for receipts and complaints, too (RFC 6522): only those of delivery are bounces. */
static bool
is_delivery_report(const char *type)
{
	static const char *const kinds[] = { "delivery-status", "global-delivery-status" };
	const size_t size = strlen("multipart/report");
	const char *kind;

	if (type == NULL || strncasecmp(type = skip_blanks(type), "multipart/report", size) != 0 ||
		strchr("; \t", type[size]) == NULL)
		return false;
	kind = parameter_of(type, "report-type");
	if (kind == NULL)
		return true;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncasecmp(kind, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("._-+", c) != NULL);
}

static bool
is_from_daemon(const char *from)
{
	static const char name[] = "mailer-daemon";

	for (const char *at = from; at != NULL && (at = strcasestr(at, name)) != NULL; at++)
		if ((at == from || !is_word(at[-1])) && !is_word(at[sizeof name - 1]))
			return true;
	return false;
}

static PtnVerdict
judge_message(PtnHook *h)
{
	if (!ptn_option_number(h, "backscatter") || ptn_login(h) == NULL)
		return PTN_NEXT;
	if (!is_delivery_report(ptn_header(h, "Content-Type", 0)) && !is_from_daemon(ptn_header(h, "From", 0)) &&
		ptn_header(h, "X-MS-Exchange-Message-Is-Ndr", 0) == NULL)
		return PTN_NEXT;
	return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1",
		"Message rejected: backscatter (reports of failed delivery are not sent from here)");
}

/* ---- the plugin ---- */

#define ANYWHERE (PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_ACCOUNT)

static const char *const null_choices[] = { "rewrite", "refuse", "keep", NULL };
static const char *const foreign_choices[] = { "rewrite", "refuse", "keep", NULL };
static const char *const report_choices[] = { "pass", "refuse", NULL };

static const PtnOption options[] = {
	{ "null-senders", PTN_CHOICE, ANYWHERE, "rewrite", "what becomes of MAIL FROM:<>", 0, 0, null_choices },
	{ "foreign-senders", PTN_CHOICE, ANYWHERE, "rewrite",
		"what becomes of senders in domains that are not the customer's", 0, 0, foreign_choices },
	{ "backscatter", PTN_CHOICE, ANYWHERE, "pass", "what becomes of reports of failed delivery", 0, 0,
		report_choices },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MAIL, judge_sender, PTN_INLINE },
	{ PTN_DATA, judge_recipients, PTN_INLINE },
	{ PTN_MESSAGE, judge_message, PTN_INLINE },
	{ 0 },
};

PTN_PLUGIN(nullsender_rewrite) = {
	PTN_HEAD("nullsender-rewrite"),
	.after = "sender-rules",
	.version = "1",
	.summary = "null and foreign senders become the customer's postmaster",
	.options = options,
	.hooks = hooks,
};
