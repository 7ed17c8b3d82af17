/* redis-server.c - a real redis-server on loopback, for one test. */
#include "unit/service/redis-server.h"

#include <fcntl.h>
#include <glib.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/unit.h"

#define SERVER_PATIENCE_US (INT64_C(30) * 1000 * 1000)

bool
redis_server_is_there(void)
{
	g_autofree char *path = g_find_program_in_path("redis-server");

	if (path == NULL)
		unit_skip("no redis-server");
	return path != NULL;
}

/* Below those that the system gives to outgoing connections. */
static unsigned
redis_server_free_port(void)
{
	for (;;) {
		const unsigned port = (unsigned)g_random_int_range(10000, 32000);
		const struct sockaddr_in address = {
			.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
		};
		const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		const bool is_free = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0;

		(void)close(fd);
		if (is_free)
			return port;
	}
}

char *
redis_server_ask(const RedisServer *server, const char *command)
{
	g_autofree char *line = g_strdup_printf("redis-cli -p %u %s", server->port, command);
	char *out = NULL;

	(void)g_spawn_command_line_sync(line, &out, NULL, NULL, NULL);
	return out != NULL ? g_strchomp(out) : g_strdup("");
}

/* Ends with the test, even if that crashes. */
static void
redis_server_child(void *data)
{
	(void)data;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void
redis_server_wait(const RedisServer *server)
{
	const int64_t until_us = g_get_monotonic_time() + SERVER_PATIENCE_US;

	while (g_get_monotonic_time() < until_us) {
		const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		const struct sockaddr_in address = { .sin_family = AF_INET,
			.sin_port = htons((uint16_t)server->port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		const bool is_up = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;

		(void)close(fd);
		if (is_up)
			return;
		g_usleep(5000);
	}
	CU_FAIL_FATAL("redis-server does not start");
}

void
redis_server_start(RedisServer *server)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autofree char *port = g_strdup_printf("%u", server->port);
	g_autofree char *clock_file = g_build_filename(server->directory, "clock", NULL);
	g_autofree char *config = g_build_filename(server->directory, "sentinel.conf", NULL);
	g_auto(GStrv) environment = g_get_environ();
	const char *const fixed[] = { "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir",
		server->directory };
	g_autoptr(GError) error = NULL;

	if (server->clock != NULL) {
		environment = g_environ_setenv(environment, "LD_PRELOAD", REDIS_CLOCK, TRUE);
		environment = g_environ_setenv(environment, "POSTERN_TEST_CLOCK", clock_file, TRUE);
	}
	g_ptr_array_add(words, (void *)(uintptr_t)fixed[0]);
	if (server->is_sentinel)
		g_ptr_array_add(words, config);
	for (size_t i = 1; i < G_N_ELEMENTS(fixed); i++)
		g_ptr_array_add(words, (void *)(uintptr_t)fixed[i]);
	for (char **option = server->options; option != NULL && *option != NULL; option++)
		g_ptr_array_add(words, *option);
	if (server->is_sentinel)
		g_ptr_array_add(words, (void *)(uintptr_t) "--sentinel");
	g_ptr_array_add(words, NULL);
	if (!g_spawn_async(NULL, (char **)words->pdata, environment,
			G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
				G_SPAWN_STDERR_TO_DEV_NULL,
			redis_server_child, NULL, &server->pid, &error))
		CU_FAIL_FATAL("redis-server does not start");
	redis_server_wait(server);
}

static RedisServer *
redis_server_make(void)
{
	RedisServer *server;

	if (!redis_server_is_there())
		return NULL;
	server = g_new0(RedisServer, 1);
	server->port = redis_server_free_port();
	server->directory = unit_new_directory();
	return server;
}

static void
redis_server_make_clock(RedisServer *server)
{
	const int64_t start_us = INT64_C(20000) * 86400 * 1000000;
	g_autofree char *path = g_build_filename(server->directory, "clock", NULL);
	int fd;

	(void)g_file_set_contents(path, (const char *)&start_us, sizeof start_us, NULL);
	fd = open(path, O_RDWR | O_CLOEXEC);
	server->clock = mmap(NULL, sizeof start_us, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
}

RedisServer *
redis_server_new(const char *options, bool has_clock)
{
	RedisServer *server = redis_server_make();
	g_autofree char *all = g_strconcat("--save '' --appendonly no ", options, NULL);

	if (server == NULL)
		return NULL;
	(void)g_shell_parse_argv(all, NULL, &server->options, NULL);
	if (has_clock)
		redis_server_make_clock(server);
	redis_server_start(server);
	return server;
}

RedisServer *
redis_server_new_sentinel(const char *config)
{
	RedisServer *server = redis_server_make();
	g_autofree char *path = NULL;

	if (server == NULL)
		return NULL;
	path = g_build_filename(server->directory, "sentinel.conf", NULL);
	server->is_sentinel = true;
	(void)g_file_set_contents(path, config, -1, NULL);
	redis_server_start(server);
	return server;
}

void
redis_server_kill(RedisServer *server)
{
	if (server->pid == 0)
		return;
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void
redis_server_pause(RedisServer *server, bool is_paused)
{
	(void)kill(server->pid, is_paused ? SIGSTOP : SIGCONT);
}

char *
redis_server_url(const RedisServer *server)
{
	return g_strdup_printf("redis://127.0.0.1:%u", server->port);
}

void
redis_server_free(RedisServer *server)
{
	redis_server_kill(server);
	if (server->clock != NULL)
		(void)munmap(server->clock, sizeof *server->clock);
	unit_remove_directory(server->directory);
	g_free(server->directory);
	g_strfreev(server->options);
	g_free(server);
}

bool
redis_server_becomes(Store *store, bool is_away)
{
	const int64_t until_us = g_get_monotonic_time() + SERVER_PATIENCE_US;

	while (g_get_monotonic_time() < until_us) {
		g_autofree char *value = NULL;
		uint64_t number;

		(void)store_get(store, "probe", CLOCK_NEVER, &value, NULL);
		/* A node looks for changes all the time, by which it learns that writes are taken again. */
		if (!is_away)
			(void)store_changes(store, "probe/", CLOCK_NEVER, &number);
		if (store_is_away(store) == is_away)
			return true;
		g_usleep(10000);
	}
	return false;
}
