/* tag.c - signing messages, and finding whose they are: HMAC-SHA256, 96 bits for the account, 48 to check. */
#include "plugins/standing/tag.h"

#include <glib.h>
#include <string.h>

enum { OWNER_SIZE = 24, CHECK_SIZE = 12, TAG_SIZE = OWNER_SIZE + CHECK_SIZE };

static void
tag_digest(const char *secret, const char *text, char *digest, size_t size)
{
	g_autofree char *whole =
		g_compute_hmac_for_string(G_CHECKSUM_SHA256, (const guchar *)secret, strlen(secret), text, -1);

	(void)g_strlcpy(digest, whole, size + 1);
}

static void
tag_owner(const char *secret, const char *login, const char *submit, char owner[OWNER_SIZE + 1])
{
	g_autofree char *lower = g_ascii_strdown(login, -1);
	g_autofree char *text = g_strdup_printf("owner\n%s\n%s", lower, submit);

	tag_digest(secret, text, owner, OWNER_SIZE);
}

static void
tag_check(const char *secret, const char *owner, const char *submit, char check[CHECK_SIZE + 1])
{
	g_autofree char *text = g_strdup_printf("check\n%.*s\n%s", OWNER_SIZE, owner, submit);

	tag_digest(secret, text, check, CHECK_SIZE);
}

/* Without a hint at how much of it was right. */
static bool
tag_is_same(const char *a, const char *b, size_t size)
{
	unsigned difference = 0;

	for (size_t i = 0; i < size; i++)
		difference |= (unsigned)((unsigned char)a[i] ^ (unsigned char)b[i]);
	return difference == 0;
}

const char *
tag_header(PtnHook *h, const char *which)
{
	return ptn_format(h, "%s-%s", ptn_fact(h, "header-prefix"), which);
}

void
tag_sign(PtnHook *h)
{
	const char *secret = ptn_option(h, "secret"), *submit = ptn_fact(h, "submit-id"), *login = ptn_login(h);
	char owner[OWNER_SIZE + 1], check[CHECK_SIZE + 1];

	if (login == NULL || secret == NULL || submit == NULL)
		return;
	if (ptn_header(h, tag_header(h, "Account"), 0) != NULL)
		ptn_remove_headers(h, tag_header(h, "Account"));
	tag_owner(secret, login, submit, owner);
	tag_check(secret, owner, submit, check);
	if (ptn_header(h, tag_header(h, "Submit"), 0) == NULL) /* [server] has no header-prefix */
		ptn_add_header(h, tag_header(h, "Submit"), "Submit ID %s", submit);
	ptn_add_header(h, tag_header(h, "Account"), "%s%s", owner, check);
}

bool
tag_is_good(PtnHook *h, const char *submit, const char *tag)
{
	const char *secret = ptn_option(h, "secret");
	char check[CHECK_SIZE + 1];

	if (secret == NULL || submit[0] == '\0' || strlen(tag) != TAG_SIZE)
		return false;
	tag_check(secret, tag, submit, check);
	return tag_is_same(tag + OWNER_SIZE, check, CHECK_SIZE);
}

PtnStatus
tag_find(PtnHook *h, const char *submit, const char *tag, const char **login)
{
	const char *secret = ptn_option(h, "secret");
	PtnEntry *entry = NULL;
	PtnStatus status;

	if (!tag_is_good(h, submit, tag))
		return PTN_NONE;
	while ((status = ptn_each(h, PTN_ACCOUNT, NULL, &entry)) == PTN_OK) {
		char owner[OWNER_SIZE + 1];

		*login = ptn_get(entry, "name");
		tag_owner(secret, *login, submit, owner);
		if (tag_is_same(owner, tag, OWNER_SIZE))
			return PTN_OK;
	}
	return status;
}
