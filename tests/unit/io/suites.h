/* suites.h - the suites of the io floor. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite suite_loop, suite_workers, suite_wire, suite_tls_inspect, suite_tls_client, suite_tls_server;
