/* uribl - refuses messages that name domains of URI lists: by links in text and HTML, found after
 * every decoding.
 *
 * Three hooks of one stage: a cruncher looks for hosts and starts the lookups, a worker waits for
 * them and judges, and what is only tagged is tagged at the end, when nothing failed. */
#include "plugin-api.h"

#include <string.h>

#include "plugins/mime/limit.h"
#include "plugins/uribl/domains.h"
#include "plugins/uribl/lists.h"

enum {
	NAME_MOST = 253,
	AT_ONCE = 64, /* lookups of a message that are under way */
};

typedef struct {
	psl_ctx_t *psl;
	GPtrArray *zones;  /* of Zone* */
	GPtrArray *health; /* of ListHealth*, theirs */
} Uribl;

typedef struct {
	const char *domain, *name; /* what is asked for, and how */
	size_t zone;
	PtnLookup *lookup; /* NULL: the zone is left out, a limit refused it, or it was not asked yet */
} Question;

typedef struct {
	Question *questions;
	size_t n_questions, n_asked;
	const char *tag; /* "shop.example (text), …" */
	bool is_cut;     /* there is more than was looked at */
	bool is_short;   /* our own limits refused lookups */
} State;

typedef struct {
	PtnHook *h;
	State *state;
	const char *deferred; /* domain of the first listing that defers, and the item it is of */
	const Item *deferred_by;
	const Zone *failed;
} Judging;

/* ---- looking ---- */

static const char *
question_name(PtnHook *h, const Domain *domain, const Zone *zone)
{
	const char *name = domain->is_number ? ptn_reversed(h, domain->name) : domain->name;
	const char *whole = name != NULL ? ptn_format(h, "%s.%s", name, zone->name) : NULL;

	return whole != NULL && strlen(whole) <= NAME_MOST ? whole : NULL;
}

static const char *
keep(PtnHook *h, const char *text)
{
	return ptn_keep(h, PTN_FOR_MESSAGE, text, strlen(text) + 1);
}

static void
add_questions(PtnHook *h, const Uribl *uribl, State *state, const Domain *domain)
{
	const char *kept = keep(h, domain->name);

	for (guint i = 0; i < uribl->zones->len; i++) {
		const Zone *zone = g_ptr_array_index(uribl->zones, i);
		const char *name = question_name(h, domain, zone);
		Question *question = &state->questions[state->n_questions];

		if (name == NULL)
			continue;
		question->domain = kept;
		question->name = keep(h, name);
		question->zone = i;
		state->n_questions++;
	}
}

/* Starts lookups until so many are ahead of question `i`. */
static void
ask_ahead(PtnHook *h, const Uribl *uribl, State *state, size_t i)
{
	for (; state->n_asked < MIN(i + AT_ONCE, state->n_questions); state->n_asked++) {
		Question *question = &state->questions[state->n_asked];
		Zone *zone = g_ptr_array_index(uribl->zones, question->zone);

		if (!health_may_ask(&zone->health))
			continue;
		question->lookup = ptn_dns_start(h, question->name, PTN_A);
		/* our own limits refuse it: no failure of the list, and nothing that a sender may bring about to pass */
		state->is_short |= question->lookup == NULL;
	}
}

static ExtractLimits
read_limits(PtnHook *h)
{
	return (ExtractLimits){ .most_parts = (unsigned)ptn_option_number(h, "most-parts"),
		.most_depth = (unsigned)ptn_option_number(h, "most-depth"),
		.most_octets = (size_t)ptn_option_number(h, "most-text"),
		.takes_bare = ptn_option_number(h, "bare-domains") != 0,
		.takes_addresses = ptn_option_number(h, "mail-addresses") != 0 };
}

static PtnVerdict
look(PtnHook *h)
{
	const Uribl *uribl = ptn_instance(h);
	const ExtractLimits limits = read_limits(h);
	const unsigned most = (unsigned)ptn_option_number(h, "most-domains");
	g_auto(Domains) domains = { 0 };
	State *state = ptn_message(h);
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);

	if (content == NULL || uribl->zones->len == 0)
		return PTN_NEXT;
	/* what makes a parser fail is the sender's doing: no failure of a list, and no way around it */
	if (!domains_find(h, uribl->psl, &limits, most, content, size, &domains))
		return limit_judge_for_now(h, "parts that cannot be read now");
	state->is_cut = domains.is_cut;
	state->questions = ptn_keep(h, PTN_FOR_MESSAGE, NULL,
		MAX(domains.names->len * (size_t)uribl->zones->len, 1) * sizeof *state->questions);
	for (guint i = 0; i < domains.names->len; i++) {
		const Domain *domain = g_ptr_array_index(domains.names, i);

		if (!domain->is_number || ptn_is_public(domain->name))
			add_questions(h, uribl, state, domain);
	}
	ask_ahead(h, uribl, state, 0);
	ptn_count(h, "domains", domains.names->len);
	return PTN_NEXT;
}

