/* proxy.h - the PROXY protocol's header, version 1 (text) and 2 (binary).
 *
 * Version 1: "PROXY TCP4 192.0.2.1 192.0.2.2 40000 25" CRLF, at most 107 octets.  Version 2: 12 octets of
 * signature, version and command, family and transport, 16 bits of length, addresses, TLVs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

enum { PROXY_HEADER_MAX = 536 }; /* v1: 107; v2: 16 + address + the TLVs we care to read past */

typedef enum { PROXY_OK, PROXY_MORE, PROXY_BAD } ProxyResult;

typedef struct {
	bool is_local;          /* LOCAL, UNKNOWN, or a family without IP: the connection is the proxy's own */
	IpAddress client, server; /* zero with `is_local`, as are the ports */
	uint16_t client_port, server_port;
} ProxyHeader;

/* `header` and `used` are set with OK only.  BAD is said as early as it is certain. */
ProxyResult proxy_parse(const char *data, size_t size, ProxyHeader *header, size_t *used);
