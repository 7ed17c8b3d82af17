/* main.c - the tests of the base floor. */
#include <stddef.h>

#include "suites.h"

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &suite_activity, &suite_clock_jump, &suite_error, &suite_escape,
		&suite_id, &suite_ip, &suite_keyed_hash, &suite_log, &suite_region, NULL };

	return unit_main(argc, argv, suites);
}
