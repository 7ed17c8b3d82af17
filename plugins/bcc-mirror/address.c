/* address.c - making and checking the sender addresses of BCC copies: HMAC-SHA256 in base32. */
#include "plugins/bcc-mirror/address.h"

#include <string.h>

#include "plugin-api.h"

enum { TOO_NEW = 1 }; /* a node's clock may be a day ahead around midnight */

static const char address_alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

/* A line for the purpose and each word: "a" "bc" is not "ab" "c". */
static void
address_digest(const char *secret, const char *const *words, char *text, size_t n)
{
	g_autofree char *lines = g_strjoinv("\n", (char **)(uintptr_t)words);

	ptn_sign(secret, lines, text, n);
}

void
address_account(const char *secret, const char *login, char id[ACCOUNT_SIZE + 1])
{
	address_digest(secret, (const char *const[]){ "account", login, NULL }, id, ACCOUNT_SIZE);
}

void
address_recipient(const char *secret, const char *login, const char *recipient, char id[RECIPIENT_SIZE + 1])
{
	address_digest(secret, (const char *const[]){ "recipient", login, recipient, NULL }, id, RECIPIENT_SIZE);
}

void
address_mirror_value(const char *secret, const char *login, char value[VALUE_SIZE + 1])
{
	address_digest(secret, (const char *const[]){ "mirror", login, NULL }, value, VALUE_SIZE);
}

static void
address_put_day(int64_t day, char text[DAY_SIZE + 1])
{
	for (int i = DAY_SIZE - 1; i >= 0; i--, day >>= 5)
		text[i] = address_alphabet[day & 31];
	text[DAY_SIZE] = '\0';
}

static int64_t
address_take_day(const char *text)
{
	int64_t day = 0;

	for (int i = 0; i < DAY_SIZE; i++) {
		const char *at = text[i] != '\0' ? strchr(address_alphabet, text[i]) : NULL;

		if (at == NULL)
			return -1;
		day = day << 5 | (at - address_alphabet);
	}
	return day;
}

char *
address_make(const char *secret, const char *domain, const char *login, const char *recipient, int64_t day)
{
	char account[ACCOUNT_SIZE + 1], to[RECIPIENT_SIZE + 1], date[DAY_SIZE + 1], tag[TAG_SIZE + 1];

	address_account(secret, login, account);
	address_recipient(secret, login, recipient, to);
	address_put_day(day, date);
	address_digest(secret, (const char *const[]){ "bounce", account, to, date, NULL }, tag, TAG_SIZE);
	return g_strdup_printf("bcc-%s-%s-%s-%s@%s", account, to, date, tag, domain);
}

static bool
address_has_form(char **words)
{
	static const size_t sizes[] = { ACCOUNT_SIZE, RECIPIENT_SIZE, DAY_SIZE, TAG_SIZE };

	if (g_strv_length(words) != 1 + G_N_ELEMENTS(sizes))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
		if (strlen(words[i + 1]) != sizes[i])
			return false;
	return true;
}

AddressResult
address_check(
	const char *secret, const char *domain, const char *address, const int64_t days[2], BounceAddress *found)
{
	g_autofree char *lower = g_ascii_strdown(address, -1);
	char *at = strrchr(lower, '@');
	g_auto(GStrv) words = NULL;
	char tag[TAG_SIZE + 1];

	*found = (BounceAddress){ 0 };
	if (at == NULL || !g_str_has_prefix(lower, "bcc-") || g_ascii_strcasecmp(at + 1, domain) != 0)
		return ADDRESS_OTHER;
	*at = '\0';
	words = g_strsplit(lower, "-", 6);
	if (!address_has_form(words))
		return ADDRESS_FORGED;
	address_digest(secret, (const char *const[]){ "bounce", words[1], words[2], words[3], NULL }, tag, TAG_SIZE);
	if (!ptn_is_same(tag, words[4], TAG_SIZE))
		return ADDRESS_FORGED;
	(void)g_strlcpy(found->account, words[1], sizeof found->account);
	(void)g_strlcpy(found->recipient, words[2], sizeof found->recipient);
	found->day = address_take_day(words[3]);
	return found->day > days[0] + TOO_NEW || found->day + days[1] < days[0] ? ADDRESS_EXPIRED : ADDRESS_VALID;
}
