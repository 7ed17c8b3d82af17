/* text.h - links in running text, and in the values of attributes. */
#pragma once

#include "plugins/uribl/hosts.h"

typedef struct {
	Hosts *hosts;
	bool takes_bare;      /* "shop.example" without scheme and "www." is a link */
	bool takes_addresses; /* the domain of a mail address counts, too */
} LinkFinder;

enum { TEXT_SCHEMES_ONLY = 1 }; /* source code: only what has a scheme is a link */

/* UTF-8, as far as it is; any octets. */
void text_find(const LinkFinder *finder, const char *text, size_t size, unsigned flags);
/* The value of href, src, …: tabs and line ends do not count, slashes lean either way, the scheme may be missing. */
void text_find_in_url(const LinkFinder *finder, char *url, size_t size);
