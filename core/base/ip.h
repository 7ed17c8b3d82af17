/* ip.h - IP addresses and networks as values; IPv4 is kept in its mapped form inside. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { IP_TEXT_SIZE = 64, IP_REVERSED_SIZE = 80 };

typedef struct {
	uint8_t bytes[16]; /* network order; ::ffff:a.b.c.d for IPv4 */
} IpAddress;

typedef struct {
	IpAddress base; /* bits behind the prefix are zero           */
	unsigned bits;  /* 0 … 128 within the 16 bytes (IPv4: 96 + n) */
} IpNetwork;

/* "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1" (becomes IPv4).  False: not an address. */
bool ip_parse(const char *text, IpAddress *address);
bool ip_is_v4(const IpAddress *address);
bool ip_equal(const IpAddress *a, const IpAddress *b);
/* Never a mapped form.  Returns `text`. */
const char *ip_format(const IpAddress *address, char text[IP_TEXT_SIZE]);
/* "1.2.0.192", or nibbles for IPv6, without a zone.  Returns `text`. */
const char *ip_reversed(const IpAddress *address, char text[IP_REVERSED_SIZE]);
typedef enum {
	IP_GLOBAL,  /* a host on the public Internet may have it */
	IP_EXAMPLE, /* documentation and benchmarks: nobody's    */
	IP_SPECIAL, /* private, loopback, link-local, shared, multicast, reserved, …: not routed on the public Internet */
} IpScope;

/* Of an address that leads to an IPv4 address through a translator or tunnel, that of the latter. */
IpScope ip_scope(const IpAddress *address);
/* The IPv4 address inside NAT64's well-known prefix or 6to4.  False: it is neither. */
bool ip_embedded(const IpAddress *address, IpAddress *inner);
/* True unless IP_SPECIAL: of clients, where an example is as foreign as anybody.  What may be connected to is said by
 * io/reach.h. */
bool ip_is_public(const IpAddress *address);
/* 127.0.0.0/8 and ::1: what is sent there does not leave this machine. */
bool ip_is_loopback(const IpAddress *address);
/* 0.0.0.0 and :: */
bool ip_is_unspecified(const IpAddress *address);

/* "192.0.2.0/24", "2001:db8::/32", or an address alone.  With bits set behind the prefix the error
 * offers the corrected network (code INVALID). */
bool ip_network_parse(const char *text, IpNetwork *network, GError **error);
/* The network of that many leading bits (of the 16 octets) that the address lies in. */
IpNetwork ip_network_of(const IpAddress *address, unsigned bits);
/* "192.0.2.0/24"; a single address without its prefix length.  New. */
char *ip_network_format(const IpNetwork *network);
bool ip_network_contains(const IpNetwork *network, const IpAddress *address);
/* `networks`: of IpNetwork. */
bool ip_networks_contain(const GArray *networks, const IpAddress *address);
