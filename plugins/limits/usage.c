/* usage.c - posternctl usage: what was used of what is allowed. */
#include <string.h>

#include "plugins/limits/limits.h"

static void
usage_put(PtnHook *h, const Share *share)
{
	Limit limits[LIMITS_MOST];
	size_t n;
	bool is_alone;
	const PtnStatus status = scope_count(h, share, false, limits, &n, &is_alone);

	if (n == 0)
		ptn_row(h, "of", scope_name(share->scope), "who", share->who, "what", "", "window:duration", "",
			"used:number", "", "allowed:number", "not limited", "percent:number", "", NULL);
	for (size_t i = 0; i < n; i++)
		ptn_row(h, "of", scope_name(share->scope), "who", share->who, "what", kind_name(limits[i].kind),
			"window:duration", window_text(h, limits[i].window), "used:number",
			status == PTN_OK ? ptn_format(h, "%lld", (long long)limits[i].total) : "?", "allowed:number",
			ptn_format(h, "%lld", (long long)limits[i].most), "percent:number",
			status == PTN_OK ? ptn_format(h, "%lld", (long long)(limits[i].total * 100 / limits[i].most)) : "?",
			NULL);
}

/* The customer, and each of its accounts. */
static PtnVerdict
usage_of_customer(PtnHook *h, PtnEntry *customer)
{
	const char *name = ptn_get(customer, "name");
	PtnEntry *account = NULL;
	PtnStatus status;

	ptn_options_of(h, customer);
	usage_put(h, &(Share){ .scope = SCOPE_CUSTOMER, .who = name });
	while ((status = ptn_each(h, PTN_ACCOUNT, NULL, &account)) == PTN_OK) {
		if (g_strcmp0(ptn_get(account, "customer"), name) != 0)
			continue;
		ptn_options_of(h, account);
		usage_put(h, &(Share){ .scope = SCOPE_ACCOUNT, .who = ptn_get(account, "name") });
	}
	return status == PTN_NONE ? PTN_NEXT : ptn_fail(h, "the directory cannot be read now");
}

PtnVerdict
usage_show(PtnHook *h)
{
	const char *who = ptn_arguments(h)[0];
	PtnEntry *entry;

	if (who == NULL)
		return ptn_fail(h, "whose?  Give a customer or an account");
	switch (ptn_find(h, PTN_ACCOUNT, who, &entry)) {
	case PTN_OK:
		ptn_options_of(h, entry);
		usage_put(h, &(Share){ .scope = SCOPE_ACCOUNT, .who = ptn_get(entry, "name") });
		return PTN_NEXT;
	case PTN_NONE:
		break;
	default:
		return ptn_fail(h, "the directory cannot be read now");
	}
	if (ptn_find(h, PTN_CUSTOMER, who, &entry) != PTN_OK)
		return ptn_fail(h, "there is no account and no customer %s", who);
	return usage_of_customer(h, entry);
}
