/* check-doors.c - whether the addresses and ports of the configuration can be listened on. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/check.h"
#include "daemon/settings.h"
#include "io/socket.h"

static bool
doors_has(const char *running, const IpAddress *address, uint16_t port)
{
	char text[IP_TEXT_SIZE];
	g_autofree char *row = g_strdup_printf("\t%s\t%u\n", ip_format(address, text), port);

	return running != NULL && strstr(running, row) != NULL;
}

static void
doors_check(const Loaded *loaded, const ListenerSettings *listener, const IpAddress *address, uint16_t port,
	char **running, GPtrArray *mistakes)
{
	const ConfigSection *section = config_section(loaded->config, "listener", listener->name);
	char text[IP_TEXT_SIZE];
	const int fd = socket_listen(address, port, listener->is_free, NULL);
	const int why = errno;

	if (fd >= 0) {
		(void)close(fd);
		return;
	}
	if (why == EADDRINUSE && *running == NULL)
		*running = check_ask_running(loaded->config, (const char *const[]){ "listeners", NULL });
	if (why == EADDRINUSE && doors_has(*running, address, port))
		return;
	(void)ip_format(address, text);
	if (why == EADDRNOTAVAIL)
		settings_complain(mistakes, section, "addresses",
			"[listener %s] addresses: %s is no address of this machine (freebind = yes if it will be)",
			listener->name, text);
	else
		settings_complain(mistakes, section, "ports", "[listener %s] ports: cannot listen on %s port %u: %s",
			listener->name, text, port,
			why == EACCES       ? "ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE"
			: why == EADDRINUSE ? "another program has it"
								: g_strerror(why));
}

void
check_doors(const Loaded *loaded, GPtrArray *mistakes)
{
	g_autofree char *running = NULL;

	for (guint i = 0; i < loaded->engine->listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(loaded->engine->listeners, i);

		for (guint a = 0; a < listener->addresses->len; a++)
			for (guint p = 0; p < listener->ports->len; p++)
				doors_check(loaded, listener, &g_array_index(listener->addresses, IpAddress, a),
					g_array_index(listener->ports, uint16_t, p), &running, mistakes);
	}
}
