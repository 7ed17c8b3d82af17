/* tag.c - signing messages, and finding whose they are: 120 bits for the account, 60 to check. */
#include "plugins/standing/tag.h"

#include <glib.h>
#include <string.h>

enum { OWNER_SIZE = 24, CHECK_SIZE = 12, TAG_SIZE = OWNER_SIZE + CHECK_SIZE };

static void
tag_owner(const char *secret, const char *login, const char *submit, char owner[OWNER_SIZE + 1])
{
	g_autofree char *text = g_strdup_printf("owner\n%s\n%s", login, submit);

	ptn_sign(secret, text, owner, OWNER_SIZE);
}

static void
tag_check(const char *secret, const char *owner, const char *submit, char check[CHECK_SIZE + 1])
{
	g_autofree char *text = g_strdup_printf("check\n%.*s\n%s", OWNER_SIZE, owner, submit);

	ptn_sign(secret, text, check, CHECK_SIZE);
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

/* pid.sec.usec.n, in hex. */
bool
tag_time(const char *submit, int64_t *time)
{
	const char *dot = strchr(submit, '.');
	char *end;
	int64_t seconds, rest;

	if (dot == NULL)
		return false;
	seconds = g_ascii_strtoll(dot + 1, &end, 16);
	if (*end != '.' || seconds <= 0 || seconds > INT64_MAX / (2 * PTN_SECOND))
		return false;
	rest = g_ascii_strtoll(end + 1, &end, 16);
	*time = seconds * PTN_SECOND + CLAMP(rest, 0, PTN_SECOND - 1);
	return *end == '.';
}

bool
tag_is_good(PtnHook *h, const char *submit, const char *tag)
{
	const char *secret = ptn_option(h, "secret");
	char check[CHECK_SIZE + 1];

	if (secret == NULL || submit[0] == '\0' || strlen(tag) != TAG_SIZE)
		return false;
	tag_check(secret, tag, submit, check);
	return ptn_is_same(tag + OWNER_SIZE, check, CHECK_SIZE);
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
		if (ptn_is_same(owner, tag, OWNER_SIZE))
			return PTN_OK;
	}
	return status;
}