/* ---- judging ---- */

/* Domains are ASCII by now; the text is the administrator's. */
static PtnVerdict
refuse_listed(PtnHook *h, const char *domain, const Item *item, bool is_reject)
{
	ptn_blame(h, item->name);
	return ptn_refuse(h, PTN_CONTENT, is_reject ? 550 : 450, is_reject ? "5.7.1" : "4.7.1",
		"Message contains %s (%s)", domain, item->text);
}

static PtnVerdict
judge_listing(Judging *judging, const Item *item, const Question *question)
{
	PtnHook *h = judging->h;
	const char *tag = judging->state->tag;

	ptn_count(h, "listed", 1);
	ptn_log(h, PTN_INFO, "%s is listed by %s", question->domain, item->name);
	switch (item->action) {
	case ACTION_REJECT:
		return refuse_listed(h, question->domain, item, true);
	case ACTION_DEFER:
		if (judging->deferred == NULL) {
			judging->deferred = question->domain;
			judging->deferred_by = item;
		}
		break;
	case ACTION_TAG:
		tag = ptn_format(
			h, "%s%s%s (%s)", tag != NULL ? tag : "", tag != NULL ? ", " : "", question->domain, item->text);
		judging->state->tag = ptn_keep(h, PTN_FOR_MESSAGE, tag, strlen(tag) + 1);
		break;
	case ACTION_WARN:
		ptn_log(h, PTN_WARNING, "the message contains %s (%s)", question->domain, item->text);
		break;
	}
	return PTN_NEXT;
}

/* No answer because the client went says nothing of the list. */
static bool
is_fault_of_list(PtnHook *h)
{
	return ptn_time_left(h) == 0 || ptn_sleep(h, 0);
}

/* A rehearsal notes nothing: its log lines and alarms would go nowhere. */
static void
note_answer(PtnHook *h, Zone *zone, Meaning meaning, const char *value)
{
	if (ptn_fact(h, "rehearsal") != NULL || (meaning == MEANS_UNKNOWN && !is_fault_of_list(h)))
		return;
	if (meaning == MEANS_UNKNOWN)
		ptn_count(h, "failures", 1);
	if (meaning == MEANS_ERROR)
		ptn_count(h, "errors", 1);
	health_note(h, &zone->health, meaning, value);
}

static PtnVerdict
judge_question(Judging *judging, const Question *question)
{
	const Uribl *uribl = ptn_instance(judging->h);
	Zone *zone = g_ptr_array_index(uribl->zones, question->zone);
	const PtnAnswer *answer;
	const char *value;
	PtnVerdict verdict = PTN_NEXT;
	Meaning meaning;

	if (question->lookup == NULL) {
		judging->failed = zone;
		return PTN_NEXT;
	}
	answer = ptn_dns_wait(judging->h, question->lookup);
	meaning = zone_meaning(zone, answer, &value);
	if (meaning == MEANS_LISTED)
		meaning = health_control(judging->h, &zone->health);
	note_answer(judging->h, zone, meaning, value);
	if (meaning == MEANS_UNKNOWN)
		judging->failed = zone;
	for (guint i = 0; meaning == MEANS_LISTED && i < zone->items->len && verdict == PTN_NEXT; i++) {
		const Item *item = g_ptr_array_index(zone->items, i);

		if (item_lists_answer(item, answer))
			verdict = judge_listing(judging, item, question);
	}
	return verdict;
}

static PtnVerdict
judge(PtnHook *h)
{
	Judging judging = { .h = h, .state = ptn_message(h) };
	State *state = judging.state;
	PtnVerdict verdict = PTN_NEXT;

	for (size_t i = 0; i < state->n_questions && verdict == PTN_NEXT; i++) {
		ask_ahead(h, ptn_instance(h), state, i);
		verdict = judge_question(&judging, &state->questions[i]);
	}
	if (verdict == PTN_NEXT && state->is_cut)
		verdict = limit_judge(h, "more text, parts or links than can be checked");
	else if (verdict == PTN_NEXT && state->is_short)
		verdict = limit_judge_for_now(h, "more links than can be checked now");
	if (verdict != PTN_NEXT)
		return verdict;
	if (judging.deferred != NULL)
		return refuse_listed(h, judging.deferred, judging.deferred_by, false);
	if (judging.failed != NULL)
		return ptn_fail(h, "list %s could not be asked", judging.failed->health.label);
	return PTN_NEXT;
}

