/* main.c - the mail floor's tests. */
#include "base/log.h"
#include "unit/mail/mail.h"

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &crc32c_suite, &envelope_suite, &state_suite, &record_suite,
		&content_suite, &spool_suite, &queue_suite, &queue_heap_suite, &queue_verb_suite, &adopt_suite, &heirs_suite, &changes_suite,
		&golden_suite, NULL };

	/* Some disks fail on purpose here, and the spool says so. */
	(void)log_open("/dev/null", LOG_TEXT, LOG_LEVEL_ERROR, NULL);
	return unit_main(argc, argv, suites);
}
