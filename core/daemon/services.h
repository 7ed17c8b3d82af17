/* services.h - what sessions and deliveries use, opened by the configuration. */
#pragma once

#include "daemon/daemon.h"

/* Opens spool, stores, rejection log and DNS, takes the claim of this node (daemon/claim.h), and starts the threads for hooks.
 * False: an error; what was opened until then is in the daemon.  Blocks: it reads the spool.  The main thread. */
bool services_open(Daemon *daemon, GError **error);
