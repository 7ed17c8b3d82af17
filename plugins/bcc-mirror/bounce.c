/* bounce.c - bounces of copies: from our own delivery, and from outside to the signed address.
 *
 * The address says by digests whose copy it was.  The store tells which login a digest belongs to; when it has forgotten,
 * the accounts of the directory are gone through. */
#include <string.h>

#include "plugins/bcc-mirror/bcc-mirror.h"
#include "plugins/bcc-mirror/notice.h"
#include "plugins/bcc-mirror/report.h"

enum { MOST_KNOWN = 100000, MOST_TRIES = 10 };

#define BY_THE_ADMINISTRATOR "5.4.7" /* posternctl queue bounce */

/* ---- whose address it is ---- */

static AddressResult
check_address(PtnHook *h, const char *address, BounceAddress *found)
{
	const int64_t days[2] = { ptn_now(h) / DAY, ptn_option_number(h, "expire") / DAY };

	return address_check(ptn_option(h, "secret"), ptn_option(h, "bounce-domain"), address, days, found);
}

/* True: the store has been told, and keeps it for longer than an address made now is good for. */
static bool
is_known(PtnHook *h, const char *login)
{
	const gint64 now = ptn_now(h);
	BccMirror *own = ptn_instance(h);
	const gint64 *until;
	bool is_fresh;

	g_mutex_lock(&own->lock);
	until = g_hash_table_lookup(own->known, login);
	is_fresh = until != NULL && *until > now && *until <= now + DAY; /* later: the clock was set back */
	g_mutex_unlock(&own->lock);
	return is_fresh;
}

static void
note_known(PtnHook *h, const char *login)
{
	BccMirror *own = ptn_instance(h);
	const gint64 until = ptn_now(h) + DAY;

	g_mutex_lock(&own->lock);
	if (g_hash_table_size(own->known) >= MOST_KNOWN)
		g_hash_table_remove_all(own->known);
	g_hash_table_replace(own->known, g_strdup(login), g_memdup2(&until, sizeof until));
	g_mutex_unlock(&own->lock);
}

void
bounce_expect(PtnHook *h, const char *login)
{
	char id[ACCOUNT_SIZE + 1];

	if (is_known(h, login) || ptn_fact(h, "rehearsal") != NULL)
		return;
	address_account(ptn_option(h, "secret"), login, id);
	if (ptn_store_set(h, ptn_format(h, "account/%s", id), login, ptn_option_number(h, "expire") + 3 * DAY) ==
		PTN_OK)
		note_known(h, login);
}

static bool
is_account(PtnHook *h, const char *login, const char *id)
{
	char made[ACCOUNT_SIZE + 1];

	address_account(ptn_option(h, "secret"), login, made);
	return strcmp(made, id) == 0;
}

/* NONE: no account that has BCC recipients is it. */
static PtnStatus
find_login(PtnHook *h, const char *id, const char **login)
{
	PtnEntry *entry = NULL;
	PtnStatus status;

	if (ptn_store_get(h, ptn_format(h, "account/%s", id), login) == PTN_OK && is_account(h, *login, id))
		return PTN_OK;
	while ((status = ptn_each(h, PTN_ACCOUNT, "bcc-mirror.bcc", &entry)) == PTN_OK) {
		*login = ptn_get(entry, "name");
		if (is_account(h, *login, id))
			return PTN_OK;
	}
	return status;
}

/* ---- taking an address out of a list ---- */

/* New memory: the list goes when it is replaced. */
static const char *
list_without(PtnHook *h, const char *const *list, const char *address)
{
	const char *rest = NULL;

	for (; list != NULL && *list != NULL; list++)
		if (g_ascii_strcasecmp(*list, address) != 0)
			rest = ptn_format(h, "%s%s%s", rest != NULL ? rest : "", rest != NULL ? " " : "", *list);
	return rest;
}

