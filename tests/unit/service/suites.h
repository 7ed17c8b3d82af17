/* suites.h - the suites of this floor. */
#pragma once

#include "unit/unit.h"

extern const UnitSuite suite_audit, suite_blocks, suite_blocks_share, suite_client_budget,
	suite_config, suite_counts, suite_directory, suite_directory_owner, suite_dns,
	suite_dns_cache, suite_dns_health, suite_metrics,
	suite_option, suite_password, suite_refusals, suite_spf, suite_template;
extern const UnitSuite suite_store_memory, suite_store_sqlite, suite_store_durable, suite_store_redis,
	suite_store_table, suite_redis, suite_redis_reply, suite_redis_url, suite_directory_cache, suite_store_file, suite_store_ledger,
	suite_golden;
