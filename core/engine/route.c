/* route.c - the next hop of a recipient, and the addresses of a next hop (RFC 5321 5.1, RFC 7505). */
#include "engine/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "engine/domain.h"
#include "engine/own.h"
#include "engine/stay.h"
#include "io/reach.h"
#include "proto/path.h"

enum {
	ROUTE_ADDRESSES = 50, /* of exchangers; more are not looked up */
};

static void
route_free(void *data)
{
	Route *route = data;

	g_free(route->name);
	g_strfreev(route->to);
	g_strfreev(route->modes);
	next_hop_free(route->hop);
	g_free(route);
}

Route *
route_new(const char *name, char **to, char **modes, NextHop *hop)
{
	Route *route = g_new0(Route, 1);

	route->name = g_strdup(name);
	route->to = to;
	route->modes = modes;
	route->hop = hop;
	hop->is_trusted = true;
	return route;
}

DeliverySettings *
delivery_settings_new(void)
{
	DeliverySettings *settings = g_new0(DeliverySettings, 1);

	settings->from = g_array_new(FALSE, FALSE, sizeof(IpAddress));
	settings->own = g_array_new(FALSE, FALSE, sizeof(IpAddress));
	settings->outside = g_array_new(FALSE, FALSE, sizeof(IpAddress));
	settings->doors = g_array_new(FALSE, FALSE, sizeof(OwnDoor));
	settings->private_networks = g_array_new(FALSE, FALSE, sizeof(IpNetwork));
	settings->routes = g_ptr_array_new_with_free_func(route_free);
	settings->tls = TLS_MAY;
	settings->retry_least_us = 300 * CLOCK_SECOND;
	settings->retry_most_us = 4000 * CLOCK_SECOND;
	settings->expire_us = 5 * 86400 * CLOCK_SECOND;
	settings->warn_after_us = 4 * 3600 * CLOCK_SECOND;
	settings->connect_us = 30 * CLOCK_SECOND;
	settings->greeting_us = 60 * CLOCK_SECOND;
	settings->command_us = 300 * CLOCK_SECOND;
	settings->attempt_us = 900 * CLOCK_SECOND;
	settings->data_us = 600 * CLOCK_SECOND;
	settings->max_active = 20000;
	settings->max_deliveries = 200;
	settings->per_destination = 5;
	settings->per_connection = 1000;
	settings->max_addresses = 5;
	settings->ready = 8;
	return settings;
}

void
delivery_settings_free(DeliverySettings *settings)
{
	if (settings == NULL)
		return;
	g_free(settings->hostname);
	g_free(settings->helo);
	g_free(settings->spf_record);
	g_array_unref(settings->from);
	g_array_unref(settings->own);
	g_array_unref(settings->outside);
	g_array_unref(settings->doors);
	g_array_unref(settings->private_networks);
	g_ptr_array_unref(settings->routes);
	tls_client_free(settings->client);
	g_free(settings);
}

void
route_answer_clear(RouteAnswer *answer)
{
	g_clear_pointer(&answer->hop, next_hop_free);
	g_clear_pointer(&answer->reply, g_free);
	g_clear_pointer(&answer->recipient, g_free);
	g_clear_pointer(&answer->sender, g_free);
	g_clear_pointer(&answer->ways, g_ptr_array_unref);
}

/* ---- which way ---- */

typedef struct {
	const Engine *engine;
	const DeliverySettings *settings;
	const Envelope *envelope;
} RouteTask;

typedef struct {
	RouteAnswer *answer;
	const DeliverySettings *settings;
} RouteAct;

static void
route_apply(void *data, const HookRow *row, HookCall *call)
{
	const RouteAct *task = data;
	RouteAnswer *answer = task->answer;

	for (guint i = 0; i < call->acts->len; i++) {
		const Act *act = &g_array_index(call->acts, Act, i);
		g_autoptr(GError) error = NULL;

		if (act->kind == ACT_HOLD) {
			route_answer_clear(answer);
			answer->result = ROUTE_HELD;
			answer->reply = stay_reason_of_plugin(row->plugin->name, act->text);
			answer->release_at_us = act->time_us;
		} else if (act->kind == ACT_ROUTE && answer->result != ROUTE_HELD) {
			route_answer_clear(answer);
			answer->hop = next_hop_parse(act->text, task->settings->tls, &error);
			answer->result = answer->hop != NULL ? ROUTE_FOUND : ROUTE_DEFERRED;
			answer->reply = error != NULL ? g_strdup_printf("4.3.5 %s", error->message) : NULL;
		}
	}
}

