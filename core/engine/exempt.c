/* exempt.c - the one host-wide exemption that all content plugins share (U-13, U-14, U-15, X-04). */
#include "engine/exempt.h"

#include <string.h>

#include "proto/path.h"

bool
exempt_pattern_is_valid(const char *pattern)
{
	const char *at = strrchr(pattern, '@');
	const char *domain = at != NULL ? at + 1 : pattern + (pattern[0] == '.');

	return at != pattern && ((at != NULL && *domain == '\0') || domain_is_valid(domain));
}

static bool
exempt_domain_matches(const char *pattern, const char *domain)
{
	const size_t length = strlen(pattern), have = strlen(domain);

	if (pattern[0] != '.')
		return g_ascii_strcasecmp(pattern, domain) == 0;
	return g_ascii_strcasecmp(pattern + 1, domain) == 0 ||
		   (have > length && g_ascii_strcasecmp(domain + have - length, pattern) == 0);
}

static bool
exempt_matches(const char *pattern, const char *address)
{
	const char *at = strrchr(pattern, '@');

	if (at == NULL)
		return exempt_domain_matches(pattern, mailbox_domain(address));
	if (at[1] == '\0')
		return g_ascii_strncasecmp(pattern, address, strlen(pattern)) == 0;
	return g_ascii_strcasecmp(pattern, address) == 0;
}

bool
exempt_are_all(char *const *patterns, const Envelope *envelope)
{
	for (guint i = 0; i < envelope->recipients->len; i++) {
		const Recipient *recipient = g_ptr_array_index(envelope->recipients, i);
		bool is_exempt = false;

		for (char *const *pattern = patterns; pattern != NULL && *pattern != NULL && !is_exempt; pattern++)
			is_exempt = exempt_matches(*pattern, recipient->address);
		if (!is_exempt)
			return false;
	}
	return envelope->recipients->len > 0;
}
