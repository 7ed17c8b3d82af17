/* redis-script.h - what Redis does in one step for the store; the text of each script says what its arguments are. */
#pragma once

#include <stddef.h>

typedef enum {
	SCRIPT_SET,
	SCRIPT_CLAIM,
	SCRIPT_REPLACE,
	SCRIPT_REMOVE,
	SCRIPT_ADD,
	SCRIPT_TALLY,
	SCRIPT_LOAD,
	SCRIPT_PAGE,
	SCRIPT_COUNT,
} RedisScript;

/* The whole text, prelude included; new. */
char *redis_script_text(RedisScript script);
