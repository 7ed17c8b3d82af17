/* test-proxy.c - the PROXY protocol's header. */
#include "proto/proxy.h"

#include <glib.h>
#include <string.h>

#include "base/crc32c.h"
#include "suites.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static char *
describe(const char *data, size_t size)
{
	ProxyHeader header = { 0 };
	char client[IP_TEXT_SIZE], server[IP_TEXT_SIZE];
	size_t used = 0;

	switch (proxy_parse(data, size, &header, &used)) {
	case PROXY_MORE:
		return g_strdup("more");
	case PROXY_BAD:
		return g_strdup("bad");
	default:
		break;
	}
	if (header.is_local)
		return g_strdup_printf("local %zu", used);
	return g_strdup_printf("%s %u %s %u %zu", ip_format(&header.client, client), header.client_port,
		ip_format(&header.server, server), header.server_port, used);
}

static void
parses_text(void)
{
	static const struct {
		const char *data, *result;
	} cases[] = {
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r\nEHLO", "192.0.2.1 40000 192.0.2.2 25 41" },
		{ "PROXY TCP6 2001:db8::1 2001:db8::2 0 65535\r\n", "2001:db8::1 0 2001:db8::2 65535 44" },
		{ "PROXY UNKNOWN\r\n", "local 15" },
		{ "PROXY UNKNOWN ff:f anything\r\n", "local 29" },
		{ "", "more" }, { "P", "more" }, { "PROXY ", "more" }, { "PROXY TCP4 192.0.2.1", "more" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\r", "more" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25\n", "bad" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25 1\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.1  192.0.2.2 40000 25\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 40000 65536\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 040 25\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 +40 25\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n", "bad" },
		{ "PROXY TCP4 192.0.2.256 192.0.2.2 40000 25\r\n", "bad" },
		{ "PROXY TCP4 2001:db8::1 192.0.2.2 40000 25\r\n", "bad" },
		{ "PROXY TCP6 192.0.2.1 2001:db8::2 1 2\r\n", "bad" },
		{ "PROXY tcp4 192.0.2.1 192.0.2.2 40000 25\r\n", "bad" },
		{ "PROXY \r\n", "bad" }, { "PROXYTCP4", "bad" }, { "EHLO example.net\r\n", "bad" }, { "X", "bad" },
	};
	g_autofree char *endless = g_strnfill(200, 'x');
	g_autofree char *result = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *description = describe(cases[i].data, strlen(cases[i].data));

		ASSERT_TEXT(description, cases[i].result);
	}
	memcpy(endless, "PROXY UNKNOWN ", 14);
	result = describe(endless, 106);
	ASSERT_TEXT(result, "more");
	g_free(result);
	memcpy(endless + 105, "\r\n", 2);
	result = describe(endless, 200);
	ASSERT_TEXT(result, "local 107");
	g_free(result);
	memcpy(endless + 105, "x\r\n", 3);
	result = describe(endless, 107);
	ASSERT_TEXT(result, "bad");
}

