/* source.h - what the value of a filter is: an address or network of one family, or the name of a host. */
#pragma once

#include <stdbool.h>

typedef enum { SOURCE_NETWORK, SOURCE_HOST } SourceKind;

/* What the value was meant to be; it need not be well-formed. */
SourceKind source_kind(const char *value);
/* NULL, or what is wrong with an address or network of the family, with what would be right; new. */
char *source_network_complaint(const char *value, bool is_ipv6);
/* The same for a host name, which must be a full one. */
char *source_host_complaint(const char *value);
