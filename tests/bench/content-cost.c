/* content-cost.c - processor time of looking into messages of 1 MiB that are made to cost much.
 *
 * uribl-cost, attachments-cost [FILE…]: a line per kind of message, the median of nine runs; exit 1 if one is above 40 ms. */
#include "content-cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MESSAGE_SIZE = 1 << 20, RUNS = 9 };
static const double most_ms = 40;

/* ---- the messages ---- */

static void
fill(GString *text, const char *piece)
{
	while (text->len < MESSAGE_SIZE)
		g_string_append(text, piece);
}

/* "#" in `piece` becomes another number each time. */
static void
fill_numbered(GString *text, const char *piece)
{
	const char *sign = strchr(piece, '#');

	for (unsigned i = 0; text->len < MESSAGE_SIZE; i++)
		g_string_append_printf(text, "%.*s%x%s", (int)(sign - piece), piece, i, sign + 1);
}

static void
fill_encoded(GString *text, const char *piece)
{
	GString *plain = g_string_new(NULL);
	char *coded;

	while (plain->len < MESSAGE_SIZE / 4 * 3)
		g_string_append(plain, piece);
	coded = g_base64_encode((const guchar *)plain->str, plain->len);
	for (size_t i = 0; coded[i] != '\0' && text->len < MESSAGE_SIZE; i += 76)
		g_string_append_printf(text, "%.76s\r\n", coded + i);
	g_free(coded);
	g_string_free(plain, TRUE);
}

/* Multiparts in each other, then lines that could be delimiters. */
static void
fill_nested(GString *text, const char *piece)
{
	for (unsigned i = 0; i < 400; i++)
		g_string_append_printf(text, "Content-Type: multipart/mixed; boundary=%c\r\n\r\n--%c\r\n", '0' + (int)(i % 70),
			'0' + (int)(i % 70));
	fill(text, piece);
}

/* A part that makes readers differ, so that all is read as often as may be. */
#define MISTAKES                                                                                     \
	"--a\r\nFrom a b\r\nContent-Type: image/png\r\nContent-Type: text/plain; charset=a; charset=b c=d\r\n"  \
	"Content-Transfer-Encoding: base64 (x)\r\nnonsense\r\n\r\nYQ==YQ==YQ\r\n"

/* Parts whose type is followed by as many pieces as are looked at. */
static void
fill_fields(GString *text, const char *piece)
{
	g_string_append(text, "Content-Type: multipart/mixed; boundary=a\r\n\r\n" MISTAKES);
	while (text->len < MESSAGE_SIZE) {
		const gsize begin = text->len;

		g_string_append(text, "--a\r\nContent-Type: text/plain; ");
		while (text->len < begin + 4096)
			g_string_append(text, piece);
		g_string_append(text, "\r\n\r\n");
	}
}

#define PLAIN "Content-Type: text/plain\r\n\r\n"
#define HTML "Content-Type: text/html; charset=utf-8\r\n\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=a\r\n\r\n"

typedef struct {
	const char *name, *head, *piece;
	void (*fill)(GString *text, const char *piece);
} Kind;