static bool
has_address(PtnEntry *entry, const char *option, const char *address)
{
	const char *const *list = ptn_get_list(entry, option);

	for (; list != NULL && *list != NULL; list++)
		if (g_ascii_strcasecmp(*list, address) == 0)
			return true;
	return false;
}

/* NONE: it was not there any more, or the account is gone. */
static PtnStatus
remove_address(PtnHook *h, const Removal *removal)
{
	PtnStatus status = PTN_TAKEN;

	for (unsigned i = 0; i < MOST_TRIES && status == PTN_TAKEN; i++) {
		PtnEntry *entry;

		status = ptn_find(h, PTN_ACCOUNT, removal->login, &entry);
		if (status != PTN_OK)
			return status;
		if (!has_address(entry, removal->option, removal->address))
			return PTN_NONE;
		ptn_set(entry, removal->option, list_without(h, ptn_get_list(entry, removal->option), removal->address));
		status = ptn_save(h, entry);
	}
	return status == PTN_TAKEN ? PTN_UNSURE : status;
}

static void
remember_last(PtnHook *h, const Removal *removal)
{
	g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(ptn_now(h) / PTN_SECOND);
	g_autofree char *time = g_date_time_format(now, "%Y-%m-%d %H:%M");

	(void)ptn_store_set(h, ptn_format(h, "last/%s", removal->login),
		ptn_format(h, "%s %s: %s", time, removal->address, removal->why), 90 * DAY);
}

const char *
bounce_last(PtnHook *h, const char *login)
{
	const char *last = NULL;

	return ptn_store_get(h, ptn_format(h, "last/%s", login), &last) == PTN_OK ? last : NULL;
}

/* Only who took it out tells the customer: a bounce often comes twice, as a reply and as a report of our own. */
static PtnStatus
remove_and_tell(PtnHook *h, const Removal *removal)
{
	const PtnStatus status = remove_address(h, removal);

	if (status == PTN_UNSURE) {
		ptn_log(h, PTN_WARNING, "%s cannot be taken out of %s of %s now", removal->address, removal->option,
			removal->login);
		return status;
	}
	if (status != PTN_OK)
		return status;
	ptn_log(h, PTN_INFO, "%s bounced (%s), taken out of %s of %s", removal->address, removal->why, removal->option,
		removal->login);
	ptn_count(h, "removed", 1);
	remember_last(h, removal);
	notice_removed(h, removal);
	return status;
}

/* ---- our own delivery ---- */

/* "550 5.1.1 no such user" or "5.1.2 no such domain": the enhanced code. */
static const char *
enhanced_of(const char *reply)
{
	const size_t digits = strspn(reply, "0123456789");

	return digits == 3 && reply[3] == ' ' ? reply + 4 : reply;
}

/* A mailbox that is full, or a store that is broken, is not gone. */
static void
keep_mirror(PtnHook *h, const Removal *removal)
{
	const char *key = ptn_format(h, "told/%s/%s", removal->login, removal->address);

	remember_last(h, removal);
	if (ptn_store_claim(h, key, "", DAY) == PTN_OK)
		notice_mirror_failed(h, removal);
}

PtnVerdict
bounce_hear(PtnHook *h)
{
	const char *kind = ptn_noted(h, "copy"), *reply = ptn_reply(h, NULL, NULL, NULL);
	bool is_mirror;
	Removal removal;

	if (kind == NULL || ptn_login(h) == NULL || ptn_recipient(h, PTN_THIS) == NULL)
		return PTN_NEXT;
	reply = reply != NULL ? reply : "";
	if (g_str_has_prefix(reply, BY_THE_ADMINISTRATOR))
		return PTN_NEXT;
	is_mirror = strcmp(kind, "mirror") == 0;
	removal = (Removal){ .login = ptn_login(h),
		.option = is_mirror ? "bcc-mirror.mirror" : "bcc-mirror.bcc",
		.address = ptn_recipient(h, PTN_THIS),
		.why = reply };
	ptn_count(h, "bounced", 1);
	if (is_mirror && !g_str_has_prefix(enhanced_of(reply), "5.1.1 ")) /* 5.1.10 is another */
		keep_mirror(h, &removal);
	else
		(void)remove_and_tell(h, &removal);
	return PTN_NEXT;
}

