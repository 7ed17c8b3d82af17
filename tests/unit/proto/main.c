/* main.c - the tests of the proto floor. */
#include <stddef.h>

#include "suites.h"

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &suite_command, &suite_data, &suite_date, &suite_header,
		&suite_idn, &suite_line,
		&suite_mailbox, &suite_mbox, &suite_path, &suite_proxy, &suite_recode, &suite_reply, &suite_srs, &suite_xtext, NULL };

	return unit_main(argc, argv, suites);
}