/* True: a hook said where, or that it may not go. */
static bool
route_ask_hooks(
	Snapshot *snapshot, const DeliverySettings *settings, const Envelope *envelope, size_t i, RouteAnswer *answer)
{
	g_autoptr(Region) region = NULL;
	RouteAct act = { answer, settings };
	const ChainTask task = { .chain = snapshot->chain,
		.chain_us = snapshot->settings->chain_us,
		.place = ANYWHERE,
		.apply = route_apply,
		.data = &act };
	ChainRun run = { .stage = PTN_ROUTE };
	HookCall call = { .stage = PTN_ROUTE, .envelope = envelope, .recipient = i };
	ChainResult result;

	if (!chain_has(snapshot->chain, PTN_ROUTE))
		return false;
	answer->result = ROUTE_DEFERRED;
	call.region = region = region_new();
	result = chain_run(&run, &task, &call);
	if (result == CHAIN_REFUSED || result == CHAIN_CLOSED) {
		route_answer_clear(answer);
		answer->result = call.code >= 500 ? ROUTE_REFUSED : ROUTE_DEFERRED;
		answer->reply = g_strdup_printf("%s %s", call.enhanced, call.text);
		return true;
	}
	if (answer->hop == NULL && answer->reply == NULL)
		answer->result = ROUTE_FOUND; /* they have no opinion */
	return answer->hop != NULL || answer->reply != NULL;
}

static bool
route_has(char *const *words, const char *word)
{
	return words != NULL && word != NULL && g_strv_contains((const char *const *)words, word);
}

static bool
route_is_to(const Route *route, const char *domain)
{
	for (char **to = route->to; to != NULL && *to != NULL; to++) {
		if (g_ascii_strcasecmp(*to, domain) == 0)
			return true;
		if ((*to)[0] == '.' && strlen(domain) > strlen(*to) &&
			g_ascii_strcasecmp(domain + strlen(domain) - strlen(*to), *to) == 0)
			return true;
	}
	return false;
}

/* A recipient's domain, and what the directory says of it. */
typedef struct {
	const char *name;
	const char *mode; /* NULL: it is not there */
	PtnStatus status; /* UNSURE: the directory cannot tell now */
	const DirectoryEntry *entry;
} RouteDomain;

typedef enum { MATCHES_NOT, MATCHES, MATCHES_PERHAPS } RouteMatch;

/* One that says neither which domains nor which modes comes after what the directory says (`is_for_all`). */
static RouteMatch
route_matches(const Route *route, bool is_for_all, const RouteDomain *domain)
{
	const bool has_modes = route->modes != NULL && route->modes[0] != NULL;
	const bool is_to_all = route->to == NULL || route->to[0] == NULL || route_has(route->to, "*");

	if (is_for_all)
		return is_to_all && !has_modes ? MATCHES : MATCHES_NOT;
	if (!has_modes)
		return route_is_to(route, domain->name) ? MATCHES : MATCHES_NOT;
	if (!is_to_all && !route_is_to(route, domain->name))
		return MATCHES_NOT;
	if (domain->status == PTN_UNSURE)
		return MATCHES_PERHAPS;
	return route_has(route->modes, domain->mode) ? MATCHES : MATCHES_NOT;
}

/* It goes on as soon as the directory is known again. */
static void
route_defer(RouteAnswer *answer)
{
	answer->result = ROUTE_DEFERRED;
	answer->reply = g_strdup("4.3.0 the directory cannot be reached");
}

