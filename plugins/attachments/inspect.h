/* inspect.h - the attachments of a message, and why one of them is not accepted. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugins/mime/mime.h"

typedef struct {
	GPtrArray *names, *types; /* patterns of names.h */
	bool looks_into_archives, refuses_encrypted, refuses_unlisted;
	unsigned most_entries;
	size_t most_archive; /* octets of an archive that is looked into, decoded */
	MimeLimits mime;
} InspectRules;

typedef struct {
	char *name; /* of the file, "b.exe in a.zip", NULL: nothing is refused */
	const char *why;
	bool is_cut;      /* there are more parts than were looked at */
	bool is_unlisted; /* an archive could not be looked into */
} Finding;

/* The first attachment that is not accepted.  `finding` is cleared by the caller with g_free(name). */
void inspect(Finding *finding, const char *content, size_t size, const InspectRules *rules);
