/* main.c - the tests of core/service. */
#include "unit/service/suites.h"

#include <stddef.h>

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &suite_audit, &suite_blocks, &suite_blocks_share, &suite_client_budget,
		&suite_option, &suite_config, &suite_counts, &suite_metrics,
		&suite_password, &suite_refusals, &suite_spf, &suite_store_memory, &suite_store_sqlite, &suite_store_durable,
		&suite_store_redis, &suite_redis, &suite_redis_reply, &suite_redis_url, &suite_store_table, &suite_directory_cache,
		&suite_store_file, &suite_store_ledger, &suite_directory, &suite_directory_owner,
		&suite_dns_cache, &suite_dns, &suite_dns_health, &suite_template, &suite_golden, NULL };

	return unit_main(argc, argv, suites);
}
