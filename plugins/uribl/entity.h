/* entity.h - character references of HTML. */
#pragma once

#include <stddef.h>

/* Decodes into `out`, which has room for `size` octets: it never grows.  Octets written. */
size_t entity_decode(const char *text, size_t size, char *out);
