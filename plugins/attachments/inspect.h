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

typedef enum { FOUND_NOTHING, FOUND_KIND, FOUND_UNLISTED, FOUND_ENCRYPTED, FOUND_WHYS } FoundWhy;

typedef struct {
	char *name; /* of the file, "b.exe in a.zip", printable ASCII; NULL: nothing is refused */
	FoundWhy why;
	bool is_cut;      /* there are more parts than were looked at */
	bool is_unlisted; /* an archive could not be looked into */
} Finding;

/* The first attachment that is not accepted.  `finding` is cleared by the caller with g_free(name).  False (of MIME_PLAIN alone):
 * the message is not plain, or has an archive that only the library reads. */
bool inspect(Finding *finding, const char *content, size_t size, const InspectRules *rules, MimeMeans means);
