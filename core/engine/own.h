/* own.h - what leads back to ourselves: mail that would be sent there loops.
 *
 * Any thread; asks the system for its interfaces, does not block. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/route.h"

/* True: an exchanger of that name, with the addresses (of HopAddress*) from `first` on, is this server: by its name, by an
 * address where it takes mail for domains, or by one of `[server] own-addresses`. */
bool own_is_exchanger(
	const DeliverySettings *settings, const char *exchanger, const GPtrArray *addresses, guint first);
/* True: what would be sent to this address of the hop would come back: it is where we listen, behind NAT, too; or it is this
 * machine, and `[delivery] private-networks` does not permit that. */
bool own_is_target(const DeliverySettings *settings, const HopAddress *to);
