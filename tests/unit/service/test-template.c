/* test-template.c - texts of notices: what is filled in, what is a mistake, and which text is taken. */
#include "service/template.h"

#include <string.h>

#include "unit/service/suites.h"

static const char *const values[] = { "name", "one", "evil", "a\r\nBcc: x@example.org\n\r\n\tb", "utf8",
	"Gr\303\274\303\237e", "broken", "a\377b", "none", NULL, NULL };

/* New: header and body as one text, or the error. */
static char *
filled(const char *text)
{
	g_autofree char *header = NULL;
	g_autofree char *body = NULL;
	g_autoptr(GError) error = NULL;

	if (!template_fill(text, "file", values, &header, &body, &error))
		return g_strdup(error->message);
	return g_strconcat(header, "|", body, NULL);
}

static void
assert_filled(const char *text, const char *expected)
{
	g_autofree char *actual = filled(text);

	ASSERT_TEXT(actual, expected);
}

static void
test_filling(void)
{
	assert_filled("# about %{nothing}\nSubject: [%{name}] 100% {}\n\n%{name}, %{none}.\n",
		"Subject: [one] 100% {}\r\n|one, .\r\n");
	assert_filled("Subject: a\r\nX-Y:b\r\n\r\n\r\nc\r\n", "Subject: a\r\nX-Y: b\r\n|\r\nc\r\n");
	assert_filled("Subject: a\n\n", "Subject: a\r\n|");
	assert_filled("Subject: a\n\nno line end", "Subject: a\r\n|no line end\r\n");
	assert_filled("Subject: a\n\n# no comment\n", "Subject: a\r\n|# no comment\r\n");
}

static void
test_breaking_out(void)
{
	assert_filled("Subject: %{evil}\n\nx\n", "Subject: a  Bcc: x@example.org    b\r\n|x\r\n");
	assert_filled("Subject: a\n\n%{evil}\n", "Subject: a\r\n|a\r\nBcc: x@example.org\r\n\r\n b\r\n");
}

static void
test_other_characters(void)
{
	g_autofree char *long_one = g_strnfill(2000, 'x');
	g_autofree char *text = g_strdup_printf("Subject: %s\n\n%s\n", long_one, long_one);
	g_autofree char *umlauts = g_strdup_printf("Subject: %s\303\274\n\nx\n", long_one + 1940);
	g_autofree char *out = filled(text);
	g_autofree char *words = filled(umlauts);
	g_auto(GStrv) lines = g_strsplit(out, "\r\n", -1);

	assert_filled(
		"Subject: %{utf8}\n\n%{utf8}\n", "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n|Gr\303\274\303\237e\r\n");
	assert_filled("Subject: a\n\n%{broken}\n", "Subject: a\r\n|a\357\277\275b\r\n");
	for (char **line = lines; *line != NULL; line++)
		CU_ASSERT_TRUE(strlen(*line) < 998);
	CU_ASSERT_PTR_NOT_NULL(strstr(words, "?=\r\n =?utf-8?B?"));
}

static void
test_mistakes(void)
{
	assert_filled("Subject: %{nothing}\n\nx\n", "file:1: there is no \"%{nothing}\" in this notice");
	assert_filled("Subject: a\n\nx\n%{name\n", "file:4: \"%{\" without \"}\"");
	assert_filled("#\nSubject: a\nno field\n\nx\n",
		"file:3: \"no field\" is no header line, and no empty line came before it");
	assert_filled("Subject: a\n folded: b\n\nx\n",
		"file:2: \" folded: b\" is no header line, and no empty line came before it");
	assert_filled("Subject: a\nfrom: b@example.org\n\nx\n", "file:2: the field from is written by Postern");
	assert_filled("X-Y: a\n\nx\n", "file:1: there is no Subject");
	assert_filled("Subject: a\n", "file:2: there is no empty line between header lines and body");
	assert_filled("", "file:1: there is no empty line between header lines and body");
	assert_filled("Subject: a", "file:1: there is no empty line between header lines and body");
}

