/* main.c - the spool against disks that fail. */
#include <unistd.h>

#include "base/log.h"
#include "fault/fault.h"

void
fault_wait_for_reserve(Spool *spool)
{
	enum { LEAST = 4, TRIES = 100 }; /* one in use, and three ready */
	SpoolFigures before = { 0 }, now = { 0 };

	for (int i = 0; i < TRIES && (now.segments < LEAST || now.segments != before.segments); i++) {
		before = now;
		g_usleep(100000);
		spool_figures(spool, &now);
	}
	CU_ASSERT(now.segments >= LEAST);
}

/* What the spool says of failures made on purpose is not for the reader of a test. */
int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &power_suite, &failure_suite, &full_suite, &damage_suite, &kill_suite, &read_suite,
		&restart_suite, &heir_suite, &delivery_suite, &stay_suite, &shares_suite, &recipients_suite, NULL };

	/* Thousands of small files come and go: memory is the place for them, where there is some. */
	if (g_getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
		(void)g_setenv("TMPDIR", "/dev/shm", TRUE);
	if (g_getenv("FAULT_LOG") == NULL)
		(void)log_open("/dev/null", LOG_TEXT, LOG_LEVEL_ERROR, NULL);
	return unit_main(argc, argv, suites);
}
