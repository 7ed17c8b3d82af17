/* client-budget.h - what the clients of one network use of the gateway, and whether they may use more.
 *
 * A network is an IPv4 address, or an IPv6 network of `ipv6_prefix` bits.  There is one object for each
 * that is connected or was lately; those of the last minutes stay known for their rates.  The table has
 * a bound: when it is full, the network that was used least recently and uses nothing goes; when all are
 * in use, new ones share one object, so that together they get what one client gets.
 *
 * Any thread may call everything.  take and drop lock the table, once per connection; the questions
 * count by atomic operations.  A budget that is NULL permits everything: explain, and tests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ip.h"
#include "service/budget.h"

typedef struct ClientBudgets ClientBudgets;
typedef struct ClientBudget ClientBudget;

/* Limits of each network; those named all_… are of all networks together. */
typedef struct {
	unsigned ipv6_prefix;     /* leading bits of an IPv6 address that make one client */
	unsigned connections;     /* at a time */
	unsigned connection_rate; /* new ones a minute */
	unsigned commands;        /* a minute, of sessions without authentication */
	unsigned lookups;         /* DNS lookups that its sessions hold */
	unsigned work;            /* sessions that a worker runs, or that wait for one */
	unsigned log_lines, all_log_lines;   /* a minute */
	unsigned log_reasons;                /* pairs of network and reason whose left out lines are counted apart */
	uint64_t unfinished, all_unfinished; /* octets of messages without their final reply */
} ClientLimits;

/* The defaults of the options of [clients]. */
ClientLimits client_limits_default(void);

/* `most`: networks that are known at a time. */
ClientBudgets *client_budgets_new(const Clock *clock, size_t most);
void client_budgets_free(ClientBudgets *budgets); /* when no reference is left; NULL is allowed */

/* A new reference to the object of the client's network, never NULL.  Locks the table. */
ClientBudget *client_budget_take(ClientBudgets *budgets, const IpAddress *client, unsigned ipv6_prefix);
ClientBudget *client_budget_ref(ClientBudget *budget);
void client_budget_drop(ClientBudget *budget);

/* The questions: NULL is "yes", and it is counted; else the reply to send, and nothing is counted in use. */
const BudgetRefusal *client_budget_connect(ClientBudget *budget, const ClientLimits *limits);
void client_budget_disconnect(ClientBudget *budget);
const BudgetRefusal *client_budget_command(ClientBudget *budget, const ClientLimits *limits);
const BudgetRefusal *client_budget_grow(ClientBudget *budget, const ClientLimits *limits, uint64_t octets);
void client_budget_shrink(ClientBudget *budget, uint64_t octets);
const BudgetRefusal *client_budget_work(ClientBudget *budget, const ClientLimits *limits);
void client_budget_end_work(ClientBudget *budget);
/* False: the lookup is not to be started, its answer is "unsure". */
bool client_budget_lookup(ClientBudget *budget, const ClientLimits *limits);
void client_budget_end_lookup(ClientBudget *budget);

/* Notes that a message of an authenticated session of this client was accepted. */
void client_budget_note_work(ClientBudget *budget);
/* True: that happened within the last ten minutes; then connections beyond the limit are no offence.  False for the budget that the
 * clients beyond the table share. */
bool client_budget_is_at_work(const ClientBudget *budget);

/* True: a line about this client may be written.  False: it is counted under `reason` (copied), and
 * client_budgets_report() reports it. */
bool client_budget_log(ClientBudget *budget, const ClientLimits *limits, const char *reason);
/* The same for what one line a minute says of a client: further ones are counted, however many lines it has left. */
bool client_budget_log_once(ClientBudget *budget, const ClientLimits *limits, const char *reason);
/* Tells of the lines that were left out since the last call, by network ("192.0.2.1", NULL: of many) and reason. */
typedef void ClientLeftOut(void *data, const char *network, const char *reason, uint64_t lines);
void client_budgets_report(ClientBudgets *budgets, ClientLeftOut *each, void *data);

typedef struct {
	char *network; /* "192.0.2.1", "2001:db8::/64"; "others": those that share one object */
	uint64_t connections, unfinished, lookups, work;        /* now */
	unsigned connection_rate, commands, log_lines; /* in this minute */
	uint64_t refused; /* connections and messages, since it is known */
} ClientUsage;

/* New, of ClientUsage*, which it frees: the networks that use something now or did in this minute; with
 * `client` only its network, if it is known. */
GPtrArray *client_budgets_usage(ClientBudgets *budgets, const IpAddress *client, unsigned ipv6_prefix);
/* Networks in the table. */
size_t client_budgets_count(ClientBudgets *budgets);
