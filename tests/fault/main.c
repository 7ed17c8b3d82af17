/* main.c - the spool against disks that fail. */
#include "base/log.h"
#include "fault/fault.h"

/* What the spool says of failures made on purpose is not for the reader of a test. */
int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &power_suite, &failure_suite, &full_suite, &damage_suite, NULL };

	if (g_getenv("FAULT_LOG") == NULL)
		(void)log_open("/dev/null", LOG_TEXT, LOG_LEVEL_ERROR, NULL);
	return unit_main(argc, argv, suites);
}
