/* fuzz-bounce.c - bounces of copies, and the addresses they come to: what was read can be shown to people. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "plugins/bcc-mirror/address.h"
#include "plugins/bcc-mirror/report.h"

static void
fuzz_report(const char *octets, size_t size)
{
	const char *end = g_strstr_len(octets, (gssize)size, "\n\r\n");
	Report report;

	report_read(octets, size, end != NULL ? (size_t)(end - octets) + 3 : size, &report);
	for (const char *c = report.text; *c != '\0'; c++)
		g_assert(g_ascii_isprint(*c));
	g_assert(strspn(report.status, "0123456789.") == strlen(report.status));
	g_assert(report.result == REPORT_FAILED || report.status[0] == '\0');
}

static void
fuzz_address(const char *octets, size_t size)
{
	static const int64_t days[] = { 20000, 14 };
	g_autofree char *text = g_strndup(octets, size);
	BounceAddress found;

	/* without the secret nobody makes one */
	g_assert(address_check("0123456789abcdef", "bcc.example.net", text, days, &found) <= ADDRESS_FORGED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *octets = size > 0 ? g_memdup2(data, size) : NULL; /* what is read behind it is found */

	if (octets == NULL)
		return 0;
	fuzz_report(octets, size);
	fuzz_address(octets, size);
	return 0;
}
