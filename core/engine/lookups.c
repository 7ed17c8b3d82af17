/* lookups.c - DNS lookups with a scope and a limit. */
#include "engine/lookups.h"

typedef struct {
	DnsQuery *query;
	AccountBudget *account; /* on whose budget; NULL: on the client's */
	int scope;
} Held;

struct Lookups {
	LookupsSettings settings;
	GArray *held; /* of Held */
};

Lookups *
lookups_new(const LookupsSettings *settings)
{
	Lookups *lookups = g_new0(Lookups, 1);

	lookups->settings = settings != NULL ? *settings : (LookupsSettings){ .most = G_MAXUINT };
	lookups->held = g_array_new(FALSE, FALSE, sizeof(Held));
	return lookups;
}

static void
lookups_cancel(Lookups *lookups, const Held *held)
{
	dns_query_unref(held->query);
	if (held->account == NULL)
		client_budget_end_lookup(lookups->settings.client);
	account_budget_end(held->account, ACCOUNT_LOOKUPS);
	account_budget_drop(held->account);
}

void
lookups_free(Lookups *lookups)
{
	if (lookups == NULL)
		return;
	for (guint i = 0; i < lookups->held->len; i++)
		lookups_cancel(lookups, &g_array_index(lookups->held, Held, i));
	g_array_unref(lookups->held);
	g_free(lookups);
}

static bool
lookups_may_start(Lookups *lookups, AccountBudget *account)
{
	const LookupsSettings *settings = &lookups->settings;

	if (lookups->held->len >= settings->most)
		return false;
	return account != NULL ? account_budget_begin(account, settings->account_limits, ACCOUNT_LOOKUPS)
						   : client_budget_lookup(settings->client, settings->client_limits);
}

DnsQuery *
lookups_start(Lookups *lookups, Dns *dns, const char *name, PtnRecord type, bool is_fresh, int scope,
	AccountBudget *account)
{
	Held held = { .scope = scope };

	if (lookups->settings.account_limits == NULL)
		account = NULL; /* of an observer, whom nothing limits */
	if (!lookups_may_start(lookups, account))
		return NULL;
	held.account = account_budget_ref(account);
	held.query = is_fresh ? dns_start_fresh(dns, name, type) : dns_start(dns, name, type);
	g_array_append_val(lookups->held, held);
	return held.query;
}

void
lookups_end(Lookups *lookups, int scope)
{
	guint kept = 0;

	if (lookups == NULL)
		return;
	for (guint i = 0; i < lookups->held->len; i++) {
		const Held held = g_array_index(lookups->held, Held, i);

		if (held.scope == scope)
			lookups_cancel(lookups, &held);
		else
			g_array_index(lookups->held, Held, kept++) = held;
	}
	g_array_set_size(lookups->held, kept);
}

unsigned
lookups_held(const Lookups *lookups)
{
	return lookups != NULL ? lookups->held->len : 0;
}
