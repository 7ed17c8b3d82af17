/* connection-proxy.c - the PROXY header in front of a connection: whose it is, and what the proxy knows of the client. */
#include <sys/socket.h>

#include "base/keyed-hash.h"
#include "base/log.h"
#include "engine/connection-private.h"
#include "io/socket.h"
#include "proto/proxy.h"

static void
connection_add_fact(GHashTable *facts, const char *name, const char *value)
{
	if (value[0] != '\0')
		g_hash_table_insert(facts, (gpointer)(guintptr)name, g_strdup(value));
}

/* New; NULL: nothing was said. */
static GHashTable *
connection_proxy_facts(const ProxyTlvs *tlvs)
{
	GHashTable *facts = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, g_free);

	connection_add_fact(facts, "authority", tlvs->authority);
	connection_add_fact(facts, "alpn", tlvs->alpn);
	connection_add_fact(facts, "tls", tlvs->is_tls ? "yes" : "");
	connection_add_fact(facts, "tls.version", tlvs->tls_version);
	connection_add_fact(facts, "tls.cipher", tlvs->tls_cipher);
	connection_add_fact(facts, "tls.client-name", tlvs->tls_client_name);
	connection_add_fact(facts, "tls.verified", tlvs->is_verified ? "yes" : "");
	if (g_hash_table_size(facts) == 0)
		g_clear_pointer(&facts, g_hash_table_unref);
	return facts;
}

/* From here on the connection is its client's; what the proxy itself asks (LOCAL) is nobody's. */
static bool
connection_admit_proxied(Connection *connection, const ProxyHeader *header)
{
	Server *server = connection->side->server;
	ServerClient *client = &connection->client;
	const int fd = connection->stream.fd;
	const BudgetRefusal *refusal;

	client->address = header->client;
	client->port = header->client_port;
	if (server_blocks(server->engine, connection->snapshot, connection->listener, fd, &client->address))
		return false;
	refusal = server_admit_client(server, connection->snapshot, client);
	if (refusal != NULL)
		server_refuse(server, connection->snapshot, connection->listener, fd, client, refusal);
	return refusal == NULL;
}

/* The header is taken from the socket octet for octet: what follows it may be TLS. */
void
connection_read_proxy(Connection *connection)
{
	char header[PROXY_HEADER_MAX];
	const ssize_t n = socket_peek(connection->stream.fd, header, sizeof header);
	ProxyHeader parsed;
	size_t used;
	ProxyResult result;

	if (n < 0)
		return;
	if (n == 0) { /* the proxy looks whether we are there */
		connection_close(connection);
		return;
	}
	result = proxy_parse(header, (size_t)n, &parsed, &used);
	if (result == PROXY_MORE && n < PROXY_HEADER_MAX) {
		socket_wait_for_more(
			connection->stream.fd, (size_t)n + 1); /* what is only looked at would wake us at once */
		return;
	}
	socket_wait_for_more(connection->stream.fd, 1);
	if (result != PROXY_OK || recv(connection->stream.fd, header, used, 0) != (ssize_t)used) {
		char text[IP_TEXT_SIZE];

		log_event(LOG_LEVEL_WARNING, "no PROXY header from a trusted proxy", "client",
			ip_format(&connection->peer, text), NULL);
		connection_close(connection);
		return;
	}
	connection->proxy = connection_proxy_facts(&parsed.tlvs);
	if (parsed.is_local || connection_admit_proxied(connection, &parsed))
		connection_choose(connection);
	else
		connection_close(connection);
}
