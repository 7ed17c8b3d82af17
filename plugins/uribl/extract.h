/* extract.h - from a message to the hosts that it names. */
#pragma once

#include "plugins/mime/mime.h"
#include "plugins/uribl/text.h"

typedef struct {
	unsigned most_parts, most_depth;
	size_t most_octets; /* of text, decoded */
	bool takes_bare, takes_addresses;
} ExtractLimits;

/* Fills `hosts`.  MIME_NOT_PLAIN (of MIME_PLAIN alone): what is in them says nothing. */
MimeResult extract_hosts(
	Hosts *hosts, const char *content, size_t size, const ExtractLimits *limits, MimeMeans means);
