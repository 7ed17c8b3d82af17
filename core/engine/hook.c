/* hook.c - the facts of a session, and the acts of a hook. */
#include "engine/hook.h"

#include "engine/chain.h"

void
session_facts_clear(SessionFacts *facts)
{
	g_clear_pointer(&facts->client_name, g_free);
	g_clear_pointer(&facts->listener, g_free);
	g_clear_pointer(&facts->helo, g_free);
	g_clear_pointer(&facts->tls_version, g_free);
	g_clear_pointer(&facts->tls_cipher, g_free);
	g_clear_pointer(&facts->tls_client_name, g_free);
	g_clear_pointer(&facts->proxy, g_hash_table_unref);
	g_clear_pointer(&facts->login, g_free);
	g_clear_pointer(&facts->account, directory_entry_free);
	g_clear_pointer(&facts->customer, directory_entry_free);
	g_clear_pointer(&facts->client_budget, client_budget_drop);
	g_clear_pointer(&facts->account_budget, account_budget_drop);
}

SessionFacts *
session_facts_copy(const SessionFacts *facts)
{
	SessionFacts *copy = g_memdup2(facts, sizeof *facts);

	copy->client_name = g_strdup(facts->client_name);
	copy->listener = g_strdup(facts->listener);
	copy->helo = g_strdup(facts->helo);
	copy->tls_version = g_strdup(facts->tls_version);
	copy->tls_cipher = g_strdup(facts->tls_cipher);
	copy->tls_client_name = g_strdup(facts->tls_client_name);
	copy->proxy = facts->proxy != NULL ? g_hash_table_ref(facts->proxy) : NULL;
	copy->login = g_strdup(facts->login);
	copy->account = copy->customer = NULL; /* observers read the directory anew if they need it */
	(void)client_budget_ref(copy->client_budget);
	(void)account_budget_ref(copy->account_budget);
	return copy;
}

void
session_facts_free(SessionFacts *facts)
{
	if (facts == NULL)
		return;
	session_facts_clear(facts);
	g_free(facts);
}

bool
hook_may_log(const HookCall *call, const char *reason)
{
	const SessionFacts *facts = call->facts;

	if (facts != NULL)
		return client_budget_log(facts->client_budget, facts->client_limits, reason);
	return client_budget_log(call->client_budget, call->client_limits, reason);
}

char *
hook_name(const char *plugin, const HookCall *call)
{
	return call->item != NULL ? g_strdup_printf("%s/%s", plugin, call->item) : g_strdup(plugin);
}

Act *
hook_add_act(HookCall *call, ActKind kind)
{
	const Act act = { .kind = kind };

	if (call->acts == NULL)
		call->acts = g_array_new(FALSE, TRUE, sizeof(Act));
	g_array_append_val(call->acts, act);
	return &g_array_index(call->acts, Act, call->acts->len - 1);
}

const char *
cause_name(PtnCause cause)
{
	static const char *const names[] = { [PTN_POLICY] = "policy",
		[PTN_DNS] = "dns",
		[PTN_REMOTE] = "remote",
		[PTN_RATE] = "rate",
		[PTN_CONTENT] = "content",
		[PTN_CREDENTIALS] = "credentials",
		[PTN_PROTOCOL] = "protocol",
		[PTN_LOCAL] = "local" };

	return (size_t)cause < G_N_ELEMENTS(names) && names[cause] != NULL ? names[cause] : "?";
}
