/* clamav - viruses: refused, held or marked, as clamd calls them.
 *
 * The message goes to clamd in pieces, over a connection of its own.  Who cannot be asked is the
 * administrator's `on-error`, which puts mail off by default. */
#include "plugin-api.h"

#include <string.h>
#include <time.h>

#include "plugins/clamav/servers.h"
#include "plugins/mime/limit.h"

enum { REJECTS, HOLDS, TAGS };

typedef struct {
	Servers *servers;
} Clamav;

#define SIGNATURE "%{signature}"
#define OLD (7 * 24 * 3600) /* seconds; signatures come daily */

/* ---- a message ---- */

static bool
is_exempt(PtnHook *h)
{
	const char *fact = ptn_fact(h, "content-exempt");

	return fact != NULL && strcmp(fact, "yes") == 0;
}

static const char *
header_name(PtnHook *h)
{
	return ptn_format(h, "%s-Virus", ptn_fact(h, "header-prefix"));
}

/* Nobody knows what is in it: clean is what was scanned. */
static PtnVerdict
judge_large(PtnHook *h, size_t size)
{
	const PtnVerdict verdict = limit_judge(h, "more octets than can be scanned for viruses");

	ptn_count(h, "unscanned", 1);
	if (verdict == PTN_NEXT)
		ptn_note(h, "unscanned", ptn_format(h, "too large, %zu octets", size));
	return verdict;
}

static bool
is_ignored(PtnHook *h, const char *signature)
{
	for (const char *const *pattern = ptn_option_list(h, "ignore"); *pattern != NULL; pattern++)
		if (g_pattern_match_simple(*pattern, signature))
			return true;
	return false;
}

static PtnVerdict
refuse(PtnHook *h, const char *signature)
{
	g_auto(GStrv) around = g_strsplit(ptn_option(h, "text"), SIGNATURE, -1);
	g_autofree char *text = g_strjoinv(signature, around);

	return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "%s", text);
}

static PtnVerdict
judge_infected(PtnHook *h, const char *signature)
{
	if (is_ignored(h, signature)) {
		ptn_count(h, "ignored", 1);
		ptn_log(h, PTN_INFO, "the message contains %s, which is ignored", signature);
		return PTN_NEXT;
	}
	ptn_count(h, "infected", 1);
	if (ptn_option_number(h, "action") == REJECTS || (ptn_option_number(h, "action") == HOLDS && is_exempt(h)))
		return refuse(h, signature); /* mail to exempt recipients is not held, but has no copies */
	ptn_log(h, PTN_INFO, "the message contains %s", signature);
	if (ptn_option_number(h, "action") == HOLDS)
		ptn_hold(h, ptn_format(h, "contains %s", signature), 0);
	else
		ptn_add_header(h, header_name(h), "%s", signature);
	return PTN_NEXT;
}

static PtnVerdict
scan(PtnHook *h)
{
	const Clamav *clamav = ptn_instance(h);
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);
	ClamdAnswer answer;

	if (ptn_option_number(h, "action") == TAGS)
		ptn_remove_headers(h, header_name(h)); /* what stood there before is not ours */
	if (content == NULL)
		return PTN_NEXT;
	if (size > (size_t)ptn_option_number(h, "most-size"))
		return judge_large(h, size);
	answer = servers_scan(h, clamav->servers, content, size);
	switch (answer.verdict) {
	case CLAMD_CLEAN:
		ptn_count(h, "clean", 1);
		return PTN_NEXT;
	case CLAMD_FOUND:
		return judge_infected(h, answer.text);
	case CLAMD_TOO_LARGE:
		return judge_large(h, size);
	case CLAMD_ERROR:
	case CLAMD_SILENT:
		break;
	}
	return ptn_fail(h, "clamd %s", answer.text);
}

/* ---- the instance ---- */

static PtnVerdict
start(PtnHook *h)
{
	Clamav *clamav = ptn_instance(h);
	const char *why = NULL;

	clamav->servers = servers_new(ptn_option_list(h, "server"), &why);
	return clamav->servers != NULL ? PTN_NEXT : ptn_fail(h, "server: \"%s\" is no address of a server", why);
}

static PtnVerdict
stop(PtnHook *h)
{
	Clamav *clamav = ptn_instance(h);

	servers_free(h, clamav->servers);
	return PTN_NEXT;
}

static PtnVerdict
test(PtnHook *h)
{
	const Clamav *clamav = ptn_instance(h);

	servers_test(h, clamav->servers);
	return PTN_NEXT;
}

/* ---- for people ---- */

