/* process.c - the process itself. */
#include "daemon/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/settings.h"
#include "io/socket.h"
#include "mail/disk.h"

enum { PROCESS_FIRST_SOCKET = 3 };

GArray *
process_take_sockets(void)
{
	GArray *sockets = g_array_new(FALSE, FALSE, sizeof(ListenSocket));
	const char *pid = g_getenv("LISTEN_PID"), *count = g_getenv("LISTEN_FDS");
	guint64 n = 0;

	if (pid == NULL || count == NULL || atol(pid) != (long)getpid() ||
		!g_ascii_string_to_unsigned(count, 10, 0, 1000, &n, NULL))
		return sockets;
	for (int fd = PROCESS_FIRST_SOCKET; fd < PROCESS_FIRST_SOCKET + (int)n; fd++) {
		const ListenSocket passed = { fd, true };

		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		g_array_append_val(sockets, passed);
	}
	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	return sockets;
}

static bool
process_has_socket(const GArray *sockets, const IpAddress *address, uint16_t port)
{
	for (guint i = 0; i < sockets->len; i++) {
		IpAddress bound;
		uint16_t bound_port;

		if (socket_local(g_array_index(sockets, ListenSocket, i).fd, &bound, &bound_port) && bound_port == port &&
			ip_equal(&bound, address))
			return true;
	}
	return false;
}

static bool
process_bind_listener(const ListenerSettings *listener, GArray *sockets, GError **error)
{
	for (guint a = 0; a < listener->addresses->len; a++)
		for (guint p = 0; p < listener->ports->len; p++) {
			const IpAddress *address = &g_array_index(listener->addresses, IpAddress, a);
			const uint16_t port = g_array_index(listener->ports, uint16_t, p);
			ListenSocket own = { .is_passed = false };

			if (process_has_socket(sockets, address, port))
				continue;
			own.fd = socket_listen(address, port, listener->is_free, error);
			if (own.fd < 0)
				return false;
			g_array_append_val(sockets, own);
		}
	return true;
}

bool
process_bind_low_ports(const EngineSettings *engine, GArray *sockets, GError **error)
{
	if (geteuid() != 0)
		return true;
	for (guint i = 0; i < engine->listeners->len; i++)
		if (!process_bind_listener(g_ptr_array_index(engine->listeners, i), sockets, error))
			return false;
	return true;
}

/* ---- user and directories ---- */

static bool
process_make_directory(const char *path, const struct passwd *user, GError **error)
{
	const bool is_new = !g_file_test(path, G_FILE_TEST_EXISTS);

	if (!disk_make_directories(disk_system(), path, 0750, error))
		return false;
	if (is_new && user != NULL && user->pw_uid != 0 && chown(path, user->pw_uid, user->pw_gid) != 0)
		return error_set_errno(error, "cannot give the directory %s to %s", path, user->pw_name);
	return true;
}

static bool
process_make_directories(const Config *config, const struct passwd *user, GError **error)
{
	g_autofree char *directory = settings_parent_of(config_text(config_section(config, "directory", NULL), "at"));
	g_autofree char *store = settings_parent_of(config_text(config_section(config, "store", NULL), "at"));
	g_autofree char *control = g_path_get_dirname(config_text(config_section(config, "server", NULL), "control"));
	const char *const paths[] = { config_text(config_section(config, "spool", NULL), "directory"), directory,
		store, config_text(config_section(config, "log", NULL), "refusals"), control };

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		if (paths[i] != NULL && !process_make_directory(paths[i], user, error))
			return false;
	return true;
}

bool
process_become_user(const Config *config, GError **error)
{
	const char *name = config_text(config_section(config, "server", NULL), "user");
	const struct passwd *user = NULL;

	if (geteuid() != 0)
		return process_make_directories(config, NULL, error);
	user = getpwnam(name);
	if (user == NULL)
		return error_set(error, POSTERN_ERROR_INVALID,
			"there is no user \"%s\": make one (useradd --system %s), or set [server] user", name, name);
	if (!process_make_directories(config, user, error))
		return false;
	return process_take_user(config, error);
}

bool
process_take_user(const Config *config, GError **error)
{
	const ConfigSection *server = config_section(config, "server", NULL);
	const char *name = config_text(server, "user");
	const struct passwd *user = geteuid() == 0 ? getpwnam(name) : NULL;

	if (user == NULL || user->pw_uid == 0)
		return true;
	if (setgroups(1, &user->pw_gid) != 0 || setgid(user->pw_gid) != 0)
		return error_set_errno(error, "cannot take the group of %s", name);
	if (setuid(user->pw_uid) != 0)
		return error_set_errno(error, "cannot become user %s", name);
	return true;
}

void
process_raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int64_t
process_watchdog_us(void)
{
	const char *us = g_getenv("WATCHDOG_USEC"), *pid = g_getenv("WATCHDOG_PID");
	gint64 every_us = 0;

	if (us == NULL || (pid != NULL && atol(pid) != (long)getpid()) ||
		!g_ascii_string_to_signed(us, 10, 1, G_MAXINT64, &every_us, NULL))
		return 0;
	return every_us;
}

void
process_notify(const char *state)
{
	const char *path = g_getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (path == NULL || strlen(path) >= sizeof address.sun_path)
		return;
	memcpy(address.sun_path, path, strlen(path));
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	(void)close(fd);
}