/* The first [route] that is for the domain. */
static bool
route_ask_config(const RouteTask *task, bool is_for_all, const RouteDomain *domain, RouteAnswer *answer)
{
	for (guint i = 0; i < task->settings->routes->len; i++) {
		const Route *route = g_ptr_array_index(task->settings->routes, i);
		const RouteMatch match = route_matches(route, is_for_all, domain);

		if (match == MATCHES_NOT)
			continue;
		if (match == MATCHES_PERHAPS) {
			route_defer(answer);
			return true;
		}
		answer->hop = next_hop_copy(route->hop);
		answer->result = ROUTE_FOUND;
		return true;
	}
	return false;
}

static bool
route_ask_directory(const RouteTask *task, const RouteDomain *domain, RouteAnswer *answer)
{
	if (domain->status == PTN_UNSURE) {
		route_defer(answer);
		return true;
	}
	return domain->mode != NULL &&
		   domain_route(task->engine, task->settings, task->envelope->sender, domain->entry, answer);
}

/* One step; ROUTE_FORWARDED: another one, for `answer->recipient`. */
static void
route_step(const RouteTask *task, const char *address, RouteAnswer *answer)
{
	g_autofree char *name = g_ascii_strdown(mailbox_domain(address), -1);
	g_autoptr(DirectoryEntry) entry = NULL;
	RouteDomain domain = { 0 };

	if (name[0] == '\0') { /* <postmaster> */
		g_free(name);
		name = g_strdup(task->settings->hostname);
	}
	domain.name = name;
	domain.mode = domain_mode(task->engine, name, &domain.status, &entry);
	domain.entry = entry;
	if (domain.status != PTN_NONE)
		stay_ways_add(&answer->ways, name, entry);
	if (route_ask_config(task, false, &domain, answer) || route_ask_directory(task, &domain, answer) ||
		route_ask_config(task, true, &domain, answer))
		return;
	answer->hop = next_hop_for_domain(name, task->settings->tls);
	answer->result = ROUTE_FOUND;
}

void
route_recipient(const Engine *engine, Snapshot *snapshot, const DeliverySettings *settings,
	const Envelope *envelope, size_t i, RouteAnswer *answer)
{
	const Recipient *recipient = g_ptr_array_index(envelope->recipients, i);
	const RouteTask task = { engine, settings, envelope };
	unsigned steps = 0;

	*answer = (RouteAnswer){ .result = ROUTE_FOUND };
	if (route_ask_hooks(snapshot, settings, envelope, i, answer))
		return;
	do {
		g_autofree char *address =
			answer->recipient != NULL ? g_steal_pointer(&answer->recipient) : g_strdup(recipient->address);

		route_step(&task, address, answer);
		if (answer->result != ROUTE_FORWARDED && steps > 0)
			answer->recipient = g_steal_pointer(&address);
	} while (answer->result == ROUTE_FORWARDED && ++steps <= DOMAIN_FORWARDS);
	if (answer->result == ROUTE_FORWARDED) {
		answer->result = ROUTE_REFUSED;
		answer->reply = g_strdup("5.4.6 mail is forwarded from domain to domain without an end");
	}
}

/* ---- which addresses ---- */

static void
route_address_free(void *data)
{
	HopAddress *address = data;

	g_free(address->name);
	g_free(address);
}

static void
route_add_address(GPtrArray *addresses, const char *name, const IpAddress *ip, uint16_t port)
{
	HopAddress *address = g_new0(HopAddress, 1);

	address->name = g_strdup(name);
	address->address = *ip;
	address->port = port;
	g_ptr_array_add(addresses, address);
}

char *
hop_address_text(const NextHop *hop, const HopAddress *to)
{
	char text[IP_TEXT_SIZE];

	return hop->path == NULL ? g_strdup_printf("%s %u", ip_format(&to->address, text), to->port)
							 : g_strdup(hop->path);
}

static const GArray *
hop_own_addresses(const DeliverySettings *settings, const NextHop *hop)
{
	return hop->from != NULL && hop->from->len > 0 ? hop->from : settings->from;
}

