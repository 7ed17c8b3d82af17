/* test-recode.c - messages made fit for a next hop without 8BITMIME, and for one that takes no long lines. */
#include "proto/recode.h"

#include <string.h>

#include "suites.h"

static void
collect(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
}

static RecodePlan *
plan_for(const char *message, bool takes_8bit, size_t piece)
{
	RecodePlan *plan = recode_plan_new(takes_8bit);
	const size_t size = strlen(message);

	for (size_t at = 0; at < size; at += piece)
		recode_plan_add(plan, message + at, MIN(piece, size - at));
	recode_plan_end(plan);
	return plan;
}

static char *
recoded(const char *message, bool takes_8bit, size_t piece)
{
	g_autoptr(RecodePlan) plan = plan_for(message, takes_8bit, piece);
	GString *out = g_string_new(NULL);
	g_autoptr(Recoder) recoder = recoder_new(plan, collect, out);
	const size_t size = strlen(message);

	for (size_t at = 0; at < size; at += piece)
		recoder_add(recoder, message + at, MIN(piece, size - at));
	recoder_end(recoder);
	return g_string_free(out, FALSE);
}

static void
check(const char *message, bool takes_8bit, const char *expected)
{
	for (size_t piece = 1; piece < 5; piece++) {
		g_autofree char *out = recoded(message, takes_8bit, piece);
		g_autofree char *whole = recoded(message, takes_8bit, 1000 * piece);

		ASSERT_TEXT(out, expected);
		ASSERT_TEXT(whole, expected);
	}
}

#define UE "\xc3\xbc"