/* ---- from outside ---- */

PtnVerdict
bounce_at_rcpt(PtnHook *h)
{
	const char *address = ptn_recipient(h, PTN_THIS);
	BounceAddress found;
	const AddressResult result = check_address(h, address, &found);

	if (result == ADDRESS_OTHER)
		return PTN_NEXT;
	if (result == ADDRESS_VALID && ptn_sender_submitted(h)[0] == '\0') {
		ptn_permit(h);
		return PTN_NEXT;
	}
	ptn_count(h, "refused", 1);
	return ptn_refuse(h, PTN_POLICY, 550, "5.1.1", "<%s>: Recipient address rejected: User unknown", address);
}

PtnVerdict
bounce_route(PtnHook *h)
{
	BounceAddress found;

	if (check_address(h, ptn_recipient(h, PTN_THIS), &found) == ADDRESS_OTHER)
		return PTN_NEXT;
	return ptn_route(h, "plugin:bcc-mirror");
}

/* The address on the account's list that the digest stands for; NULL: it is not there any more. */
static const char *
find_recipient(PtnHook *h, const char *login, PtnEntry *entry, const char *digest)
{
	const char *const *list = ptn_get_list(entry, "bcc-mirror.bcc");
	char made[RECIPIENT_SIZE + 1];

	for (; list != NULL && *list != NULL; list++) {
		address_recipient(ptn_option(h, "secret"), login, *list, made);
		if (strcmp(made, digest) == 0)
			return *list;
	}
	return NULL;
}

static const char *
describe(PtnHook *h, const Report *report)
{
	if (report->text[0] != '\0')
		return ptn_format(h, "%s", report->text);
	return report->status[0] != '\0' ? ptn_format(h, "status %s", report->status) : "a bounce without a reason";
}

/* Our own report of what the administrator gave up says nothing of the recipient.  Reports of our own have no session. */
static bool
is_by_administrator(PtnHook *h, const Report *report)
{
	return ptn_fact(h, "session") == NULL && strcmp(report->status, BY_THE_ADMINISTRATOR) == 0;
}

static PtnStatus
take_failure(PtnHook *h, const BounceAddress *of, const Report *report)
{
	Removal removal = { .option = "bcc-mirror.bcc", .why = describe(h, report) };
	PtnStatus status = find_login(h, of->account, &removal.login);
	PtnEntry *entry;

	if (status == PTN_OK)
		status = ptn_find(h, PTN_ACCOUNT, removal.login, &entry);
	if (status != PTN_OK)
		return status;
	removal.address = find_recipient(h, removal.login, entry, of->recipient);
	return removal.address != NULL ? remove_and_tell(h, &removal) : PTN_NONE;
}

PtnVerdict
bounce_deliver(PtnHook *h)
{
	const char *address = ptn_recipient(h, PTN_THIS);
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);
	BounceAddress of;
	Report report;

	if (check_address(h, address, &of) != ADDRESS_VALID)
		return ptn_refuse(h, PTN_POLICY, 550, "5.1.1", "<%s>: Recipient address rejected: User unknown", address);
	if (content == NULL)
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.0", "the bounce cannot be read now");
	report_read(content, size, body, &report);
	ptn_count(h, "reports", 1);
	if (report.result != REPORT_FAILED || is_by_administrator(h, &report)) {
		ptn_log(h, PTN_INFO, "mail to <%s> is no report of a failure: nothing is done", address);
		return PTN_DONE;
	}
	if (take_failure(h, &of, &report) == PTN_UNSURE)
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.0", "the directory cannot be reached");
	return PTN_DONE;
}
