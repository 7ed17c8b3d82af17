/* check-running.c - what the daemon of this configuration says, if it runs: it has its ports, and local stores are its alone. */
#include <gio/gunixsocketaddress.h>

#include "daemon/answer.h"
#include "daemon/check.h"

enum { RUNNING_PATIENCE_S = 5 };

char *
check_ask_running(const Config *config, const char *const *words)
{
	const char *path = config_text(config_section(config, "server", NULL), "control");
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
	g_autoptr(GSocketConnection) connection = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	char octets[4096];
	gssize n;

	g_socket_client_set_timeout(client, RUNNING_PATIENCE_S);
	connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
	if (connection == NULL ||
		!request_write(g_io_stream_get_output_stream(G_IO_STREAM(connection)), words, NULL, NULL))
		return NULL;
	while ((n = g_input_stream_read(g_io_stream_get_input_stream(G_IO_STREAM(connection)), octets, sizeof octets,
				NULL, NULL)) > 0)
		g_string_append_len(text, octets, n);
	return g_strdup(text->str);
}