static const Kind kinds[] = {
	{ "letters", PLAIN, "The quick brown fox jumps over the lazy dog, as it does.\r\n", fill },
	{ "empty parts", MIXED, "--a\r\n\r\n", fill },
	{ "parts with types", MIXED, "--a\r\nContent-Type: text/plain; name=x; charset=utf-16\r\n\r\nx\r\n", fill },
	{ "parts with names", MIXED,
		"--a\r\nContent-Disposition: attachment; filename*0*=utf-8''%e2%82; filename*1*=%ac.exe_\r\n\r\n", fill },
	{ "parts with charsets", MIXED, "--a\r\nContent-Type: text/plain; charset=iso-2022-#\r\n\r\nx\r\n", fill_numbered },
	{ "lines like delimiters", MIXED, "--b\r\n", fill },
	{ "deep, lines like delimiters", "", "--~\r\n", fill_nested },
	{ "deep, dashes", "", "--\r\n", fill_nested },
	{ "header fields", "", "a:b\r\n", fill },
	{ "folded field", "Content-Type: text/plain", ";\r\n a=b", fill },
	{ "parameters", "Content-Type: text/plain", ";a=b", fill },
	{ "messages in messages", "", "Content-Type: message/rfc822\r\n\r\n", fill },
	{ "encoded messages", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		"--a\r\nb:c\r\n\r\nx.com\r\n", fill_encoded },
	{ "mistakes", MIXED MISTAKES, "The quick brown fox jumps over the lazy dog, as it does.\r\n", fill },
	{ "mistakes, parts", MIXED MISTAKES, "--a\r\nContent-Type : text/plain; charset=a charset=b c\r\n\r\nx.com\r\n", fill },
	{ "mistakes, names", MIXED MISTAKES, "--a\r\nContent-Disposition: a filename=a; filename=b\r\n\r\n", fill },
	{ "mistakes, parameters", "", ";a=b", fill_fields },
	{ "mistakes, base64", MIXED MISTAKES "--a\r\nContent-Type: text/html; charset=a; charset=b c\r\n"
		"Content-Type: text/html; charset=d; charset=e f\r\n"
		"Content-Transfer-Encoding: base64\r\n\r\nYQ==\r\n", "<a href=//a.co>\n", fill_encoded },
	{ "mistakes, encoded messages", MIXED MISTAKES "--a\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		"--a\r\nb:c\r\n\r\nx.com\r\n", fill_encoded },
	{ "mistakes, lines like delimiters", MIXED MISTAKES, "--b\r\n", fill },
	{ "quotes that are not closed", "", "\\\"", fill_fields },
	{ "parameters without semicolons", "", "a=b ", fill_fields },
	{ "names without semicolons", "", "name=b ", fill_fields },
	{ "names in words without semicolons", "", "name==?a?q?b?= ", fill_fields },
	{ "sections without semicolons", "", "name*0=b ", fill_fields },
	{ "base64 with padding in it", "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ==\r\n",
		"<a href=//a.co>\n", fill_encoded },
	{ "links", PLAIN, "http://a.b ", fill },
	{ "links, all different", PLAIN, "http://a#.com ", fill_numbered },
	{ "links without scheme", PLAIN, "a.co ", fill },
	{ "the same, all different", PLAIN, "a#.co ", fill_numbered },
	{ "the same, unknown TLDs", PLAIN, "a.b# ", fill_numbered },
	{ "www, all different", PLAIN, "www.#.co\r\n", fill_numbered },
	{ "one long link", PLAIN, "http://a%68b.c", fill },
	{ "links in links", PLAIN, "http://a%25%32%35http%3a%2f%2f", fill },
	{ "long hosts", PLAIN,
		"http://#.xn--abc.xn--abc.xn--abc.xn--abc.xn--abc.xn--abc.xn--abc.xn--abc.xn--abc.xn--abc.com ", fill_numbered },
	{ "IDN, all different", PLAIN, "http://\xc3\xbc\xe4\xb8\xad\xe6\x96\x87#.com ", fill_numbered },
	{ "long IDN", PLAIN,
		"http://#\xef\xbd\x81.\xef\xbd\x81\xcc\x88\xcc\x88.\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81."
		"\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81"
		".\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81.\xef\xbd\x81.com ", fill_numbered },
	{ "dots", PLAIN, ".", fill },
	{ "colons and slashes", PLAIN, "a:/", fill },
	{ "addresses", PLAIN, "a@b.com ", fill },
	{ "octets beyond ASCII", PLAIN, "\xc3.\xa4\xe2\x80", fill },
	{ "letters without blanks", PLAIN, "\xe4\xb8\xad.\xe6\x96\x87", fill },
	{ "quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\n", "a=2Eco=6D=\r\n", fill },
	{ "quoted-printable HTML", "Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/html\r\n\r\n",
		"<a href=3D\"http://a=\r\n.com\">&amp;</a>", fill },
	{ "base64 HTML", "Content-Transfer-Encoding: base64\r\nContent-Type: text/html\r\n\r\n",
		"<a href='http://&#97;.com'>&shy;</a>", fill_encoded },
	{ "UTF-7", "Content-Type: text/plain; charset=utf-7\r\n\r\n", "+ZeVnLIqe-.com ", fill },
	{ "UTF-16", "Content-Type: text/html; charset=utf-16\r\n\r\n", "<a href='&#97;.com'>", fill },
	{ "ISO-2022-JP", "Content-Type: text/html; charset=iso-2022-jp\r\n\r\n", "\x1b$B8l\x1b(B.com ", fill },
	{ "ISO-2022-JP, broken", "Content-Type: text/html; charset=iso-2022-jp\r\n\r\n", "\x1b$B\xff\xff", fill },
	{ "GB18030", "Content-Type: text/html; charset=gb18030\r\n\r\n", "\x81\x30\x81\x30", fill },
	{ "windows-1251", "Content-Type: text/html; charset=windows-1251\r\n\r\n", "\xe0\xe1.com ", fill },
	{ "tags", HTML, "<a>", fill },
	{ "tags with attributes", HTML, "<a b=c>", fill },
	{ "attributes", HTML "<a", " b=c", fill },
	{ "links in HTML", HTML, "<a href=//a.co>", fill },
	{ "tags that never end", HTML, "<a b=\"<", fill },
	{ "tags that never end, either quote", HTML, "<a b='<a c=\"", fill },
	{ "comments that never end", HTML, "<!--", fill },
	{ "conditional comments", HTML, "<!--[if", fill },
	{ "comments", HTML, "<!---->", fill },
	{ "scripts", HTML, "<script>", fill },
	{ "entities, numbers", HTML, "&#97;", fill },
	{ "entities, names", HTML, "&lt;", fill },
	{ "entities that are none", HTML, "&ab", fill },
	{ "long entities that are none", HTML, "&aaaaaaaaaaaaaaaaaaaaaa", fill },
	{ "NUL", HTML, "\x01\x02<", fill },
};

/* ---- measuring ---- */

static double
cpu_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int
compare(const void *a, const void *b)
{
	const double difference = *(const double *)a - *(const double *)b;

	return difference < 0 ? -1 : difference > 0;
}

double
content_cost(const char *name, const char *content, size_t size)
{
	double took[RUNS];

	for (size_t i = 0; i < RUNS; i++) {
		const double begun = cpu_ms();

		content_look(content, size);
		took[i] = cpu_ms() - begun;
	}
	qsort(took, RUNS, sizeof *took, compare);
	printf("%-36s %8zu octets %6.2f ms%s\n", name, size, took[RUNS / 2], took[RUNS / 2] > most_ms ? " TOO MUCH" : "");
	return took[RUNS / 2];
}

int
main(int argc, char **argv)
{
	double worst = 0;

	content_start();
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		GString *text = g_string_new(kinds[i].head);
		double took;

		kinds[i].fill(text, kinds[i].piece);
		took = content_cost(kinds[i].name, text->str, MIN(text->len, MESSAGE_SIZE));
		worst = MAX(worst, took);
		g_string_free(text, TRUE);
	}
	worst = MAX(worst, content_more(argc - 1, argv + 1));
	printf("the worst: %.2f ms\n", worst);
	return worst > most_ms;
}
