/* server-refusal.c - clients that are refused before they have a session: blocked ones, and those beyond a limit. */
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "engine/observer.h"
#include "engine/refusal.h"
#include "engine/server-private.h"

/* What is refused. */
typedef struct {
	Engine *engine;
	const EngineSettings *settings;
	const IpAddress *client;
	char session[ID_TEXT_SIZE];
	PtnCause cause;
	int code;
	const char *enhanced, *text;
} ServerRefusal;

/* The connection would have been a session: its id leads from the reply to the log. */
static void
server_name_session(ServerRefusal *refusal)
{
	(void)id_format(id_next(refusal->engine->session_ids), refusal->session);
}

/* On implicit TLS there is nothing to say in clear. */
static void
server_say(const ServerRefusal *refusal, const ListenerSettings *listener, int fd)
{
	g_autofree char *support = refusal_support(refusal->settings, refusal->session, refusal->cause);
	g_autoptr(GString) reply = g_string_new(NULL);

	if (listener->tls == LISTENER_TLS_IMPLICIT)
		return;
	g_string_append_printf(reply, "%d%c%s %s\r\n", refusal->code, support != NULL ? '-' : ' ',
		refusal->enhanced, refusal->text);
	if (support != NULL)
		g_string_append_printf(reply, "%d %s %s\r\n", refusal->code, refusal->enhanced, support);
	(void)!send(fd, reply->str, reply->len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* For posternctl why.  `plugin` NULL: the core; `cause`: a word, or why the client is blocked. */
static void
server_note(const ServerRefusal *refusal, const char *plugin, const char *cause)
{
	g_autofree char *reply =
		g_strdup_printf("%d %s %s", refusal->code, refusal->enhanced, refusal->text);
	char client[IP_TEXT_SIZE];

	if (refusal->engine->refusals == NULL)
		return;
	refusals_note(refusal->engine->refusals,
		&(Refusal){ .time_us = clock_wall(refusal->engine->clock),
			.session = refusal->session,
			.client = ip_format(refusal->client, client),
			.stage = stage_name(PTN_CONNECT),
			.plugin = plugin,
			.cause = cause,
			.reply = reply });
}

/* ---- blocked clients ---- */

/* A block may be lifted just now. */
static void
server_log_blocked(const ServerRefusal *refusal)
{
	const ClientLimits *limits = &refusal->settings->clients;
	ClientBudget *budget =
		client_budget_take(refusal->engine->clients, refusal->client, limits->ipv6_prefix);
	char client[IP_TEXT_SIZE];

	if (client_budget_log_once(budget, limits, "refused at connect, blocked")) {
		g_autoptr(Block) block = blocks_find(refusal->engine->blocks, refusal->client);

		server_note(refusal, block != NULL ? block->by : NULL, block != NULL ? block->reason : "blocked");
		log_event(LOG_LEVEL_INFO, "blocked client refused", "session", refusal->session, "client",
			ip_format(refusal->client, client), "by", block != NULL ? block->by : NULL, "cause",
			block != NULL ? block->reason : NULL, "reply", refusal->text, NULL);
	}
	client_budget_drop(budget);
}

bool
server_blocks(
	Engine *engine, Snapshot *snapshot, const ListenerSettings *listener, int fd, const IpAddress *client)
{
	const EngineSettings *settings = snapshot->settings;
	ServerRefusal refusal = { .engine = engine, .settings = settings, .client = client, .cause = PTN_POLICY };
	const BlocksAnswer answer =
		engine_settings_is_monitor(settings, client) ? BLOCKS_FREE : blocks_test(engine->blocks, client);
	g_autofree char *text = NULL;

	if (answer == BLOCKS_FREE)
		return false;
	server_name_session(&refusal);
	refusal.code = answer == BLOCKS_FOR_EVER ? 554 : 421;
	refusal.enhanced = answer == BLOCKS_FOR_EVER ? "5.7.1" : "4.7.0";
	text = g_strdup_printf("%s (session %s)",
		answer == BLOCKS_FOR_EVER ? "Error: your address is not welcome here"
								  : "Error: too many errors from your address, try again later",
		refusal.session);
	refusal.text = text;
	/* logged first: of many at once the one that is logged is then the first that was answered */
	metrics_add(engine->metrics, "connections.blocked", 1);
	server_log_blocked(&refusal);
	server_say(&refusal, listener, fd);
	return true;
}

/* ---- too many connections ---- */

/* Observers count it against the client, unless it is an office full of people at work.  That all clients together have too
 * many is not the fault of this one. */
static void
server_observe_refusal(Engine *engine, Snapshot *snapshot, const ServerClient *client)
{
	SessionFacts facts = { .client = client->address,
		.is_monitor = engine_settings_is_monitor(snapshot->settings, &client->address),
		.is_at_work = client_budget_is_at_work(client->budget),
		.client_budget = client->budget,
		.client_limits = &snapshot->settings->clients };

	observer_tell(engine->observer, &(Observation){ .snapshot = snapshot,
										.stage = PTN_EVENT,
										.facts = &facts,
										.about = "too-many-connections",
										.is_ours = true });
}

static void
server_log_surplus(const ServerRefusal *refusal, const ServerClient *client, const BudgetRefusal *why)
{
	char address[IP_TEXT_SIZE];

	if (!client_budget_log(client->budget, &refusal->settings->clients, "connection refused"))
		return;
	server_note(refusal, NULL, cause_name(refusal->cause));
	log_event(LOG_LEVEL_INFO, "connection refused", "session", refusal->session, "client",
		ip_format(refusal->client, address), "cause", why->text, "limit", why->name, NULL);
}

void
server_refuse(Server *server, Snapshot *snapshot, const ListenerSettings *listener, int fd,
	const ServerClient *client, const BudgetRefusal *why)
{
	Engine *engine = server->engine;
	char address[IP_TEXT_SIZE];
	g_autofree char *text = g_strdup_printf(
		"%s %s from %s", snapshot->settings->hostname, why->text, ip_format(&client->address, address));
	ServerRefusal refusal = { .engine = engine,
		.settings = snapshot->settings,
		.client = &client->address,
		.cause = PTN_RATE,
		.code = why->code,
		.enhanced = why->enhanced,
		.text = text };

	server_name_session(&refusal);
	server_log_surplus(&refusal, client, why);
	server_say(&refusal, listener, fd);
	if (!why->is_of_all)
		server_observe_refusal(engine, snapshot, client);
	metrics_add(engine->metrics, "event.too-many-connections", 1);
	budget_count_refusal(why, engine->metrics);
}
