/* api-service.c - text, time, log, counters, memory, options, DNS. */
#include <string.h>

#include "base/keyed-hash.h"
#include "base/log.h"
#include "base/sign.h"
#include "base/random.h"
#include "host/host-private.h"
#include "proto/path.h"

#define API_SLICE_US (CLOCK_SECOND / 4) /* how soon a wait notices that the client is gone */

static Engine *
api_engine(PtnHook *h)
{
	return h->instance->services->engine;
}

/* ---- text and memory ---- */

const char *
ptn_format(PtnHook *h, const char *format, ...)
{
	va_list arguments;
	const char *text;

	va_start(arguments, format);
	text = region_vprintf(h->call->region, format, arguments);
	va_end(arguments);
	return text;
}

void *
ptn_keep(PtnHook *h, PtnScope scope, const void *data, size_t size)
{
	Region *region = h->call->region;

	if (scope == PTN_FOR_MESSAGE)
		region = h->call->message_region;
	else if (scope == PTN_FOR_SESSION)
		region = h->call->session_region;
	if (region == NULL)
		return NULL;
	return data != NULL ? region_copy(region, data, size) : region_alloc(region, size);
}

void
ptn_sign(const char *secret, const char *text, char *letters, size_t size)
{
	sign_text(secret, text, letters, size);
}

bool
ptn_is_same(const char *a, const char *b, size_t size)
{
	return sign_is_same(a, b, size);
}

unsigned
ptn_hash(const void *text)
{
	return keyed_hash_text(text);
}

const char *
ptn_domain_of(const char *address)
{
	return mailbox_domain(address);
}

const char *
ptn_reversed(PtnHook *h, const char *ip)
{
	char text[IP_REVERSED_SIZE];
	IpAddress address;

	return ip_parse(ip, &address) ? region_strdup(h->call->region, ip_reversed(&address, text)) : NULL;
}

bool
ptn_is_within(const char *ip, const char *network)
{
	IpAddress address;
	IpNetwork parsed;

	return ip_parse(ip, &address) && ip_network_parse(network, &parsed, NULL) &&
		   ip_network_contains(&parsed, &address);
}

bool
ptn_is_public(const char *ip)
{
	IpAddress address;

	return ip_parse(ip, &address) && ip_is_public(&address);
}

/* ---- log and counters ---- */

