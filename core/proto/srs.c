/* srs.c - signed senders for forwarded mail. */
#include "proto/srs.h"

#include <glib.h>
#include <string.h>

#include "base/sign.h"
#include "proto/path.h"

enum {
	SRS_HASH = 8, /* letters: 40 bits, and who guesses is refused one RCPT at a time */
	SRS_TAG = 16,
	SRS_DAYS = 1024,
	SRS_START = 5 /* of "SRS0=" */
};

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

	return g_strdup_printf("%c%c=%s@%s", sign_letters[number >> 5], sign_letters[number & 31], text, domain);
}

char *
srs_seal(const char *secret, int64_t day, const char *text, const char *domain)
{
	g_autofree char *body = srs_body(day, text, domain);
	g_autofree char *local = NULL;
	char hash[SRS_HASH + 1];

	sign_text(secret, body, hash, SRS_HASH);
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
	const char *at = letter != '\0' ? strchr(sign_letters, g_ascii_tolower(letter)) : NULL;

	return at != NULL ? (int)(at - sign_letters) : -1;
}

SrsResult
srs_open(const char *secret, int64_t day, int valid_days, const char *address, char **text)
{
	g_autofree char *lower = NULL;
	char hash[SRS_HASH + 1];
	const char *given, *body, *at;
	int64_t age;

	if (!srs_is(address) || strlen(address) < SRS_START + SRS_HASH + 4)
		return SRS_FORGED;
	given = address + SRS_START;
	body = given + SRS_HASH + 1;
	if (body[-1] != '=' || body[2] != '=' || srs_value(body[0]) < 0 || srs_value(body[1]) < 0)
		return SRS_FORGED;
	lower = g_ascii_strdown(given, SRS_HASH);
	at = strrchr(body, '@');
	sign_text(secret, body, hash, SRS_HASH);
	if (at == NULL || at < body + 3 || !sign_is_same(hash, lower, SRS_HASH))
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

	sign_text(secret, text, tag, SRS_TAG);
	return g_strdup(tag);
}
