/* port-holder.h - which service of this machine listens on a port. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"

/* The control group in which the socket was opened that listens on this address and port (or, if none does, on all addresses),
 * as "/system.slice/exim4.service", "/init.scope".  `is_same`: it is this very address.  New; NULL: nobody does, or the kernel
 * does not say.  Takes no rights; blocks on the disk for as long as a walk through the groups takes. */
char *port_holder_find(const IpAddress *address, uint16_t port, bool *is_same);
/* A group of systemd itself, which listens for a service: "….socket" or init.scope. */
bool port_holder_is_systemd(const char *group);
/* "exim4.service": its last part, in `group`. */
const char *port_holder_unit(const char *group);
