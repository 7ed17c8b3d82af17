/* redis-script.h - what Redis does in one step for the store; the text of each script says what its arguments are. */
#pragma once

#include <stdbool.h>

typedef enum {
	SCRIPT_SET,
	SCRIPT_CLAIM,
	SCRIPT_REPLACE,
	SCRIPT_REMOVE,
	SCRIPT_ADD,
	SCRIPT_TALLY,
	SCRIPT_LOAD,
	SCRIPT_PAGE,
	SCRIPT_READ,
	SCRIPT_FEED,
	SCRIPT_COUNT,
} RedisScript;

bool redis_script_only_reads(RedisScript script);
/* Done twice it does what it does once. */
bool redis_script_may_repeat(RedisScript script);
/* The whole text, prelude included; new. */
char *redis_script_text(RedisScript script);
