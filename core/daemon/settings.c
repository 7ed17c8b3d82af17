/* settings.c - from the checked configuration to plain values. */
#include "daemon/settings.h"

#include <openssl/tls1.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/exempt.h"
#include "proto/idn.h"
#include "proto/path.h"
#include "service/template.h"

void
settings_complain(GPtrArray *sentences, const ConfigSection *section, const char *option, const char *format, ...)
{
	const char *where = section != NULL ? config_where(section, option) : NULL;
	g_autofree char *text = NULL;
	g_autofree char *shown = NULL;
	va_list arguments;

	if (where == NULL && section != NULL)
		where = config_where(section, NULL);
	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	shown = section != NULL ? config_complaint(section, option, text) : g_strdup(text);
	g_ptr_array_add(sentences, g_strdup_printf("%s: %s", where != NULL ? where : "configuration", shown));
}

char *
settings_hostname(const Config *config)
{
	const char *set = config_text(config_section(config, "server", NULL), "hostname");
	char name[256];

	if (set != NULL)
		return g_strdup(set);
	if (gethostname(name, sizeof name) != 0 || !domain_is_valid(name))
		return g_strdup("localhost.localdomain");
	return strchr(name, '.') != NULL ? g_strdup(name) : g_strdup_printf("%s.localdomain", name);
}

char *
settings_parent_of(const char *url)
{
	return g_str_has_prefix(url, "sqlite:") ? g_path_get_dirname(url + strlen("sqlite:")) : NULL;
}

/* ---- listeners ---- */