const IpAddress *
hop_from(const DeliverySettings *settings, const NextHop *hop, const IpAddress *to)
{
	const GArray *own = hop_own_addresses(settings, hop);
	const IpAddress *chosen = NULL;
	uint32_t found = 0;

	for (guint i = 0; i < own->len; i++) {
		const IpAddress *from = &g_array_index(own, IpAddress, i);

		if (ip_is_v4(from) == ip_is_v4(to) && random_below(++found) == 0)
			chosen = from;
	}
	return chosen;
}

/* Who says from where mail is sent says by which family, too; but a loopback address that is named as such is meant. */
static bool
hop_can_reach(const DeliverySettings *settings, const NextHop *hop, const IpAddress *to)
{
	IpAddress named;

	return hop_own_addresses(settings, hop)->len == 0 || hop_from(settings, hop, to) != NULL ||
		   (ip_is_loopback(to) && ip_parse(hop->host, &named));
}

static HopResult
route_keep_reachable(const DeliverySettings *settings, const NextHop *hop, GPtrArray *addresses, char **reply)
{
	for (guint i = addresses->len; i-- > 0;)
		if (!hop_can_reach(settings, hop, &((const HopAddress *)addresses->pdata[i])->address))
			g_ptr_array_remove_index(addresses, i);
	if (addresses->len > 0)
		return HOP_OK;
	*reply = g_strdup_printf(
		"4.4.1 %s has only addresses of a family that from-addresses has none of", hop->host);
	return HOP_DEFER;
}

/* Both families are asked for at once; true: one of them could not be found out. */
static bool
route_look_up_host(Dns *dns, const char *name, uint16_t port, int64_t deadline_us, GPtrArray *addresses)
{
	DnsQuery *const queries[] = { dns_start(dns, name, PTN_AAAA), dns_start(dns, name, PTN_A) };
	bool is_unsure = false;

	for (size_t q = 0; q < G_N_ELEMENTS(queries); q++) {
		const PtnAnswer *answer = dns_wait(queries[q], deadline_us);
		IpAddress ip;

		is_unsure |= answer->status == PTN_UNSURE;
		for (size_t i = 0; answer->status == PTN_OK && i < answer->count; i++)
			if (ip_parse(answer->values[i], &ip))
				route_add_address(addresses, name, &ip, port);
		dns_query_unref(queries[q]);
	}
	return is_unsure;
}

static HopResult
route_host_addresses(
	Dns *dns, const NextHop *hop, int64_t deadline_us, GPtrArray *addresses, bool *is_unsure, char **reply)
{
	static const HopResult missing[] = {
		[MISSING_DEFERS] = HOP_DEFER, [MISSING_BOUNCES] = HOP_FAIL, [MISSING_HOLDS] = HOP_HOLD
	};
	IpAddress ip;

	if (ip_parse(hop->host, &ip)) {
		route_add_address(addresses, hop->host, &ip, hop->port);
		return HOP_OK;
	}
	*is_unsure = route_look_up_host(dns, hop->host, hop->port, deadline_us, addresses);
	if (addresses->len > 0)
		return HOP_OK;
	if (*is_unsure) {
		*reply = g_strdup_printf("4.4.3 the name of the next hop %s cannot be looked up now", hop->host);
		return HOP_DEFER;
	}
	/* by default it is taken for a mistake to mend, not for a reason to bounce */
	*reply = g_strdup_printf(
		"%c.4.4 the next hop %s has no address", hop->on_missing == MISSING_BOUNCES ? '5' : '4', hop->host);
	return missing[hop->on_missing];
}

static HopResult
route_loop(const NextHop *hop, char **reply)
{
	*reply = g_strdup_printf("5.4.6 mail for %s loops back to ourselves", hop->host);
	return HOP_FAIL;
}

/* RFC 5321 5.1: if we are among the exchangers, only better ones than us are tried.  Equal ones would have the same
 * thought, and send it back. */
