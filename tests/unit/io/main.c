/* main.c - the tests of the io floor. */
#include <stddef.h>

#include "suites.h"

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &suite_loop, &suite_workers, &suite_wire, &suite_tls_inspect,
		&suite_tls_client, &suite_tls_server, NULL };

	return unit_main(argc, argv, suites);
}