static PtnVerdict
tag(PtnHook *h)
{
	const State *state = ptn_message(h);
	const char *prefix = ptn_fact(h, "header-prefix");
	const char *name = ptn_format(h, "%s-URIBL", prefix != NULL ? prefix : "X");

	if (ptn_header(h, name, 0) != NULL) /* the client's own says nothing */
		ptn_remove_headers(h, name);
	if (state->tag != NULL)
		ptn_add_header(h, name, "%s", state->tag);
	return PTN_NEXT;
}

/* ---- for people ---- */

static const char *const actions[] = { "reject", "defer", "tag", "warn", NULL };

static PtnVerdict
test_lists(PtnHook *h)
{
	const Uribl *uribl = ptn_instance(h);

	health_test_all(h, uribl->health);
	return PTN_NEXT;
}

static PtnVerdict
show_lists(PtnHook *h)
{
	const Uribl *uribl = ptn_instance(h);

	for (guint i = 0; i < uribl->zones->len; i++) {
		Zone *zone = g_ptr_array_index(uribl->zones, i);
		const char *state = health_describe(h, &zone->health);

		for (guint k = 0; k < zone->items->len; k++) {
			const Item *item = g_ptr_array_index(zone->items, k);

			ptn_row(
				h, "list", item->name, "action", actions[item->action], "text", item->text, "state", state, NULL);
		}
	}
	return PTN_NEXT;
}

static PtnVerdict
tell_doctor(PtnHook *h)
{
	const Uribl *uribl = ptn_instance(h);

	for (guint i = 0; i < uribl->health->len; i++)
		health_tell_doctor(h, "uribl", g_ptr_array_index(uribl->health, i));
	return PTN_NEXT;
}

static void
look_up_domain(PtnHook *h, const Uribl *uribl, const Domain *domain)
{
	static const char *const words[] = { "no answer", "not listed", "another code", "LISTED", "error" };

	for (guint i = 0; i < uribl->zones->len; i++) {
		const Zone *zone = g_ptr_array_index(uribl->zones, i);
		const char *name = question_name(h, domain, zone), *value;
		const PtnAnswer *answer = name != NULL ? ptn_dns(h, name, PTN_A) : NULL;
		const Meaning meaning = answer != NULL ? zone_meaning(zone, answer, &value) : MEANS_UNKNOWN;

		for (guint k = 0; answer != NULL && k < zone->items->len; k++) {
			const Item *item = g_ptr_array_index(zone->items, k);
			const bool is_other = meaning == MEANS_LISTED && !item_lists_answer(item, answer);

			ptn_row(h, "domain", domain->name, "list", item->name, "answer", value != NULL ? value : "", "meaning",
				words[is_other ? MEANS_OTHER : meaning], NULL);
		}
	}
}

/* Of the domain as a link names it. */
static PtnVerdict
look_up(PtnHook *h)
{
	const Uribl *uribl = ptn_instance(h);
	const char *host = ptn_arguments(h)[0];
	g_autoptr(Hosts) hosts = hosts_new(uribl->psl, 1);
	g_autoptr(GPtrArray) domains = NULL;

	if (host != NULL)
		hosts_add(hosts, host, strlen(host), LINK_EXPLICIT);
	domains = hosts_domains(hosts, 1);
	if (domains->len == 0)
		return ptn_fail(h, "which domain or IP address?  uribl check DOMAIN");
	look_up_domain(h, uribl, g_ptr_array_index(domains, 0));
	return PTN_NEXT;
}

/* ---- the plugin ---- */

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	g_auto(GStrv) words = g_strsplit_set(value, " ,\t", -1);
	CodeRange range;

	for (char **word = words; strcmp(option, "codes") == 0 && *word != NULL; word++)
		if (**word != '\0' && !code_range_parse(*word, &range))
			return ptn_format(
				h, "\"%s\" is no code of a list (127.0.0.2, 127.0.0.4-127.0.0.7, 127.0.1.0/24)", *word);
	return NULL;
}

