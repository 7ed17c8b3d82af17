/* suites.h - the suites of the base floor. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite suite_activity, suite_clock_jump, suite_error, suite_escape, suite_id, suite_ip,
	suite_keyed_hash, suite_log, suite_region;
