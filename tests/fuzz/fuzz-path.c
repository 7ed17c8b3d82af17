/* fuzz-path.c - the arguments of MAIL and RCPT: what is accepted is canonical, and safe to write. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/path.h"
#include "proto/srs.h"
#include "proto/xtext.h"

static void
check_parameters(Region *region, const Path *path, const char *argument)
{
	bool wants_utf8 = false;

	for (size_t i = 0; i < MIN(path->n_parameters, PARAMETERS_MAX); i++) {
		const Parameter *parameter = &path->parameters[i];
		const char *decoded;

		wants_utf8 = wants_utf8 || (strcmp(parameter->name, "SMTPUTF8") == 0 && parameter->value == NULL);
		if (parameter->value == NULL)
			continue;
		g_assert(parameter->value[0] != '\0' && strpbrk(parameter->value, " \t\r\n=") == NULL);
		decoded = xtext_decode(region, parameter->value);
		g_assert((decoded != NULL) == xtext_is_valid(parameter->value));
		if (decoded != NULL)
			g_assert_cmpstr(xtext_decode(region, xtext_encode(region, decoded)), ==, decoded);
		(void)orcpt_is_valid(parameter->value, true);
		(void)envid_is_valid(parameter->value);
	}
	if (path->n_parameters <= PARAMETERS_MAX)
		g_assert(wants_utf8 == path_wants_utf8(argument));
}

/* Parsed again, a canonical address stays as it is. */
static void
check_address(Region *region, const Path *path, const char *keyword, unsigned flags, PathResult result)
{
	const bool is_utf8 = (flags & PATH_UTF8) != 0;
	const char *again = region_printf(region, "%s<%s>", keyword, path->address);
	Path second;

	g_assert(strlen(path->address) + 2 <= PATH_MAX_OCTETS && strpbrk(path->address, "\r\n\t") == NULL);
	g_assert(path_parse(region, again, keyword, flags, &second) == result);
	g_assert_cmpstr(second.address, ==, path->address);
	if (!(flags & PATH_LOOSE) && result == PATH_OK && path->address[0] != '\0' && strchr(path->address, '@') != NULL)
		g_assert_cmpstr(mailbox_parse(region, path->address, is_utf8), ==, path->address);
	if (result == PATH_OK && !is_utf8 && *mailbox_domain(path->address) != '\0')
		g_assert(domain_is_valid(mailbox_domain(path->address)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(Region) region = region_new();
	const char *keyword;
	const char *argument;
	char *text;
	bool is_utf8;
	unsigned flags;
	PathResult result;
	Path path;

	if (size == 0)
		return 0;
	is_utf8 = data[0] & 1;
	keyword = data[0] & 2 ? "TO:" : "FROM:";
	argument = region_strndup(region, (const char *)data + 1, size - 1);
	(void)path_wants_utf8(argument);
	(void)mailbox_parse(region, argument, is_utf8);
	(void)helo_is_valid(argument);
	if (srs_open("secret", 1, 21, argument, &text) == SRS_OK)
		g_free(text); /* it would have to guess the signature */
	flags = (is_utf8 ? PATH_UTF8 : 0) | (data[0] & 4 ? PATH_LOOSE : 0);
	result = path_parse(region, argument, keyword, flags, &path);
	if (result != PATH_OK && result != PATH_NOT_QUALIFIED)
		return 0;
	check_parameters(region, &path, argument);
	check_address(region, &path, keyword, flags, result);
	return 0;
}
