/* proxy.c - the PROXY protocol's header, version 1 (text) and 2 (binary). */
#include "proto/proxy.h"

#include <glib.h>
#include <string.h>

enum {
	PROXY_V1_MAX = 107,
	PROXY_SIGNATURE_SIZE = 12,
	PROXY_V2_START = 16,
	PROXY_LOCAL = 0x20,
	PROXY_PROXY = 0x21,
	PROXY_TCP4 = 0x11,
	PROXY_TCP6 = 0x21,
	PROXY_FAMILY_MAX = 0x3,    /* none, IPv4, IPv6, Unix */
	PROXY_TRANSPORT_MAX = 0x2, /* none, stream, datagram */
};

static const char proxy_v1_start[] = "PROXY ";
static const char proxy_v2_signature[] = "\r\n\r\n\0\r\nQUIT\n";

static bool
proxy_begins_with(const char *data, size_t size, const char *start, size_t start_size)
{
	return memcmp(data, start, MIN(size, start_size)) == 0;
}

/* Decimal, no sign, no leading zero. */
static bool
proxy_parse_port(const char *text, uint16_t *port)
{
	guint64 value;

	if ((text[0] == '0' && text[1] != '\0') || !g_ascii_isdigit(text[0]))
		return false;
	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &value, NULL))
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool
proxy_parse_ip(const char *text, bool is_v6, IpAddress *address)
{
	return (strchr(text, ':') != NULL) == is_v6 && ip_parse(text, address);
}

/* "TCP4 192.0.2.1 192.0.2.2 40000 25", or "UNKNOWN" and anything. */
static bool
proxy_parse_words(const char *text, ProxyHeader *header)
{
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	const bool is_v6 = g_strcmp0(words[0], "TCP6") == 0;

	if (g_strcmp0(words[0], "UNKNOWN") == 0) {
		header->is_local = true;
		return true;
	}
	if ((!is_v6 && g_strcmp0(words[0], "TCP4") != 0) || g_strv_length(words) != 5)
		return false;
	return proxy_parse_ip(words[1], is_v6, &header->client) && proxy_parse_ip(words[2], is_v6, &header->server) &&
		   proxy_parse_port(words[3], &header->client_port) && proxy_parse_port(words[4], &header->server_port);
}

static ProxyResult
proxy_parse_v1(const char *data, size_t size, ProxyHeader *header, size_t *used)
{
	const size_t start = strlen(proxy_v1_start);
	const char *lf = memchr(data, '\n', MIN(size, PROXY_V1_MAX));
	const size_t before = lf != NULL ? (size_t)(lf - data) : 0;
	char text[PROXY_V1_MAX + 1] = "";

	if (lf == NULL)
		return size < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
	if (before < start + 1 || data[before - 1] != '\r' || memchr(data, '\0', before) != NULL)
		return PROXY_BAD;
	memcpy(text, data + start, before - 1 - start);
	if (!proxy_parse_words(text, header))
		return PROXY_BAD;
	*used = before + 1;
	return PROXY_OK;
}

static uint16_t
proxy_read_u16(const char *data)
{
	return (uint16_t)((unsigned char)data[0] << 8 | (unsigned char)data[1]);
}

static void
proxy_read_v4(const char *data, IpAddress *address)
{
	*address = (IpAddress){ .bytes = { [10] = 0xff, [11] = 0xff } };
	memcpy(address->bytes + 12, data, 4);
}

/* How many octets the addresses of a family take. */
static size_t
proxy_addresses_size(int family)
{
	static const size_t sizes[] = { 0, 12, 36, 216 };

	return sizes[family >> 4];
}

/* The addresses, source first; false: not enough room for them, or a family that does not exist. */
static bool
proxy_read_addresses(int family, const char *data, size_t size, ProxyHeader *header)
{
	if (family >> 4 > PROXY_FAMILY_MAX || (family & 15) > PROXY_TRANSPORT_MAX)
		return false;
	if (family != PROXY_TCP4 && family != PROXY_TCP6) {
		header->is_local = true;
		return true;
	}
	if (size < proxy_addresses_size(family))
		return false;
	if (family == PROXY_TCP4) {
		proxy_read_v4(data, &header->client);
		proxy_read_v4(data + 4, &header->server);
		header->client_port = proxy_read_u16(data + 8);
		header->server_port = proxy_read_u16(data + 10);
		return true;
	}
	memcpy(header->client.bytes, data, 16);
	memcpy(header->server.bytes, data + 16, 16);
	header->client_port = proxy_read_u16(data + 32);
	header->server_port = proxy_read_u16(data + 34);
	return true;
}

/* Without addresses of its own a header need not have TLVs where they belong. */
static bool
proxy_read_tlvs(int family, const char *data, size_t size, ProxyHeader *header)
{
	const size_t at = PROXY_V2_START + (family >> 4 <= PROXY_FAMILY_MAX ? proxy_addresses_size(family) : 0);
	const ProxyTlvResult result =
		at <= size ? proxy_tlv_parse(data, size, at, &header->tlvs) : PROXY_TLV_BROKEN;

	return result == PROXY_TLV_OK || (result == PROXY_TLV_BROKEN && header->is_local);
}

static ProxyResult
proxy_parse_v2(const char *data, size_t size, ProxyHeader *header, size_t *used)
{
	const int command = size > 12 ? (unsigned char)data[12] : PROXY_PROXY;
	int family;
	size_t length;

	if (command != PROXY_PROXY && command != PROXY_LOCAL)
		return PROXY_BAD;
	if (size < PROXY_V2_START)
		return PROXY_MORE;
	family = (unsigned char)data[13];
	length = proxy_read_u16(data + 14);
	if (length > PROXY_HEADER_MAX - PROXY_V2_START)
		return PROXY_BAD;
	if (size - PROXY_V2_START < length)
		return PROXY_MORE;
	header->is_local = command == PROXY_LOCAL;
	if (!header->is_local && !proxy_read_addresses(family, data + PROXY_V2_START, length, header))
		return PROXY_BAD;
	if (!proxy_read_tlvs(family, data, PROXY_V2_START + length, header))
		return PROXY_BAD;
	*used = PROXY_V2_START + length;
	return PROXY_OK;
}

ProxyResult
proxy_parse(const char *data, size_t size, ProxyHeader *header, size_t *used)
{
	ProxyHeader parsed = { 0 };
	ProxyResult result = PROXY_BAD;

	if (size == 0)
		return PROXY_MORE;
	if (proxy_begins_with(data, size, proxy_v1_start, strlen(proxy_v1_start)))
		result = proxy_parse_v1(data, size, &parsed, used);
	else if (proxy_begins_with(data, size, proxy_v2_signature, PROXY_SIGNATURE_SIZE))
		result = proxy_parse_v2(data, size, &parsed, used);
	if (result == PROXY_OK)
		*header = parsed;
	return result;
}
