/* control-access.c - who may use the control socket: decided by the kernel's word on the process that connected. */
#include "daemon/control-access.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

bool
control_access_find_group(const char *name, gid_t *group, GError **error)
{
	const struct group *found = name != NULL ? getgrnam(name) : NULL;

	if (name != NULL && found == NULL)
		return error_set(
			error, POSTERN_ERROR_INVALID, "there is no group \"%s\" ([server] control-group)", name);
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

static bool
control_access_peer(int fd, struct ucred *peer, GError **error)
{
	socklen_t size = sizeof *peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0 ||
		   error_set_errno(error, "cannot find out who is asking");
}

static bool
control_access_is_owner(const struct ucred *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

bool
control_access_check_owner(GSocket *socket, const char *command, GError **error)
{
	struct ucred peer;

	if (!control_access_peer(g_socket_get_fd(socket), &peer, error))
		return false;
	return control_access_is_owner(&peer) ||
		   error_set(error, POSTERN_ERROR_INVALID,
			   "%s hands out password hashes and secrets: only root and the daemon's user may ask for it, "
			   "not user %u",
			   command, (unsigned)peer.uid);
}

bool
control_access_check(GSocket *socket, gid_t group, GError **error)
{
	const int fd = g_socket_get_fd(socket);
	struct ucred peer;

	if (!control_access_peer(fd, &peer, error))
		return false;
	if (control_access_is_owner(&peer) || control_access_is_member(fd, &peer, group))
		return true;
	return error_set(error, POSTERN_ERROR_INVALID,
		"user %u may not give commands: only root, the daemon's user, and members of [server] control-group%s may",
		(unsigned)peer.uid, group == CONTROL_NO_GROUP ? " (not set)" : "");
}
