/* bcc-mirror - copies of what an account submits: to BCC recipients, and into hosted mailboxes (mirrors).
 *
 * Copies are made at the last stage of a message, in its transaction: all are queued, or none.  A BCC copy has a sender of
 * its own, signed, so that its bounces come to us and nobody forges one; see bounce.c. */
#include "plugins/bcc-mirror/bcc-mirror.h"

#include <string.h>

enum {
	BCC_FIELDS_MOST = 10, /* of the client that a mirror keeps */
	BCC_OCTETS_MOST = 65536,
};

/* ---- what is allowed, what is used ---- */

static size_t
count_of(const char *const *list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static size_t
most_copies(PtnHook *h)
{
	return (size_t)ptn_option_number(h, "most-copies");
}

/* "level personal", "this server" */
static const char *
who_allows(PtnHook *h, PtnEntry *customer)
{
	const char *level = customer != NULL ? ptn_get(customer, "level") : NULL;

	return level != NULL && level[0] != '\0' ? ptn_format(h, "level %s", level) : "this server";
}

static const char *
allowance(PtnHook *h, PtnEntry *customer)
{
	const size_t most = most_copies(h);

	return ptn_format(h, "%s allows %zu BCC recipient%s and %zu mirror%s", who_allows(h, customer), most,
		most == 1 ? "" : "s", most, most == 1 ? "" : "s");
}

/* A mirror is a mailbox of the same customer, stored by us.  NULL: it is; else why not.  `status` may be UNSURE. */
static const char *
why_no_mirror(PtnHook *h, const char *owner, const char *address, PtnStatus *status)
{
	const char *name = ptn_domain_of(address);
	PtnEntry *domain;

	*status = ptn_find(h, PTN_DOMAIN, name, &domain);
	if (*status == PTN_UNSURE)
		return "the directory cannot be reached";
	if (*status != PTN_OK || owner == NULL || g_strcmp0(ptn_get(domain, "customer"), owner) != 0)
		return ptn_format(h, "%s is not a domain of the same customer", name);
	if (g_strcmp0(ptn_get(domain, "mode"), "hosted") != 0)
		return ptn_format(h, "%s is not of mode hosted", name);
	return NULL;
}

/* ---- copies ---- */

/* A submission being copied. */
typedef struct {
	PtnEntry *account;
	const char *login;
	size_t copies;
} Copying;

static const char *
header_of(PtnHook *h, const char *which)
{
	return ptn_format(h, "%s-%s", ptn_fact(h, "header-prefix"), which);
}

/* What a client wrote itself would sort its mail into other people's folders. */
static void
remove_forged(PtnHook *h)
{
	static const char *const names[] = { "BCC", "AuthMirror" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (ptn_header(h, header_of(h, names[i]), 0) != NULL)
			ptn_remove_headers(h, header_of(h, names[i]));
}

static void
copy_to_bcc(PtnHook *h, Copying *copying, const char *recipient)
{
	const char *secret = ptn_option(h, "secret");
	g_autofree char *sender =
		address_make(secret, ptn_option(h, "bounce-domain"), copying->login, recipient, ptn_now(h) / DAY);
	char value[ACCOUNT_SIZE + 1];
	PtnCopy *copy = ptn_copy(h, sender, recipient);

	address_account(secret, copying->login, value);
	ptn_copy_header(copy, header_of(h, "BCC"), value);
	ptn_copy_note(copy, "copy", "bcc");
	copying->copies++;
}

/* What the client sent goes into its Sent folder alone: the message itself has lost it by now.
 * A message has one such field (RFC 5322 3.6); each costs another pass over the header. */
static void
keep_bcc(PtnHook *h, PtnCopy *copy)
{
	const char *value;
	size_t left = BCC_OCTETS_MOST;

	if (!ptn_option_number(h, "keep-bcc") || ptn_header(h, "Bcc", 0) != NULL)
		return;
	for (size_t i = 0; i < BCC_FIELDS_MOST && (value = ptn_header_received(h, "Bcc", i)) != NULL; i++) {
		if (strlen(value) > left)
			return;
		left -= strlen(value);
		ptn_copy_header(copy, "Bcc", value + strspn(value, " \t"));
	}
}

static void
copy_to_mirror(PtnHook *h, Copying *copying, const char *recipient)
{
	PtnCopy *copy = ptn_copy(h, "", recipient);
	char value[VALUE_SIZE + 1];

	address_mirror_value(ptn_option(h, "secret"), copying->login, value);
	ptn_copy_header(copy, header_of(h, "AuthMirror"), value);
	keep_bcc(h, copy);
	ptn_copy_note(copy, "copy", "mirror");
	copying->copies++;
}

/* False: it cannot be found out now where a mirror belongs. */
static bool
make_mirrors(PtnHook *h, Copying *copying)
{
	const char *const *list = ptn_option_list(h, "mirror");
	const size_t n = MIN(count_of(list), most_copies(h));

	for (size_t i = 0; i < n; i++) {
		PtnStatus status;
		const char *why = why_no_mirror(h, ptn_get(copying->account, "customer"), list[i], &status);

		if (status == PTN_UNSURE)
			return false;
		if (why == NULL)
			copy_to_mirror(h, copying, list[i]);
		else
			ptn_log(h, PTN_WARNING, "mirror %s of %s is not used: %s", list[i], copying->login, why);
	}
	return true;
}

static void
make_bccs(PtnHook *h, Copying *copying)
{
	const char *const *list = ptn_option_list(h, "bcc");
	const size_t n = MIN(count_of(list), most_copies(h));

	if (n > 0)
		bounce_expect(h, copying->login);
	for (size_t i = 0; i < n; i++)
		copy_to_bcc(h, copying, list[i]);
}

static PtnVerdict
make_copies(PtnHook *h)
{
	Copying copying = { .account = ptn_account(h) };

	if (ptn_login(h) == NULL)
		return PTN_NEXT;
	remove_forged(h);
	if (copying.account == NULL || ptn_sender_submitted(h)[0] == '\0')
		return PTN_NEXT;
	copying.login = ptn_get(copying.account, "name");
	if (!make_mirrors(h, &copying))
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.0", "Error: the directory cannot be reached, try again later");
	make_bccs(h, &copying);
	ptn_count(h, "copies", (int64_t)copying.copies);
	return PTN_NEXT;
}

/* ---- what may be set ---- */

static bool
is_in(const char *const *list, const char *address)
{
	for (; list != NULL && *list != NULL; list++)
		if (g_ascii_strcasecmp(*list, address) == 0)
			return true;
	return false;
}

/* After a downgrade a list may be longer than the level allows: it may still be made shorter. */
static bool
is_shortened(PtnHook *h, const char *option, char **list)
{
	PtnEntry *account = ptn_account(h), *before;
	const char *full = ptn_format(h, "bcc-mirror.%s", option);

	if (account == NULL || ptn_find(h, PTN_ACCOUNT, ptn_get(account, "name"), &before) != PTN_OK)
		return false;
	for (; *list != NULL; list++)
		if (!is_in(ptn_get_list(before, full), *list))
			return false;
	return true;
}

static const char *
check_address_of(PtnHook *h, const char *option, const char *address)
{
	PtnEntry *customer = ptn_customer(h);
	PtnStatus status;

	if (strcmp(option, "mirror") == 0)
		return why_no_mirror(h, customer != NULL ? ptn_get(customer, "name") : NULL, address, &status);
	return g_ascii_strcasecmp(ptn_domain_of(address), ptn_option(h, "bounce-domain")) == 0
			   ? "that is where bounces of copies come"
			   : NULL;
}

static bool
has_word(const GPtrArray *list, const char *word)
{
	for (guint i = 0; i < list->len; i++)
		if (g_ascii_strcasecmp(list->pdata[i], word) == 0)
			return true;
	return false;
}

static const char *
check_list(PtnHook *h, const char *option, const char *value)
{
	g_auto(GStrv) words = g_strsplit_set(value, " \t,", -1);
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (char **word = words; *word != NULL; word++) {
		const char *why = (*word)[0] != '\0' ? check_address_of(h, option, *word) : NULL;

		if (why != NULL)
			return ptn_format(h, "%s: %s", *word, why);
		if (has_word(list, *word))
			return ptn_format(h, "%s: is there twice", *word);
		if ((*word)[0] != '\0')
			g_ptr_array_add(list, *word);
	}
	g_ptr_array_add(list, NULL);
	if (list->len - 1 > most_copies(h) && !is_shortened(h, option, (char **)list->pdata))
		return allowance(h, ptn_customer(h));
	return NULL;
}

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	if (strcmp(option, "bcc") == 0 || strcmp(option, "mirror") == 0)
		return check_list(h, option, value);
	if (strcmp(option, "secret") == 0 && strlen(value) < 16)
		return "a secret has at least 16 characters";
	return NULL;
}

/* ---- posternctl bcc-mirror show ---- */

static void
show_list(PtnHook *h, PtnEntry *account, const char *option, const char *value)
{
	const char *const *list = ptn_option_list(h, option);
	const size_t most = most_copies(h);
	PtnEntry *customer = NULL;
	const char *owner = ptn_get(account, "customer");

	if (owner == NULL || ptn_find(h, PTN_CUSTOMER, owner, &customer) != PTN_OK)
		customer = NULL;
	for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
		PtnStatus status;
		const char *why = i >= most                       ? allowance(h, customer)
						  : strcmp(option, "mirror") == 0 ? why_no_mirror(h, owner, list[i], &status)
														  : NULL;

		ptn_row(h, "kind", option, "address", list[i], "used:boolean", why != NULL ? "no" : "yes", "why-not",
			why != NULL ? why : "", "header", value, NULL);
	}
}

