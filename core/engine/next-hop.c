/* next-hop.c - where a recipient's mail goes next. */
#include "engine/next-hop.h"

#include <string.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/ip.h"
#include "proto/idn.h"
#include "proto/path.h"

enum { NEXT_HOP_PORT = 25, NEXT_HOP_LMTP_PORT = 24, NEXT_HOP_TLS_PORT = 465 };

void
next_hop_free(NextHop *hop)
{
	if (hop == NULL)
		return;
	g_free(hop->host);
	g_free(hop->path);
	g_free(hop->user);
	if (hop->password != NULL)
		explicit_bzero(hop->password, strlen(hop->password));
	g_free(hop->password);
	g_free(hop->text);
	tls_client_free(hop->client);
	g_free(hop->identity);
	if (hop->from != NULL)
		g_array_unref(hop->from);
	g_free(hop);
}

NextHop *
next_hop_copy(const NextHop *hop)
{
	NextHop *copy = g_memdup2(hop, sizeof *hop);

	copy->host = g_strdup(hop->host);
	copy->path = g_strdup(hop->path);
	copy->user = g_strdup(hop->user);
	copy->password = g_strdup(hop->password);
	copy->text = g_strdup(hop->text);
	copy->client = tls_client_ref(hop->client);
	copy->identity = g_strdup(hop->identity);
	copy->from = hop->from != NULL ? g_array_ref(hop->from) : NULL;
	return copy;
}

bool
next_hop_is_local(const char *host)
{
	IpAddress address;

	return ip_parse(host, &address) ? ip_is_loopback(&address) : g_ascii_strcasecmp(host, "localhost") == 0;
}

NextHopLogin
next_hop_login(const NextHop *hop)
{
	if ((hop->user == NULL && hop->password == NULL) || hop->path != NULL || hop->tls == TLS_VERIFY ||
		(hop->host != NULL && next_hop_is_local(hop->host)))
		return LOGIN_PROTECTED;
	return hop->tls == TLS_ENCRYPT ? LOGIN_UNVERIFIED : LOGIN_IN_CLEAR;
}

/* Keys live in tables and are freed as they are: of the password they have a digest. */
char *
next_hop_key(const NextHop *hop)
{
	g_autofree char *digest =
		hop->password != NULL ? g_compute_hmac_for_string(G_CHECKSUM_SHA256, (const guchar *)hop->text,
									strlen(hop->text), hop->password, -1)
							  : g_strdup("");

	g_autoptr(GString) from = g_string_new(NULL);
	char text[IP_TEXT_SIZE];

	for (guint i = 0; hop->from != NULL && i < hop->from->len; i++)
		g_string_append_printf(from, " %s", ip_format(&g_array_index(hop->from, IpAddress, i), text));
	return g_strdup_printf("%s %d %d %d %s %s%s", hop->text, (int)hop->tls, (int)hop->on_missing,
		(int)hop->is_trusted, digest, hop->identity != NULL ? hop->identity : "", from->str);
}

NextHop *
next_hop_for_domain(const char *domain, TlsPolicy tls)
{
	NextHop *hop = g_new0(NextHop, 1);

	hop->kind = HOP_MX;
	hop->host = g_ascii_strdown(domain, -1);
	hop->port = NEXT_HOP_PORT;
	hop->tls = tls;
	hop->text = g_strdup_printf("mx:%s", hop->host);
	return hop;
}

static bool
next_hop_take_port(NextHop *hop, const char *text, GError **error)
{
	guint64 port = hop->is_wrapped           ? NEXT_HOP_TLS_PORT
				   : hop->kind == HOP_LMTP ? NEXT_HOP_LMTP_PORT
										   : NEXT_HOP_PORT;

	if (text[0] != '\0' && (text[0] != ':' || !g_ascii_string_to_unsigned(text + 1, 10, 1, 65535, &port, NULL)))
		return error_set(
			error, POSTERN_ERROR_INVALID, "\"%s\": the port is 1 to 65535, behind a colon", hop->text);
	hop->port = (uint16_t)port;
	return true;
}

