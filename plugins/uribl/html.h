/* html.h - links in HTML: attributes that lead somewhere, and the text as it is read. */
#pragma once

#include "plugins/uribl/text.h"

/* UTF-8, as far as it is; any octets, however broken the tags are. */
void html_find(const LinkFinder *finder, const char *html, size_t size);
