/* keyed-hash.c - SipHash-2-4, and its key. */
#include "base/keyed-hash.h"

#include <pthread.h>
#include <string.h>

#include "base/random.h"

/* ---- SipHash ---- */

typedef struct {
	uint64_t v0, v1, v2, v3;
} SipState;

static uint64_t
sip_rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static uint64_t
sip_load(const uint8_t *octets)
{
	uint64_t word;

	memcpy(&word, octets, sizeof word);
	return GUINT64_FROM_LE(word);
}

static void
sip_round(SipState *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = sip_rotate(s->v1, 13) ^ s->v0;
	s->v3 = sip_rotate(s->v3, 16) ^ s->v2;
	s->v0 = sip_rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = sip_rotate(s->v1, 17) ^ s->v2;
	s->v3 = sip_rotate(s->v3, 21) ^ s->v0;
	s->v2 = sip_rotate(s->v2, 32);
}

static void
sip_take(SipState *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

/* The octets that fill no word, and the length in the highest octet. */
static uint64_t
sip_last_word(const uint8_t *rest, size_t size)
{
	uint64_t word = (uint64_t)size << 56;

	for (size_t i = 0; i < size % 8; i++)
		word |= (uint64_t)rest[i] << (8 * i);
	return word;
}

uint64_t
siphash(const uint8_t key[SIPHASH_KEY_SIZE], const void *data, size_t size)
{
	const uint64_t k0 = sip_load(key), k1 = sip_load(key + 8);
	const uint8_t *octets = data;
	const size_t whole = size - size % 8;
	/* The ASCII letters of "somepseudorandomlygeneratedbytes". */
	SipState s = { k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
		k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573) };

	for (size_t i = 0; i < whole; i += 8)
		sip_take(&s, sip_load(octets + i));
	sip_take(&s, sip_last_word(octets + whole, size));
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* ---- under the key of this process ---- */

/* Without a key that nobody knows the tables would be open to whoever reads this source.  Process-wide: tables outlive
 * the configuration they were made for, and plugins use the same key. */
static uint8_t keyed_hash_process_key[SIPHASH_KEY_SIZE];

static void
keyed_hash_draw_key(void)
{
	random_fill(keyed_hash_process_key, sizeof keyed_hash_process_key);
}

/* By pthread_once(), which ThreadSanitizer knows, unlike GLib's. */
static const uint8_t *
keyed_hash_key(void)
{
	static pthread_once_t is_drawn = PTHREAD_ONCE_INIT;

	(void)pthread_once(&is_drawn, keyed_hash_draw_key);
	return keyed_hash_process_key;
}

guint
keyed_hash_octets(const void *data, size_t size)
{
	return (guint)siphash(keyed_hash_key(), data, size);
}

guint
keyed_hash_text(gconstpointer text)
{
	return keyed_hash_octets(text, strlen(text));
}

guint
keyed_hash_text_caseless(gconstpointer text)
{
	g_autofree char *lower = g_ascii_strdown(text, -1);

	return keyed_hash_text(lower);
}

gboolean
keyed_hash_equal_caseless(gconstpointer a, gconstpointer b)
{
	return g_ascii_strcasecmp(a, b) == 0;
}