/* What can be no name stays, for a complaint.  New. */
static char *
next_hop_name(const char *text, size_t size)
{
	char *ascii = idn_to_ascii(text, size);

	return ascii != NULL ? ascii : g_ascii_strdown(text, (gssize)size);
}

/* HOST[:PORT] or [ADDRESS][:PORT] */
static bool
next_hop_take_host(NextHop *hop, const char *text, GError **error)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : text + strcspn(text, ":");
	IpAddress address;

	if (end == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\": a bracket is not closed", hop->text);
	hop->host =
		text[0] == '[' ? g_strndup(text + 1, (size_t)(end - text - 1)) : next_hop_name(text, (size_t)(end - text));
	if (text[0] == '[' && !ip_parse(hop->host, &address))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\": brackets hold an IP address", hop->text);
	if (text[0] != '[' && !domain_is_valid(hop->host) && !ip_parse(hop->host, &address))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\": \"%s\" is no host name", hop->text, hop->host);
	return next_hop_take_port(hop, text[0] == '[' ? end + 1 : end, error);
}

/* Who can reach the socket reads the mailboxes anyway: it is never spoken to in TLS. */
static bool
next_hop_take_path(NextHop *hop, const char *path, GError **error)
{
	if (path[0] != '/' || strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
		return error_set(error, POSTERN_ERROR_INVALID,
			"\"%s\": the path of a socket begins with / and has %zu octets at the most", hop->text,
			sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
	hop->path = g_strdup(path);
	hop->tls = TLS_NONE;
	return true;
}

/* unix:/PATH, or [//][USER@]HOST[:PORT] */
static bool
next_hop_take_server(NextHop *hop, const char *text, GError **error)
{
	const char *at;

	if (hop->kind == HOP_LMTP && g_str_has_prefix(text, "unix:"))
		return next_hop_take_path(hop, text + strlen("unix:"), error);
	if (g_str_has_prefix(text, "//"))
		text += 2;
	at = strrchr(text, '@');
	if (at != NULL)
		hop->user = g_strndup(text, (size_t)(at - text));
	return next_hop_take_host(hop, at != NULL ? at + 1 : text, error);
}

NextHop *
next_hop_parse(const char *text, TlsPolicy tls, GError **error)
{
	g_autoptr(NextHop) hop = g_new0(NextHop, 1);
	hop->text = g_strdup(text);
	hop->tls = tls;
	if (g_str_has_prefix(text, "plugin:")) {
		hop->kind = HOP_PLUGIN;
		hop->host = g_strdup(text + strlen("plugin:"));
		return g_steal_pointer(&hop);
	}
	if (g_str_has_prefix(text, "mx:"))
		return next_hop_for_domain(text + strlen("mx:"), tls);
	hop->is_wrapped = g_str_has_prefix(text, "smtps:");
	if (!hop->is_wrapped && !g_str_has_prefix(text, "smtp:") && !g_str_has_prefix(text, "lmtp:")) {
		error_set(error, POSTERN_ERROR_INVALID,
			"\"%s\" is no next hop: smtp://HOST:PORT, smtp:[ADDRESS]:PORT, smtps://HOST:PORT, lmtp:unix:/PATH, "
			"lmtp://HOST:PORT, mx:DOMAIN",
			text);
		return NULL;
	}
	hop->kind = text[0] == 'l' ? HOP_LMTP : HOP_SMTP;
	if (hop->is_wrapped && tls == TLS_MAY) /* there is no way in clear */
		hop->tls = TLS_ENCRYPT;
	if (hop->is_wrapped && tls == TLS_NONE) {
		error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is TLS from the start, and tls = none forbids it", text);
		return NULL;
	}
	return next_hop_take_server(hop, strchr(text, ':') + 1, error) ? g_steal_pointer(&hop) : NULL;
}
