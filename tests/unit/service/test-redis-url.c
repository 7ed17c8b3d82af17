/* test-redis-url.c - the URLs of a Redis. */
#include "service/redis-url.h"
#include "unit/service/suites.h"

static void
test_urls(void)
{
	static const struct {
		const char *url, *first;
		unsigned port, n, database;
		const char *master, *user, *password, *name;
	} good[] = {
		{ "redis://h", "h", 6379, 1, 0, NULL, NULL, NULL, "h:6379" },
		{ "redis://h:1/3", "h", 1, 1, 3, NULL, NULL, NULL, "h:1" },
		{ "redis://u:p%40%2f@[::1]:7/", "::1", 7, 1, 0, NULL, "u", "p@/", "::1:7" },
		{ "redis://:p@h", "h", 6379, 1, 0, NULL, NULL, "p", "h:6379" },
		{ "redis://u@h", "h", 6379, 1, 0, NULL, "u", NULL, "h:6379" },
		{ "rediss://h", "h", 6379, 1, 0, NULL, NULL, NULL, "h:6379" },
		{ "redis+sentinel://a,b:1,c/m", "a", 26379, 3, 0, "m", NULL, NULL, "m" },
		{ "redis+sentinel://:x@a:2,b/m/4", "a", 2, 2, 4, "m", NULL, "x", "m" },
	};
	static const char *const bad[] = { "redis:h", "redis://", "redis://h:0", "redis://h:x", "redis://h/x", "redis://h/-1",
		"redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel://a,/m", "redis://[::1", "redis://%zz@h", "http://h" };

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(RedisUrl) url = redis_url_parse(good[i].url, NULL);
		const RedisPlace *place;

		CU_ASSERT_PTR_NOT_NULL_FATAL(url);
		place = g_ptr_array_index(url->places, 0);
		ASSERT_TEXT(place->host, good[i].first);
		CU_ASSERT_EQUAL(place->port, good[i].port);
		CU_ASSERT_EQUAL(url->places->len, good[i].n);
		CU_ASSERT_EQUAL(url->database, good[i].database);
		ASSERT_TEXT(url->master, good[i].master);
		ASSERT_TEXT(url->user, good[i].user);
		ASSERT_TEXT(url->password, good[i].password);
		ASSERT_TEXT(url->name, good[i].name);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(RedisUrl) url = redis_url_parse(bad[i], &error);

		CU_ASSERT_PTR_NULL(url);
		CU_ASSERT_PTR_NOT_NULL(error);
	}
}

static const UnitTest tests[] = {
	{ "places, databases, users, masters; what is none", test_urls },
	{ NULL, NULL },
};

const UnitSuite suite_redis_url = { "redis-url", tests };
