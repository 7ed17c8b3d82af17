/* command.c - posternctl iphelper: helpers are made, changed, looked at, and taken away. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "iphelper.h"

/* ---- what may be set ---- */

/* 1 to 63 letters, digits, hyphens within (RFC 1123 2.1), and underscores, which some zones have. */
static bool
is_label(const char *label)
{
	const size_t length = strlen(label);

	return length >= 1 && length <= 63 && label[0] != '-' && label[length - 1] != '-' &&
		   strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == length;
}

/* The last label is no number: it would be read as an address somewhere. */
static bool
is_full_name(const char *host)
{
	g_auto(GStrv) labels = g_strsplit(host, ".", -1);
	const guint n = g_strv_length(labels);

	for (guint i = 0; i < n; i++)
		if (!is_label(labels[i]))
			return false;
	return n >= 2 && strlen(host) <= 253 && labels[n - 1][strspn(labels[n - 1], "0123456789")] != '\0';
}

const char *
command_host_complaint(PtnHook *h, const char *host)
{
	if (ptn_is_within(host, "0.0.0.0/0") || ptn_is_within(host, "::/0"))
		return ptn_format(h, "\"%s\" is an address: a helper looks up a host name", host);
	return is_full_name(host) ? NULL : ptn_format(h, "\"%s\" is not a fully qualified host name", host);
}

const char *
command_port_complaint(PtnHook *h, const char *port)
{
	guint64 number;

	return g_ascii_string_to_unsigned(port, 10, 1, 65535, &number, NULL)
			   ? NULL
			   : ptn_format(h, "\"%s\" is not a port, 1 to 65535", port);
}

static const char *
alert_complaint(PtnHook *h, const char *alert)
{
	static const char *const words[] = { "yes", "no", "true", "false", "on", "off", "1", "0" };

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_ascii_strcasecmp(alert, words[i]) == 0)
			return NULL;
	return ptn_format(h, "\"%s\" is neither yes nor no", alert);
}

static const struct {
	const char *word, *option;
	const char *(*complaint)(PtnHook *h, const char *value);
} settings[] = { { "host=", "iphelper.host", command_host_complaint },
	{ "port=", "iphelper.port", command_port_complaint }, { "alert=", "iphelper.alert", alert_complaint } };

/* NULL, or why the words behind the domain's name cannot be set. */
static const char *
set_from_words(PtnHook *h, PtnEntry *domain, const char *const *words)
{
	for (; *words != NULL; words++) {
		size_t i = 0;
		const char *value, *complaint;

		while (i < G_N_ELEMENTS(settings) && strncmp(*words, settings[i].word, strlen(settings[i].word)) != 0)
			i++;
		if (i == G_N_ELEMENTS(settings))
			return ptn_format(h, "\"%s\" is none of host=NAME, port=NUMBER, alert=yes|no", *words);
		value = *words + strlen(settings[i].word);
		complaint = settings[i].complaint(h, value);
		if (complaint != NULL)
			return complaint;
		ptn_set(domain, settings[i].option, value);
	}
	return NULL;
}

/* ---- finding ---- */

static PtnVerdict
find_domain(PtnHook *h, PtnEntry **domain)
{
	const char *name = ptn_arguments(h)[0];

	if (name == NULL)
		return ptn_fail(h, "say which domain");
	switch (ptn_find(h, PTN_DOMAIN, name, domain)) {
	case PTN_OK:
		return PTN_NEXT;
	case PTN_NONE:
		return ptn_fail(h, "there is no domain %s", name);
	default:
		return ptn_fail(h, "the directory cannot be reached now");
	}
}

static PtnVerdict
find_helper(PtnHook *h, PtnEntry **domain)
{
	if (find_domain(h, domain) != PTN_NEXT)
		return PTN_FAILED;
	return ptn_get(*domain, "iphelper.host") != NULL ? PTN_NEXT
													 : ptn_fail(h, "%s has no helper", ptn_get(*domain, "name"));
}

static PtnVerdict
save(PtnHook *h, PtnEntry *domain)
{
	switch (ptn_save(h, domain)) {
	case PTN_OK:
		return PTN_NEXT;
	case PTN_TAKEN:
		return ptn_fail(h, "%s was changed by somebody else at the same time: try again", ptn_get(domain, "name"));
	default:
		return ptn_fail(h, "%s cannot be saved", ptn_get(domain, "name"));
	}
}

/* ---- showing ---- */