void
ptn_log(PtnHook *h, PtnLevel level, const char *format, ...)
{
	static const LogLevel levels[] = { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING };
	g_autofree char *text = NULL;
	char id[ID_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	call_note(h, "says: %s", text);
	if (call_is_rehearsed(h) || !hook_may_log(h->call, h->instance->plugin->name))
		return;
	log_event(levels[MIN((unsigned)level, 2)], "plugin says", "plugin", h->instance->plugin->name, "session",
		h->call->facts != NULL ? h->call->facts->id : NULL, "queue",
		h->call->envelope != NULL ? id_format(h->call->envelope->id, id) : NULL, "text", text, NULL);
}

void
ptn_count(PtnHook *h, const char *metric, int64_t n)
{
	g_autofree char *name = g_strdup_printf("plugin.%s.%s", h->instance->plugin->name, metric);

	if (api_engine(h) != NULL && !call_is_rehearsed(h))
		metrics_add(api_engine(h)->metrics, name, n);
}

void
ptn_alarm(PtnHook *h, const char *name, const char *text)
{
	g_autofree char *full = g_strdup_printf("%s.%s", h->instance->plugin->name, name);

	if (api_engine(h) != NULL && !call_is_rehearsed(h))
		metrics_alarm(api_engine(h)->metrics, full, text);
}

void
ptn_alarm_until(PtnHook *h, const char *name, const char *text, int64_t until)
{
	g_autofree char *full = g_strdup_printf("%s.%s", h->instance->plugin->name, name);

	if (api_engine(h) != NULL && !call_is_rehearsed(h))
		metrics_alarm_until(api_engine(h)->metrics, full, text, until);
}

/* ---- time ---- */

int64_t
ptn_now(PtnHook *h)
{
	return api_engine(h) != NULL ? clock_wall(api_engine(h)->clock) : g_get_real_time();
}

int64_t
ptn_store_now(PtnHook *h)
{
	const Engine *engine = api_engine(h);

	return engine != NULL && engine->store != NULL ? store_wall(engine->store) : ptn_now(h);
}

int64_t
ptn_time_left(PtnHook *h)
{
	return MAX(h->call->deadline_us - g_get_monotonic_time(), 0);
}

static bool
api_is_gone(const PtnHook *h)
{
	return h->call->is_gone != NULL && atomic_load(h->call->is_gone);
}

/* True: a wait may begin; false: the run is marked to go on elsewhere, or there is no time. */
static bool
api_may_wait(PtnHook *h)
{
	if (!h->call->may_wait)
		h->call->would_have_waited = true;
	return h->call->may_wait && !api_is_gone(h) && ptn_time_left(h) > 0;
}

bool
ptn_sleep(PtnHook *h, int64_t time)
{
	const int64_t until_us = g_get_monotonic_time() + time;

	while (api_may_wait(h)) {
		const int64_t left_us = until_us - g_get_monotonic_time();

		if (left_us <= 0)
			return true;
		g_usleep((gulong)MIN(MIN(left_us, ptn_time_left(h)), API_SLICE_US));
	}
	return false;
}

uint32_t
ptn_random(PtnHook *h, uint32_t below)
{
	(void)h;
	return random_below(below);
}

/* ---- options ---- */

/* "ITEM/option" reads the item's section. */
static const char *
api_item_option(PtnHook *h, const char *name, const char *slash, const PtnOption **option)
{
	g_autofree char *item = g_strndup(name, (size_t)(slash - name));
	g_autofree char *kind = g_strdup_printf("plugin %s/", h->instance->plugin->name);
	const ConfigSection *section = config_section(h->instance->config, kind, item);

	*option = instance_option(h->instance, slash + 1, true);
	return section != NULL && *option != NULL ? config_text(section, slash + 1) : NULL;
}

static const char *
api_option_text(PtnHook *h, const char *name, const PtnOption **option)
{
	const char *slash = strchr(name, '/');

	if (slash != NULL)
		return api_item_option(h, name, slash, option);
	*option = instance_option(h->instance, name, false);
	if (*option == NULL)
		return NULL;
	return option_text_for(h->instance->config, h->instance, *option, places_at_hand(h, (*option)->places), NULL);
}

/* A value of the directory was checked when it was set; one that makes no sense any more counts as not set. */
static OptionValue *
api_option_value(PtnHook *h, const char *name)
{
	const PtnOption *option;
	const char *text = api_option_text(h, name, &option);

	return text != NULL ? option_parse(option, text, NULL) : NULL;
}

const char *
ptn_option(PtnHook *h, const char *name)
{
	const PtnOption *option;

	return region_strdup(h->call->region, api_option_text(h, name, &option));
}

int64_t
ptn_option_number(PtnHook *h, const char *name)
{
	g_autoptr(OptionValue) value = api_option_value(h, name);

	return value != NULL ? value->number : 0;
}

int64_t
ptn_option_most(PtnHook *h, const char *name)
{
	g_autoptr(OptionValue) value = api_option_value(h, name);

	return value != NULL ? value->number_most : 0;
}

size_t
ptn_option_rates(PtnHook *h, const char *name, PtnRate *rates, size_t room)
{
	static const PtnOption one = { .name = "rate", .type = PTN_PER_TIME };
	const PtnOption *option;
	const char *text = api_option_text(h, name, &option);
	g_auto(GStrv) words = g_strsplit_set(text != NULL ? text : "", " ,\t", -1);
	size_t n = 0;

	for (char **word = words; *word != NULL && n < room; word++) {
		g_autoptr(OptionValue) value = **word != '\0' ? option_parse(&one, *word, NULL) : NULL;

		if (value != NULL && value->number > 0)
			rates[n++] = (PtnRate){ value->number, value->number_most };
	}
	return n;
}

const char *const *
ptn_option_list(PtnHook *h, const char *name)
{
	g_autoptr(OptionValue) value = api_option_value(h, name);
	const size_t n = value != NULL && value->list != NULL ? g_strv_length(value->list) : 0;
	const char **list = region_alloc(h->call->region, (n + 1) * sizeof *list);

	for (size_t i = 0; i < n; i++)
		list[i] = region_strdup(h->call->region, value->list[i]);
	return list;
}

const char *const *
ptn_option_items(PtnHook *h)
{
	return (const char *const *)h->instance->items->pdata;
}

/* ---- DNS ---- */

static const PtnAnswer api_unsure = { .status = PTN_UNSURE };

/* What is asked about a message ends with it, the rest with its stage. */
static int
api_lookup_scope(const HookCall *call)
{
	return stage_is(call->stage, STAGE_OF_MESSAGE) ? LOOKUPS_OF_MESSAGE : (int)call->stage;
}

/* A lookup is a query of the DNS service, referenced by the lookups of the session. */
static PtnLookup *
api_start_lookup(PtnHook *h, const char *name, PtnRecord type, bool is_fresh, int scope)
{
	Dns *dns = call_services(h)->dns;
	const SessionFacts *facts = h->call->facts;
	DnsQuery *query;

	if (dns == NULL)
		return NULL;
	query = lookups_start(h->call->lookups, dns, name, type, is_fresh, scope,
		facts != NULL ? facts->account_budget : NULL);
	if (query == NULL && api_engine(h) != NULL)
		metrics_add(api_engine(h)->metrics, "limit.lookups", 1);
	return (PtnLookup *)query;
}

PtnLookup *
ptn_dns_start(PtnHook *h, const char *name, PtnRecord type)
{
	return api_start_lookup(h, name, type, false, api_lookup_scope(h->call));
}

PtnLookup *
ptn_dns_start_fresh(PtnHook *h, const char *name, PtnRecord type)
{
	return api_start_lookup(h, name, type, true, api_lookup_scope(h->call));
}

bool
ptn_dns_is_there(PtnHook *h, PtnLookup *lookup)
{
	return lookup == NULL || dns_query_answer((DnsQuery *)lookup) != NULL || ptn_time_left(h) == 0;
}

static const char *
api_record_name(PtnRecord type)
{
	switch (type) {
	case PTN_A:
		return "A";
	case PTN_AAAA:
		return "AAAA";
	case PTN_PTR:
		return "PTR";
	case PTN_MX:
		return "MX";
	case PTN_TXT:
		return "TXT";
	case PTN_EXCHANGERS:
		return "exchangers";
	}
	return "?";
}

static void
api_note_answer(PtnHook *h, const DnsQuery *query, const PtnAnswer *answer)
{
	g_autofree char *values = NULL;
	const char *what = call_status_name(answer != NULL ? answer->status : PTN_UNSURE);

	if (!call_is_rehearsed(h))
		return;
	if (answer != NULL && answer->status == PTN_OK && answer->count > 0)
		what = values = g_strjoinv(", ", (char **)(uintptr_t)answer->values);
	call_note(h, "dns %s %s: %s", dns_query_name(query), api_record_name(dns_query_type(query)), what);
}

const PtnAnswer *
ptn_dns_wait(PtnHook *h, PtnLookup *lookup)
{
	DnsQuery *query = (DnsQuery *)lookup;
	const PtnAnswer *answer = query != NULL ? dns_query_answer(query) : NULL;

	while (query != NULL && answer == NULL && api_may_wait(h)) {
		const int64_t slice_us = MIN(g_get_monotonic_time() + API_SLICE_US, h->call->deadline_us);

		(void)dns_wait(query, slice_us);
		answer = dns_query_answer(query);
	}
	if (query != NULL)
		api_note_answer(h, query, answer);
	return answer != NULL ? answer : &api_unsure;
}

const PtnAnswer *
ptn_dns(PtnHook *h, const char *name, PtnRecord type)
{
	return ptn_dns_wait(h, api_start_lookup(h, name, type, false, LOOKUPS_OF_HOOK));
}
