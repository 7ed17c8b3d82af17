/* number.h - hosts that are addresses, however they are written. */
#pragma once

#include <arpa/inet.h>

enum { NUMBER_SIZE = INET6_ADDRSTRLEN };

typedef enum {
	NUMBER_IS_NAME, /* no number: a name */
	NUMBER_IS_ADDRESS,
	NUMBER_IS_NONE, /* neither a name nor an address: "1.2.3.256" */
} NumberKind;

/* `host` in lower case, without final dots: "192.0.2.1", "0xc0.0.0x201", "3221225985", "0300.0.2.01", "[2001:db8::1]".
 * `address` is set if it is one, in the usual form; an IPv4 address within an IPv6 one is the IPv4 address. */
NumberKind number_parse(const char *host, char address[static NUMBER_SIZE]);
