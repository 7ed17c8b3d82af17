/* test-readings.c - which readings of a message with mistakes are shown, and within which bounds. */
#include <glib.h>
#include <string.h>

#include "plugins/mime/mime.h"
#include "plugins/mime/reading.h"
#include "plugins/mime/test-readings.h"
#include "unit/unit.h"

static const MimeLimits limits = { .most_parts = 100, .most_depth = 10 };

/* What is shown: lines of "type charset encoding octets name…", and how many octets of the message. */
typedef struct {
	GString *lines;
	size_t octets;
	MimeResult result;
} Shown;

static void
show_part(const MimePart *part, void *data)
{
	Shown *shown = data;
	size_t size;
	g_autofree char *octets = mime_decode(part, 64, &size);

	shown->octets += part->size;
	g_string_append_printf(shown->lines, "%s %s %d %s", part->type,
		part->charset != NULL ? part->charset : "-", MAX((int)part->encoding, 0), octets);
	for (const char *const *name = part->names; *name != NULL; name++)
		g_string_append_printf(shown->lines, " <%.40s>", *name);
	g_string_append_c(shown->lines, '\n');
}

static void
shown_clear(Shown *shown)
{
	g_string_free(shown->lines, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Shown, shown_clear)

static Shown
show(const char *mail)
{
	Shown shown = { .lines = g_string_new(NULL) };

	shown.result = mime_walk(mail, strlen(mail), &limits, MIME_LIBRARY, show_part, &shown);
	return shown;
}

/* `head`, then so many of `piece`, then `tail`.  New. */
static char *
fill(const char *head, const char *piece, unsigned n, const char *tail)
{
	GString *mail = g_string_new(head);

	while (n-- > 0)
		g_string_append(mail, piece);
	g_string_append(mail, tail);
	return g_string_free(mail, FALSE);
}

/* The same octets of one type: what is a character set in one reading is a name in another. */
static void
test_names_like_charsets(void)
{
	g_auto(Shown) shown = show("Content-Type: text/plain; charset=\"utf-8;a.exe\"\r\n"
							   "Content-Type: text/plain; charset=utf-8; name=a.exe\r\n\r\nx");
	g_auto(Shown) names = show("Content-Type: text/plain; name=\"a.exe;b\"\r\n"
							   "Content-Type: text/plain; name=a.exe; filename=b\r\n\r\nx");

	CU_ASSERT_PTR_NOT_NULL(strstr(shown.lines->str, "text/plain utf-8;a.exe 0 x\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(shown.lines->str, "text/plain utf-8 0 x <a.exe>\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(names.lines->str, " <a.exe;b>\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(names.lines->str, " <a.exe> <b>\n"));
}

/* Undecoded text has other words in it: it is shown only where a reader would show it. */
static void
test_undecoded(void)
{
	static const char body[] = "\r\n\r\nhttp://not=\r\nshop.example";
	g_autofree char *odd_type =
		g_strconcat("Content-Type: text/plain; x=y z\r\nContent-Transfer-Encoding: quoted-printable", body, NULL);
	g_autofree char *odd_encoding =
		g_strconcat("Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable;", body, NULL);
	g_auto(Shown) decoded = show(odd_type), both = show(odd_encoding);

	CU_ASSERT_PTR_NOT_NULL(strstr(decoded.lines->str, " http://notshop.example\n"));
	CU_ASSERT_PTR_NULL(strstr(decoded.lines->str, "not=\r\nshop"));
	CU_ASSERT_PTR_NOT_NULL(strstr(both.lines->str, " http://notshop.example\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(both.lines->str, " http://not=\r\nshop.example\n"));
}

/* Each of them goes to the end of the field: all together they would be many times as long as it. */
static void
test_names_without_semicolons(void)
{
	static const char *const pieces[] = { "name=b ", "name==?a?q?b?= ", "name*0=b ", "filename*=''%41 " };

	for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
		g_autofree char *few = fill("Content-Type: text/plain; ", pieces[i], 5, "\r\n\r\nx");
		g_autofree char *many = fill("Content-Type: text/plain; ", pieces[i], 200, "\r\n\r\nx");
		g_auto(Shown) shown = show(few), cut = show(many);

		CU_ASSERT_EQUAL(shown.result, MIME_WHOLE);
		CU_ASSERT_PTR_NOT_NULL(strchr(shown.lines->str, '<'));
		CU_ASSERT_EQUAL(cut.result, MIME_CUT);
		CU_ASSERT_PTR_NOT_NULL(strchr(cut.lines->str, '<'));
	}
}

/* A name behind quotes that nothing closes, and behind those that something closes. */
static void
test_quotes(void)
{
	g_autofree char *open = fill("Content-Type: text/plain; x=y", "\\\"", 100, "; name=a.exe\r\n\r\nx");
	g_autofree char *closed = fill("Content-Type: text/plain; x=y", "\"\"", 100, "; name=a.exe\r\n\r\nx");
	g_auto(Shown) shown = show(open), other = show(closed);

	CU_ASSERT_PTR_NOT_NULL(strstr(shown.lines->str, "<a.exe>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(other.lines->str, "<a.exe>"));
}

/* One text in many character sets, decoded in each way. */
static void
test_visits(void)
{
	static const char head[] = "Content-Type: text/plain; charset=a; charset=b c=d\r\n"
							   "Content-Type: text/plain; charset=e; charset=f g=h\r\n"
							   "Content-Transfer-Encoding: base64\r\nnonsense\r\n\r\nYQ==\r\n";
	g_autofree char *mail = fill(head, "aGVsbG8g\r\n", 10000, "");
	g_auto(Shown) shown = show(mail);

	CU_ASSERT_EQUAL(shown.result, MIME_CUT);
	CU_ASSERT_TRUE(shown.octets > 5 * strlen(mail) && shown.octets <= READINGS_VISITS * strlen(mail));
}

/* What is encoded twice takes three times its size: the most that the first reading may need. */
static void
test_encoded_messages(void)
{
	static const char head[] = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n";
	g_autofree char *text = fill("\r\n", "hello\r\n", 10000, "");
	g_autofree char *coded = g_base64_encode((const guchar *)text, strlen(text));
	g_autofree char *inner = g_strconcat(head, coded, NULL);
	g_autofree char *twice = g_base64_encode((const guchar *)inner, strlen(inner));
	g_autofree char *mail = g_strconcat(head, twice, NULL);
	g_auto(Shown) shown = show(mail);

	CU_ASSERT_EQUAL(shown.result, MIME_WHOLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(shown.lines->str, "text/plain - 0 hello\r\n"));
}

static const UnitTest tests[] = {
	{ "U-25 parts that differ in a name or a character set are different", test_names_like_charsets },
	{ "U-25 an odd type does not make the encoding doubtful", test_undecoded },
	{ "U-25 names without semicolons are bounded", test_names_without_semicolons },
	{ "U-25 names behind quotes that nothing closes", test_quotes },
	{ "U-25 parts are visited within bounds", test_visits },
	{ "U-25 encoded messages in each other are within these bounds", test_encoded_messages },
	{ 0 },
};
const UnitSuite suite_of_readings = { "mime-readings", tests };
