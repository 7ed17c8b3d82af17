/* spf.c - reads SPF records of the administrator's own domains, for posternctl doctor. */
#include "service/spf.h"

#include <string.h>

enum { SPF_MOST_LOOKUPS = 10 }; /* RFC 7208 4.6.4 */

typedef struct {
	Dns *dns;
	const IpAddress *address;
	int64_t deadline_us;
	unsigned lookups;
} SpfTask;

/* Includes call the check again: at most SPF_MOST_LOOKUPS deep. */
static SpfResult spf_domain(SpfTask *task, const char *domain);

/* NULL: not to be found out.  Unreferenced by the caller. */
static DnsQuery *
spf_ask(SpfTask *task, const char *name, PtnRecord type)
{
	DnsQuery *query = dns_start(task->dns, name, type);

	if (dns_wait(query, task->deadline_us)->status != PTN_UNSURE)
		return query;
	dns_query_unref(query);
	return NULL;
}

/* The one TXT record that begins with the version; new, NULL: there is none. */
static char *
spf_record(SpfTask *task, const char *domain, bool *is_unsure)
{
	g_autoptr(DnsQuery) query = spf_ask(task, domain, PTN_TXT);
	const PtnAnswer *answer = query != NULL ? dns_query_answer(query) : NULL;

	*is_unsure = answer == NULL || dns_query_is_cut(query); /* what was cut may be the record, or its end */
	for (size_t i = 0; !*is_unsure && i < answer->count; i++)
		if (g_ascii_strncasecmp(answer->values[i], "v=spf1", 6) == 0 && strchr(" ", answer->values[i][6]) != NULL)
			return g_strdup(answer->values[i]);
	return NULL;
}

static bool
spf_is_within(const SpfTask *task, const char *network)
{
	IpNetwork parsed;

	return ip_network_parse(network, &parsed, NULL) && ip_network_contains(&parsed, task->address);
}

static SpfResult
spf_host(SpfTask *task, const char *host)
{
	g_autoptr(DnsQuery) query = spf_ask(task, host, ip_is_v4(task->address) ? PTN_A : PTN_AAAA);
	const PtnAnswer *answer = query != NULL ? dns_query_answer(query) : NULL;
	IpAddress address;

	for (size_t i = 0; answer != NULL && i < answer->count; i++)
		if (ip_parse(answer->values[i], &address) && ip_equal(&address, task->address))
			return SPF_PASS;
	return answer != NULL && !dns_query_is_cut(query) ? SPF_FAIL : SPF_UNSURE;
}

static SpfResult
spf_exchangers(SpfTask *task, const char *domain)
{
	g_autoptr(DnsQuery) query = spf_ask(task, domain, PTN_MX);
	const PtnAnswer *answer = query != NULL ? dns_query_answer(query) : NULL;

	for (size_t i = 0; answer != NULL && i < answer->count && i < SPF_MOST_LOOKUPS; i++) {
		const char *blank = strchr(answer->values[i], ' ');
		const SpfResult result = blank != NULL ? spf_host(task, blank + 1) : SPF_FAIL;

		if (result != SPF_FAIL)
			return result;
	}
	return answer != NULL ? SPF_FAIL : SPF_UNSURE;
}

/* PASS: the mechanism matches. */
static SpfResult
spf_mechanism(SpfTask *task, const char *domain, const char *word)
{
	const char *colon = strchr(word, ':');
	g_autofree char *name = g_strndup(word, strcspn(word, ":/"));
	const char *of = colon != NULL ? colon + 1 : domain;

	if (g_ascii_strcasecmp(name, "all") == 0)
		return SPF_PASS;
	if (g_ascii_strcasecmp(name, "ip4") == 0 || g_ascii_strcasecmp(name, "ip6") == 0)
		return colon != NULL && spf_is_within(task, colon + 1) ? SPF_PASS : SPF_FAIL;
	if (g_ascii_strcasecmp(name, "include") == 0)
		return colon != NULL && ++task->lookups <= SPF_MOST_LOOKUPS ? spf_domain(task, of) : SPF_UNSURE;
	if (g_ascii_strcasecmp(name, "a") != 0 && g_ascii_strcasecmp(name, "mx") != 0)
		return SPF_FAIL;
	if (++task->lookups > SPF_MOST_LOOKUPS)
		return SPF_UNSURE;
	return g_ascii_strcasecmp(name, "a") == 0 ? spf_host(task, of) : spf_exchangers(task, of);
}

static SpfResult
spf_domain(SpfTask *task, const char *domain)
{
	bool is_unsure;
	g_autofree char *record = spf_record(task, domain, &is_unsure);
	g_auto(GStrv) words = record != NULL ? g_strsplit(record, " ", -1) : NULL;
	const char *redirect = NULL;

	if (record == NULL)
		return is_unsure ? SPF_UNSURE : SPF_NONE;
	for (char **word = words + 1; *word != NULL; word++) {
		const bool has_qualifier = (*word)[0] != '\0' && strchr("+-~?", (*word)[0]) != NULL;
		SpfResult result;

		if (g_ascii_strncasecmp(*word, "redirect=", strlen("redirect=")) == 0)
			redirect = *word + strlen("redirect=");
		if ((*word)[0] == '\0' || strchr(*word, '=') != NULL)
			continue;
		result = spf_mechanism(task, domain, *word + has_qualifier);
		if (result == SPF_UNSURE)
			return SPF_UNSURE;
		if (result == SPF_PASS)
			return (*word)[0] == '+' || !has_qualifier ? SPF_PASS : SPF_FAIL;
	}
	if (redirect == NULL)
		return SPF_FAIL;
	return ++task->lookups <= SPF_MOST_LOOKUPS ? spf_domain(task, redirect) : SPF_UNSURE;
}

SpfResult
spf_check(Dns *dns, const char *domain, const IpAddress *address, int64_t deadline_us)
{
	SpfTask task = { .dns = dns, .address = address, .deadline_us = deadline_us };

	return spf_domain(&task, domain);
}
