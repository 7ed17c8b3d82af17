/* suites.h - the suites of this floor. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite crash_record_suite;
