/* proxy.h - the PROXY protocol's header, version 1 (text) and 2 (binary).
 *
 * Version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25" CRLF, at most 107 octets.  Version 2: 12 octets of
 * signature, version and command, family and transport, 16 bits of length, addresses, TLVs.  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "proto/proxy-tlv.h"

enum { PROXY_HEADER_MAX = 4096 }; /* of version 2, TLVs included; of version 1 it is 107 */

typedef enum { PROXY_OK, PROXY_MORE, PROXY_BAD } ProxyResult;

typedef struct {
	bool is_local;          /* LOCAL, UNKNOWN, or no stream over IP: the connection counts as the proxy's own */
	IpAddress client, server; /* zero with `is_local`, as are the ports */
	uint16_t client_port, server_port;
	ProxyTlvs tlvs;
} ProxyHeader;

/* `header` and `used` are set with OK only.  BAD is said as early as it is certain; a checksum that does not fit (TLV 0x03) is
 * one, and so are TLVs that do not end where the header does, unless it is not known where they begin (LOCAL and the like). */
ProxyResult proxy_parse(const char *data, size_t size, ProxyHeader *header, size_t *used);
