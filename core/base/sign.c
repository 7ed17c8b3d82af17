/* sign.c - signatures in letters. */
#include "base/sign.h"

#include <glib.h>
#include <string.h>

enum { SIGN_DIGEST = 32 };

const char sign_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

void
sign_text(const char *secret, const char *text, char *letters, size_t size)
{
	g_autofree char *lower = g_ascii_strdown(text, -1);
	guint8 digest[SIGN_DIGEST];
	gsize length = sizeof digest;
	GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)secret, strlen(secret));

	g_hmac_update(hmac, (const guchar *)lower, (gssize)strlen(lower));
	g_hmac_get_digest(hmac, digest, &length);
	g_hmac_unref(hmac);
	for (size_t i = 0; i < size; i++) {
		const size_t bit = 5 * i;
		const unsigned pair = ((unsigned)digest[bit / 8] << 8) | digest[bit / 8 + 1];

		letters[i] = sign_letters[(pair >> (11 - bit % 8)) & 31];
	}
	letters[size] = '\0';
}

bool
sign_is_same(const char *a, const char *b, size_t size)
{
	unsigned difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= (unsigned)((unsigned char)a[i] ^ (unsigned char)b[i]);
	return difference == 0;
}