static HopResult
route_exchangers(Dns *dns, const DeliverySettings *settings, const NextHop *hop, const PtnAnswer *answer,
	int64_t deadline_us, GPtrArray *addresses, bool *is_unsure, char **reply)
{
	long level = -1; /* the preference of the exchangers from `equals` on */
	guint equals = 0;
	bool is_ours = false;
	bool is_better_unsure = false; /* what is better than those may have addresses */

	for (size_t i = 0; i < answer->count && addresses->len < ROUTE_ADDRESSES; i++) {
		const char *space = strchr(answer->values[i], ' ');
		const char *exchanger = space != NULL ? space + 1 : answer->values[i];
		const long preference = strtol(answer->values[i], NULL, 10);
		const guint first = addresses->len;

		if (preference != level) {
			equals = first;
			is_better_unsure = *is_unsure;
		}
		level = preference;
		*is_unsure |= route_look_up_host(dns, exchanger, hop->port, deadline_us, addresses);
		is_ours = own_is_exchanger(settings, exchanger, addresses, first);
		if (is_ours) {
			g_ptr_array_set_size(addresses, (int)equals);
			break;
		}
	}
	if (addresses->len > 0)
		return HOP_OK;
	if (is_ours && !is_better_unsure)
		return route_loop(hop, reply);
	*reply = g_strdup_printf(*is_unsure ? "4.4.3 the exchangers of %s cannot be looked up now"
									   : "4.4.4 no exchanger of %s has an address",
		hop->host);
	return HOP_DEFER;
}

/* What customers enter and foreign DNS says leads to public addresses only; a host that leads nowhere but to this machine
 * is a loop. */
static HopResult
route_keep_allowed(
	const DeliverySettings *settings, const NextHop *hop, bool is_unsure, GPtrArray *addresses, char **reply)
{
	bool is_loop = false;

	for (guint i = addresses->len; i-- > 0;) {
		const HopAddress *to = g_ptr_array_index(addresses, i);
		const bool is_ours = own_is_target(settings, to);

		is_loop |= is_ours;
		if (is_ours || !reach_is_allowed(settings->private_networks, &to->address))
			g_ptr_array_remove_index(addresses, i);
	}
	if (addresses->len > 0)
		return HOP_OK;
	if (is_loop && !is_unsure)
		return route_loop(hop, reply);
	*reply = g_strdup_printf(is_unsure ? "4.4.3 not all addresses of %s can be looked up now, the others are not public"
									   : "5.4.4 %s has no public address",
		hop->host);
	return is_unsure ? HOP_DEFER : HOP_FAIL;
}

HopResult
route_addresses(Dns *dns, const DeliverySettings *settings, const NextHop *hop, int64_t deadline_us,
	GPtrArray **addresses, char **reply)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(route_address_free);
	HopResult result = HOP_FAIL;
	bool is_unsure = false;

	if (hop->path != NULL) {
		route_add_address(found, "localhost", &(IpAddress){ 0 }, 0);
		result = HOP_OK;
	} else if (hop->kind == HOP_SMTP || hop->kind == HOP_LMTP) {
		result = route_host_addresses(dns, hop, deadline_us, found, &is_unsure, reply);
	} else {
		g_autoptr(DnsQuery) query = dns_start(dns, hop->host, PTN_EXCHANGERS);
		const PtnAnswer *answer = dns_wait(query, deadline_us);

		if (answer->status == PTN_UNSURE) {
			*reply = g_strdup_printf("4.4.3 the domain %s cannot be looked up now", hop->host);
			result = HOP_DEFER;
		} else if (answer->status != PTN_OK) {
			*reply = g_strdup_printf("5.1.2 the domain %s does not exist or has no address", hop->host);
		} else if (answer->count == 0) {
			*reply = g_strdup_printf("5.1.10 the domain %s does not accept mail (null MX)", hop->host);
		} else {
			result = route_exchangers(dns, settings, hop, answer, deadline_us, found, &is_unsure, reply);
		}
	}
	if (result == HOP_OK && hop->path == NULL && !hop->is_trusted)
		result = route_keep_allowed(settings, hop, is_unsure, found, reply);
	if (result == HOP_OK && hop->path == NULL)
		result = route_keep_reachable(settings, hop, found, reply);
	if (result == HOP_OK)
		*addresses = g_steal_pointer(&found);
	return result;
}
