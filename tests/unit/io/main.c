/* main.c - the tests of the io floor. */
#include <stddef.h>

#include "suites.h"

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &suite_loop, &suite_workers, &suite_wire, &suite_tls_inspect, NULL };

	return unit_main(argc, argv, suites);
}
