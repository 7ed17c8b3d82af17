/* test-extract.c - which domains a message names: every decoding, every way to write a host, and the limits. */
#include "plugins/uribl/test-extract.h"

#include <string.h>

#include "plugins/mime/mime.h"
#include "plugins/uribl/extract.h"
#include "plugins/uribl/number.h"

#define TEXT "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
#define HTML "Subject: x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
#define CODED(TYPE, ENCODING) "Content-Type: " TYPE "\r\nContent-Transfer-Encoding: " ENCODING "\r\n\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=\"=_a\"\r\n\r\nnot read: http://preamble.example/\r\n--=_a\r\n"
#define END "\r\n--=_a--\r\nhttp://epilogue.example/\r\n"

#define LABEL "a123456789b123456789c123456789d123456789e123456789f123456789xyz"

typedef struct {
	const char *content, *domains;
} Case;

static psl_ctx_t *psl;
static ExtractLimits limits = { .most_parts = 200, .most_depth = 20, .most_octets = 1 << 20, .takes_bare = true };

static char *
domains_by(MimeMeans means, const char *content, size_t size, MimeResult *result)
{
	g_autoptr(Hosts) hosts = hosts_new(psl, 1000);
	g_autoptr(GPtrArray) domains = NULL;
	GString *text = g_string_new(NULL);

	*result = extract_hosts(hosts, content, size, &limits, means);
	domains = hosts_domains(hosts, 30);
	for (guint i = 0; i < domains->len; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? " " : "", ((const Domain *)g_ptr_array_index(domains, i))->name);
	return g_string_free(text, FALSE);
}

/* By the library; what is found without it must be the same. */
static char *
domains_of(const char *content, size_t size, bool *is_whole)
{
	g_autofree char *plain = NULL;
	MimeResult result, plain_result;
	char *found;

	if (psl == NULL) {
		mime_start();
		psl = psl_latest(NULL);
	}
	found = domains_by(MIME_LIBRARY, content, size, &result);
	plain = domains_by(MIME_PLAIN, content, size, &plain_result);
	if (plain_result != MIME_NOT_PLAIN) {
		ASSERT_TEXT(plain, found);
		CU_ASSERT_EQUAL(plain_result, result);
	}
	*is_whole = result == MIME_WHOLE;
	return found;
}

static void
check(const Case *cases)
{
	for (; cases->content != NULL; cases++) {
		bool is_whole;
		g_autofree char *found = domains_of(cases->content, strlen(cases->content), &is_whole);
		g_autofree char *actual = g_strdup_printf("%s -> %s", cases->content, found);
		g_autofree char *expected = g_strdup_printf("%s -> %s", cases->content, cases->domains);

		ASSERT_TEXT(actual, expected);
		CU_ASSERT_TRUE(is_whole);
	}
}

