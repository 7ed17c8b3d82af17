/* ip.c - IP addresses and networks as values. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/error.h"

static const uint8_t ip_mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool
ip_parse(const char *text, IpAddress *address)
{
	IpAddress parsed = { 0 };

	if (inet_pton(AF_INET, text, parsed.bytes + 12) == 1)
		memcpy(parsed.bytes, ip_mapped_prefix, sizeof ip_mapped_prefix);
	else if (inet_pton(AF_INET6, text, parsed.bytes) != 1)
		return false;
	*address = parsed;
	return true;
}

bool
ip_is_v4(const IpAddress *address)
{
	return memcmp(address->bytes, ip_mapped_prefix, sizeof ip_mapped_prefix) == 0;
}

bool
ip_equal(const IpAddress *a, const IpAddress *b)
{
	return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

const char *
ip_format(const IpAddress *address, char text[IP_TEXT_SIZE])
{
	const bool is_v4 = ip_is_v4(address);

	(void)inet_ntop(is_v4 ? AF_INET : AF_INET6, address->bytes + (is_v4 ? 12 : 0), text, IP_TEXT_SIZE);
	return text;
}

const char *
ip_reversed(const IpAddress *address, char text[IP_REVERSED_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = address->bytes;
	char *end = text;

	if (ip_is_v4(address)) {
		g_snprintf(text, IP_REVERSED_SIZE, "%u.%u.%u.%u", bytes[15], bytes[14], bytes[13], bytes[12]);
		return text;
	}
	for (int i = 15; i >= 0; i--) {
		*end++ = digits[bytes[i] & 15];
		*end++ = '.';
		*end++ = digits[bytes[i] >> 4];
		*end++ = '.';
	}
	end[-1] = '\0';
	return text;
}

/* IANA's registries of special-purpose addresses (RFC 6890, and what was added since), multicast, and what was reserved or
 * given up: nothing of it is a host on the public Internet.  Of IPv6, 2000::/3 alone is unicast there. */
static const struct {
	const char *network;
	IpScope scope;
} ip_special[] = {
	{ "0.0.0.0/8", IP_SPECIAL },       /* this network          */
	{ "10.0.0.0/8", IP_SPECIAL },      /* private               */
	{ "100.64.0.0/10", IP_SPECIAL },   /* shared, RFC 6598      */
	{ "127.0.0.0/8", IP_SPECIAL },     /* loopback              */
	{ "169.254.0.0/16", IP_SPECIAL },  /* link-local            */
	{ "172.16.0.0/12", IP_SPECIAL },   /* private               */
	{ "192.0.0.0/24", IP_SPECIAL },    /* protocol assignments  */
	{ "192.0.2.0/24", IP_EXAMPLE },    /* documentation         */
	{ "192.88.99.0/24", IP_SPECIAL },  /* 6to4 relays, RFC 7526 */
	{ "192.168.0.0/16", IP_SPECIAL },  /* private               */
	{ "198.18.0.0/15", IP_EXAMPLE },   /* benchmarks            */
	{ "198.51.100.0/24", IP_EXAMPLE }, /* documentation         */
	{ "203.0.113.0/24", IP_EXAMPLE },  /* documentation         */
	{ "224.0.0.0/3", IP_SPECIAL },     /* multicast, reserved, broadcast                  */
	{ "2001:db8::/32", IP_EXAMPLE },   /* documentation, before what it lies in: the first that matches holds */
	{ "2001::/23", IP_SPECIAL },       /* protocol assignments: Teredo, ORCHID, benchmarks */
	{ "3fff::/20", IP_EXAMPLE },       /* documentation, RFC 9637 */
};