static void
encodes_bodies(void)
{
	/* text: quoted-printable, and the field that was there goes */
	check(
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\ncontent-transfer-encoding :\r\n 8bit\r\n\r\n" UE
		"ber =\r\nblank \r\ntab\t\r\n",
		false,
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BCber =3D\r\nblank=20\r\ntab=09\r\n");
	/* nothing is said of it */
	check("Subject: a\r\n\r\n" UE "\r\n", false,
		"Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n");
	check("Subject: a\r\n\r\n\xfc\r\n", false,
		"Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=FC\r\n");
	/* no text: base64, the last line end is part of it */
	check("MIME-Version: 1.0\r\nContent-Type: application/x-a\r\n\r\n\xff\r\nb\r\n", false,
		"MIME-Version: 1.0\r\nContent-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n/w0KYg0K\r\n");
	/* what the next hop takes, stays */
	check("MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" UE "\r\n", true,
		"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" UE "\r\n");
	/* octets above 127 in headers alone are none of a body */
	check("Subject: " UE "\r\n\r\na\r\n", false, "Subject: " UE "\r\n\r\na\r\n");
}

static void
encodes_parts(void)
{
	check(
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b 1\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		"pre" UE "\r\n--b 1\r\nContent-Type: text/html\r\n\r\n" UE
		"\r\n--b 1 \r\nContent-Type: image/x\r\n\r\n\xff\xfe\r\n"
		"--b 1\r\n\r\nplain\r\n--b 1--\r\nepi" UE "\r\n",
		false,
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b 1\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
		"pre??\r\n--b 1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n--b 1 \r\n"
		"Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n//4=\r\n--b 1\r\n\r\nplain\r\n--b 1--\r\nepi??\r\n");
	/* nested, a digest, a message in a message */
	check("MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: x\r\n"
		  "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/x\r\n\r\n" UE
		  "\r\n--a--\r\n",
		false,
		"MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: x\r\n"
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/x\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n--a--\r\n");
	check(
		"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\n" UE
		"\r\n",
		false,
		"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n"
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
		"=C3=BC\r\n");
	/* a part without an empty line behind its header */
	check(
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/x\r\n" UE
		"\r\n--b--\r\n",
		false,
		"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/x\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n--b--\r\n");
}

static void
mends_encoded_bodies(void)
{
	check("Content-Type: text/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=C3=BC" UE "=\r\nb\r\n",
		false,
		"Content-Type: text/x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=C3=BC=C3=BC=\r\nb\r\n");
	check("Content-Type: text/x\r\nContent-Transfer-Encoding: BASE64\r\n\r\nYWJ" UE "j\r\n", false,
		"Content-Type: text/x\r\nContent-Transfer-Encoding: BASE64\r\n\r\nYWJj\r\n");
}

static void
leaves_signed_parts(void)
{
	static const char is_signed[] =
		"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s; protocol=p\r\n\r\n%s--s\r\n"
		"Content-Type: text/plain\r\n\r\n%s\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--s--\r\n";
	g_autofree char *line = g_strnfill(1500, 'x');
	g_autofree char *is_long = g_strdup_printf(is_signed, "", line),
					*has_8bit = g_strdup_printf(is_signed, "", UE);
	g_autofree char *around = g_strdup_printf(is_signed, UE "\r\n", "a");
	g_autofree char *unknown = g_strdup_printf("Content-Transfer-Encoding: x-uuencode\r\n\r\n%s", UE);
	const char *const impossible[] = { has_8bit, around, unknown,
		"Content-Type: text/x\r\nContent-Type: text/y\r\n\r\n" UE, "Content-Type: multipart/mixed\r\n\r\n" UE,
		"Content-Type: message/partial\r\n\r\n" UE };
	g_autoptr(RecodePlan) plan = plan_for(is_long, false, 1000);

	CU_ASSERT_FALSE(recode_plan_is_needed(plan) || recode_plan_is_impossible(plan));
	check(is_long, false, is_long);
	for (size_t i = 0; i < G_N_ELEMENTS(impossible); i++) {
		g_autoptr(RecodePlan) refused = plan_for(impossible[i], false, 7),
							  taken = plan_for(impossible[i], true, 7);

		CU_ASSERT_TRUE(recode_plan_is_impossible(refused));
		CU_ASSERT_FALSE(recode_plan_is_impossible(taken) || recode_plan_is_needed(taken));
	}
}

/* No line is too long, and undone it is what it was. */
static void
breaks_long_lines(void)
{
	g_autoptr(GString) words = g_string_new(NULL);
	g_autofree char *line = g_strnfill(5000, 'x'), *head = NULL, *message = NULL, *out = NULL, *folded = NULL;
	g_auto(GStrv) lines = NULL;
	g_autofree char *at_limit = g_strdup_printf("Subject: a\r\n\r\n%.998s\r\n", line);

	check(at_limit, false, at_limit);
	while (words->len < 5000)
		g_string_append(words, " <a@example.net>");
	head = g_strdup_printf("References:%s\r\nX: %s\r\n", words->str, line);
	message = g_strdup_printf("%s\r\n%s\r\n", head, line);
	out = recoded(message, true, 100);
	lines = g_strsplit(out, "\r\n", -1);
	for (char **each = lines; *each != NULL; each++)
		CU_ASSERT_TRUE(strlen(*each) <= 998 || g_str_has_prefix(*each, "X: xxx"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(out, "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nxxx"));
	folded = g_strjoinv("", lines);
	CU_ASSERT_PTR_NOT_NULL(strstr(folded, words->str));
	CU_ASSERT_PTR_NOT_NULL(strstr(out, line)); /* of the header; it has no blank */
}

static unsigned
count(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		n++;
	return n;
}

/* What a content scanner saw as text must not become a part on the way. */
static void
makes_no_delimiters(void)
{
	static const struct {
		const char *boundary, *fields, *before, *text;
		size_t fill; /* octets in front of the text, on the same line */
		bool is_around;
	} cases[] = {
		{ "b", "", UE "\r\n", "--b", 75, false },
		{ "b", "Content-Transfer-Encoding: quoted-printable\r\n", UE "\r\n", "--b", 75, false },
		{ "b", "", "", "--b", 998, true },
		{ "b?c", "", "", "--b\xe4" "c", 0, true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *fill = g_strnfill(cases[i].fill, 'x');
		g_autofree char *hostile = g_strdup_printf("%s%s%s\r\nContent-Type: application/x-evil\r\n\r\nevil\r\n",
			cases[i].before, fill, cases[i].text);
		g_autofree char *message = g_strdup_printf("Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n%s--%s\r\n"
			"Content-Type: text/plain\r\n%s\r\n%s--%s--\r\n", cases[i].boundary, cases[i].is_around ? hostile : "",
			cases[i].boundary, cases[i].fields, cases[i].is_around ? "" : hostile, cases[i].boundary);
		g_autofree char *out = recoded(message, false, 1000);
		g_autofree char *delimiter = g_strdup_printf("\r\n--%s", cases[i].boundary);

		CU_ASSERT_PTR_NOT_NULL(strstr(out, "evil"));
		CU_ASSERT_STRING_NOT_EQUAL(out, message);
		CU_ASSERT_EQUAL(count(out, delimiter), 2);
	}
}

/* A delimiter is a line, and no line of a message may be longer. */
static void
takes_boundaries_of_a_line(void)
{
	for (size_t size = 994; size < 996; size++) {
		g_autofree char *boundary = g_strnfill(size, 'b');
		g_autofree char *message = g_strdup_printf(
			"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n\r\n" UE "\r\n--%s--\r\n", boundary, boundary, boundary);
		g_autoptr(RecodePlan) plan = plan_for(message, false, 1000);

		CU_ASSERT_EQUAL(recode_plan_is_impossible(plan), size > 994);
	}
}

/* By BDAT: the delimiter that closes the multipart is not part of what is encoded. */
static void
ends_without_line_end(void)
{
	check("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/x\r\n\r\n\xff\xfe\r\n--b--", false,
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/x\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\n//4=\r\n--b--");
	check("Subject: a\r\n\r\n" UE "\r", false,
		"Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC=0D");
}

static const UnitTest tests[] = {
	{ "E-23 8-bit bodies become quoted-printable or base64", encodes_bodies },
	{ "E-23 in parts, too, however they are nested", encodes_parts },
	{ "E-23 what is encoded already, and has other octets in it", mends_encoded_bodies },
	{ "E-23 signed parts stay as they are", leaves_signed_parts },
	{ "E-23 long lines are encoded or folded", breaks_long_lines },
	{ "E-23 nothing becomes a delimiter by it", makes_no_delimiters },
	{ "E-23 a message that does not end with CRLF", ends_without_line_end },
	{ "a boundary longer than a line is none", takes_boundaries_of_a_line },
	{ 0 },
};

const UnitSuite suite_recode = { "recode", tests };
