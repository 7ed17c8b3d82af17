/* control-access.h - who may use the control socket. */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>
#include <sys/types.h>

#define CONTROL_NO_GROUP ((gid_t)-1)

/* The group of that name; CONTROL_NO_GROUP for NULL.  False with a sentence if there is no such group.
 * Reads the group database, which may block: for the start of the daemon. */
bool control_access_find_group(const char *name, gid_t *group, GError **error);

/* Whether the process at the other end of a Unix socket may give commands: that of root, of our own user, or of a
 * member of `group`, as its primary or a supplementary group.  What counts is what the process was when it connected
 * (SO_PEERCRED and SO_PEERGROUPS of socket(7) and unix(7)), so the socket's file needs no owner but the daemon's user,
 * and the daemon no right to change owners.  False with a sentence for the client.  Does not block; any thread. */
bool control_access_check(GSocket *socket, gid_t group, GError **error);
/* The same for commands that hand out secrets: root and our own user alone.  False with a sentence. */
bool control_access_check_owner(GSocket *socket, const char *command, GError **error);
