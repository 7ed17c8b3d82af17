/* reach.h - which addresses are connected to at the wish of others.
 *
 * What the administrator's configuration names may be anywhere.  What customers enter and foreign DNS says must be
 * public, or lie in a network that the configuration permits; else the gateway would be a way into its own network.
 * This is the one decision; it is asked for the very address that is then connected to. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/ip.h"

/* `permitted`: of IpNetwork.  False: the address is not public (private, loopback, link-local, an example, …), or one of this
 * machine's own interfaces, and no permitted network has it.  Asks the system for its interfaces; does not block. */
bool reach_is_allowed(const GArray *permitted, const IpAddress *address);
/* True: an interface of this machine has the address; 0.0.0.0 and :: lead to one, too. */
bool reach_is_own(const IpAddress *address);
