/* fault.h - the suites of this program, and what they share. */
#pragma once

#include "fault/ledger.h"
#include "unit/unit.h"

extern const UnitSuite power_suite, failure_suite, damage_suite, full_suite, kill_suite, read_suite, restart_suite,
	heir_suite, delivery_suite, stay_suite, shares_suite, recipients_suite;

/* Waits until the spool has the segments that it keeps ready: the keeper makes them behind the back
 * of a test. */
void fault_wait_for_reserve(Spool *spool);
/* Cuts the power at `n_cuts` steps spread over the trace; how many mismatches there were. */
unsigned power_cut_all(Ledger *ledger, SimDisk *sim, unsigned n_cuts, uint32_t seed);
