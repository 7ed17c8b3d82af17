/* html.h - links in HTML: attributes that lead somewhere, and the text as it is read. */
#pragma once

#include "plugins/uribl/text.h"

/* UTF-8, as far as it is; any octets, however broken the tags are.  Returns how many octets are done; of the others,
 * unless `is_last`, are of a word or of markup that may go on: they are to come again, with more behind them. */
size_t html_find(const LinkFinder *finder, const char *html, size_t size, bool is_last);