static PtnVerdict
check_servers(PtnHook *h)
{
	const Clamav *clamav = ptn_instance(h);

	for (const ClamdAddress *const *server = servers_addresses(h, clamav->servers); *server != NULL; server++) {
		const bool is_asked = ptn_time_left(h) > 0;
		const char *none = is_asked ? "no answer" : "not asked: another one took all the time";
		const char *pong = is_asked ? clamd_ask(h, *server, "PING") : NULL;
		const char *version = pong != NULL ? clamd_ask(h, *server, "VERSION") : NULL;
		const char *trouble = servers_trouble(h, clamav->servers, *server);

		ptn_row(h, "server", (*server)->name, "ping", pong != NULL ? pong : none, "version",
			version != NULL ? version : "", "state", trouble != NULL ? trouble : "ok", NULL);
	}
	return PTN_NEXT;
}

/* "ClamAV 1.4.6/27123/Thu Nov 20 09:26:00 2026"; a database of one's own has no number and no date. */
static bool
is_old(PtnHook *h, const char *version)
{
	const char *date = strrchr(version, '/');
	struct tm tm = { .tm_isdst = -1 };

	if (date == NULL || strptime(date + 1, "%a %b %d %T %Y", &tm) == NULL)
		return false;
	return ptn_now(h) / PTN_SECOND - mktime(&tm) > OLD;
}

static PtnVerdict
tell_doctor(PtnHook *h)
{
	const Clamav *clamav = ptn_instance(h);

	for (const ClamdAddress *const *server = servers_addresses(h, clamav->servers); *server != NULL; server++) {
		const char *detail = servers_trouble(h, clamav->servers, *server);
		const char *version = detail == NULL ? clamd_ask(h, *server, "VERSION") : NULL;
		bool is_well = version != NULL;

		if (detail == NULL)
			detail = is_well ? version : "does not answer";
		if (is_well && is_old(h, version)) {
			detail = ptn_format(h, "%s: its signatures are old; does freshclam run?", version);
			is_well = false;
		}
		ptn_row(h, "result", is_well ? "ok" : "look", "check", ptn_format(h, "clamav %s", (*server)->name),
			"detail", detail, NULL);
	}
	return PTN_NEXT;
}

/* ---- values of the configuration ---- */

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	g_auto(GStrv) words = g_strsplit_set(value, " ,\t", -1);

	for (char **word = words; strcmp(option, "server") == 0 && *word != NULL; word++) {
		ClamdAddress address;

		if (**word == '\0')
			continue;
		if (!clamd_address_parse(*word, &address))
			return ptn_format(h,
				"\"%s\" is no address of a server (unix:/run/clamav/clamd.ctl, 127.0.0.1:3310, [::1]:3310)",
				*word);
		clamd_address_clear(&address);
	}
	return NULL;
}

static const char *const actions[] = { "reject", "hold", "tag", NULL };

static const PtnOption options[] = {
	{ "server", PTN_TEXT | PTN_LIST, PTN_IN_SERVER, "unix:/run/clamav/clamd.ctl",
		"where clamd listens; of several one after the other is tried", 1, 20 },
	{ "action", PTN_CHOICE, PTN_IN_SERVER, "reject", "what is done with an infected message", .choices = actions },
	{ "text", PTN_TEXT, PTN_IN_SERVER, "Message contains " SIGNATURE, "the refusal" },
	{ "ignore", PTN_TEXT | PTN_LIST, PTN_IN_SERVER, NULL, "patterns of signatures that are only logged" },
	{ "most-size", PTN_SIZE, PTN_IN_SERVER, "200M", "size of a message that is scanned", 1024, INT64_C(4) << 30 },
	{ "on-limit", PTN_CHOICE, PTN_IN_SERVER, "refuse",
		"what to do with a larger message, or one that is too large for clamd",
		.choices = limit_actions },
	{ "patience", PTN_NUMBER, PTN_IN_SERVER, "3", "failures in a row after which a server is left out", 1,
		100000 },
	{ "pause", PTN_TIME, PTN_IN_SERVER, "30s", "how long a server that failed a test is left alone", PTN_SECOND,
		3600 * PTN_SECOND },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MESSAGE, scan, 0 },
	{ PTN_TICK, test, 0 },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "doctor", NULL, "the servers, for posternctl doctor", tell_doctor, .reads_only = true },
	{ "check", NULL, "asks the servers how they do", check_servers, .reads_only = true },
	{ 0 },
};

PTN_PLUGIN(clamav) = {
	PTN_HEAD("clamav"),
	.version = "1",
	.summary = "refuses messages that clamd calls infected",
	.options = options,
	.hooks = hooks,
	.commands = commands,
	.doctor = tell_doctor,
	.instance_size = sizeof(Clamav),
	.tick = 5 * PTN_SECOND,
	.start = start,
	.stop = stop,
	.check = check,
	.has_on = true,
};
