/* redis-server.h - a real redis-server on loopback, for one test. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/store.h"

typedef struct {
	pid_t pid; /* 0: it does not run */
	unsigned port;
	char *directory;
	int64_t *clock; /* its wall clock, which the test sets; NULL: the machine's */
	char **options; /* "--maxmemory", "10mb", … as on its command line */
	bool is_sentinel;
} RedisServer;

/* False: there is no redis-server on this machine, so that the test is skipped. */
bool redis_server_is_there(void);
/* Starts one with an empty database, and waits until it answers.  `options`: words, blanks between them, or NULL.
 * NULL: there is none on this machine, and the test is skipped.  `clock`: it goes by a clock of its own, which begins at 20,000 days. */
RedisServer *redis_server_new(const char *options, bool has_clock);
/* One that reads `config` as a sentinel. */
RedisServer *redis_server_new_sentinel(const char *config);
void redis_server_start(RedisServer *server);
/* As a crash would. */
void redis_server_kill(RedisServer *server);
/* SIGSTOP, SIGCONT */
void redis_server_pause(RedisServer *server, bool is_paused);
/* What redis-cli prints; new. */
char *redis_server_ask(const RedisServer *server, const char *command);
char *redis_server_url(const RedisServer *server); /* new */
void redis_server_free(RedisServer *server);
/* Waits until the store is away, or back; false: in vain. */
bool redis_server_becomes(Store *store, bool is_away);
