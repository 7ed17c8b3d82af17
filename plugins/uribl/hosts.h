/* hosts.h - the hosts that a message names: made comparable, reduced to what lists are asked for, and counted. */
#pragma once

#include <glib.h>
#include <libpsl.h>
#include <stdbool.h>

/* How sure it is that a reader's program makes a link of it: the surest ones are asked for first. */
typedef enum { LINK_EXPLICIT, LINK_WWW, LINK_BARE, LINK_KINDS } LinkKind;

typedef struct Hosts Hosts;

typedef struct {
	char *name;     /* "shop.example", "xn--…", "192.0.2.1", "2001:db8::1" */
	bool is_number; /* an address: asked for reversed */
} Domain;

/* `psl` must outlive it.  `most`: hosts of each kind that are looked at, as they are written. */
Hosts *hosts_new(const psl_ctx_t *psl, unsigned most);
void hosts_free(Hosts *hosts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Hosts, hosts_free)

/* `host` as it was found: any case, UTF-8, numbers of any base, "[…]"; what is none is left out. */
void hosts_add(Hosts *hosts, const char *host, size_t size, LinkKind kind);
/* True if the text ends with ".TLD" of a registry. */
bool hosts_ends_with_tld(Hosts *hosts, const char *host, size_t size);

/* The first `most` by kind and order; of Domain*, borrowed.  New. */
GPtrArray *hosts_domains(const Hosts *hosts, unsigned most);
unsigned hosts_count(const Hosts *hosts);
/* More hosts were found than are looked at. */
bool hosts_are_cut(const Hosts *hosts);
