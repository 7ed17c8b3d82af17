/* control-access.c - who may use the control socket: decided by the kernel's word on the process that connected. */
#include "daemon/control-access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

bool
control_access_find_group(const char *option, const char *name, gid_t *group, GError **error)
{
	const struct group *found = name != NULL ? getgrnam(name) : NULL;

	if (name != NULL && found == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "there is no group \"%s\" ([server] %s)", name, option);
	*group = found != NULL ? found->gr_gid : CONTROL_NO_GROUP;
	return true;
}

/* The supplementary groups of the process, in a new array; NULL: they are not known. */
static gid_t *
control_access_groups(int fd, size_t *n)
{
	socklen_t size = 64 * sizeof(gid_t);
	gid_t *groups = g_malloc(size);

	while (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0) {
		if (errno != ERANGE) { /* else size is what it takes */
			g_free(groups);
			return NULL;
		}
		groups = g_realloc(groups, size);
	}
	*n = size / sizeof(gid_t);
	return groups;
}

static bool
control_access_is_member(int fd, const struct ucred *peer, gid_t group)
{
	g_autofree gid_t *groups = NULL;
	size_t n = 0;

	if (group == CONTROL_NO_GROUP)
		return false;
	if (peer->gid == group)
		return true;
	groups = control_access_groups(fd, &n);
	for (size_t i = 0; i < n; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* The user's name; its number if the database of users does not know it or cannot be read now.  New. */
static char *
control_access_name(uid_t uid)
{
	char buffer[4096];
	struct passwd user, *found = NULL;

	if (getpwuid_r(uid, &user, buffer, sizeof buffer, &found) == 0 && found != NULL)
		return g_strdup(found->pw_name);
	return g_strdup_printf("%u", (unsigned)uid);
}

static ControlRole
control_access_role(int fd, const struct ucred *peer, const ControlGroups *groups)
{
	if (peer->uid == 0 || peer->uid == geteuid())
		return ROLE_OWNER;
	if (control_access_is_member(fd, peer, groups->operators))
		return ROLE_OPERATOR;
	return control_access_is_member(fd, peer, groups->support) ? ROLE_SUPPORT : ROLE_NONE;
}

bool
control_access_check(GSocket *socket, const ControlGroups *groups, ControlPeer *peer, GError **error)
{
	const int fd = g_socket_get_fd(socket);
	struct ucred found;
	socklen_t size = sizeof found;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &size) != 0)
		return error_set_errno(error, "cannot find out who is asking");
	*peer = (ControlPeer){ control_access_role(fd, &found, groups), found.uid, NULL };
	if (peer->role != ROLE_NONE) {
		peer->name = control_access_name(found.uid);
		return true;
	}
	return error_set(error, POSTERN_ERROR_INVALID,
		"user %u may not give commands: only root, the daemon's user, and members of [server] control-group%s and "
		"support-group%s may",
		(unsigned)found.uid, groups->operators == CONTROL_NO_GROUP ? " (not set)" : "",
		groups->support == CONTROL_NO_GROUP ? " (not set)" : "");
}

void
control_peer_clear(ControlPeer *peer)
{
	g_free(peer->name);
}