/* ---- files ---- */

static void
write_file(const char *directory, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);

	CU_ASSERT_TRUE(g_file_set_contents(path, text, -1, NULL));
}

static void
test_which_text(void)
{
	static const char *const all[] = { "service-name", "postern", "domain", "example.com", "change", "away",
		"recipient", "a@example.net", "customer", "acme", NULL };
	g_autofree char *directory = unit_new_directory();
	const char *const texts[] = { NULL, "Subject: own %{domain}\n\n", "Subject: %{unknown}\n\n", "a\377\n\n" };
	const char *const subjects[] = { "Subject: [postern] IP Helper example.com\r\n",
		"Subject: own example.com\r\n", "Subject: [postern] IP Helper example.com\r\n",
		"Subject: [postern] IP Helper example.com\r\n" };

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *header = NULL;
		g_autofree char *body = NULL;
		g_autofree char *mistake = NULL;

		if (texts[i] != NULL)
			write_file(directory, "iphelper", texts[i]);
		CU_ASSERT_TRUE(template_render(directory, "iphelper", all, &header, &body, &mistake, NULL));
		ASSERT_TEXT(header, subjects[i]);
		CU_ASSERT_EQUAL(mistake != NULL, i >= 2);
	}
	unit_remove_directory(directory);
}

static void
test_no_text(void)
{
	static const char *const all[] = { NULL };
	g_autoptr(GError) error = NULL;
	g_autofree char *header = NULL;
	g_autofree char *body = NULL;
	g_autofree char *mistake = NULL;

	CU_ASSERT_FALSE(template_render(NULL, "unheard-of", all, &header, &body, &mistake, &error));
	ASSERT_TEXT(error->message, "there is no template \"unheard-of\"");
	CU_ASSERT_PTR_NULL(header);
}

static void
test_check(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *expected =
		g_strdup_printf("%s/iphelper:2: there is no \"%%{damain}\" in this notice", directory);
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);

	template_check("/nonexistent", mistakes);
	write_file(directory, "iphelper~", "an editor's");
	write_file(directory, "foreign", "Subject: %{whatever}\n\n");
	write_file(directory, "iphelper", "Subject: %{domain} %{port} %{recipient}\n\n");
	template_check(directory, mistakes);
	CU_ASSERT_EQUAL(mistakes->len, 0);
	write_file(directory, "iphelper", "X-A: b\nSubject: %{damain}\n\n");
	write_file(directory, "foreign", "whatever\n");
	template_check(directory, mistakes);
	CU_ASSERT_EQUAL_FATAL(mistakes->len, 2);
	ASSERT_TEXT(g_ptr_array_index(mistakes, 1), expected);
	unit_remove_directory(directory);
}

static void
test_builtin(void)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *directory = unit_new_directory();

	for (const TemplateText *row = template_texts; row->name != NULL; row++)
		write_file(directory, row->name, row->text);
	template_check(directory, mistakes);
	CU_ASSERT_EQUAL(mistakes->len, 0);
	CU_ASSERT_PTR_NULL(template_builtin("unheard-of"));
	unit_remove_directory(directory);
}

static const UnitTest tests[] = {
	{ "names become values, comments go, lines end with CRLF", test_filling },
	{ "no value ends a header line or begins another", test_breaking_out },
	{ "other characters than ASCII, and long lines, in the form that mail has for them", test_other_characters },
	{ "mistakes are told with file and line", test_mistakes },
	{ "a file, if it is right, else the text compiled in", test_which_text },
	{ "a notice without any text is an error", test_no_text },
	{ "a check of the directory knows which names a notice has", test_check },
	{ "the texts compiled in are right", test_builtin },
	{ NULL, NULL },
};

const UnitSuite suite_template = { "template", tests };