static PtnVerdict
start(PtnHook *h)
{
	Uribl *uribl = ptn_instance(h);
	const char *why = NULL;

	uribl->zones = lists_read(h, &why);
	if (uribl->zones == NULL)
		return ptn_fail(h, "%s", why);
	mime_start_plain();
	uribl->psl = psl_latest(NULL);
	if (uribl->psl == NULL) {
		g_ptr_array_unref(uribl->zones);
		return ptn_fail(h, "there is no public suffix list");
	}
	uribl->health = g_ptr_array_new();
	for (guint i = 0; i < uribl->zones->len; i++)
		g_ptr_array_add(uribl->health, &((Zone *)g_ptr_array_index(uribl->zones, i))->health);
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Uribl *uribl = ptn_instance(h);

	for (guint i = 0; i < uribl->health->len; i++)
		health_end(h, g_ptr_array_index(uribl->health, i));
	g_ptr_array_unref(uribl->health);
	psl_free(uribl->psl);
	g_ptr_array_unref(uribl->zones);
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "zone", PTN_DOMAIN_NAME, PTN_IN_ITEM, NULL, "the list to ask; with a key in it best as @FILE", 0, 0, NULL,
		true },
	{ "bits", PTN_NUMBER, PTN_IN_ITEM, "0", "listed if the last octet of the answer has one of these bits", 0,
		254 },
	{ "codes", PTN_TEXT | PTN_LIST, PTN_IN_ITEM, NULL,
		"listed if the answer is one of these; without bits and codes any" },
	{ "text", PTN_TEXT, PTN_IN_ITEM, NULL, "the category, as the reply names it" },
	{ "action", PTN_CHOICE, PTN_IN_ITEM, "reject", "what to do with a message that names a listed domain", 0, 0,
		actions },
	{ "most-domains", PTN_NUMBER, PTN_IN_SERVER, "1000", "domains of a message that are asked for", 1, 10000 },
	{ "most-text", PTN_SIZE, PTN_IN_SERVER, "256M", "decoded text of a message that is looked at", 1024,
		INT64_C(4) << 30 },
	{ "most-parts", PTN_NUMBER, PTN_IN_SERVER, "1000", "parts of a message that are looked at", 1, 10000 },
	{ "most-depth", PTN_NUMBER, PTN_IN_SERVER, "20", "parts within parts that are looked at", 1, MIME_DEPTH_MAX },
	{ "on-limit", PTN_CHOICE, PTN_IN_SERVER, "refuse", "what to do with a message that is beyond a limit", 0, 0,
		limit_actions },
	{ "bare-domains", PTN_BOOL, PTN_IN_SERVER, "yes", "\"shop.example\" without http:// or www. is a link" },
	{ "mail-addresses", PTN_BOOL, PTN_IN_SERVER, "no",
		"the domains of mail addresses in the text are asked for, too" },
	{ "patience", PTN_NUMBER, PTN_IN_SERVER, "5", "failures in a row after which a list is left out", 1, 100000 },
	{ "pause", PTN_TIME, PTN_IN_SERVER, "60s", "how long a list is left out at first; doubled while it fails",
		PTN_SECOND, 24 * 3600 * PTN_SECOND },
	{ "pause-most", PTN_TIME, PTN_IN_SERVER, "30m", "how long a list is left out at most", PTN_SECOND,
		24 * 3600 * PTN_SECOND },
	{ "test-every", PTN_TIME, PTN_IN_SERVER, "1h", "how often the test entries of the lists are asked for",
		60 * PTN_SECOND, 24 * 3600 * PTN_SECOND },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MESSAGE, look, PTN_HEAVY },
	{ PTN_MESSAGE, judge, 0 },
	{ PTN_MESSAGE, tag, PTN_INLINE },
	{ PTN_TICK, test_lists, 0 },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "doctor", NULL, "the lists, for posternctl doctor", tell_doctor, .reads_only = true },
	{ "lists", NULL, "the lists, and how they do", show_lists, .reads_only = true },
	{ "check", "DOMAIN", "what the lists say of a domain or an address now", look_up, .reads_only = true },
	{ 0 },
};

PTN_PLUGIN(uribl) = {
	PTN_HEAD("uribl"),
	.version = "1",
	.summary = "refuses messages that name domains of URI lists",
	.options = options,
	.hooks = hooks,
	.commands = commands,
	.doctor = tell_doctor,
	.instance_size = sizeof(Uribl),
	.message_size = sizeof(State),
	.tick = 5 * PTN_SECOND,
	.passes_on_error = true,
	.start = start,
	.stop = stop,
	.check = check,
	.has_on = true,
	.parser_start = domains_parser_start,
	.parse = domains_parse,
};
