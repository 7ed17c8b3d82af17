/* services.h - what sessions and deliveries use, opened by the configuration. */
#pragma once

#include "daemon/daemon.h"

/* In the state directory: what could not be counted before the stop; see service/counts.h. */
#define COUNTS_FILE "counts"

/* Opens spool, stores, rejection log and DNS, takes the claim of this node (daemon/claim.h), and starts the threads for hooks.
 * False: an error; what was opened until then is in the daemon.  Blocks: it reads the spool.  The main thread. */
bool services_open(Daemon *daemon, GError **error);

/* Parts of it, which need the configuration, clock and metrics alone. */

/* `name`: of the section, and of metrics and alarms.  One that is remote and cannot be reached is away.  Closed by the caller. */
Store *services_open_store(Daemon *daemon, const char *name, bool is_durable, GError **error);
/* Into the services of `daemon`. */
bool services_open_dns(Daemon *daemon, GError **error);
