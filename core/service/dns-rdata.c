/* dns-rdata.c - records' data in wire format as text (RFC 1035 3.3, 5.1).
 *
 * What comes from the network is checked octet by octet: libunbound passes it on as it came. */
#include "service/dns-private.h"

#include <arpa/inet.h>
#include <string.h>

enum { RDATA_NAME_MAX = 255, RDATA_LABEL_MAX = 63 };

static void
dns_put_label(GString *text, const uint8_t *label, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (g_ascii_isalnum(label[i]) || label[i] == '-' || label[i] == '_')
			g_string_append_c(text, g_ascii_tolower((char)label[i]));
		else
			g_string_append_printf(text, "\\%03u", label[i]);
	}
}

/* An uncompressed name that ends where `data` ends; "." is the root.  False: damaged. */
static bool
dns_put_name(GString *text, const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	if (size == 0 || size > RDATA_NAME_MAX)
		return false;
	if (*data == 0)
		g_string_append_c(text, '.');
	for (bool is_first = true; data < end && *data != 0; is_first = false) {
		const size_t length = *data++;

		if (length > RDATA_LABEL_MAX || length > (size_t)(end - data))
			return false;
		if (!is_first)
			g_string_append_c(text, '.');
		dns_put_label(text, data, length);
		data += length;
	}
	return data + 1 == end;
}

static bool
dns_put_address(GString *text, int family, const uint8_t *data, size_t size)
{
	char shown[INET6_ADDRSTRLEN];

	if (size != (family == AF_INET ? 4 : 16))
		return false;
	g_string_append(text, inet_ntop(family, data, shown, sizeof shown));
	return true;
}

/* Strings one behind the other, as one; what would not be text in a reply or a log becomes a blank. */
static bool
dns_put_strings(GString *text, const uint8_t *data, size_t size)
{
	while (size > 0) {
		const size_t length = *data;

		if (length + 1 > size)
			return false;
		for (size_t i = 1; i <= length; i++)
			g_string_append_c(text, data[i] < ' ' || data[i] == 0x7f ? ' ' : (char)data[i]);
		data += length + 1;
		size -= length + 1;
	}
	return true;
}

static bool
dns_put_exchanger(GString *text, const uint8_t *data, size_t size)
{
	if (size < 3)
		return false;
	g_string_append_printf(text, "%u ", data[0] << 8 | data[1]);
	return dns_put_name(text, data + 2, size - 2);
}

static bool
dns_put_rdata(GString *text, PtnRecord type, const uint8_t *data, size_t size)
{
	switch (type) {
	case PTN_A:
		return dns_put_address(text, AF_INET, data, size);
	case PTN_AAAA:
		return dns_put_address(text, AF_INET6, data, size);
	case PTN_PTR:
		return dns_put_name(text, data, size);
	case PTN_MX:
		return dns_put_exchanger(text, data, size);
	case PTN_TXT:
		return dns_put_strings(text, data, size);
	default:
		return false;
	}
}

char *
dns_rdata_text(PtnRecord type, const uint8_t *data, size_t size)
{
	g_autoptr(GString) text = g_string_new(NULL);

	return dns_put_rdata(text, type, data, size) ? g_strdup(text->str) : NULL;
}

/* ---- answers ---- */

static guint
dns_most_records(const DnsLimits *limits, PtnRecord type)
{
	switch (type) {
	case PTN_PTR:
		return 1;
	case PTN_MX:
		return limits->exchangers;
	case PTN_TXT:
		return (guint)limits->text; /* an empty one takes none of its room */
	default:
		return limits->addresses;
	}
}

/* Of the text that does not fit the beginning is kept.  False: there is no room left. */
static bool
dns_fit_text(char *text, size_t *room)
{
	const size_t size = strlen(text);

	if (*room == 0)
		return false;
	if (size > *room)
		text[*room] = '\0';
	*room -= MIN(size, *room);
	return true;
}

DnsAnswer *
dns_answer_found(const DnsLimits *limits, PtnRecord type, char *const *data, const int *sizes, int ttl)
{
	g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);
	const guint most = dns_most_records(limits, type);
	size_t room = limits->text;
	DnsAnswer *answer;
	bool is_cut = false;

	for (int i = 0; data[i] != NULL && !is_cut; i++) {
		g_autofree char *text = dns_rdata_text(type, (const uint8_t *)data[i], (size_t)MAX(sizes[i], 0));
		const size_t size = text != NULL ? strlen(text) : 0;

		if (text == NULL)
			continue;
		is_cut = values->len >= most || (type == PTN_TXT && size > room);
		if (values->len < most && (type != PTN_TXT || dns_fit_text(text, &room)))
			g_ptr_array_add(values, g_steal_pointer(&text));
	}
	if (values->len == 0)
		return dns_answer_make(PTN_UNSURE, NULL, 0);
	g_ptr_array_add(values, NULL);
	answer = dns_answer_make(PTN_OK, (const char *const *)values->pdata, MAX(ttl, 0) * CLOCK_SECOND);
	answer->is_cut = is_cut;
	return answer;
}
