/* redis-url.c - where a Redis is, as an administrator writes it. */
#include "service/redis-url.h"

#include <string.h>

#include "base/error.h"

enum { REDIS_PORT = 6379, SENTINEL_PORT = 26379, REDIS_DATABASE_MAX = 100000 };

static const struct {
	const char *scheme;
	bool is_tls, is_sentinel;
} redis_url_schemes[] = { { "redis://", false, false }, { "rediss://", true, false },
	{ "redis+sentinel://", false, true }, { "rediss+sentinel://", true, true } };

static void
redis_place_free(void *data)
{
	RedisPlace *place = data;

	g_free(place->host);
	g_free(place);
}

void
redis_url_free(RedisUrl *url)
{
	if (url == NULL)
		return;
	g_ptr_array_unref(url->places);
	g_free(url->master);
	g_free(url->user);
	if (url->password != NULL)
		explicit_bzero(url->password, strlen(url->password));
	g_free(url->password);
	g_free(url->name);
	g_free(url);
}

/* HOST, HOST:PORT, [IPv6], [IPv6]:PORT */
static bool
redis_url_add_place(RedisUrl *url, const char *text, uint16_t default_port, GError **error)
{
	const bool is_bracketed = text[0] == '[';
	const char *end = is_bracketed ? strchr(text, ']') : strchrnul(text, ':');
	RedisPlace *place;
	guint64 port = default_port;
	const char *rest;

	if (end == NULL || end == text + is_bracketed)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is no HOST or HOST:PORT", text);
	rest = end + is_bracketed;
	if (*rest != '\0' && (*rest != ':' || !g_ascii_string_to_unsigned(rest + 1, 10, 1, 65535, &port, NULL)))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is no HOST or HOST:PORT", text);
	place = g_new(RedisPlace, 1);
	place->host = g_strndup(text + is_bracketed, (size_t)(end - text) - is_bracketed);
	place->port = (uint16_t)port;
	g_ptr_array_add(url->places, place);
	return true;
}

static bool
redis_url_add_places(RedisUrl *url, const char *text, bool is_sentinel, GError **error)
{
	g_auto(GStrv) places = g_strsplit(text, is_sentinel ? "," : "\n", -1);

	for (char **place = places; *place != NULL; place++)
		if (!redis_url_add_place(url, g_strstrip(*place), is_sentinel ? SENTINEL_PORT : REDIS_PORT, error))
			return false;
	return url->places->len > 0 ||
		   error_set(error, POSTERN_ERROR_INVALID, "the URL names no host, as redis://HOST:PORT/0 does");
}

static bool
redis_url_set_user(RedisUrl *url, const char *text, GError **error)
{
	const char *colon = strchr(text, ':');
	g_autofree char *user = g_uri_unescape_segment(text, colon, NULL);
	g_autofree char *password = colon != NULL ? g_uri_unescape_string(colon + 1, NULL) : NULL;

	if (user == NULL || (colon != NULL && password == NULL))
		return error_set(error, POSTERN_ERROR_INVALID, "bad %%XX in user or password of the URL");
	url->user = user[0] != '\0' ? g_steal_pointer(&user) : NULL;
	url->password = password != NULL && password[0] != '\0' ? g_steal_pointer(&password) : NULL;
	return true;
}

/* "/DB", or of sentinels "/MASTER" and "/MASTER/DB" */
static bool
redis_url_set_path(RedisUrl *url, const char *path, bool is_sentinel, GError **error)
{
	const char *database = path;
	guint64 number;

	if (is_sentinel) {
		database = strchrnul(path, '/');
		if (database == path)
			return error_set(error, POSTERN_ERROR_INVALID,
				"the URL does not name the master, as redis+sentinel://HOST:PORT/mymaster/0 does");
		url->master = g_strndup(path, (size_t)(database - path));
		database += *database == '/';
	}
	if (*database == '\0')
		return true;
	if (!g_ascii_string_to_unsigned(database, 10, 0, REDIS_DATABASE_MAX, &number, NULL))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is no number of a database", database);
	url->database = (unsigned)number;
	return true;
}

static bool
redis_url_read(RedisUrl *url, const char *rest, bool is_sentinel, GError **error)
{
	const char *slash = strchrnul(rest, '/');
	g_autofree char *authority = g_strndup(rest, (size_t)(slash - rest));
	char *at = strrchr(authority, '@'), *hosts = at != NULL ? at + 1 : authority;
	const RedisPlace *first;

	if (at != NULL) {
		*at = '\0';
		if (!redis_url_set_user(url, authority, error))
			return false;
	}
	if (!redis_url_add_places(url, hosts, is_sentinel, error) ||
		!redis_url_set_path(url, *slash == '/' ? slash + 1 : slash, is_sentinel, error))
		return false;
	first = g_ptr_array_index(url->places, 0);
	url->name = url->master != NULL ? g_strdup(url->master) : g_strdup_printf("%s:%u", first->host, first->port);
	return true;
}

RedisUrl *
redis_url_parse(const char *text, GError **error)
{
	g_autoptr(RedisUrl) url = g_new0(RedisUrl, 1);

	url->places = g_ptr_array_new_with_free_func(redis_place_free);
	for (size_t i = 0; i < G_N_ELEMENTS(redis_url_schemes); i++) {
		const char *scheme = redis_url_schemes[i].scheme;

		if (!g_str_has_prefix(text, scheme))
			continue;
		url->is_tls = redis_url_schemes[i].is_tls;
		return redis_url_read(url, text + strlen(scheme), redis_url_schemes[i].is_sentinel, error)
				   ? g_steal_pointer(&url)
				   : NULL;
	}
	(void)error_set(error, POSTERN_ERROR_INVALID, "the URL is none of a Redis (redis://HOST:PORT/DB)");
	return NULL;
}
