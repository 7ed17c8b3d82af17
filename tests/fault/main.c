/* main.c - the spool against disks that fail. */
#include "fault/fault.h"

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &power_suite, NULL };

	return unit_main(argc, argv, suites);
}