static bool
settings_has_ipv6(void)
{
	const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static void
settings_add_address(ListenerSettings *listener, const char *text)
{
	IpAddress address;

	if (ip_parse(text, &address))
		g_array_append_val(listener->addresses, address);
}

static void
settings_read_addresses(ListenerSettings *listener, const ConfigSection *section, GPtrArray *mistakes)
{
	const char *const *texts = section != NULL ? config_list(section, "addresses") : NULL;
	IpAddress address;

	if (texts == NULL || texts[0] == NULL) {
		settings_add_address(listener, "0.0.0.0");
		if (settings_has_ipv6())
			settings_add_address(listener, "::");
		return;
	}
	for (; *texts != NULL; texts++) {
		if (ip_parse(*texts, &address))
			g_array_append_val(listener->addresses, address);
		else
			settings_complain(mistakes, section, "addresses", "\"%s\" is not an IP address", *texts);
	}
}

static void
settings_add_port(ListenerSettings *listener, uint16_t port)
{
	g_array_append_val(listener->ports, port);
}

static void
settings_read_ports(ListenerSettings *listener, const ConfigSection *section, GPtrArray *mistakes)
{
	const char *const *texts = config_list(section, "ports");
	guint64 port;

	for (; *texts != NULL; texts++) {
		if (g_ascii_string_to_unsigned(*texts, 10, 1, 65535, &port, NULL))
			settings_add_port(listener, (uint16_t)port);
		else
			settings_complain(mistakes, section, "ports", "\"%s\" is not a port, 1 to 65535", *texts);
	}
}

/* They were checked with the configuration. */
static void
settings_read_networks(const ConfigSection *section, const char *option, GArray *networks)
{
	for (const char *const *text = config_list(section, option); *text != NULL; text++) {
		IpNetwork network;

		if (ip_network_parse(*text, &network, NULL))
			g_array_append_val(networks, network);
	}
}

static ListenerSettings *
settings_listener(const ConfigSection *section, GPtrArray *mistakes)
{
	ListenerSettings *listener = listener_settings_new(config_section_name(section));
	settings_read_addresses(listener, section, mistakes);
	settings_read_ports(listener, section, mistakes);
	listener->tls = (ListenerTls)config_number(section, "tls");
	listener->takes_auth = config_bool(section, "auth");
	listener->takes_auth_in_clear = config_bool(section, "auth-without-tls");
	listener->is_inbound = config_bool(section, "inbound");
	listener->is_free = config_bool(section, "freebind");
	listener->is_lenient = config_number(section, "bare-newline") == 1;
	listener->is_strict = config_number(section, "compat") == 0;
	settings_read_networks(section, "proxies", listener->proxies);
	return listener;
}

/* Without a [listener] the gateway takes submissions where clients expect it. */
static void
settings_default_listeners(EngineSettings *engine, GPtrArray *mistakes)
{
	static const struct {
		const char *name;
		uint16_t port;
		ListenerTls tls;
	} usual[] = { { "submission", 587, LISTENER_TLS_STARTTLS }, { "smtps", 465, LISTENER_TLS_IMPLICIT } };

	for (size_t i = 0; i < G_N_ELEMENTS(usual); i++) {
		ListenerSettings *listener = listener_settings_new(usual[i].name);

		settings_read_addresses(listener, NULL, mistakes);
		settings_add_port(listener, usual[i].port);
		listener->tls = usual[i].tls;
		listener->takes_auth = true;
		g_ptr_array_add(engine->listeners, listener);
	}
}

static bool
settings_has_port(const ListenerSettings *listener, uint16_t port)
{
	for (guint i = 0; i < listener->ports->len; i++)
		if (g_array_index(listener->ports, uint16_t, i) == port)
			return true;
	return false;
}

static bool
settings_has_address(const ListenerSettings *listener, const IpAddress *address)
{
	for (guint i = 0; i < listener->addresses->len; i++)
		if (ip_equal(&g_array_index(listener->addresses, IpAddress, i), address))
			return true;
	return false;
}

static void
settings_check_taken(const ConfigSection *section, const ListenerSettings *listener, const ListenerSettings *other,
	GPtrArray *mistakes)
{
	char text[IP_TEXT_SIZE];

	for (guint p = 0; p < listener->ports->len; p++)
		for (guint a = 0; a < listener->addresses->len; a++) {
			const IpAddress *address = &g_array_index(listener->addresses, IpAddress, a);
			const uint16_t port = g_array_index(listener->ports, uint16_t, p);

			if (settings_has_port(other, port) && settings_has_address(other, address))
				settings_complain(mistakes, section, "ports",
					"[listener %s] port %u of %s is also taken by [listener %s]", listener->name, port,
					ip_format(address, text), other->name);
		}
}

static void
settings_read_listeners(const Config *config, EngineSettings *engine, GPtrArray *mistakes)
{
	const GPtrArray *sections = config_sections(config, "listener");

	for (guint i = 0; i < sections->len; i++) {
		ListenerSettings *listener = settings_listener(g_ptr_array_index(sections, i), mistakes);

		for (guint k = 0; k < engine->listeners->len; k++)
			settings_check_taken(
				g_ptr_array_index(sections, i), listener, g_ptr_array_index(engine->listeners, k), mistakes);
		g_ptr_array_add(engine->listeners, listener);
	}
	if (sections->len == 0)
		settings_default_listeners(engine, mistakes);
}

/* ---- [server] ---- */

static char *
settings_postmaster(const ConfigSection *server, const char *hostname)
{
	const char *given = config_text(server, "postmaster");

	return given != NULL ? g_strdup(given) : g_strdup_printf("postmaster@%s", hostname);
}

/* Patterns of domains and addresses, in A-labels.  New. */
static char **
settings_patterns(const char *const *given)
{
	char **patterns = g_strdupv((char **)(uintptr_t)given);

	for (char **pattern = patterns; pattern != NULL && *pattern != NULL; pattern++) {
		char *text = *pattern;

		*pattern = idn_address_to_ascii(text);
		g_free(text);
	}
	return patterns;
}

static void
settings_check_exempt(const EngineSettings *engine, const ConfigSection *server, GPtrArray *mistakes)
{
	for (char *const *pattern = engine->exempt_recipients; pattern != NULL && *pattern != NULL; pattern++)
		if (!exempt_pattern_is_valid(*pattern))
			settings_complain(mistakes, server, "exempt-recipients",
				"\"%s\" is none of local@, user@domain, domain and .domain", *pattern);
}

static void
settings_check_notices(const EngineSettings *engine, const ConfigSection *server, GPtrArray *mistakes)
{
	if (!g_utf8_validate(engine->service_name, -1, NULL) || strlen(engine->service_name) > 100)
		settings_complain(mistakes, server, "service-name", "no text of at most 100 octets in UTF-8");
	if (config_is_set(server, "templates") && !g_file_test(engine->templates, G_FILE_TEST_IS_DIR))
		settings_complain(mistakes, server, "templates", "%s is not a directory", engine->templates);
	template_check(engine->templates, mistakes);
}

static void
settings_read_budgets(const Config *config, EngineSettings *engine)
{
	const ConfigSection *clients = config_section(config, "clients", NULL);
	const ConfigSection *accounts = config_section(config, "accounts", NULL);

	engine->clients = (ClientLimits){ .ipv6_prefix = (unsigned)config_number(clients, "ipv6-prefix"),
		.connections = (unsigned)config_number(clients, "connections"),
		.connection_rate = (unsigned)config_number(clients, "connection-rate"),
		.commands = (unsigned)config_number(clients, "commands"),
		.lookups = (unsigned)config_number(clients, "lookups"),
		.work = (unsigned)config_number(clients, "work"),
		.log_reasons = (unsigned)config_number(clients, "log-reasons"),
		.log_lines = (unsigned)config_number(clients, "log-lines"),
		.all_log_lines = (unsigned)config_number(clients, "all-log-lines"),
		.unfinished = (uint64_t)config_number(clients, "unfinished"),
		.all_unfinished = (uint64_t)config_number(clients, "all-unfinished") };
	engine->accounts = (AccountLimits){ { [ACCOUNT_LOOKUPS] = (uint64_t)config_number(accounts, "lookups"),
		[ACCOUNT_DELIVERIES] = (uint64_t)config_number(accounts, "deliveries"),
		[ACCOUNT_DESTINATIONS] = (uint64_t)config_number(accounts, "destinations") } };
}

EngineSettings *
settings_engine(const Config *config, GPtrArray *mistakes)
{
	EngineSettings *engine = engine_settings_new();
	const ConfigSection *server = config_section(config, "server", NULL);

	engine->hostname = settings_hostname(config);
	engine->banner_name = g_strdup(config_text(server, "banner-name"));
	engine->header_prefix = g_strdup(config_text(server, "header-prefix"));
	engine->abuse_text = g_strdup(config_text(server, "abuse-text"));
	engine->support = g_strdup(config_text(server, "support"));
	engine->ehlo_without = g_strdupv((char **)(uintptr_t)config_list(server, "ehlo-without"));
	g_strfreev(engine->exempt_recipients);
	engine->exempt_recipients = settings_patterns(config_list(server, "exempt-recipients"));
	engine->postmaster = settings_postmaster(server, engine->hostname);
	engine->service_name = g_strdup(config_text(server, "service-name"));
	engine->templates = g_strdup(config_text(server, "templates"));
	settings_check_notices(engine, server, mistakes);
	engine->refuses_at_rcpt = config_number(server, "refuse-at") == 1;
	settings_check_exempt(engine, server, mistakes);
	engine->max_message = config_number(server, "max-message");
	engine->held_per_domain = (uint64_t)config_number(config_section(config, "spool", NULL), "held-per-domain");
	engine->forward_days =
		(int)(config_number(config_section(config, "delivery", NULL), "forward-bounces") / (86400 * CLOCK_SECOND));
	engine->max_recipients = (unsigned)config_number(server, "max-recipients");
	engine->max_received = (unsigned)config_number(server, "max-received");
	engine->max_connections = (unsigned)config_number(server, "max-connections");
	engine->max_commands = (unsigned)config_number(server, "max-commands");
	engine->max_lookups = (unsigned)config_number(server, "max-lookups");
	settings_read_budgets(config, engine);
	settings_read_networks(server, "etrn-clients", engine->etrn_clients);
	g_array_set_size(engine->monitors, 0); /* what is written replaces the default */
	settings_read_networks(server, "monitors", engine->monitors);
	engine->soft_errors = (unsigned)config_number(server, "soft-errors");
	engine->hard_errors = (unsigned)config_number(server, "hard-errors");
	engine->max_junk = (unsigned)config_number(server, "max-junk");
	engine->max_auth_failures = (unsigned)config_number(server, "max-auth-failures");
	engine->min_data_rate = (uint64_t)config_number(server, "min-data-rate");
	engine->max_unread = (size_t)config_number(server, "max-unread");
	engine->max_ahead = (size_t)config_number(server, "max-ahead");
	engine->last_reply_us = config_number(server, "last-reply-timeout");
	engine->handshake_us = config_number(server, "handshake-timeout");
	engine->idle_us = config_number(server, "idle-timeout");
	engine->session_max_us = config_number(server, "session-max-time");
	engine->error_delay_us = config_number(server, "error-delay");
	engine->auth_delay_us = config_number(server, "auth-delay");
	engine->auto_tls_wait_us = config_number(server, "auto-tls-wait");
	engine->chain_us = config_number(server, "chain-deadline");
	engine->adds_date = config_bool(server, "add-date");
	engine->adds_message_id = config_bool(server, "add-message-id");
	engine->removes_bcc = config_bool(server, "remove-bcc");
	engine->removes_return_path = config_bool(server, "remove-return-path");
	engine->shows_login = config_bool(server, "show-login");
	engine->hides_client = config_bool(server, "hide-client");
	if (engine->header_prefix != NULL &&
		engine->header_prefix[strspn(
			engine->header_prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		settings_complain(mistakes, server, "header-prefix", "\"%s\" cannot begin the name of a header field",
			engine->header_prefix);
	settings_read_listeners(config, engine, mistakes);
	return engine;
}

/* ---- [delivery], [route] ---- */

static void
settings_read_ips(const ConfigSection *section, const char *option, GArray *addresses, GPtrArray *mistakes)
{
	for (const char *const *text = config_list(section, option); *text != NULL; text++) {
		IpAddress address;

		if (ip_parse(*text, &address) && !ip_is_unspecified(&address))
			g_array_append_val(addresses, address);
		else
			settings_complain(mistakes, section, option, "\"%s\" is not the IP address of a host", *text);
	}
}

/* A file that is renewed under its name is another identity: connections of the old one are not shared. */
static char *
settings_identity(const char *certificate, const char *key)
{
	struct stat of_certificate = { 0 }, of_key = { 0 };

	(void)stat(certificate, &of_certificate);
	(void)stat(key, &of_key);
	return g_strdup_printf("%s %s %" G_GINT64_FORMAT ".%ld %" G_GINT64_FORMAT ".%ld", certificate, key,
		(gint64)of_certificate.st_mtim.tv_sec, of_certificate.st_mtim.tv_nsec, (gint64)of_key.st_mtim.tv_sec,
		of_key.st_mtim.tv_nsec);
}

static void
settings_read_route_certificate(
	const Config *config, const ConfigSection *section, NextHop *hop, GPtrArray *mistakes)
{
	const char *certificate = config_text(section, "certificate"), *key = config_text(section, "key");
	g_autoptr(GError) error = NULL;

	if (certificate == NULL && key == NULL)
		return;
	if (certificate == NULL || key == NULL) {
		settings_complain(mistakes, section, certificate != NULL ? "certificate" : "key",
			"certificate and key belong together: give both, or neither");
		return;
	}
	if (hop->tls == TLS_NONE)
		settings_complain(mistakes, section, "certificate", "a certificate is of no use without TLS (tls = none)");
	hop->client = tls_client_new_with(
		config_text(config_section(config, "delivery", NULL), "trust"), certificate, key, &error);
	if (hop->client == NULL)
		settings_complain(mistakes, section, "certificate", "%s", error->message);
	hop->identity = settings_identity(certificate, key);
}

static void
settings_read_route(
	const Config *config, const ConfigSection *section, DeliverySettings *delivery, GPtrArray *mistakes)
{
	g_autoptr(GError) error = NULL;
	const TlsPolicy tls = (TlsPolicy)config_number(section, "tls");
	g_autoptr(NextHop) hop = next_hop_parse(config_text(section, "next-hop"), tls, &error);
	const char *password = config_text(section, "password");
	const char *const *to = config_list(section, "to"), *const *modes = config_list(section, "for-mode");

	if (hop == NULL) {
		settings_complain(mistakes, section, "next-hop", "%s", error->message);
		return;
	}
	if (password != NULL && hop->user == NULL)
		settings_complain(mistakes, section, "password", "a password without a user: next-hop = smtp://USER@HOST");
	if (to[0] == NULL && modes[0] == NULL)
		settings_complain(
			mistakes, section, NULL, "which mail goes this way?  Give to = DOMAIN or for-mode = MODE");
	hop->password = g_strdup(password);
	hop->from = g_array_new(FALSE, FALSE, sizeof(IpAddress));
	settings_read_ips(section, "from-addresses", hop->from, mistakes);
	settings_read_route_certificate(config, section, hop, mistakes);
	g_ptr_array_add(delivery->routes, route_new(config_section_name(section), settings_patterns(to),
										  g_strdupv((char **)(uintptr_t)modes), g_steal_pointer(&hop)));
}

static void
settings_add_doors(const ListenerSettings *listener, GArray *doors)
{
	for (guint i = 0; i < listener->addresses->len; i++)
		for (guint k = 0; k < listener->ports->len; k++) {
			const OwnDoor door = { g_array_index(listener->addresses, IpAddress, i),
				g_array_index(listener->ports, uint16_t, k) };

			g_array_append_val(doors, door);
		}
}

/* Where mail for domains is taken an exchanger that leads to us is a loop: on port 25, and on another one that somebody
 * forwards port 25 to. */
static void
settings_read_own(const EngineSettings *engine, DeliverySettings *delivery)
{
	for (guint i = 0; i < engine->listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(engine->listeners, i);

		settings_add_doors(listener, delivery->doors);
		if (listener->is_inbound || settings_has_port(listener, 25))
			g_array_append_vals(delivery->own, listener->addresses->data, listener->addresses->len);
	}
}

DeliverySettings *
settings_delivery(const Config *config, const EngineSettings *engine, GPtrArray *mistakes)
{
	const ConfigSection *section = config_section(config, "delivery", NULL);
	const GPtrArray *routes = config_sections(config, "route");
	const char *helo = config_text(section, "helo");
	DeliverySettings *delivery = delivery_settings_new();
	g_autoptr(GError) error = NULL;

	delivery->hostname = g_strdup(engine->hostname);
	delivery->spf_record = g_strdup(config_text(section, "spf-record"));
	delivery->helo = g_strdup(helo != NULL ? helo : engine->hostname);
	delivery->tls = (TlsPolicy)config_number(section, "tls");
	delivery->retry_least_us = config_number(section, "retry");
	delivery->retry_most_us = config_number_most(section, "retry");
	delivery->expire_us = config_number(section, "expire");
	delivery->warn_after_us = config_number(section, "warn-after");
	delivery->connect_us = config_number(section, "connect-timeout");
	delivery->greeting_us = config_number(section, "greeting-timeout");
	delivery->attempt_us = config_number(section, "attempt-timeout");
	delivery->command_us = config_number(section, "command-timeout");
	delivery->data_us = config_number(section, "data-timeout");
	delivery->max_active = (unsigned)config_number(section, "max-active");
	delivery->max_deliveries = (unsigned)config_number(section, "max-deliveries");
	delivery->per_destination = (unsigned)config_number(section, "per-destination");
	delivery->per_connection = (unsigned)config_number(section, "per-connection");
	delivery->max_addresses = (unsigned)config_number(section, "max-addresses");
	delivery->ready = (unsigned)config_number(section, "ready");
	delivery->client = tls_client_new(config_text(section, "trust"), &error);
	if (delivery->client == NULL)
		settings_complain(mistakes, section, "trust", "%s", error->message);
	settings_read_ips(section, "from-addresses", delivery->from, mistakes);
	settings_read_own(engine, delivery);
	settings_read_ips(config_section(config, "server", NULL), "own-addresses", delivery->outside, mistakes);
	settings_read_networks(section, "private-networks", delivery->private_networks);
	for (guint i = 0; i < routes->len; i++)
		settings_read_route(config, g_ptr_array_index(routes, i), delivery, mistakes);
	return delivery;
}

/* ---- [tls] ---- */

static bool
settings_wants_tls(const EngineSettings *engine)
{
	for (guint i = 0; i < engine->listeners->len; i++)
		if (((const ListenerSettings *)g_ptr_array_index(engine->listeners, i))->tls != LISTENER_TLS_NONE)
			return true;
	return false;
}

static TlsServer *
settings_own_tls(const EngineSettings *engine, const char *directory, GError **error)
{
	g_autofree char *certificate = g_build_filename(directory, "own-certificate.pem", NULL);
	g_autofree char *key = g_build_filename(directory, "own-key.pem", NULL);
	const TlsCertificate rows[] = { { NULL, certificate, key }, { 0 } };
	const TlsServerSettings settings = { rows, TLS1_2_VERSION, false };

	if (!g_file_test(certificate, G_FILE_TEST_EXISTS) &&
		!tls_make_certificate(engine->hostname, certificate, key, error))
		return NULL;
	return tls_server_new(&settings, error);
}

TlsServer *
settings_tls(const Config *config, const EngineSettings *engine, const char *state_directory, GError **error)
{
	const GPtrArray *sections = config_sections(config, "tls");
	const ConfigSection *main_section = config_section(config, "tls", NULL);
	g_autofree TlsCertificate *rows = g_new0(TlsCertificate, sections->len + 1);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free); /* in A-labels, as clients ask for them */
	TlsServerSettings settings = { rows, TLS1_2_VERSION, false };

	if (!settings_wants_tls(engine))
		return NULL;
	if (sections->len == 0)
		return settings_own_tls(engine, state_directory, error);
	for (guint i = 0; i < sections->len; i++) {
		const ConfigSection *section = g_ptr_array_index(sections, i);

		const char *name = config_section_name(section);

		g_ptr_array_add(names, name != NULL ? idn_address_to_ascii(name) : NULL);
		rows[i] = (TlsCertificate){ g_ptr_array_index(names, i), config_text(section, "certificate"),
			config_text(section, "key") };
	}
	if (main_section != NULL) {
		settings.minimum = config_number(main_section, "minimum") == 1 ? TLS1_3_VERSION : TLS1_2_VERSION;
		settings.asks_client = config_bool(main_section, "ask-client-certificate");
	}
	return tls_server_new(&settings, error);
}
