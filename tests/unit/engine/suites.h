/* suites.h - the suites of the engine floor. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite suite_chain, suite_transaction, suite_bounce, suite_next_hop, suite_route, suite_settings, suite_pace, suite_etrn,
	suite_observer, suite_smtp_client, suite_delivery_trust, suite_lookups, suite_smtp_replies, suite_host_quirks,
	suite_settle, suite_smtp_codes, suite_route_order;