static void
test_text(void)
{
	static const Case cases[] = {
		{ TEXT "see http://shop.example/x\r\n", "shop.example" },
		{ TEXT "(https://shop.example).", "shop.example" },
		{ TEXT "http://" LABEL ".example http://a." LABEL "x.example http://shop.example", LABEL ".example shop.example" },
		{ TEXT "<http://shop.example>\"http://other.example\"", "shop.example other.example" },
		{ TEXT "HTTP://SHOP.Example:8080/", "shop.example" },
		{ TEXT "http://shop.example./x http://shop.example...", "shop.example" },
		{ TEXT "http://user:secret@shop.example:80/", "user shop.example" + 5 },
		{ TEXT "http://bank.example@shop.example/", "bank.example shop.example" },
		{ TEXT "www.shop.example and WWW.other.example!", "shop.example other.example" },
		{ TEXT "ftp://shop.example intent://other.example", "shop.example other.example" },
		{ TEXT "http:\\\\shop.example http:/other.example", "shop.example other.example" },
		{ TEXT "http:shop.example HTTPS:other.example/ xhttp:third.example http:x nothttp:", "shop.example other.example" },
		{ TEXT "http:http://shop.example https://a.test,http://other.example", "shop.example a.test other.example" },
		{ TEXT "http://shop.example:/x http://other.example://y", "shop.example other.example" },
		{ TEXT "http://a.example@b.example@shop.example/", "a.example b.example shop.example" },
		{ TEXT "http://shop.example\xe2\x80\x9d and \xc2\xabhttp://other.example\xc2\xbb", "shop.example other.example" },
		{ TEXT "file://shop.example/x http:// http:///", "" },
		{ TEXT "http://localhost/ http://intranet", "" },
		{ TEXT "a://b:c@d", "" },
		{ TEXT "> > http://shop.example/\r\n> wrote", "shop.example" },
		{ "Subject: no type\r\n\r\nhttp://shop.example", "shop.example" },
		{ "\r\nhttp://shop.example", "shop.example" },
		{ "Content-Type: nonsense\r\n\r\nhttp://shop.example", "shop.example" },
		{ "Content-Type: application/octet-stream\r\n\r\nhttp://shop.example", "" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_bare(void)
{
	static const Case cases[] = {
		{ TEXT "visit example.com today, or sub.example.org/path.", "example.com example.org" },
		{ TEXT "example.com.", "example.com" },
		{ TEXT "Web:example.com (example.org) |example.net| \"a.example.com\"", "example.com example.org example.net" },
		{ TEXT "/www.shop.example =www.other.example Hello.www.third.example", "shop.example other.example third.example" },
		{ TEXT "a@www.shop.example xwww.shop.example www.", "" },
		{ TEXT "www\xe3\x80\x82shop\xef\xbc\x8e" "example \xe7\x9c\x8b\xe3\x80\x82", "shop.example" },
		{ TEXT "Hello.There and e.g. this, v1.2.3 readme.txt a.b", "" },
		{ TEXT "192.0.2.1 is no link, http://198.51.100.7 is", "198.51.100.7" },
		{ TEXT "/usr/share/example.com and x=example.com", "" },
		{ TEXT "\xe7\x9c\x8b" "example.com\xe7\x9c\x8b", "xn--example-qg2r.com example.com" },
		{ NULL, NULL } };
	static const Case without[] = {
		{ TEXT "visit example.com or www.example.org", "example.org" }, { NULL, NULL } };

	check(cases);
	limits.takes_bare = false;
	check(without);
	limits.takes_bare = true;
}

static void
test_addresses(void)
{
	static const Case cases[] = {
		{ TEXT "write to info@example.com, first.last@example.org or mailto:me@example.net", "example.net" },
		{ HTML "<a href=\"mailto:info@example.com?subject=x\">info@example.org</a>", "example.com" }, { NULL, NULL } };
	static const Case taken[] = { { TEXT "write to info@example.com, first.last@example.org", "example.com example.org" },
		{ HTML "<a href=\"mailto:info@example.com\">x</a>", "example.com" }, { NULL, NULL } };

	check(cases);
	limits.takes_addresses = true;
	check(taken);
	limits.takes_addresses = false;
}

static void
test_mail_links(void)
{
	static const Case cases[] = {
		{ TEXT "MAILTO:a@one.example,b@two.example?cc=c%40three.example&body=http%3A%2F%2Ffour.example%2F",
			"one.example two.example three.example four.example" },
		{ HTML "<a href='mai\nlto&colon;a@shop.example'>x</a>", "shop.example" },
		{ TEXT "mailto:mailto:a@shop.example mailto: @ mailto:@ notmailto:a@other.example", "shop.example" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_subject(void)
{
	static const Case cases[] = {
		{ "Subject: see www.shop.example\r\n\r\nx", "shop.example" },
		{ "Subject: =?iso-8859-1?q?http=3A//shop=2Eexample?=\r\n\r\nx", "shop.example" },
		{ "Subject: =?utf-8?q?http://sh?=\r\n =?utf-8?q?op.example?=\r\n\r\nx", "shop.example" },
		{ "Subject: a\r\nSubject: http://shop.example\r\n\r\nx", "shop.example" },
		{ "Not-Subject: http://shop.example\r\n\r\nSubject: x", "" },
		{ "Subject:", "" }, { "Subject", "" }, { NULL, NULL } };
	static const Case folded[] = { { "X: y\r\nsubject : see\r\n\twww.shop.example/\r\nTo: x\r\n\r\n", "shop.example" },
		{ NULL, NULL } };

	check(cases);
	check(folded);
}

#define BINARY "Content-Type: application/octet-stream\r\n\r\n"

static void
test_disguised(void)
{
	static const Case cases[] = {
		{ BINARY "<!DOCTYPE html><a href=//shop.example>", "shop.example" },
		{ BINARY "\xef\xbb\xbf \r\n<a href=//shop.example>", "shop.example" },
		{ BINARY "<!-- x --><A HREF=//shop.example>", "shop.example" },
		{ "Content-Type: application/octet-stream; name=\"x.HTM\"\r\n\r\nx<a href=//shop.example>", "shop.example" },
		{ "Content-Type: image/png\r\nContent-Disposition: attachment; filename=x.svg\r\n\r\n<svg><a href='//shop.example'>",
			"shop.example" },
		{ "Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\nPGh0bWw+PGEgaHJlZj0vL3Nob3AuZXhhbXBsZT4=",
			"shop.example" },
		{ BINARY "<abbr>http://shop.example", "" }, { BINARY "PK <html", "" }, { NULL, NULL } };

	check(cases);
}

/* Pieces of 2 MiB: what lies across their border is found, whatever the encoding. */
static void
test_pieces(void)
{
	const size_t before = limits.most_octets;

	limits.most_octets = 64 << 20;
	for (size_t offset = 0; offset < 24; offset++) {
		const size_t at = (2 << 20) - offset;
		g_autoptr(GString) text = g_string_new(NULL);
		g_autofree char *coded = NULL, *plain = NULL;
		bool is_whole;

		for (size_t i = 0; i < at; i++)
			g_string_append_c(text, i % 64 == 63 ? '\n' : 'x');
		text->str[at - 1] = ' ';
		g_string_append(text, "http://shop.example/ and so on");
		coded = g_base64_encode((const guchar *)text->str, text->len);
		plain = g_strconcat(offset % 2 == 0 ? TEXT : CODED("text/plain", "base64"), offset % 2 == 0 ? text->str : coded, NULL);
		{
			g_autofree char *found = domains_of(plain, strlen(plain), &is_whole);

			ASSERT_TEXT(found, "shop.example");
			CU_ASSERT_TRUE(is_whole);
		}
	}
	limits.most_octets = before;
}

/* `unit` again and again, up to `size` octets and a blank. */
static GString *
filled(const char *head, const char *unit, size_t size)
{
	GString *text = g_string_new(head);

	while (text->len < size)
		g_string_append(text, unit);
	g_string_truncate(text, MAX(size, strlen(head)));
	g_string_append_c(text, ' ');
	return text;
}

static void
check_whole(const GString *text, const char *domains, bool is_whole)
{
	bool was_whole;
	g_autofree char *found = domains_of(text->str, text->len, &was_whole);

	ASSERT_TEXT(found, domains);
	CU_ASSERT_EQUAL(was_whole, is_whole);
}

/* The octets of a mark of UTF-16 say nothing but at the start of a part; neither does a border part a character. */
static void
test_piece_sets(void)
{
	static const char *const sets[] = { "windows-1252", "utf-16le", "iso-2022-jp", "windows-1258" };
	const size_t before = limits.most_octets;

	limits.most_octets = 64 << 20;
	for (size_t i = 0; i < G_N_ELEMENTS(sets); i++) {
		g_autoptr(GString) text = filled("xx", "\xff\xfe", 5 << 20);
		g_autoptr(GString) message = g_string_new(NULL);
		g_autofree char *octets = NULL, *coded = NULL;
		size_t size;

		if (i > 0)
			g_string_assign(text, "");
		while (i > 0 && text->len < 5 << 20)
			g_string_append(text, i == 3 ? "ti\xc3\xaan " : "\xe3\x81\x82\xe3\x81\x84 ");
		g_string_append(text, " http://shop.example");
		octets = i == 0 ? g_memdup2(text->str, text->len)
						: g_convert(text->str, (gssize)text->len, sets[i], "UTF-8", NULL, &size, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(octets);
		coded = g_base64_encode((const guchar *)octets, i == 0 ? text->len : size);
		g_string_printf(message,
			"Content-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s", sets[i], coded);
		check_whole(message, "shop.example", true);
	}
	limits.most_octets = before;
}

/* Markup that begins before the border of a piece and ends far behind it, whatever is in it. */
static void
test_piece_markup(void)
{
	static const struct {
		const char *begin, *end;
	} cases[] = { { "<a title=\"", "\" href=\"//shop.example/x\">" }, { "<a title='<b> \"", "' href=//shop.example>" },
		{ "<a title=\"", " <!-- \"> x <a href=\"//shop.example\"> -->" },
		{ "<!-- ", "<script> --><a href=\"//shop.example\"></script>" },
		{ "<script>'", " <!-- '</script><a href=\"//shop.example\"> -->" },
		{ "<style>", "<a title='</style><a href=//shop.example>" },
		{ "www.sh<!-- ", " -->op.example" }, { "<a title='", "' href=//shop.example>" },
		{ "<a href=//shop.example/?", ">" } };
	static const size_t lengths[] = { 100, 4500, 9500, 70000, 3 << 20 };
	const size_t before = limits.most_octets;

	limits.most_octets = 64 << 20;
	for (size_t i = 0; i < G_N_ELEMENTS(cases) * G_N_ELEMENTS(lengths) * 2; i++) {
		const size_t length = lengths[i / 2 % G_N_ELEMENTS(lengths)];
		const size_t n = i / 2 / G_N_ELEMENTS(lengths), border = (2 << 20) + strlen(HTML);
		g_autoptr(GString) text =
			filled(HTML, "lorem ipsum ", i % 2 == 0 ? border - MIN(length, 1 << 20) + 50 : border - 50);
		g_autoptr(GString) value = filled("", "dolor ", length);

		g_string_append(text, cases[n].begin);
		g_string_append_len(text, value->str, (gssize)value->len);
		g_string_append(text, cases[n].end);
		g_string_append(text, " and so on");
		check_whole(text, "shop.example", true);
	}
	limits.most_octets = before;
}

/* A value without quotes is no other host because a border parts it. */
static void
test_piece_values(void)
{
	const size_t before = limits.most_octets;

	limits.most_octets = 64 << 20;
	for (size_t offset = 1; offset < 40; offset++) {
		g_autoptr(GString) text = filled(HTML, "lorem ipsum ", (2 << 20) + strlen(HTML) - offset);

		g_string_append(text, "<a href=http://shop.example>x</a> and so on");
		check_whole(text, "shop.example", true);
	}
	limits.most_octets = before;
}

/* What is longer than a piece may grow makes the text one that was not looked at as a whole. */
static void
test_piece_limits(void)
{
	g_autoptr(GString) tag = filled(HTML "<a title=\"", "x ", 9 << 20);
	g_autoptr(GString) word = filled(TEXT, "x", 9 << 20);
	const size_t before = limits.most_octets;

	limits.most_octets = 64 << 20;
	check_whole(tag, "", false);
	g_string_append(tag, "\" href=\"//shop.example\">http://other.example");
	check_whole(tag, "other.example", false);
	g_string_append(word, "http://shop.example");
	check_whole(word, "shop.example", true);
	limits.most_octets = before;
}

static void
test_reduced(void)
{
	static const Case cases[] = {
		{ TEXT "http://a.b.example.co.uk/", "example.co.uk" },
		{ TEXT "http://a.example.com http://b.example.com http://example.com", "example.com" },
		{ TEXT "http://a.b.shop.example", "shop.example" },
		{ TEXT "http://someone.blogspot.com http://x.y.someone.blogspot.com", "someone.blogspot.com" },
		{ TEXT "http://blogspot.com/", "blogspot.com" },
		{ TEXT "http://a_b.example.com/", "example.com" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_numbers(void)
{
	static const Case cases[] = {
		{ TEXT "http://198.51.100.7/x", "198.51.100.7" },
		{ TEXT "http://3325256711/ http://0xc6336407/ http://0306.063.0144.07/", "198.51.100.7" },
		{ TEXT "http://0xc6.0x33.0x64.7 http://198.3367943 http://198.51.25607.", "198.51.100.7" },
		{ TEXT "http://[2001:DB8::0:1]:8080/", "2001:db8::1" },
		{ TEXT "http://[::ffff:198.51.100.7]/", "198.51.100.7" },
		{ TEXT "http://user@198.51.100.7:80/", "198.51.100.7" },
		{ TEXT "http://198.51.100.256 http://1.2.3.4.5 http://0x1ffffffff http://09.1.1.1 http://[::g]", "" },
		{ HTML "<a href='http://%31%39%38.51.100.&#55;'>", "198.51.100.7" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_encodings(void)
{
	static const Case cases[] = {
		{ CODED("text/plain", "base64") "c2VlIGh0dHA6Ly9zaG9wLmV4YW1wbGUveAo=", "shop.example" },
		{ CODED("text/plain", "BASE64 ") "c2VlIGh0dHA6Ly9z\r\naG9wLmV4YW1wbGUveAo=", "shop.example" },
		{ CODED("text/plain", "quoted-printable") "http://sh=6Fp.exa=\r\nmple/", "shop.example" },
		{ CODED("text/plain", "x-uuencode") "begin 644 a\r\n7<V5E(&AT=' Z+R]S:&]P+F5X86UP;&4 \r\n`\r\nend\r\n", "shop.example" },
		{ CODED("text/plain; charset=utf-16le", "base64") "aAB0AHQAcAA6AC8ALwBzAGgAbwBwAC4AZQB4AGEAbQBwAGwAZQA=", "shop.example" },
		{ CODED("text/plain", "base64") "//5oAHQAdABwADoALwAvAHMAaABvAHAALgBlAHgAYQBtAHAAbABlAA==", "shop.example" },
		{ "Content-Type: text/plain; charset=utf-7\r\n\r\nhttp+ADoALwAv-shop.example", "shop.example" },
		{ "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nhttp://b\xfc" "cher.example/", "xn--bcher-kva.example" },
		{ "Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B$\"\x1b(Bhttp://shop.example/", "shop.example" },
		{ "Content-Type: text/plain; charset=nonsense\r\n\r\nhttp://shop.example/\xff", "shop.example" },
		{ "Content-Type: text/plain; charset*=us-ascii''utf-8\r\n\r\nhttp://b\xc3\xbc" "cher.example/", "xn--bcher-kva.example" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_idn(void)
{
	static const Case cases[] = {
		{ TEXT "http://B\xc3\x9c" "CHER.example/ http://xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ TEXT "http://\xef\xbd\x93\xef\xbd\x88op\xe3\x80\x82\x65xample/", "shop.example" },
		{ TEXT "http://sh\xc2\xad\x6fp.ex\xe2\x80\x8b\x61mple", "shop.example" },
		{ TEXT "http://b%C3%BCcher.example/", "xn--bcher-kva.example" },
		{ TEXT "http://\xe4\xbe\x8b\xe3\x81\x88.example", "xn--r8jz45g.example" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_percent(void)
{
	static const Case cases[] = {
		{ TEXT "http://%73h%6Fp.example/", "shop.example" },
		{ TEXT "http://redirect.example/?u=http%3A%2F%2Fshop.example%2F", "redirect.example shop.example" },
		{ TEXT "http://redirect.example/?u=http%253A%252F%252Fshop.example", "redirect.example shop.example" },
		{ TEXT "http://redirect.example/http://shop.example", "redirect.example shop.example" },
		{ TEXT "http://a%zz.example/% http://shop.example/%", "shop.example" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_html(void)
{
	static const Case cases[] = {
		{ HTML "<a href=\"http://shop.example/\">here</a>", "shop.example" },
		{ HTML "<A HREF = http://shop.example>x<img src='http://i.example/x.png'>", "shop.example i.example" },
		{ HTML "<a href=\"//shop.example/x\">", "shop.example" },
		{ HTML "<a href=\" \x01 ht\ttp:/\r\n/shop.exa\nmple\">", "shop.example" },
		{ HTML "<a href=\"http:shop.example\"><a href='http:\\/\\other.example'>", "shop.example other.example" },
		{ HTML "<a href=\"www.shop.example\"><a href='example.com/x'><a href='page.html'>", "shop.example example.com" },
		{ HTML "<a href=\"&#104;&#x74;tp&colon;&sol;&sol;shop&period;ex&#97mple\">", "shop.example" },
		{ HTML "text http:&#47;&#47;shop.example and &lt;www.other.example&gt;", "shop.example other.example" },
		{ HTML "www.sh<!-- > -->op.exam<wbr>ple", "shop.example" },
		{ HTML "<a>example</a><b>.com</b>", "" },
		{ HTML "<base href=http://shop.example/><form action=http://other.example>", "shop.example other.example" },
		{ HTML "<meta http-equiv=refresh content=\"0;url=http://shop.example\">", "shop.example" },
		{ HTML "<div style=\"background:url(http://shop.example/x)\">", "shop.example" },
		{ HTML "<style>@import url(http://shop.example/);a.name{}</style><script>location='http://other.example'</script>",
			"shop.example other.example" },
		{ HTML "<!--[if mso]><a href=http://shop.example><![endif]-->", "shop.example" },
		{ HTML "<!-- http://hidden.example --><!-- http://open.example", "open.example" },
		{ HTML "<!-- --!><a href=//shop.example>x</a><!-- -->", "shop.example" },
		{ HTML "<!---><a href=//shop.example>x</a><!-- -->", "shop.example" },
		{ HTML "<!--><a href=//shop.example>x</a><!-- -->", "shop.example" },
		{ HTML "<style><!--</style><a href=//shop.example>x</a><!-- -->", "shop.example" },
		{ HTML "<script>'<!--'</SCRIPT ><a href=//shop.example>x</a><!-- -->", "shop.example" },
		{ HTML "<title><!--</title><a href=//shop.example>x</a><!-- --><style><!-- a:b --></style>", "shop.example" },
		{ HTML "<style a='</style>'>'</stylex>'<a href=//shop.example>x</style><a href=//other.example>", "other.example" },
		{ HTML "<xmp><a href=//shop.example>", "shop.example" },
		{ HTML "<a title=\"http://shop.example", "shop.example" },
		{ HTML "<a b='c>d' href=http://shop.example>1 < 2</a", "shop.example" },
		{ HTML "<a/href=\"http://shop.example\"/>", "shop.example" },
		{ TEXT "<html><a href=//shop.example>", "shop.example" },
		{ CODED("text/html", "quoted-printable") "<a href=3D\"http://sh=\r\nop.example\">", "shop.example" },
		{ CODED("application/xhtml+xml", "7bit") "<a href='//shop.example'/>", "shop.example" },
		{ NULL, NULL } };

	check(cases);
}

static void
test_parts(void)
{
	static const Case cases[] = {
		{ MIXED "\r\nhttp://shop.example" END, "shop.example" },
		{ MIXED CODED("text/html", "base64") "PGEgaHJlZj0iLy9zaG9wLmV4YW1wbGUiPg==" END, "shop.example" },
		{ MIXED "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\nhttp://one.example\r\n--b  \r\n"
			"Content-Type: text/html\r\n\r\n<a href=//two.example>\r\n--b--\r\n--=_a\r\n\r\nhttp://three.example" END,
			"one.example two.example three.example" },
		{ MIXED "Content-Type: message/rfc822\r\n\r\nSubject: forwarded\r\n" CODED("text/plain", "quoted-printable")
			"http://sh=6Fp.example" END, "shop.example" },
		{ MIXED "Content-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n"
			"http://shop.example\r\n--=_a\r\n\r\nhttp://after.example" END, "shop.example after.example" },
		{ MIXED CODED("message/rfc822", "base64") "Q29udGVudC1UeXBlOiB0ZXh0L2h0bWwNCg0KPGEgaHJlZj0vL3Nob3AuZXhhbXBsZT4=" END,
			"shop.example" },
		{ "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: inner\r\n\r\nhttp://shop.example\r\n--d--\r\n",
			"shop.example" },
		{ "Content-Type: multipart/mixed; boundary*0=\"ab\";\r\n boundary*1=\"cd\"\r\n\r\n--abcd\r\n\r\nhttp://shop.example\r\n",
			"shop.example" },
		{ "content-type:\r\n multipart/mixed;\r\n\tboundary=x\r\n\r\n--x\r\n\r\nhttp://shop.example\r\n", "shop.example" },
		{ "Content-Type: multipart/mixed; boundary=gone\r\n\r\nhttp://shop.example", "shop.example" },
		{ "Content-Type: multipart/mixed\r\n\r\nhttp://shop.example", "shop.example" },
		{ MIXED "no blank line http://shop.example" END, "shop.example" },
		{ MIXED "\nhttp://shop.example\n--=_a\n\nhttp://other.example\n--=_a--\n", "shop.example other.example" },
		{ MIXED "--=_b\r\n\r\nhttp://shop.example" END, "shop.example" },
		{ MIXED "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=x.txt\r\n\r\nhttp://shop.example" END,
			"shop.example" },
		{ "", "" }, { "\r\n", "" }, { "--", "" }, { MIXED, "" },
		{ NULL, NULL } };

	check(cases);
}

/* `text` made of `piece`, n times. */
static char *
repeated(const char *head, const char *piece, unsigned n, const char *tail)
{
	GString *text = g_string_new(head);

	while (n-- > 0)
		g_string_append(text, piece);
	g_string_append(text, tail);
	return g_string_free(text, FALSE);
}

static void
check_limit(const char *head, const char *piece, unsigned n, const char *tail, const char *domains)
{
	g_autofree char *content = repeated(head, piece, n, tail);
	bool is_whole;
	g_autofree char *found = domains_of(content, strlen(content), &is_whole);

	ASSERT_TEXT(found, domains);
	CU_ASSERT_FALSE(is_whole);
}

/* What is beyond is looked at as it stands, and the caller is told. */
static void
test_limits(void)
{
	check_limit(MIXED, "\r\nx\r\n--=_a\r\n", 300, "\r\nhttp://shop.example" END, "shop.example epilogue.example");
	check_limit("", "Content-Type: message/rfc822\r\n\r\n", 30, "\r\nhttp://shop.example", "shop.example");
	check_limit("", "Content-Type: message/rfc822\r\n\r\n", 30000, "\r\nhttp://shop.example", "shop.example");
	check_limit(TEXT "http://shop.example ", "lorem ipsum ", 100000, "http://late.example", "shop.example");
	check_limit("Content-Type: text/plain", ";a=b", 20000, "\r\n\r\nhttp://shop.example", "shop.example");
}

static void
test_order(void)
{
	static const Case cases[] = {
		{ TEXT "bare.com www.bare.org http://bare.net http://bare.com", "bare.net bare.com bare.org" }, { NULL, NULL } };

	check(cases);
}

static void
test_subject_with_nul(void)
{
	static const char content[] = "Subject: a\0 http://shop.example/\0=?utf-8?q?http=3A//other.example?=\r\n\r\nhello\r\n";
	bool is_whole;
	g_autofree char *found = domains_of(content, sizeof content - 1, &is_whole);

	ASSERT_TEXT(found, "shop.example other.example");
}

static const UnitTest tests[] = {
	{ "U-09 links in text: case, dots, userinfo, port, quotes, www, quoted replies (U-11)", test_text },
	{ "U-09 bare domains, where mail programs make links of them", test_bare },
	{ "U-21 domains of mail addresses that are no links count only if that is set", test_addresses },
	{ "U-24 mail links", test_mail_links },
	{ "U-24 the subject", test_subject },
	{ "U-24 a NUL hides nothing of the subject", test_subject_with_nul },
	{ "U-24 HTML by another name", test_disguised },
	{ "U-23 text of any size, piece by piece", test_pieces },
	{ "U-23 character sets over the borders of pieces", test_piece_sets },
	{ "U-23 markup over the borders of pieces", test_piece_markup },
	{ "U-23 values over the borders of pieces", test_piece_values },
	{ "U-23 markup that is longer than a piece may be", test_piece_limits },
	{ "U-10 hosts are reduced to the registrable domain", test_reduced },
	{ "U-10 numeric and obfuscated hosts", test_numbers },
	{ "U-09 transfer encodings and character sets", test_encodings },
	{ "U-09 internationalised names", test_idn },
	{ "U-09 percent signs, and links within links", test_percent },
	{ "U-09 HTML: attributes, entities, comments, broken tags", test_html },
	{ "U-09 nested parts, forwarded messages, odd delimiters", test_parts },
	{ "U-20 parts, depth, text and parameters are bounded, and it is told", test_limits },
	{ "U-20 sure links come before bare domains", test_order },
	{ NULL, NULL },
};

const UnitSuite test_extract = { "extract", tests };
