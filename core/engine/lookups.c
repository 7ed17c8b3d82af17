/* lookups.c - DNS lookups with a scope and a limit. */
#include "engine/lookups.h"

/* On whose budget a lookup is.  Names of a stranger's choice may keep libunbound busy for minutes after the client left, so
 * the budget is given back when nobody is interested any more and the servers are not asked any more. */
typedef struct {
	ClientBudget *client; /* NULL: the account's */
	AccountBudget *account;
} Charge;

typedef struct {
	DnsQuery *query;
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
charge_give_back(void *data)
{
	Charge *charge = data;

	client_budget_end_lookup(charge->client);
	client_budget_drop(charge->client);
	account_budget_end(charge->account, ACCOUNT_LOOKUPS);
	account_budget_drop(charge->account);
	g_free(charge);
}

/* NULL: the budget is used up. */
static Charge *
charge_take(const LookupsSettings *settings, AccountBudget *account)
{
	Charge *charge;

	if (account != NULL ? !account_budget_begin(account, settings->account_limits, ACCOUNT_LOOKUPS)
						: !client_budget_lookup(settings->client, settings->client_limits))
		return NULL;
	charge = g_new0(Charge, 1);
	charge->account = account_budget_ref(account);
	charge->client = account == NULL ? client_budget_ref(settings->client) : NULL;
	return charge;
}

void
lookups_free(Lookups *lookups)
{
	if (lookups == NULL)
		return;
	for (guint i = 0; i < lookups->held->len; i++)
		dns_query_unref(g_array_index(lookups->held, Held, i).query);
	g_array_unref(lookups->held);
	g_free(lookups);
}

DnsQuery *
lookups_start(Lookups *lookups, Dns *dns, const char *name, PtnRecord type, bool is_fresh, int scope,
	AccountBudget *account)
{
	Held held = { .scope = scope };
	Charge *charge;

	if (lookups->settings.account_limits == NULL)
		account = NULL; /* of an observer, whom nothing limits */
	charge = lookups->held->len < lookups->settings.most ? charge_take(&lookups->settings, account) : NULL;
	if (charge == NULL)
		return NULL;
	held.query = is_fresh ? dns_start_fresh(dns, name, type) : dns_start(dns, name, type);
	dns_query_on_end(held.query, charge_give_back, charge);
	if (dns_query_is_refused(held.query)) {
		dns_query_unref(held.query);
		return NULL;
	}
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
			dns_query_unref(held.query);
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