static PtnVerdict
show(PtnHook *h)
{
	const char *name = ptn_arguments(h)[0], *secret = ptn_option(h, "secret"), *last;
	char id[ACCOUNT_SIZE + 1], value[VALUE_SIZE + 1];
	PtnEntry *account = NULL;
	PtnStatus status;

	if (name == NULL)
		return ptn_fail(h, "of which account?");
	status = ptn_find(h, PTN_ACCOUNT, name, &account);
	if (status != PTN_OK)
		return ptn_fail(
			h, status == PTN_NONE ? "there is no account %s" : "the directory cannot be reached: %s", name);
	ptn_options_of(h, account);
	name = ptn_get(account, "name");
	address_account(secret, name, id);
	address_mirror_value(secret, name, value);
	show_list(h, account, "bcc", ptn_format(h, "%s: %s", header_of(h, "BCC"), id));
	show_list(h, account, "mirror", ptn_format(h, "%s: %s", header_of(h, "AuthMirror"), value));
	last = bounce_last(h, name);
	if (last != NULL)
		ptn_row(h, "kind", "last bounce", "address", last, "used:boolean", "", "why-not", "", "header",
			"", NULL);
	return PTN_NEXT;
}

/* ---- the plugin ---- */

/* The sample configuration can be checked as it stands, but what everybody can read keeps nothing secret. */
static PtnVerdict
start(PtnHook *h)
{
	BccMirror *own = ptn_instance(h);

	ptn_alarm(h, "secret",
		g_str_has_prefix(ptn_option(h, "secret"), "change-this")
			? "the secret is the one of the sample configuration: anybody can forge bounces of copies"
			: NULL);
	g_mutex_init(&own->lock);
	own->known = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, g_free);
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	BccMirror *own = ptn_instance(h);

	g_hash_table_unref(own->known);
	g_mutex_clear(&own->lock);
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "bcc", PTN_MAILBOX | PTN_LIST, PTN_IN_ACCOUNT, NULL, "who gets a copy of each message" },
	{ "mirror", PTN_MAILBOX | PTN_LIST, PTN_IN_ACCOUNT, NULL,
		"hosted mailboxes of the same customer that get one" },
	{ "keep-bcc", PTN_BOOL, PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_ACCOUNT, "yes",
		"mirrors have the Bcc field that the client wrote" },
	{ "most-copies", PTN_NUMBER, PTN_IN_SERVER | PTN_IN_LEVEL, "1",
		"BCC recipients that an account may have, and mirrors", 0, 100 },
	{ "bounce-domain", PTN_DOMAIN_NAME, PTN_IN_SERVER, NULL,
		"of the senders of BCC copies; its MX is this service", .is_required = true },
	{ "secret", PTN_SECRET, PTN_IN_SERVER, NULL, "signs those senders; the same on every node; best as @FILE",
		.is_required = true },
	{ "expire", PTN_TIME, PTN_IN_SERVER, "14d", "how long a bounce of a copy is taken", DAY, 365 * DAY },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_RCPT, bounce_at_rcpt, PTN_INLINE },
	{ PTN_MESSAGE, make_copies, PTN_INLINE },
	{ PTN_ROUTE, bounce_route, 0 },
	{ PTN_DELIVER, bounce_deliver, 0 },
	{ PTN_BOUNCED, bounce_hear, 0 },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "show", "ACCOUNT", "copies of an account: which are used, their header, the last bounce", show,
		.reads_only = true },
	{ 0 },
};

static const PtnMeaningRow meanings[] = { { "bounce-domain", PTN_MEANS_RECEIVER, "bounces of copies" }, { 0 } };

PTN_PLUGIN(bcc_mirror) = {
	PTN_HEAD("bcc-mirror"),
	.version = "1",
	.summary = "copies of what an account submits, for others and for its Sent folder",
	.options = options,
	.meanings = meanings,
	.hooks = hooks,
	.commands = commands,
	.instance_size = sizeof(BccMirror),
	.start = start,
	.stop = stop,
	.check = check,
};
