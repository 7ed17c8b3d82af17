/* srs.c - signed senders for forwarded mail. */
#include "proto/srs.h"

#include <glib.h>
#include <string.h>

#include "proto/path.h"

enum {
	SRS_HASH = 8, /* letters: 40 bits, and who guesses is refused one RCPT at a time */
	SRS_TAG = 16,
	SRS_DAYS = 1024,
	SRS_START = 5 /* of "SRS0=" */
};

static const char srs_letters[] = "abcdefghijklmnopqrstuvwxyz234567"; /* base32 (RFC 4648 6) */

/* `size` letters of an HMAC-SHA256 (5 bits each) over the text in lower case. */
static void
srs_sign(const char *secret, const char *text, char *letters, size_t size)
{
	g_autofree char *lower = g_ascii_strdown(text, -1);
	guint8 digest[32];
	gsize length = sizeof digest;
	GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, (const guchar *)secret, strlen(secret));

	g_hmac_update(hmac, (const guchar *)lower, (gssize)strlen(lower));
	g_hmac_get_digest(hmac, digest, &length);
	g_hmac_unref(hmac);
	for (size_t i = 0; i < size; i++) {
		const size_t bit = 5 * i;
		const unsigned pair = ((unsigned)digest[bit / 8] << 8) | digest[bit / 8 + 1];

		letters[i] = srs_letters[(pair >> (11 - bit % 8)) & 31];
	}
	letters[size] = '\0';
}

/* An atom may stand in a local part without quotes (RFC 5321 4.1.2); dots only within. */
static bool
srs_fits(const char *local)
{
	const size_t length = strlen(local);

	for (const char *c = local; *c != '\0'; c++)
		if (!g_ascii_isalnum(*c) && strchr("!#$%&'*+-/=?^_`{|}~.", *c) == NULL)
			return false;
	return length <= LOCAL_PART_MAX && local[length - 1] != '.' && strstr(local, "..") == NULL;
}

/* "DAY=TEXT@DOMAIN", which is what is signed. */
static char *
srs_body(int64_t day, const char *text, const char *domain)
{
	const unsigned number = (unsigned)(day % SRS_DAYS);

	return g_strdup_printf("%c%c=%s@%s", srs_letters[number >> 5], srs_letters[number & 31], text, domain);
}

char *
srs_seal(const char *secret, int64_t day, const char *text, const char *domain)
{
	g_autofree char *body = srs_body(day, text, domain);
	g_autofree char *local = NULL;
	char hash[SRS_HASH + 1];

	srs_sign(secret, body, hash, SRS_HASH);
	local = g_strdup_printf("SRS0=%s=%.*s", hash, (int)(strlen(text) + 3), body);
	return srs_fits(local) ? g_strdup_printf("%s@%s", local, domain) : NULL;
}

bool
srs_is(const char *address)
{
	return g_ascii_strncasecmp(address, "SRS0=", SRS_START) == 0;
}

/* 0 … 31, or -1. */
static int
srs_value(char letter)
{
	const char *at = letter != '\0' ? strchr(srs_letters, g_ascii_tolower(letter)) : NULL;

	return at != NULL ? (int)(at - srs_letters) : -1;
}

/* Takes the same time wherever they differ. */
static bool
srs_agrees(const char *hash, const char *given)
{
	unsigned difference = 0;

	for (size_t i = 0; i < SRS_HASH; i++)
		difference |= (unsigned)(hash[i] ^ g_ascii_tolower(given[i]));
	return difference == 0;
}

SrsResult
srs_open(const char *secret, int64_t day, int valid_days, const char *address, char **text)
{
	const char *given = address + SRS_START, *body = given + SRS_HASH + 1;
	char hash[SRS_HASH + 1];
	const char *at;
	int64_t age;

	if (!srs_is(address) || strlen(given) < SRS_HASH + 4 || body[-1] != '=' || body[2] != '=' ||
		srs_value(body[0]) < 0 || srs_value(body[1]) < 0)
		return SRS_FORGED;
	at = strrchr(body, '@');
	srs_sign(secret, body, hash, SRS_HASH);
	if (at == NULL || at < body + 3 || !srs_agrees(hash, given))
		return SRS_FORGED;
	age = (day % SRS_DAYS - (srs_value(body[0]) * 32 + srs_value(body[1])) + SRS_DAYS) % SRS_DAYS;
	/* sealed by a node whose clock is a little ahead, it is of tomorrow */
	if (age > valid_days && age != SRS_DAYS - 1)
		return SRS_EXPIRED;
	*text = g_strndup(body + 3, (size_t)(at - body - 3));
	return SRS_OK;
}

char *
srs_tag(const char *secret, const char *text)
{
	char tag[SRS_TAG + 1];

	srs_sign(secret, text, tag, SRS_TAG);
	return g_strdup(tag);
}
