/* control-clients.c - posternctl clients: which networks and accounts use how much of what they may use. */
#include <string.h>

#include "base/error.h"
#include "base/ip.h"
#include "daemon/control.h"

static int
clients_compare(const void *a, const void *b)
{
	const ClientUsage *left = *(const ClientUsage *const *)a, *right = *(const ClientUsage *const *)b;

	if (left->connections != right->connections)
		return left->connections < right->connections ? 1 : -1;
	return strcmp(left->network, right->network);
}

static void
clients_put_row(Answer *answer, const ClientUsage *usage)
{
	g_autofree char *connections = g_strdup_printf("%" G_GUINT64_FORMAT, usage->connections);
	g_autofree char *rate = g_strdup_printf("%u", usage->connection_rate);
	g_autofree char *commands = g_strdup_printf("%u", usage->commands);
	g_autofree char *unfinished = g_strdup_printf("%" G_GUINT64_FORMAT, usage->unfinished);
	g_autofree char *lookups = g_strdup_printf("%" G_GUINT64_FORMAT, usage->lookups);
	g_autofree char *work = g_strdup_printf("%" G_GUINT64_FORMAT, usage->work);
	g_autofree char *lines = g_strdup_printf("%u", usage->log_lines);
	g_autofree char *refused = g_strdup_printf("%" G_GUINT64_FORMAT, usage->refused);

	answer_row(answer, usage->network, connections, rate, commands, unfinished, lookups, work, lines, refused, "",
		"", NULL);
}

static void
clients_put_account(Answer *answer, const AccountUsage *usage)
{
	g_autofree char *lookups = g_strdup_printf("%" G_GUINT64_FORMAT, usage->used[ACCOUNT_LOOKUPS]);
	g_autofree char *deliveries = g_strdup_printf("%" G_GUINT64_FORMAT, usage->used[ACCOUNT_DELIVERIES]);
	g_autofree char *destinations = g_strdup_printf("%" G_GUINT64_FORMAT, usage->used[ACCOUNT_DESTINATIONS]);

	answer_row(answer, usage->login, "", "", "", "", lookups, "", "", "", deliveries, destinations,
		NULL);
}

static void
clients_put_networks(Daemon *daemon, Answer *answer, const IpAddress *client)
{
	g_autoptr(Snapshot) snapshot = control_take_snapshot(daemon);
	g_autoptr(GPtrArray) usages =
		client_budgets_usage(daemon->engine.clients, client, snapshot->settings->clients.ipv6_prefix);

	g_ptr_array_sort(usages, clients_compare);
	for (guint i = 0; i < usages->len; i++)
		clients_put_row(answer, g_ptr_array_index(usages, i));
}

static void
clients_put_accounts(Daemon *daemon, Answer *answer, const char *login)
{
	g_autoptr(GPtrArray) usages = account_budgets_usage(daemon->engine.accounts, login);

	for (guint i = 0; i < usages->len; i++)
		clients_put_account(answer, g_ptr_array_index(usages, i));
}

void
control_clients(Daemon *daemon, const Request *request, Answer *answer)
{
	const char *asked = request->words[1];
	const bool is_login = asked != NULL && strchr(asked, '@') != NULL;
	IpAddress client;

	if (asked != NULL && request->words[2] != NULL) {
		answer_fail(answer, "clients takes one address or login at a time");
		return;
	}
	if (asked != NULL && !is_login && !ip_parse(asked, &client)) {
		answer_fail(answer, "\"%s\" is not an IP address, and no login", asked);
		return;
	}
	answer_columns(answer, "client", "connections:number", "new-this-minute:number", "commands-this-minute:number",
		"unfinished-octets:octets", "lookups:number", "work:number", "log-lines-this-minute:number",
		"refused:number", "deliveries:number", "destinations:number", NULL);
	if (!is_login)
		clients_put_networks(daemon, answer, asked != NULL ? &client : NULL);
	if (asked == NULL || is_login)
		clients_put_accounts(daemon, answer, asked);
}
