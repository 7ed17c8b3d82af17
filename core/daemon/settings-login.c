/* settings-login.c - what a configuration must say so that no login of ours is sent in clear. */
#include "base/log.h"
#include "daemon/settings.h"
#include "service/redis-url.h"

static void
login_check_route(const Config *config, const Route *route, GPtrArray *mistakes, GPtrArray *warnings)
{
	const ConfigSection *section = config_section(config, "route", route->name);
	const char *user = route->hop->user;
	const NextHopLogin login = next_hop_login(route->hop);

	if (user == NULL) /* a password alone is a mistake of its own */
		return;
	if (login == LOGIN_IN_CLEAR)
		settings_complain(mistakes, section, "tls",
			"[route %s] tls: the login of user %s could be sent in clear; give tls = verify, or tls = encrypt if "
			"the certificate of the server cannot be verified; only a server on this machine (127.0.0.1, ::1, "
			"localhost) needs neither",
			route->name, user);
	else if (login == LOGIN_UNVERIFIED)
		settings_complain(warnings, section, "tls",
			"[route %s] tls = encrypt: the server is not verified, so whoever answers in its place gets the login "
			"of user %s; tls = verify prevents that",
			route->name, user);
}

/* Sentinels name the master, so they prove nothing of where it is: redis-link.c looks at the connection. */
static bool
login_is_local(const RedisUrl *url)
{
	for (guint i = 0; i < url->places->len; i++)
		if (!next_hop_is_local(((const RedisPlace *)g_ptr_array_index(url->places, i))->host))
			return false;
	return true;
}

static void
login_check_store(const Config *config, const char *kind, GPtrArray *mistakes)
{
	const ConfigSection *section = config_section(config, kind, NULL);
	const char *at = config_text(section, "at"), *password = config_text(section, "password");
	g_autoptr(RedisUrl) url = at != NULL ? redis_url_parse(at, NULL) : NULL;

	if (url == NULL || (password == NULL && url->password == NULL) || url->is_tls || login_is_local(url))
		return;
	settings_complain(mistakes, section, "at",
		"[%s] at: the password of %s would be sent in clear; give %s:// instead of %s://; only a Redis on this "
		"machine (127.0.0.1, ::1, localhost) needs no TLS",
		kind, url->name, url->master != NULL ? "rediss+sentinel" : "rediss",
		url->master != NULL ? "redis+sentinel" : "redis");
}

void
settings_check_logins(
	const Config *config, const DeliverySettings *delivery, GPtrArray *mistakes, GPtrArray *warnings)
{
	for (guint i = 0; i < delivery->routes->len; i++)
		login_check_route(config, g_ptr_array_index(delivery->routes, i), mistakes, warnings);
	login_check_store(config, "directory", mistakes);
	login_check_store(config, "store", mistakes);
}

void
settings_log_warnings(const GPtrArray *warnings)
{
	for (guint i = 0; i < warnings->len; i++)
		log_event(LOG_LEVEL_WARNING, "configuration warning", "text", g_ptr_array_index(warnings, i), NULL);
}
