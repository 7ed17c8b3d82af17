/* proxy.h - the PROXY protocol's header, version 1 (text) and 2 (binary). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

enum { PROXY_HEADER_MAX = 536 }; /* v1: 107; v2: 16 + address + the TLVs we care to read past */

typedef enum { PROXY_OK, PROXY_MORE, PROXY_BAD } ProxyResult;

typedef struct {
	bool is_local;          /* LOCAL or UNKNOWN: the connection is the proxy's own */
	IpAddress client, server;
	uint16_t client_port, server_port;
} ProxyHeader;

ProxyResult proxy_parse(const char *data, size_t size, ProxyHeader *header, size_t *used);