/* For a column of times: none is empty. */
static const char *
time_text(PtnHook *h, int64_t time)
{
	return time != 0 ? ptn_format(h, "%" PRId64, time / PTN_SECOND) : "";
}

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static void
show_row(PtnHook *h, PtnEntry *domain, bool is_list)
{
	const char *name = ptn_get(domain, "name"), *mode = ptn_get(domain, "mode");
	const bool is_redirect = g_strcmp0(mode, "redirect") == 0;
	const char *last, *next, *found;
	State state = { 0 };

	ptn_options_of(h, domain);
	(void)state_read(h, name, &state);
	last = time_text(h, state.last);
	next = state.next == 0 ? "next scan" : time_text(h, state.next);
	found = state_finding_text(state.finding);
	ptn_row(h, "domain", name, "host", or_empty(ptn_get(domain, "iphelper.host")), "port:number",
		or_empty(ptn_get(domain, "iphelper.port")), "mode", or_empty(mode), "address",
		is_redirect ? or_empty(ptn_get(domain, "destination")) : "", "last:time", last, "next:time", next,
		"alert:boolean", ptn_option_number(h, "alert") != 0 ? "yes" : "no", is_list ? NULL : "found", found, NULL);
	state_clear(&state);
}

/* Helpers that are checked next need not wait for their time. */
static PtnVerdict
ask_for_check(PtnHook *h, PtnEntry *domain)
{
	const char *name = ptn_get(domain, "name");
	State state = { 0 };

	if (state_read(h, name, &state) == PTN_OK) {
		state.next = 0;
		state_write(h, name, &state);
	}
	state_clear(&state);
	return state_request(h, name) == PTN_OK ? PTN_NEXT : ptn_fail(h, "the store cannot be reached now");
}

/* ---- the commands ---- */

PtnVerdict
command_add(PtnHook *h)
{
	const char *complaint;
	PtnEntry *domain;

	if (find_domain(h, &domain) != PTN_NEXT)
		return PTN_FAILED;
	if (ptn_get(domain, "iphelper.host") != NULL)
		return ptn_fail(h, "%s has a helper already", ptn_get(domain, "name"));
	if (!check_is_mode_supported(ptn_get(domain, "mode")))
		return ptn_fail(h, "%s has mode %s: a helper needs redirect or hold", ptn_get(domain, "name"),
			ptn_get(domain, "mode") != NULL ? ptn_get(domain, "mode") : "none");
	complaint = set_from_words(h, domain, ptn_arguments(h) + 1);
	if (complaint != NULL)
		return ptn_fail(h, "%s", complaint);
	if (ptn_get(domain, "iphelper.host") == NULL || ptn_get(domain, "iphelper.port") == NULL)
		return ptn_fail(h, "say host=NAME and port=NUMBER");
	if (save(h, domain) != PTN_NEXT)
		return PTN_FAILED;
	state_remove(h, ptn_get(domain, "name"));
	(void)state_request(
		h, ptn_get(domain, "name")); /* of one that was removed a moment ago something may be known */
	show_row(h, domain, true);
	return PTN_NEXT;
}

PtnVerdict
command_set(PtnHook *h)
{
	const char *complaint;
	PtnEntry *domain;

	if (find_helper(h, &domain) != PTN_NEXT)
		return PTN_FAILED;
	if (ptn_arguments(h)[1] == NULL)
		return ptn_fail(h, "say host=NAME, port=NUMBER or alert=yes|no");
	complaint = set_from_words(h, domain, ptn_arguments(h) + 1);
	if (complaint != NULL)
		return ptn_fail(h, "%s", complaint);
	if (save(h, domain) != PTN_NEXT)
		return PTN_FAILED;
	show_row(h, domain, true);
	return PTN_NEXT;
}

PtnVerdict
command_list(PtnHook *h)
{
	PtnEntry *domain = NULL;
	PtnStatus status;

	while ((status = ptn_each(h, PTN_DOMAIN, "iphelper.host", &domain)) == PTN_OK)
		show_row(h, domain, true);
	return status == PTN_NONE ? PTN_NEXT : ptn_fail(h, "the directory cannot be reached now");
}

PtnVerdict
command_show(PtnHook *h)
{
	PtnEntry *domain;

	if (find_helper(h, &domain) != PTN_NEXT)
		return PTN_FAILED;
	show_row(h, domain, false);
	return PTN_NEXT;
}

PtnVerdict
command_check(PtnHook *h)
{
	PtnEntry *domain;

	if (find_helper(h, &domain) != PTN_NEXT || ask_for_check(h, domain) != PTN_NEXT)
		return PTN_FAILED;
	ptn_row(h, "domain", ptn_get(domain, "name"), "check",
		ptn_format(h, "at the next scan, within %" PRId64 " s", ptn_option_number(h, "scan") / PTN_SECOND), NULL);
	return PTN_NEXT;
}

PtnVerdict
command_remove(PtnHook *h)
{
	PtnEntry *domain;

	if (find_helper(h, &domain) != PTN_NEXT)
		return PTN_FAILED;
	for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
		ptn_set(domain, settings[i].option, NULL);
	if (save(h, domain) != PTN_NEXT)
		return PTN_FAILED;
	state_remove(h, ptn_get(domain, "name"));
	ptn_row(h, "domain", ptn_get(domain, "name"), "helper", "removed", "mode",
		or_empty(ptn_get(domain, "mode")), NULL);
	return PTN_NEXT;
}
