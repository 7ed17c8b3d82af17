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

bool
ip_is_public(const IpAddress *address)
{
	static const char *const others[] = { "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
		"169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10",
		"ff00::/8" };

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		IpNetwork network;

		if (ip_network_parse(others[i], &network, NULL) && ip_network_contains(&network, address))
			return false;
	}
	return true;
}

bool
ip_is_loopback(const IpAddress *address)
{
	static const IpAddress v6 = { { [15] = 1 } };

	return ip_equal(address, &v6) || (ip_is_v4(address) && address->bytes[12] == 127);
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
