/* daily-limit.c - at most so many messages a day from one login.
 *
 * What counts is the store, which the nodes of a cluster share: a day begins with the first message. */
#include "plugin-api.h"

#define DAY (24 * 3600 * PTN_SECOND)

static const char *
key_of(PtnHook *h, const char *login)
{
	return ptn_format(h, "sent/%s", login);
}

static PtnVerdict
count_message(PtnHook *h)
{
	const char *login = ptn_login(h);
	const int64_t most = ptn_option_number(h, "most");
	int64_t total;

	if (login == NULL)
		return PTN_NEXT;
	if (ptn_store_add(h, key_of(h, login), 1, DAY, &total) != PTN_OK)
		return ptn_fail(h, "the store does not answer");
	if (total <= most)
		return PTN_NEXT;
	ptn_count(h, "over", 1);
	return ptn_refuse(h, PTN_RATE, 450, "4.7.1", "%s: more than %lld messages today", login, (long long)most);
}

/* posternctl daily-limit show LOGIN */
static PtnVerdict
show(PtnHook *h)
{
	const char *login = ptn_arguments(h)[0];
	int64_t total;

	if (login == NULL)
		return ptn_fail(h, "which login?");
	if (ptn_store_add(h, key_of(h, login), 0, DAY, &total) != PTN_OK)
		return ptn_fail(h, "the store does not answer");
	ptn_row(h, "login", login, "today:number", ptn_format(h, "%lld", (long long)total), NULL);
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "most", PTN_NUMBER, PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_ACCOUNT, "1000",
		"messages of a login in a day", 1, 1000000 },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MESSAGE, count_message, PTN_INLINE },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "show", "LOGIN", "what a login has sent today", show, .reads_only = true },
	{ 0 },
};

PTN_PLUGIN(daily_limit) = {
	PTN_HEAD("daily-limit"),
	.version = "1",
	.summary = "at most so many messages a day from one login",
	.options = options,
	.hooks = hooks,
	.commands = commands,
};
