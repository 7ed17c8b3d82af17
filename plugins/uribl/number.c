/* number.c - the numbers that browsers take for hosts (WHATWG URL, "IPv4 parser"): one to four parts, each decimal,
 * octal or hexadecimal; the last part fills what is left. */
#include "plugins/uribl/number.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool
part_parse(const char *text, size_t size, uint64_t *value)
{
	unsigned base = 10;

	if (size == 0)
		return false;
	if (size > 1 && text[0] == '0' && text[1] == 'x') {
		base = 16;
		text += 2;
		size -= 2;
	} else if (size > 1 && text[0] == '0') {
		base = 8;
	}
	for (*value = 0; size > 0; text++, size--) {
		const int digit = g_ascii_xdigit_value(*text);

		if (digit < 0 || (unsigned)digit >= base)
			return false;
		*value = MIN(*value * base + (unsigned)digit, UINT64_C(1) << 33);
	}
	return true;
}

/* The last label decides whether it is meant as a number. */
static bool
ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot != NULL ? dot + 1 : host;
	uint64_t ignored;

	return (*last != '\0' && last[strspn(last, "0123456789")] == '\0') ||
		   (g_str_has_prefix(last, "0x") && part_parse(last, strlen(last), &ignored));
}

static NumberKind
parse_ipv4(const char *host, char *address)
{
	uint64_t all = 0, value;
	unsigned parts = 0;
	struct in_addr binary;

	for (const char *at = host;; parts++) {
		const size_t size = strcspn(at, ".");
		const bool is_last = at[size] == '\0';
		const unsigned octets = is_last && parts < 4 ? 4 - parts : 1;

		if (parts == 4 || !part_parse(at, size, &value) || value >= UINT64_C(1) << (8 * octets))
			return NUMBER_IS_NONE;
		all = (all << (8 * octets)) | value;
		if (is_last)
			break;
		at += size + 1;
	}
	binary.s_addr = htonl((uint32_t)all);
	return inet_ntop(AF_INET, &binary, address, NUMBER_SIZE) != NULL ? NUMBER_IS_ADDRESS : NUMBER_IS_NONE;
}

static NumberKind
parse_ipv6(const char *host, char *address)
{
	const size_t size = strcspn(host + 1, "]%");
	char text[64];
	struct in6_addr binary;

	if (size == 0 || size >= sizeof text)
		return NUMBER_IS_NONE;
	memcpy(text, host + 1, size);
	text[size] = '\0';
	if (inet_pton(AF_INET6, text, &binary) != 1)
		return NUMBER_IS_NONE;
	if (IN6_IS_ADDR_V4MAPPED(&binary))
		return inet_ntop(AF_INET, binary.s6_addr + 12, address, NUMBER_SIZE) != NULL ? NUMBER_IS_ADDRESS
																					 : NUMBER_IS_NONE;
	return inet_ntop(AF_INET6, &binary, address, NUMBER_SIZE) != NULL ? NUMBER_IS_ADDRESS : NUMBER_IS_NONE;
}

NumberKind
number_parse(const char *host, char address[static NUMBER_SIZE])
{
	if (host[0] == '[')
		return parse_ipv6(host, address);
	return ends_in_number(host) ? parse_ipv4(host, address) : NUMBER_IS_NAME;
}
