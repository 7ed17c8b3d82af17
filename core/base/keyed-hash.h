/* keyed-hash.h - hash functions for tables whose keys a peer can choose.
 *
 * g_str_hash() is public knowledge: whoever can choose names can choose 100,000 that collide, and each
 * lookup then walks through all of them.  These functions depend on a key that is drawn at random once
 * per process, so that nobody outside can predict a collision.  They have the form of GLib's GHashFunc.
 * Any thread; none of them waits, but for the very first call, which asks the system for the key. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_SIZE = 16 };

/* SipHash-2-4 of `size` octets under `key` (Aumasson and Bernstein, 2012). */
uint64_t siphash(const uint8_t key[SIPHASH_KEY_SIZE], const void *data, size_t size);

/* Under the key of this process: octets; a text; a text without regard to the case of ASCII letters. */
guint keyed_hash_octets(const void *data, size_t size);
guint keyed_hash_text(gconstpointer text);
guint keyed_hash_text_caseless(gconstpointer text);
/* The GEqualFunc beside keyed_hash_text_caseless(). */
gboolean keyed_hash_equal_caseless(gconstpointer a, gconstpointer b);