static void
parses_binary(void)
{
	static const char tcp4[] = SIGNATURE "\x21\x11\x00\x0c"
		"\xc0\x00\x02\x01" "\xc0\x00\x02\x02" "\x9c\x40\x00\x19" "EHLO";
	static const char tlv[] = SIGNATURE "\x21\x11\x00\x0f"
		"\xc0\x00\x02\x01" "\xc0\x00\x02\x02" "\x9c\x40\x00\x19" "\x04\x00\x00";
	static const char local[] = SIGNATURE "\x20\x00\x00\x00";
	static const char local_tlv[] = SIGNATURE "\x20\x11\x00\x02xx";
	static const char unspec[] = SIGNATURE "\x21\x00\x00\x01x";
	static const char too_short[] = SIGNATURE "\x21\x11\x00\x0b" "12345678901";
	static const char datagram[] = SIGNATURE "\x21\x12\x00\x0c" "123456789012";
	static const char datagram6[] = SIGNATURE "\x21\x22\x00\x24"
											  "123456789012345678901234567890123456";
	static const char unix_stream[] = SIGNATURE "\x21\x31\x00\x04" "1234";
	static const char unix_datagram[] = SIGNATURE "\x21\x32\x00\x00";
	static const char no_transport[] = SIGNATURE "\x21\x10\x00\x00";
	static const char no_family[] = SIGNATURE "\x21\x41\x00\x00";
	static const char no_such_transport[] = SIGNATURE "\x21\x13\x00\x0c" "123456789012";
	static const char broken[] = SIGNATURE "\x21\x11\x00\x10"
		"\xc0\x00\x02\x01" "\xc0\x00\x02\x02" "\x9c\x40\x00\x19" "\x04\x00\x02x";
	static const char huge_local[] = SIGNATURE "\x20\x00\x0f\xf1";
	static const char version[] = SIGNATURE "\x31";
	static const char command[] = SIGNATURE "\x22";
	static const char huge[] = SIGNATURE "\x21\x11\x0f\xf1";
	static const struct {
		const char *data;
		size_t size;
		const char *result;
	} cases[] = {
		{ tcp4, sizeof tcp4 - 1, "192.0.2.1 40000 192.0.2.2 25 28" },
		{ tlv, sizeof tlv - 1, "192.0.2.1 40000 192.0.2.2 25 31" },
		{ tlv, sizeof tlv - 2, "more" },
		{ local, sizeof local - 1, "local 16" },
		{ local_tlv, sizeof local_tlv - 1, "local 18" },
		{ unspec, sizeof unspec - 1, "local 17" },
		{ too_short, sizeof too_short - 1, "bad" },
		{ datagram, sizeof datagram - 1, "local 28" },
		{ datagram6, sizeof datagram6 - 1, "local 52" },
		{ unix_stream, sizeof unix_stream - 1, "local 20" },
		{ unix_datagram, sizeof unix_datagram - 1, "local 16" },
		{ no_transport, sizeof no_transport - 1, "local 16" },
		{ no_family, sizeof no_family - 1, "bad" },
		{ no_such_transport, sizeof no_such_transport - 1, "bad" },
		{ broken, sizeof broken - 1, "bad" },
		{ huge_local, sizeof huge_local - 1, "bad" },
		{ version, sizeof version - 1, "bad" },
		{ command, sizeof command - 1, "bad" },
		{ huge, sizeof huge - 1, "bad" },
		{ "\r\nEHLO", 6, "bad" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *description = describe(cases[i].data, cases[i].size);

		ASSERT_TEXT(description, cases[i].result);
	}
	for (size_t size = 0; size < 28; size++) {
		g_autofree char *description = describe(tcp4, size);

		ASSERT_TEXT(description, "more");
	}
}

static void
parses_binary_v6(void)
{
	char data[16 + 36 + 1] = SIGNATURE "\x21\x21\x00\x24";
	IpAddress client, server;
	g_autofree char *description = NULL;

	CU_ASSERT_TRUE(ip_parse("2001:db8::1", &client) && ip_parse("2001:db8::2", &server));
	memcpy(data + 16, client.bytes, 16);
	memcpy(data + 32, server.bytes, 16);
	memcpy(data + 48, "\x01\x02\x03\x04", 4);
	description = describe(data, 52);
	ASSERT_TEXT(description, "2001:db8::1 258 2001:db8::2 772 52");
}

static GByteArray *
header_of(const char *start, size_t tlvs)
{
	GByteArray *header = g_byte_array_new();
	const uint8_t length[] = { (uint8_t)((tlvs + 12) >> 8), (uint8_t)(tlvs + 12) };

	g_byte_array_append(header, (const uint8_t *)SIGNATURE, 12);
	g_byte_array_append(header, (const uint8_t *)start, 2);
	g_byte_array_append(header, length, 2);
	g_byte_array_append(header, (const uint8_t *)"\xc0\x00\x02\x01\xc0\x00\x02\x02\x9c\x40\x00\x19", 12);
	return header;
}

static void
takes_4096(void)
{
	static const char *const starts[] = { "\x21\x11", "\x20\x11" };

	for (size_t i = 0; i < G_N_ELEMENTS(starts); i++) {
		const size_t size = PROXY_HEADER_MAX - 28 - 3;
		g_autoptr(GByteArray) header = header_of(starts[i], size + 3), more = header_of(starts[i], size + 4);
		g_autofree char *filling = g_strnfill(size, 'x'), *taken = NULL, *unfinished = NULL, *refused = NULL;
		const uint8_t noop[] = { 4, (uint8_t)(size >> 8), (uint8_t)size };

		g_byte_array_append(header, noop, 3);
		g_byte_array_append(header, (const uint8_t *)filling, (guint)size);
		unfinished = describe((const char *)header->data, header->len - 1);
		taken = describe((const char *)header->data, header->len);
		refused = describe((const char *)more->data, more->len);
		ASSERT_TEXT(unfinished, "more");
		ASSERT_TEXT(taken, i == 0 ? "192.0.2.1 40000 192.0.2.2 25 4096" : "local 4096");
		ASSERT_TEXT(refused, "bad");
	}
}

static void
verifies_checksum(void)
{
	g_autoptr(GByteArray) header = header_of("\x21\x11", 7 + 3);
	const uint32_t offset = 28 + 3;
	uint32_t crc;
	g_autofree char *good = NULL, *bad = NULL, *local = NULL, *short_one = NULL;

	g_byte_array_append(header, (const uint8_t *)"\x03\x00\x04\0\0\0\0\x04\x00\x00", 10);
	crc = crc32c(0, header->data, header->len);
	for (unsigned i = 0; i < 4; i++)
		header->data[offset + i] = (uint8_t)(crc >> (24 - 8 * i));
	good = describe((const char *)header->data, header->len);
	ASSERT_TEXT(good, "192.0.2.1 40000 192.0.2.2 25 38");
	for (guint i = 16; i < header->len - 3; i++) { /* not the types and lengths */
		if (i >= 28 && i < offset)
			continue;
		header->data[i] ^= 1;
		g_free(bad);
		bad = describe((const char *)header->data, header->len);
		ASSERT_TEXT(bad, "bad");
		header->data[i] ^= 1;
	}
	header->data[12] = 0x20; /* LOCAL: the checksum does not fit now */
	local = describe((const char *)header->data, header->len);
	ASSERT_TEXT(local, "bad");
	header->data[12] = 0x21;
	header->data[30] = 3;
	short_one = describe((const char *)header->data, header->len);
	ASSERT_TEXT(short_one, "bad");
}

static void
reads_tlvs(void)
{
	static const char tlvs[] = "\x01\x00\x04" "smtp" "\x02\x00\x10" "mail.example.net" "\x20\x00\x31\x03\0\0\0\0"
							   "\x21\x00\x07" "TLSv1.3" "\x22\x00\x06" "client" "\x23\x00\x16" "TLS_AES_256_GCM_SHA384"
							   "\x01\x00\x02" "a\x1b";
	g_autoptr(GByteArray) header = header_of("\x21\x11", sizeof tlvs - 1);
	ProxyHeader parsed;
	size_t used;

	g_byte_array_append(header, (const uint8_t *)tlvs, sizeof tlvs - 1);
	CU_ASSERT_EQUAL_FATAL(proxy_parse((const char *)header->data, header->len, &parsed, &used), PROXY_OK);
	ASSERT_TEXT(parsed.tlvs.alpn, ""); /* the second one would move a cursor */
	ASSERT_TEXT(parsed.tlvs.authority, "mail.example.net");
	CU_ASSERT_TRUE(parsed.tlvs.is_tls && parsed.tlvs.has_certificate && parsed.tlvs.is_verified);
	ASSERT_TEXT(parsed.tlvs.tls_version, "TLSv1.3");
	ASSERT_TEXT(parsed.tlvs.tls_client_name, "client");
	ASSERT_TEXT(parsed.tlvs.tls_cipher, "TLS_AES_256_GCM_SHA384");
}

static const UnitTest tests[] = {
	{ "version 1", parses_text },
	{ "version 2", parses_binary },
	{ "version 2 with IPv6", parses_binary_v6 },
	{ "E-26 headers of up to 4096 octets", takes_4096 },
	{ "E-26 the checksum", verifies_checksum },
	{ "E-26 what a proxy knows of the client", reads_tlvs },
	{ 0 },
};

const UnitSuite suite_proxy = { "proxy", tests };
