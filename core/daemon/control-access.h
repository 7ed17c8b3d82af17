/* control-access.h - who may use the control socket, and for what. */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>
#include <sys/types.h>

#define CONTROL_NO_GROUP ((gid_t)-1)

typedef enum {
	ROLE_NONE,
	ROLE_SUPPORT,  /* looks, and sees no secret: members of [server] support-group */
	ROLE_OPERATOR, /* everything but to take all secrets away: members of [server] control-group */
	ROLE_OWNER,    /* everything: root, the daemon's user */
} ControlRole;

typedef struct {
	gid_t operators, support; /* CONTROL_NO_GROUP: nobody */
} ControlGroups;

typedef struct {
	ControlRole role;
	uid_t uid;
	char *name; /* of the user, else the number; freed by control_peer_clear() */
} ControlPeer;

/* The group that `option` of [server] names; CONTROL_NO_GROUP for NULL.  False with a sentence if there is no such group.
 * Reads the group database, which may block: for the start of the daemon. */
bool control_access_find_group(const char *option, const char *name, gid_t *group, GError **error);

/* Who is at the other end of a Unix socket, and the role that this user or one of its groups, the primary or a supplementary
 * one, gives it; of two roles the greater.  What counts is what the process was when it connected
 * (SO_PEERCRED and SO_PEERGROUPS of socket(7) and unix(7)), so the socket's file needs no owner but the daemon's user,
 * and the daemon no right to change owners.  False with a sentence for the client if it has no role.  Reads the database of
 * users, which may block; any thread. */
bool control_access_check(GSocket *socket, const ControlGroups *groups, ControlPeer *peer, GError **error);
void control_peer_clear(ControlPeer *peer);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ControlPeer, control_peer_clear)
