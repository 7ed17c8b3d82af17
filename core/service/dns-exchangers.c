/* dns-exchangers.c - where mail for a domain goes: its MX records, or itself.
 *
 * RFC 5321 5.1: no MX is as "0 NAME" if NAME has an address, which only a sure "none" of MX allows.  RFC 7505: "0 ."
 * alone says that there is no mail. */
#include "base/random.h"
#include "service/dns-private.h"

#include <string.h>

static int
dns_compare_preference(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;
	const guint64 of_left = g_ascii_strtoull(*left, NULL, 10), of_right = g_ascii_strtoull(*right, NULL, 10);

	return (of_left > of_right) - (of_left < of_right);
}

static void
dns_shuffle(GPtrArray *values)
{
	for (guint i = values->len; i > 1; i--) {
		const guint other = random_below(i);
		void *kept = values->pdata[i - 1];

		values->pdata[i - 1] = values->pdata[other];
		values->pdata[other] = kept;
	}
}

static DnsAnswer *
dns_exchangers_given(const DnsPart *mx)
{
	g_autoptr(GPtrArray) values = g_ptr_array_new();
	DnsAnswer *answer;

	for (size_t i = 0; i < mx->answer->shown.count; i++)
		if (!g_str_has_suffix(mx->answer->shown.values[i], " ."))
			g_ptr_array_add(values, (void *)(uintptr_t)mx->answer->shown.values[i]);
	dns_shuffle(values);
	g_ptr_array_sort(values, dns_compare_preference);
	g_ptr_array_add(values, NULL);
	answer = dns_answer_make(PTN_OK, (const char *const *)values->pdata, mx->ttl_us);
	answer->shown.is_secure = mx->answer->shown.is_secure;
	return answer;
}

static DnsAnswer *
dns_exchanger_implicit(const char *name, const DnsPart *mx, const DnsPart *address)
{
	g_autofree char *value = g_strdup_printf("0 %s", name);
	DnsAnswer *answer =
		dns_answer_make(PTN_OK, (const char *const[]){ value, NULL }, MIN(mx->ttl_us, address->ttl_us));

	answer->shown.is_secure = mx->answer->shown.is_secure && address->answer->shown.is_secure;
	return answer;
}

DnsAnswer *
dns_exchangers(const char *name, const DnsPart *mx, const DnsPart *a, const DnsPart *aaaa)
{
	const DnsPart *const addresses[] = { a, aaaa };
	DnsAnswer *answer;

	if (mx->answer->shown.status == PTN_OK)
		return dns_exchangers_given(mx);
	if (mx->answer->shown.status != PTN_NONE || mx->answer->is_nxdomain)
		return dns_answer_ref(mx->answer);
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++)
		if (addresses[i]->answer != NULL && addresses[i]->answer->shown.status == PTN_OK)
			return dns_exchanger_implicit(name, mx, addresses[i]);
	if (a->answer == NULL || aaaa->answer == NULL)
		return NULL;
	if (a->answer->shown.status != PTN_NONE)
		return dns_answer_ref(a->answer);
	if (aaaa->answer->shown.status != PTN_NONE)
		return dns_answer_ref(aaaa->answer);
	answer = dns_answer_make(PTN_NONE, NULL, MIN(mx->ttl_us, MIN(a->ttl_us, aaaa->ttl_us)));
	answer->shown.is_secure =
		mx->answer->shown.is_secure && a->answer->shown.is_secure && aaaa->answer->shown.is_secure;
	return answer;
}
