/* notice.c - mail to the customer. */
#include "plugins/bcc-mirror/notice.h"

#include <string.h>

static void
notice_send(PtnHook *h, const Removal *removal, const char *template_name)
{
	PtnEntry *account, *customer = NULL;
	const char *owner =
		ptn_find(h, PTN_ACCOUNT, removal->login, &account) == PTN_OK ? ptn_get(account, "customer") : NULL;

	if (owner != NULL && ptn_find(h, PTN_CUSTOMER, owner, &customer) != PTN_OK)
		customer = NULL;
	if (!ptn_notify(h, ptn_notice_address(customer), template_name, "account", removal->login, "customer",
			owner != NULL ? owner : "?", "address", removal->address, "kind",
			strcmp(removal->option, "bcc-mirror.mirror") == 0 ? "mirror" : "BCC recipient", "reason", removal->why,
			NULL))
		ptn_log(h, PTN_WARNING, "the customer of %s could not be told that %s failed", removal->login,
			removal->address);
}

void
notice_removed(PtnHook *h, const Removal *removal)
{
	notice_send(h, removal, "bcc-removed");
}

void
notice_mirror_failed(PtnHook *h, const Removal *removal)
{
	notice_send(h, removal, "bcc-mirror-failed");
}
