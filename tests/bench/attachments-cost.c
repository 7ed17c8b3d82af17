/* attachments-cost.c - looking into attachments and archives, with the presets of the plugin.
 *
 * Arguments: files that are measured as base64 attachments, a mebibyte of each at most (bombs, say). */
#include "content-cost.h"

#include <string.h>

#include "plugins/attachments/inspect.h"
#include "plugins/attachments/names.h"

enum { ATTACHMENT_MOST = 3 << 18 };

static InspectRules rules = { .looks_into_archives = true, .most_entries = 10000, .most_archive = 200 << 20,
	.mime = { .most_parts = 1000, .most_depth = 20 } };

void
content_start(void)
{
	static const char *const names[] = { "*.bat", "*.chm", "*.cmd", "*.com", "*.cpl", "*.exe", "*.hta", "*.jar", "*.js",
		"*.jse", "*.lnk", "*.msi", "*.msp", "*.pif", "*.ps1", "*.reg", "*.scf", "*.scr", "*.sct", "*.vb", "*.vbe", "*.vbs",
		"*.wsc", "*.wsf", "*.wsh", NULL };
	static const char *const types[] = { "application/x-msdownload", "application/x-dosexec", "application/hta", NULL };

	mime_start();
	rules.names = patterns_new(names);
	rules.types = patterns_new(types);
}

void
content_look(const char *content, size_t size)
{
	Finding finding;

	(void)inspect(&finding, content, size, &rules, MIME_LIBRARY);
	g_free(finding.name);
}

static double
cost_of_attachment(const char *name, const char *octets, size_t size)
{
	g_autofree char *coded = g_base64_encode((const guchar *)octets, MIN(size, ATTACHMENT_MOST));
	g_autofree char *message = g_strdup_printf("Content-Type: application/octet-stream; name=x\r\n"
											   "Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", coded);

	return content_cost(name, message, strlen(message));
}

static void
append_number(GString *text, unsigned value, unsigned octets)
{
	for (; octets > 0; octets--, value >>= 8)
		g_string_append_c(text, (char)(value & 0xff));
}

/* A zip of so many empty files, with names of this length. */
static double
cost_of_zip(const char *name, unsigned entries, unsigned length)
{
	GString *zip = g_string_new("PK\3\4");
	const size_t begin = zip->len;
	double took;

	for (unsigned i = 0; i < entries; i++) {
		g_string_append_len(zip, "PK\1\2", 4);
		append_number(zip, 0, 12);
		append_number(zip, 0, 12);
		append_number(zip, length, 2);
		append_number(zip, 0, 16);
		for (unsigned n = 0; n < length; n++)
			g_string_append_c(zip, "abc.e\xcc\x81/"[n % 8]);
	}
	append_number(zip, 0x06054b50, 4);
	append_number(zip, 0, 4);
	append_number(zip, entries, 2);
	append_number(zip, entries, 2);
	append_number(zip, (unsigned)(zip->len - 12 - begin), 4);
	append_number(zip, (unsigned)begin, 4);
	append_number(zip, 0, 2);
	took = cost_of_attachment(name, zip->str, zip->len);
	g_string_free(zip, TRUE);
	return took;
}

/* Headers of a zip file whose names, or extra fields that are names, go on over all that follow. */
static double
cost_of_overlap(const char *name, const char *header, size_t size)
{
	GString *zip = g_string_new(NULL);
	double took;

	while (zip->len < ATTACHMENT_MOST)
		g_string_append_len(zip, header, (gssize)size);
	took = cost_of_attachment(name, zip->str, zip->len);
	g_string_free(zip, TRUE);
	return took;
}

/* An extra field of 1,000 octets in each of them. */
static double
cost_of_extras(const char *name)
{
	g_autoptr(GString) zip = g_string_new(NULL);

	while (zip->len < ATTACHMENT_MOST) {
		for (unsigned i = 0; i < 32; i++)
			g_string_append_len(zip, "PK\3\4\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\0\xff\xff" "a", 31);
		for (unsigned i = 0; i < 31; i++) /* wherever the fields of a header begin */
			g_string_append_len(zip, "up\xe8\3\1", 5);
	}
	return cost_of_attachment(name, zip->str, zip->len);
}

double
content_more(int n_files, char **files)
{
	static const char names[] = "PK\3\4\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\x7f\x7f\1\1\xcc";
	static const char extras[] = "PK\3\4\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\0\xff\xff" "aup\xff\0\xcc";
	double worst = MAX(cost_of_zip("zip of small files", 990, 8), cost_of_zip("zip of long names", 700, 1000));

	worst = MAX(worst, cost_of_overlap("zip of names in each other", names, sizeof names - 1));
	worst = MAX(worst, cost_of_overlap("zip of extra fields in each other", extras, sizeof extras - 1));
	worst = MAX(worst, cost_of_extras("zip of extra fields"));

	for (int i = 0; i < n_files; i++) {
		g_autofree char *octets = NULL;
		gsize size;

		if (g_file_get_contents(files[i], &octets, &size, NULL))
			worst = MAX(worst, cost_of_attachment(files[i], octets, size));
	}
	return worst;
}
