/* reach.c - which addresses are connected to at the wish of others. */
#include "io/reach.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

static bool
reach_take(const struct sockaddr *from, IpAddress *address)
{
	char text[INET6_ADDRSTRLEN];

	if (from == NULL || (from->sa_family != AF_INET && from->sa_family != AF_INET6))
		return false;
	return inet_ntop(from->sa_family,
			   from->sa_family == AF_INET
				   ? (const void *)&((const struct sockaddr_in *)(const void *)from)->sin_addr
				   : (const void *)&((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
			   text, sizeof text) != NULL &&
		   ip_parse(text, address);
}

bool
reach_is_own(const IpAddress *address)
{
	struct ifaddrs *all = NULL;
	bool is_own = ip_is_loopback(address) || ip_is_unspecified(address);

	if (is_own || getifaddrs(&all) != 0)
		return is_own;
	for (const struct ifaddrs *one = all; one != NULL && !is_own; one = one->ifa_next) {
		IpAddress ours;

		is_own = reach_take(one->ifa_addr, &ours) && ip_equal(&ours, address);
	}
	freeifaddrs(all);
	return is_own;
}

bool
reach_is_allowed(const GArray *permitted, const IpAddress *address)
{
	IpAddress inner;
	const bool has_inner = ip_embedded(address, &inner);

	if (ip_networks_contain(permitted, address) || (has_inner && ip_networks_contain(permitted, &inner)))
		return true;
	return ip_scope(address) == IP_GLOBAL && !reach_is_own(address) && !(has_inner && reach_is_own(&inner));
}
