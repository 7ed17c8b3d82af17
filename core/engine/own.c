/* own.c - what leads back to ourselves. */
#include "engine/own.h"

#include "io/reach.h"

enum { OWN_PORT = 25 };

/* Whoever listens on all addresses is at each of this machine's. */
static bool
own_is_at(const IpAddress *listens, const IpAddress *address)
{
	return ip_equal(listens, address) || (ip_is_unspecified(listens) && reach_is_own(address));
}

static bool
own_has(const GArray *addresses, const IpAddress *address)
{
	for (guint i = 0; i < addresses->len; i++)
		if (own_is_at(&g_array_index(addresses, IpAddress, i), address))
			return true;
	return false;
}

static bool
own_is_mail_address(const DeliverySettings *settings, const IpAddress *address)
{
	return own_has(settings->own, address) || own_has(settings->outside, address);
}

/* NAT64 and 6to4 lead to the address inside. */
static bool
own_is_exchanger_at(const DeliverySettings *settings, const IpAddress *address)
{
	IpAddress inner;

	return own_is_mail_address(settings, address) ||
		   (ip_embedded(address, &inner) && own_is_mail_address(settings, &inner));
}

bool
own_is_exchanger(
	const DeliverySettings *settings, const char *exchanger, const GPtrArray *addresses, guint first)
{
	if (g_ascii_strcasecmp(exchanger, settings->hostname) == 0)
		return true;
	for (guint i = first; i < addresses->len; i++)
		if (own_is_exchanger_at(settings, &((const HopAddress *)addresses->pdata[i])->address))
			return true;
	return false;
}

/* Behind NAT it is not known which port leads to which door. */
static bool
own_is_door(const DeliverySettings *settings, const IpAddress *address, uint16_t port)
{
	const bool is_outside = own_has(settings->outside, address);

	if (is_outside && port == OWN_PORT)
		return true;
	for (guint i = 0; i < settings->doors->len; i++) {
		const OwnDoor *door = &g_array_index(settings->doors, OwnDoor, i);

		if (door->port == port && (is_outside || own_is_at(&door->address, address)))
			return true;
	}
	return false;
}

static bool
own_is_target_at(const DeliverySettings *settings, const IpAddress *address, uint16_t port)
{
	return own_is_door(settings, address, port) ||
		   (reach_is_own(address) && !ip_networks_contain(settings->private_networks, address));
}

bool
own_is_target(const DeliverySettings *settings, const HopAddress *to)
{
	IpAddress inner;

	return own_is_target_at(settings, &to->address, to->port) ||
		   (ip_embedded(&to->address, &inner) && own_is_target_at(settings, &inner, to->port));
}
