/* source.c - values of filters, seen for what they are.
 *
 * Whatever is made of digits and dots only, or has a colon or a slash, was meant to be an address: no host name
 * under the root ends with a label of digits. */
#include "source.h"

#include <arpa/inet.h>
#include <glib.h>
#include <string.h>

enum { HOST_MAX = 253, LABEL_MAX = 63 };

static const guint8 mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

SourceKind
source_kind(const char *value)
{
	const size_t length = strlen(value);
	size_t end = length > 0 && value[length - 1] == '.' ? length - 1 : length;

	if (strpbrk(value, ":/") != NULL)
		return SOURCE_NETWORK;
	while (end > 0 && g_ascii_isdigit(value[end - 1]))
		end--;
	return end == 0 || (value[end - 1] == '.' && end < length) ? SOURCE_NETWORK : SOURCE_HOST;
}

/* ---- networks ---- */

/* Sets the bits behind the prefix to zero; true if one of them was not. */
static bool
source_mask(guint8 *octets, unsigned size, unsigned prefix)
{
	bool is_changed = false;

	for (unsigned i = 0; i < size; i++) {
		const unsigned kept = prefix > i * 8 ? MIN(prefix - i * 8, 8) : 0;
		const guint8 masked = octets[i] & (guint8)(0xff00 >> kept);

		is_changed |= masked != octets[i];
		octets[i] = masked;
	}
	return is_changed;
}

static char *
source_prefix_complaint(const char *value, const char *prefix, guint8 *octets, bool is_ipv6)
{
	const unsigned most = is_ipv6 ? 128 : 32;
	char shown[INET6_ADDRSTRLEN];
	guint64 bits;

	if (!g_ascii_string_to_unsigned(prefix, 10, 0, most, &bits, NULL))
		return g_strdup_printf("\"%s\": what follows the \"/\" is the length of the prefix, 0 to %u", value, most);
	if (!source_mask(octets, most / 8, (unsigned)bits))
		return NULL;
	(void)inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, octets, shown, sizeof shown);
	return g_strdup_printf("%s has host bits; did you mean %s/%u?", value, shown, (unsigned)bits);
}

char *
source_network_complaint(const char *value, bool is_ipv6)
{
	const char *slash = strchr(value, '/');
	g_autofree char *address = slash != NULL ? g_strndup(value, (gsize)(slash - value)) : g_strdup(value);
	const char *family = is_ipv6 ? "IPv6" : "IPv4", *other = is_ipv6 ? "IPv4" : "IPv6";
	guint8 octets[16];

	if (inet_pton(is_ipv6 ? AF_INET : AF_INET6, address, octets) == 1)
		return g_strdup_printf(
			"%s is of %s; this is the filter of %s: set %s", value, other, family, is_ipv6 ? "ipv4" : "ipv6");
	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, address, octets) != 1)
		return g_strdup_printf("\"%s\" is not an %s address or network", value, family);
	if (is_ipv6 && memcmp(octets, mapped_prefix, sizeof mapped_prefix) == 0)
		return g_strdup_printf("%s stands for an IPv4 address, which counts as such: set ipv4", value);
	return slash != NULL ? source_prefix_complaint(value, slash + 1, octets, is_ipv6) : NULL;
}

/* ---- hosts ---- */

static bool
source_is_label(const char *label)
{
	const size_t length = strlen(label);

	if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-')
		return false;
	for (const char *c = label; *c != '\0'; c++)
		if (!g_ascii_isalnum(*c) && *c != '-' && (guchar)*c < 0x80) /* the DNS gets U-labels as A-labels */
			return false;
	return true;
}

char *
source_host_complaint(const char *value)
{
	g_auto(GStrv) labels = g_strsplit(value, ".", -1);
	guint n = g_strv_length(labels);

	if (n > 1 && labels[n - 1][0] == '\0') /* the root, spelt out */
		n--;
	for (guint i = 0; i < n; i++)
		if (!source_is_label(labels[i]))
			return g_strdup_printf("\"%s\" is neither an address or network nor a host name", value);
	if (n < 2 || strlen(value) > HOST_MAX)
		return g_strdup_printf(
			"\"%s\" is not a full host name (%s.example.net)", value, n == 1 ? labels[0] : "host");
	return NULL;
}
