/* test-extract.h - the suite of test-extract.c. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite test_extract;
