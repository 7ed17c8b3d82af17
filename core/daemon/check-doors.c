/* check-doors.c - whether the addresses and ports of the configuration can be listened on. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/check.h"
#include "daemon/settings.h"
#include "io/port-holder.h"
#include "io/socket.h"

static bool
doors_has(const char *running, const IpAddress *address, uint16_t port)
{
	char text[IP_TEXT_SIZE];
	g_autofree char *row = g_strdup_printf("\t%s\t%u\n", ip_format(address, text), port);

	return running != NULL && strstr(running, row) != NULL;
}

/* "postern", if this process is of postern.service; new. */
static char *
doors_own_service(void)
{
	g_autofree char *groups = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents("/proc/self/cgroup", &groups, NULL, NULL))
		return NULL;
	lines = g_strsplit(groups, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		const char *unit = port_holder_unit(*line);

		if (g_str_has_prefix(*line, "0::") && g_str_has_suffix(unit, ".service"))
			return g_strndup(unit, strlen(unit) - strlen(".service"));
	}
	return NULL;
}

/* systemd listens for postern.socket before it starts postern.service, and passes the sockets on (LISTEN_FDS), but not to
 * ExecStartPre=. */
static bool
doors_is_passed(const char *holder)
{
	g_autofree char *own = doors_own_service();
	g_autofree char *socket = own != NULL ? g_strconcat(own, ".socket", NULL) : NULL;

	return socket != NULL && strcmp(port_holder_unit(holder), socket) == 0;
}

/* EADDRINUSE, and not by the daemon of this configuration. */
static void
doors_judge_holder(const Loaded *loaded, const ListenerSettings *listener, const ConfigSection *section,
	const IpAddress *address, uint16_t port, GPtrArray *mistakes)
{
	bool is_same = false;
	g_autofree char *holder = port_holder_find(address, port, &is_same);
	const bool is_systemd = holder != NULL && port_holder_is_systemd(holder) && is_same;
	char text[IP_TEXT_SIZE];

	(void)ip_format(address, text);
	if (is_systemd && doors_is_passed(holder))
		return;
	if (is_systemd)
		settings_complain(loaded->warnings, section, "ports",
			"[listener %s] ports: systemd listens on %s port %u (%s): the start fails unless that is the "
			"socket unit of its service",
			listener->name, text, port, port_holder_unit(holder));
	else
		settings_complain(mistakes, section, "ports",
			"[listener %s] ports: cannot listen on %s port %u: another program has it%s%s%s", listener->name,
			text, port, holder != NULL ? " (" : "", holder != NULL ? port_holder_unit(holder) : "",
			holder != NULL ? ")" : "");
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
	if (why == EADDRINUSE) {
		doors_judge_holder(loaded, listener, section, address, port, mistakes);
		return;
	}
	(void)ip_format(address, text);
	if (why == EADDRNOTAVAIL)
		settings_complain(mistakes, section, "addresses",
			"[listener %s] addresses: %s is no address of this machine (freebind = yes if it will be)",
			listener->name, text);
	else
		settings_complain(mistakes, section, "ports", "[listener %s] ports: cannot listen on %s port %u: %s",
			listener->name, text, port,
			why == EACCES ? "ports below 1024 need root, or the capability CAP_NET_BIND_SERVICE"
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
