/* test-readings.h - the suite of test-readings.c, which test-mime runs. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite suite_of_readings;
