/* main.c - the daemon floor's tests. */
#include "base/log.h"
#include "unit/daemon/suites.h"

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &crash_record_suite, NULL };

	/* Some disks fail on purpose here, and the spool says so. */
	(void)log_open("/dev/null", LOG_TEXT, LOG_LEVEL_ERROR, NULL);
	return unit_main(argc, argv, suites);
}
