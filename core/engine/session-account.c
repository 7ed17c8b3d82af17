/* session-account.c - what the directory and the DNS say of the client, kept up to date. */
#include <string.h>

#include "engine/session-private.h"

static PtnStatus
session_load_account(Session *session)
{
	g_autoptr(DirectoryEntry) account = NULL;
	g_autoptr(DirectoryEntry) customer = NULL;
	PtnStatus status =
		directory_find(session->engine->directory, PTN_ACCOUNT, session->facts.login, CLOCK_NEVER, &account);
	const char *owner = account != NULL ? directory_entry_get(account, "customer") : NULL;

	if (status == PTN_OK && owner != NULL &&
		directory_find(session->engine->directory, PTN_CUSTOMER, owner, CLOCK_NEVER, &customer) == PTN_UNSURE)
		status = PTN_UNSURE;
	if (status == PTN_UNSURE)
		return status;
	session->has_new_password |= session->facts.account != NULL && account != NULL &&
								 g_strcmp0(directory_entry_get(session->facts.account, "password"),
									 directory_entry_get(account, "password")) != 0;
	session->has_lost_account = session->facts.account != NULL && account == NULL;
	g_clear_pointer(&session->facts.account, directory_entry_free);
	g_clear_pointer(&session->facts.customer, directory_entry_free);
	session->facts.account = g_steal_pointer(&account);
	session->facts.customer = g_steal_pointer(&customer);
	return status;
}

/* A domain that changes hands takes its accounts along.  The numbers are read before the entries: what changes in
 * between is seen the next time. */
PtnStatus
session_read_account(Session *session)
{
	uint64_t accounts, customers, domains;
	PtnStatus status;

	if (directory_changes(session->engine->directory, PTN_ACCOUNT, CLOCK_NEVER, &accounts) == PTN_UNSURE ||
		directory_changes(session->engine->directory, PTN_CUSTOMER, CLOCK_NEVER, &customers) == PTN_UNSURE ||
		directory_changes(session->engine->directory, PTN_DOMAIN, CLOCK_NEVER, &domains) == PTN_UNSURE)
		return PTN_UNSURE;
	if (session->has_read_account && accounts == session->account_changes &&
		customers == session->customer_changes && domains == session->domain_changes)
		return session->facts.account != NULL ? PTN_OK : PTN_NONE;
	status = session_load_account(session);
	if (status == PTN_UNSURE)
		return status;
	session->has_read_account = true;
	session->account_changes = accounts;
	session->customer_changes = customers;
	session->domain_changes = domains;
	return status;
}

/* ---- the client's name ---- */

/* A name counts only if it leads back to the address. */
static void
session_judge_name(Session *session, const PtnAnswer *answer)
{
	IpAddress address;
	bool is_confirmed = false;

	for (size_t i = 0; answer->status == PTN_OK && i < answer->count; i++)
		is_confirmed |= ip_parse(answer->values[i], &address) && ip_equal(&address, &session->facts.client);
	if (!is_confirmed)
		g_clear_pointer(&session->facts.client_name, g_free);
	session->has_looked_up_name = true;
}

/* On the client's budget, whoever authenticates later; where a limit is reached, the client has no name. */
static void
session_start_name_query(Session *session, const char *name, PtnRecord type)
{
	session->name_query =
		lookups_start(session->lookups, session->snapshot->dns, name, type, false, LOOKUPS_OF_NAME, NULL);
	if (session->name_query != NULL)
		return;
	g_clear_pointer(&session->facts.client_name, g_free);
	session->has_looked_up_name = true;
	metrics_add(session->engine->metrics, "limit.lookups", 1);
}

static void
session_confirm_name(Session *session, const char *name)
{
	const size_t length = strlen(name);

	session->facts.client_name = g_strndup(name, length > 0 && name[length - 1] == '.' ? length - 1 : length);
	if (!domain_is_valid(session->facts.client_name)) {
		g_clear_pointer(&session->facts.client_name, g_free);
		session->has_looked_up_name = true;
		return;
	}
	session->is_confirming_name = true;
	session_start_name_query(
		session, session->facts.client_name, ip_is_v4(&session->facts.client) ? PTN_A : PTN_AAAA);
}

static void
session_ask_name(Session *session)
{
	char reversed[IP_REVERSED_SIZE];
	g_autofree char *name = g_strdup_printf("%s.%s", ip_reversed(&session->facts.client, reversed),
		ip_is_v4(&session->facts.client) ? "in-addr.arpa" : "ip6.arpa");

	session_start_name_query(session, name, PTN_PTR);
}

/* Takes the answer to the query of the name or, after it, of the name's address. */
static void
session_take_name_answer(Session *session, const PtnAnswer *answer)
{
	g_autofree char *name = NULL;

	if (session->is_confirming_name) {
		session_judge_name(session, answer);
		lookups_end(session->lookups, LOOKUPS_OF_NAME);
		return;
	}
	if (answer->status == PTN_OK && answer->count > 0)
		name = g_strdup(answer->values[0]);
	lookups_end(session->lookups, LOOKUPS_OF_NAME);
	if (name != NULL)
		session_confirm_name(session, name);
	else
		session->has_looked_up_name = true;
}

void
session_look_up_name(Session *session)
{
	const PtnAnswer *answer;

	if (session->has_looked_up_name || session->snapshot->dns == NULL)
		return;
	if (session->name_query == NULL) {
		session->has_looked_up_name = !ip_is_public(&session->facts.client);
		if (!session->has_looked_up_name)
			session_ask_name(session);
		return;
	}
	answer = dns_query_answer(session->name_query);
	if (answer == NULL)
		return;
	session->name_query = NULL;
	session_take_name_answer(session, answer);
}
