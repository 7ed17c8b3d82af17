/* owner.c - what root makes for the daemon belongs to the daemon's user. */
#include "daemon/owner.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

const char *
owner_file_of(const char *url)
{
	return g_str_has_prefix(url, "sqlite:") ? url + strlen("sqlite:") : NULL;
}

bool
owner_give(const char *user, const char *path, GError **error)
{
	const struct passwd *found = geteuid() == 0 && user != NULL ? getpwnam(user) : NULL;

	if (found == NULL || lchown(path, found->pw_uid, found->pw_gid) == 0 || errno == ENOENT)
		return true;
	return error_set_errno(error, "cannot give %s to user %s", path, user);
}

bool
owner_give_store(const char *user, const char *url, GError **error)
{
	static const char *const endings[] = { "", "-wal", "-shm", "-journal", ".lock" };
	const char *file = owner_file_of(url);

	for (size_t i = 0; file != NULL && i < G_N_ELEMENTS(endings); i++) {
		g_autofree char *path = g_strconcat(file, endings[i], NULL);

		if (!owner_give(user, path, error))
			return false;
	}
	return true;
}
