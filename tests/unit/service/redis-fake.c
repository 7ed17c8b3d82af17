/* redis-fake.c - one thread, one connection after the other. */
#include "unit/service/redis-fake.h"

#include <glib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/redis-reply.h"

enum { FAKE_READ = 4096, FAKE_COMMAND_MOST = 1 << 20 };

struct RedisFake {
	GThread *thread;
	int listener;
	unsigned port;
	GMutex lock; /* guards what follows */
	int connection;
	bool is_closing;
	char *command;
	unsigned skipped;
	GBytes *answer;
	bool hangs_up;
};

/* What a master without data answers. */
static char *
fake_usual_answer(const RedisFake *fake, const char *command, const char *first)
{
	static const struct {
		const char *command, *answer;
	} usual[] = { { "AUTH", "+OK\r\n" }, { "SELECT", "+OK\r\n" }, { "ROLE", "*1\r\n$6\r\nmaster\r\n" },
		{ "SETNX", ":0\r\n" }, { "GET", "$1\r\n1\r\n" }, { "SCRIPT", "$1\r\nx\r\n" }, { "EVALSHA", "$1\r\n0\r\n" },
		{ "EVAL", "$1\r\n0\r\n" }, { "SADD", ":1\r\n" }, { "SMEMBERS", "*0\r\n" },
		{ "HMGET", "*2\r\n$1\r\nv\r\n$1\r\n7\r\n" }, { "SCAN", "*2\r\n$1\r\n0\r\n*0\r\n" },
		{ "ZREVRANGE", "*0\r\n" }, { "ZRANGEBYSCORE", "*0\r\n" } };
	char port[16];

	g_snprintf(port, sizeof port, "%u", fake->port);
	if (strcmp(command, "SENTINEL") == 0)
		return g_strdup_printf("*2\r\n$9\r\n127.0.0.1\r\n$%zu\r\n%s\r\n", strlen(port), port);
	if (strcmp(command, "CONFIG") == 0)
		return g_strdup("*2\r\n$4\r\nname\r\n$1\r\n0\r\n");
	for (size_t i = 0; i < G_N_ELEMENTS(usual); i++)
		if (strcmp(command, usual[i].command) == 0)
			return g_strdup(usual[i].answer);
	return g_strdup_printf("-ERR unknown command '%s' '%s'\r\n", command, first != NULL ? first : "");
}

static bool
fake_send(int fd, const char *octets, size_t size)
{
	while (size > 0) {
		const ssize_t n = send(fd, octets, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		octets += n;
		size -= (size_t)n;
	}
	return true;
}

/* False: the connection is over. */
static bool
fake_answer_command(RedisFake *fake, int fd, const redisReply *words, unsigned *seen)
{
	const char *command = redis_reply_text(redis_reply_at(words, 0));
	g_autofree char *answer = NULL;
	bool hangs_up = false;
	size_t size;

	if (command == NULL)
		return false;
	g_mutex_lock(&fake->lock);
	if (fake->command != NULL && strcmp(fake->command, command) == 0 && (*seen)++ >= fake->skipped) {
		const void *octets = g_bytes_get_data(fake->answer, &size);

		answer = g_malloc(size + 1);
		memcpy(answer, octets != NULL ? octets : "", size);
		hangs_up = fake->hangs_up;
	}
	g_mutex_unlock(&fake->lock);
	if (answer == NULL) {
		answer = fake_usual_answer(fake, command, redis_reply_text(redis_reply_at(words, 1)));
		size = strlen(answer);
	}
	return fake_send(fd, answer, size) && !hangs_up;
}

static void
fake_serve(RedisFake *fake, int fd)
{
	g_autoptr(RedisParser) parser = redis_parser_new(FAKE_COMMAND_MOST);
	char buffer[FAKE_READ];
	unsigned seen = 0;
	ssize_t n;
	bool goes_on = true;

	while (goes_on && (n = read(fd, buffer, sizeof buffer)) > 0) {
		redisReply *words = NULL;

		goes_on = redis_parser_feed(parser, buffer, (size_t)n);
		while (goes_on && (goes_on = redis_parser_next(parser, &words)) && words != NULL) {
			goes_on = fake_answer_command(fake, fd, words, &seen);
			redis_reply_free(words);
		}
	}
}

static void *
fake_run(void *data)
{
	RedisFake *fake = data;
	int fd;

	while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
		bool is_closing;

		g_mutex_lock(&fake->lock);
		is_closing = fake->is_closing;
		fake->connection = fd;
		g_mutex_unlock(&fake->lock);
		if (!is_closing)
			fake_serve(fake, fd);
		g_mutex_lock(&fake->lock);
		fake->connection = -1;
		g_mutex_unlock(&fake->lock);
		(void)close(fd);
	}
	return NULL;
}

RedisFake *
redis_fake_new(void)
{
	RedisFake *fake = g_new0(RedisFake, 1);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;

	g_mutex_init(&fake->lock);
	fake->connection = -1;
	fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(fake->listener, (const struct sockaddr *)&address, size) != 0 || listen(fake->listener, 16) != 0 ||
		getsockname(fake->listener, (struct sockaddr *)&address, &size) != 0)
		g_error("no socket on loopback");
	fake->port = ntohs(address.sin_port);
	fake->thread = g_thread_new("redis-fake", fake_run, fake);
	return fake;
}

void
redis_fake_free(RedisFake *fake)
{
	g_mutex_lock(&fake->lock);
	fake->is_closing = true;
	if (fake->connection >= 0)
		(void)shutdown(fake->connection, SHUT_RDWR);
	(void)shutdown(fake->listener, SHUT_RDWR);
	g_mutex_unlock(&fake->lock);
	(void)g_thread_join(fake->thread);
	(void)close(fake->listener);
	g_clear_pointer(&fake->answer, g_bytes_unref);
	g_free(fake->command);
	g_mutex_clear(&fake->lock);
	g_free(fake);
}

unsigned
redis_fake_port(const RedisFake *fake)
{
	return fake->port;
}

void
redis_fake_answer(
	RedisFake *fake, const char *command, unsigned skipped, const char *octets, size_t size, bool hangs_up)
{
	g_mutex_lock(&fake->lock);
	g_free(fake->command);
	fake->command = g_strdup(command);
	fake->skipped = skipped;
	g_clear_pointer(&fake->answer, g_bytes_unref);
	fake->answer = g_bytes_new(octets, size);
	fake->hangs_up = hangs_up;
	g_mutex_unlock(&fake->lock);
}