bool
ip_embedded(const IpAddress *address, IpAddress *inner)
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };
	const uint8_t *bytes = address->bytes, *found = NULL;

	if (memcmp(bytes, nat64, sizeof nat64) == 0) /* RFC 6052 */
		found = bytes + 12;
	else if (bytes[0] == 0x20 && bytes[1] == 0x02) /* 6to4, RFC 3056 */
		found = bytes + 2;
	if (found == NULL)
		return false;
	memcpy(inner->bytes, ip_mapped_prefix, sizeof ip_mapped_prefix);
	memcpy(inner->bytes + 12, found, 4);
	return true;
}

IpScope
ip_scope(const IpAddress *address)
{
	IpAddress inner;

	if (ip_embedded(address, &inner))
		return ip_scope(&inner);
	for (size_t i = 0; i < G_N_ELEMENTS(ip_special); i++) {
		IpNetwork network;

		if (ip_network_parse(ip_special[i].network, &network, NULL) && ip_network_contains(&network, address))
			return ip_special[i].scope;
	}
	return ip_is_v4(address) || (address->bytes[0] & 0xe0) == 0x20 ? IP_GLOBAL : IP_SPECIAL;
}

bool
ip_is_public(const IpAddress *address)
{
	return ip_scope(address) != IP_SPECIAL;
}

bool
ip_is_loopback(const IpAddress *address)
{
	static const IpAddress v6 = { { [15] = 1 } };

	return ip_equal(address, &v6) || (ip_is_v4(address) && address->bytes[12] == 127);
}

bool
ip_is_unspecified(const IpAddress *address)
{
	static const IpAddress v6;

	return ip_equal(address, &v6) || (ip_is_v4(address) && memcmp(address->bytes + 12, v6.bytes, 4) == 0);
}

static IpAddress
ip_masked(const IpAddress *address, unsigned bits)
{
	IpAddress masked = *address;

	for (unsigned i = 0; i < 16; i++) {
		const unsigned kept = bits > i * 8 ? MIN(bits - i * 8, 8) : 0;

		masked.bytes[i] &= (uint8_t)(0xff00 >> kept);
	}
	return masked;
}

IpNetwork
ip_network_of(const IpAddress *address, unsigned bits)
{
	return (IpNetwork){ ip_masked(address, bits), bits };
}

char *
ip_network_format(const IpNetwork *network)
{
	const unsigned offset = ip_is_v4(&network->base) && network->bits >= 96 ? 96 : 0;
	char text[IP_TEXT_SIZE];

	ip_format(&network->base, text);
	return network->bits == 128 ? g_strdup(text) : g_strdup_printf("%s/%u", text, network->bits - offset);
}

bool
ip_network_parse(const char *text, IpNetwork *network, GError **error)
{
	const char *slash = strchr(text, '/');
	g_autofree char *host = slash != NULL ? g_strndup(text, (size_t)(slash - text)) : g_strdup(text);
	char shown[IP_TEXT_SIZE];
	guint64 bits;
	unsigned offset;
	IpNetwork parsed;
	IpAddress masked;

	if (!ip_parse(host, &parsed.base))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not an IP address or network", text);
	offset = ip_is_v4(&parsed.base) ? 96 : 0;
	bits = 128 - offset;
	if (slash != NULL && !g_ascii_string_to_unsigned(slash + 1, 10, 0, 128 - offset, &bits, NULL))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\": the prefix length is 0 to %u", text, 128 - offset);
	parsed.bits = offset + (unsigned)bits;
	masked = ip_masked(&parsed.base, parsed.bits);
	if (!ip_equal(&masked, &parsed.base))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" has host bits set; did you mean \"%s/%u\"?", text,
			ip_format(&masked, shown), (unsigned)bits);
	*network = parsed;
	return true;
}

bool
ip_network_contains(const IpNetwork *network, const IpAddress *address)
{
	const IpAddress masked = ip_masked(address, network->bits);

	return ip_equal(&masked, &network->base);
}

bool
ip_networks_contain(const GArray *networks, const IpAddress *address)
{
	for (guint i = 0; i < networks->len; i++)
		if (ip_network_contains(&g_array_index(networks, IpNetwork, i), address))
			return true;
	return false;
}
