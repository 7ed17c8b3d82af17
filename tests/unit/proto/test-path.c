/* test-path.c - the arguments of MAIL and RCPT. */
#include "proto/path.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

typedef struct {
	const char *argument;
	PathResult result;
	const char *address; /* with OK and NOT_QUALIFIED */
} PathCase;

static void
check_cases(const PathCase *cases, size_t n, const char *keyword, unsigned flags)
{
	for (size_t i = 0; i < n; i++) {
		g_autoptr(Region) region = region_new();
		Path path = { .address = "unset" };
		const PathResult result = path_parse(region, cases[i].argument, keyword, flags, &path);
		g_autofree char *got = g_strdup_printf("%s -> %d %s", cases[i].argument, result, path.address);
		g_autofree char *expected = g_strdup_printf("%s -> %d %s", cases[i].argument, cases[i].result,
			cases[i].address != NULL ? cases[i].address : "unset");

		ASSERT_TEXT(got, expected);
	}
}

static void
takes_paths(void)
{
	static const PathCase cases[] = {
		{ "FROM:<user@example.net>", PATH_OK, "user@example.net" },
		{ "from:<user@example.net>", PATH_OK, "user@example.net" },
		{ "FROM: \t<user@example.net>", PATH_OK, "user@example.net" },
		{ "FROM:<>", PATH_OK, "" },
		{ "FROM:<> BODY=8BITMIME", PATH_OK, "" },
		{ "FROM:<User.Name+tag@EXAMPLE.Net>", PATH_OK, "User.Name+tag@example.net" },
		{ "FROM:<!#$%&'*+-/=?^_`{|}~@example.net>", PATH_OK, "!#$%&'*+-/=?^_`{|}~@example.net" },
		{ "FROM:<a@xn--bcher-kva.example>", PATH_OK, "a@xn--bcher-kva.example" },
		{ "FROM:<a@a_b.1-2.example>", PATH_OK, "a@a_b.1-2.example" },
		{ "FROM:<a@1.2.3.example>", PATH_OK, "a@1.2.3.example" },
		{ "FROM:<@one.example,@two.example:user@example.net>", PATH_OK, "user@example.net" },
		{ "FROM:<@one:user@example.net>", PATH_OK, "user@example.net" },
		{ "FROM:<\"user\"@example.net>", PATH_OK, "user@example.net" },
		{ "FROM:<\"us\\er\"@example.net>", PATH_OK, "user@example.net" },
		{ "FROM:<\"a b\"@example.net>", PATH_OK, "\"a b\"@example.net" },
		{ "FROM:<\"a\\b\\\"c\\\\\"@example.net>", PATH_OK, "\"ab\\\"c\\\\\"@example.net" },
		{ "FROM:<\"a@b>c\"@example.net>", PATH_OK, "\"a@b>c\"@example.net" },
		{ "FROM:<\"a..b\"@example.net>", PATH_OK, "\"a..b\"@example.net" },
		{ "FROM:<\"\"@example.net>", PATH_OK, "\"\"@example.net" },
	};

	check_cases(cases, G_N_ELEMENTS(cases), "FROM:", false);
}

static void
refuses_syntax(void)
{
	static const PathCase cases[] = {
		{ "FROM:user@example.net", PATH_SYNTAX, NULL },
		{ "FROM:user@example.net>", PATH_SYNTAX, NULL },
		{ "FROM:<user@example.net", PATH_SYNTAX, NULL },
		{ "FROM:", PATH_SYNTAX, NULL },
		{ "", PATH_SYNTAX, NULL },
		{ "FROM <user@example.net>", PATH_SYNTAX, NULL },
		{ "FROM :<user@example.net>", PATH_SYNTAX, NULL },
		{ " FROM:<user@example.net>", PATH_SYNTAX, NULL },
		{ "TO:<user@example.net>", PATH_SYNTAX, NULL },
		{ "FROM:Joe <user@example.net>", PATH_SYNTAX, NULL },
		{ "FROM:<user@example.net>x", PATH_SYNTAX, NULL },
		{ "FROM:<user@example.net>SIZE=1", PATH_SYNTAX, NULL },
		{ "FROM:<user@example.net>>", PATH_SYNTAX, NULL },
		{ "FROM:<user@example.net", PATH_SYNTAX, NULL },
		{ "FROM:<user>@example.net>", PATH_SYNTAX, NULL },
		{ "FROM:<<user@example.net>>", PATH_SYNTAX, NULL },
		{ "FROM:<<user@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:< user@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@example.net >", PATH_BAD_ADDRESS, NULL },
		{ "FROM:< >", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<@>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@a@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<.user@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user.@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<us..er@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<us er@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<us(er)@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<us\ter@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<us\x01" "er@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<\"us\x01" "er\"@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<\"us\\\x7f" "er\"@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<\"user@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<\"user\"x@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<x\"user\"@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@example..net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@example.net.>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@.example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@-a.example>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@a-.example>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@a/b.example>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@192.0.2.1>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<@one.example,user@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<@one.example>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<@one.example:>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<@a b:user@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<user@[192.0.2.1>", PATH_BAD_ADDRESS, NULL },
	};

	check_cases(cases, G_N_ELEMENTS(cases), "FROM:", false);
}

static void
refuses_literals(void)
{
	static const PathCase senders[] = {
		{ "FROM:<user@[1.2.3.4]>", PATH_LITERAL, NULL },
		{ "FROM:<user@[IPv6:2001:db8::1]>", PATH_LITERAL, NULL },
		{ "FROM:<user@[]>", PATH_LITERAL, NULL },
	};
	static const PathCase recipients[] = { { "TO:<user@[1.2.3.4]>", PATH_LITERAL, NULL } };

	check_cases(senders, G_N_ELEMENTS(senders), "FROM:", false);
	check_cases(recipients, G_N_ELEMENTS(recipients), "TO:", false);
}

static void
tells_unqualified(void)
{
	static const PathCase senders[] = {
		{ "FROM:<bob>", PATH_NOT_QUALIFIED, "bob" },
		{ "FROM:<bob@host>", PATH_NOT_QUALIFIED, "bob@host" },
		{ "FROM:<\"bob\">", PATH_NOT_QUALIFIED, "bob" },
		{ "FROM:<postmaster>", PATH_NOT_QUALIFIED, "postmaster" },
	};
	static const PathCase recipients[] = {
		{ "TO:<bob>", PATH_NOT_QUALIFIED, "bob" },
		{ "TO:<postmaster>", PATH_OK, "postmaster" },
		{ "TO:<PostMaster> NOTIFY=NEVER", PATH_OK, "PostMaster" },
		{ "TO:<postmaster@host>", PATH_NOT_QUALIFIED, "postmaster@host" },
		{ "TO:<>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<a@b.example>", PATH_SYNTAX, NULL },
	};

	check_cases(senders, G_N_ELEMENTS(senders), "FROM:", false);
	check_cases(recipients, G_N_ELEMENTS(recipients), "TO:", false);
}

static void
keeps_limits(void)
{
	g_autofree char *x64 = g_strnfill(64, 'x');
	g_autofree char *x63 = g_strnfill(63, 'y');
	g_autofree char *domain189 = g_strdup_printf("%.61s.%s.%s", x63, x63, x63);
	g_autofree char *longest = g_strdup_printf("FROM:<%s@%s>", x64, domain189);
	g_autofree char *longest_address = g_strdup_printf("%s@%s", x64, domain189);
	g_autofree char *routed = g_strdup_printf("FROM:<@%s:%s@%s>", domain189, x64, domain189);
	g_autofree char *too_long = g_strdup_printf("FROM:<%s@z%s>", x64, domain189);
	g_autofree char *local65 = g_strdup_printf("FROM:<%sx@example.net>", x64);
	g_autofree char *quoted62 = g_strdup_printf("FROM:<\"%.61s \"@example.net>", x64);
	g_autofree char *quoted62_address = g_strdup_printf("\"%.61s \"@example.net", x64);
	g_autofree char *quoted63 = g_strdup_printf("FROM:<\"%.62s \"@example.net>", x64);
	g_autofree char *label64 = g_strdup_printf("FROM:<a@%s.example>", x64);
	g_autofree char *domain254 = g_strdup_printf("FROM:<a@%s.%s>", domain189, x63);
	const PathCase cases[] = {
		{ longest, PATH_OK, longest_address },
		{ routed, PATH_OK, longest_address },
		{ too_long, PATH_TOO_LONG, NULL },
		{ local65, PATH_TOO_LONG, NULL },
		{ quoted62, PATH_OK, quoted62_address },
		{ quoted63, PATH_TOO_LONG, NULL },
		{ label64, PATH_BAD_ADDRESS, NULL },
		{ domain254, PATH_TOO_LONG, NULL },
	};

	CU_ASSERT_EQUAL(strlen(longest_address) + 2, PATH_MAX_OCTETS);
	check_cases(cases, G_N_ELEMENTS(cases), "FROM:", false);
}

static void
takes_utf8(void)
{
	static const PathCase plain[] = {
		{ "FROM:<b\xc3\xbc" "ro@example.net>", PATH_NEEDS_UTF8, NULL },
		{ "FROM:<a@b\xc3\xbc" "cher.example>", PATH_NEEDS_UTF8, NULL },
		{ "FROM:<a\xff@example.net>", PATH_NEEDS_UTF8, NULL },
		{ "FROM:<a@example.net> X=\xc3\xbc", PATH_SYNTAX, NULL },
	};
	static const PathCase utf8[] = {
		{ "FROM:<b\xc3\xbc" "ro@example.net> SMTPUTF8", PATH_OK, "b\xc3\xbc" "ro@example.net" },
		{ "FROM:<\"b\xc3\xbc ro\"@example.net>", PATH_OK, "\"b\xc3\xbc ro\"@example.net" },
		{ "FROM:<A@B\xc3\xbc" "CHER.example>", PATH_OK, "A@xn--bcher-kva.example" },
		{ "FROM:<a@b\xe3\x80\x82" "c.example>", PATH_OK, "a@b.c.example" }, /* ideographic full stop */
		{ "FROM:<a\xff@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<a\xc3@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<a\xc0\xaf@example.net>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<a\xc2\x85@example.net>", PATH_BAD_ADDRESS, NULL },     /* next line */
		{ "FROM:<a\xe2\x80\xa8@example.net>", PATH_BAD_ADDRESS, NULL }, /* line separator */
		{ "FROM:<a@example.net> X=\xc3\xbc", PATH_OK, "a@example.net" },
		{ "FROM:<a@example.net> X=\xc3", PATH_SYNTAX, NULL },
	};

	check_cases(plain, G_N_ELEMENTS(plain), "FROM:", false);
	check_cases(utf8, G_N_ELEMENTS(utf8), "FROM:", true);
}

static void
finds_smtputf8(void)
{
	static const struct {
		const char *argument;
		bool wants;
	} cases[] = {
		{ "FROM:<a@b> SMTPUTF8", true },
		{ "FROM:<b\xc3\xbc@b> SIZE=3 smtputf8 BODY=8BITMIME", true },
		{ "FROM:<\"> SMTPUTF8\"@b>", false },
		{ "FROM:<\"a>\"@b> \t SMTPUTF8 ", true },
		{ "FROM:<a@b>", false },
		{ "FROM:<a@b> SMTPUTF8=1", false },
		{ "FROM:<a@b> XSMTPUTF8", false },
		{ "FROM:<a@b> SMTPUTF88", false },
		{ "FROM:<a@b> SMTPUTF8x", false },
		{ "FROM:a@b SMTPUTF8", true },
		{ "FROM: a@b SIZE=1 smtputf8 ", true },
		{ "FROM:SMTPUTF8", false },
		{ "FROM: SMTPUTF8", false },
		{ "", false },
		{ "FROM:<a@b SMTPUTF8", false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		CU_ASSERT_EQUAL(path_wants_utf8(cases[i].argument), cases[i].wants);
}

static void
splits_parameters(void)
{
	g_autoptr(Region) region = region_new();
	Path path;

	CU_ASSERT_EQUAL_FATAL(path_parse(region,
		"FROM:<a@b.example> size=100  BODY=8BITMIME\tSMTPUTF8 X-1=a/b;c:<d> ",
		"FROM:", false, &path), PATH_OK);
	CU_ASSERT_EQUAL_FATAL(path.n_parameters, 4);
	ASSERT_TEXT(path.parameters[0].name, "SIZE");
	ASSERT_TEXT(path.parameters[0].value, "100");
	ASSERT_TEXT(path.parameters[1].value, "8BITMIME");
	ASSERT_TEXT(path.parameters[2].name, "SMTPUTF8");
	CU_ASSERT_PTR_NULL(path.parameters[2].value);
	ASSERT_TEXT(path.parameters[3].name, "X-1");
	ASSERT_TEXT(path.parameters[3].value, "a/b;c:<d>");
	CU_ASSERT_EQUAL(path_parse(region, "FROM:<bob> SIZE=1", "FROM:", false, &path), PATH_NOT_QUALIFIED);
	CU_ASSERT_EQUAL(path.n_parameters, 1);
}

static void
refuses_parameters(void)
{
	static const PathCase cases[] = {
		{ "FROM:<a@b.example> =1", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> SIZE=", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> SIZE= 1", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> SIZE =1", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> -X=1", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> X_Y=1", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> X=a=b", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> X=\x01", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> X=a\x7f", PATH_SYNTAX, NULL },
		{ "FROM:<a@b.example> RET=FULL ret=HDRS", PATH_SYNTAX, NULL },
	};

	check_cases(cases, G_N_ELEMENTS(cases), "FROM:", false);
}

static void
counts_parameters(void)
{
	g_autoptr(Region) region = region_new();
	g_autoptr(GString) argument = g_string_new("TO:<a@b.example>");
	Path path;

	for (int i = 0; i < PARAMETERS_MAX; i++)
		g_string_append_printf(argument, " P%d", i);
	CU_ASSERT_EQUAL(path_parse(region, argument->str, "TO:", false, &path), PATH_OK);
	CU_ASSERT_EQUAL(path.n_parameters, PARAMETERS_MAX);
	g_string_append(argument, " LAST LAST");
	CU_ASSERT_EQUAL(path_parse(region, argument->str, "TO:", false, &path), PATH_OK);
	CU_ASSERT_EQUAL(path.n_parameters, PARAMETERS_MAX + 1);
}

/* compat = usual; what is canonical is so in the strict form where there is one. */
static void
tolerates_mistakes(void)
{
	static const PathCase senders[] = {
		{ "FROM:a@B.example", PATH_OK, "a@b.example" },
		{ "FROM: \ta@b.example SIZE=1", PATH_OK, "a@b.example" },
		{ "FROM:<a@b.example.>", PATH_OK, "a@b.example" },
		{ "FROM:a@b.example. X", PATH_OK, "a@b.example" },
		{ "FROM:a@b", PATH_NOT_QUALIFIED, "a@b" },
		{ "FROM:<>", PATH_OK, "" },
		{ "FROM:<a@b.>", PATH_NOT_QUALIFIED, "a@b" },
		{ "FROM:", PATH_SYNTAX, NULL },
		{ "FROM:a", PATH_SYNTAX, NULL },
		{ "FROM:@r:a@b.example", PATH_SYNTAX, NULL },
		{ "FROM:a@b.example>", PATH_SYNTAX, NULL },
		{ "FROM:a@b.example<", PATH_SYNTAX, NULL },
		{ "FROM:\"a\"@b.example", PATH_SYNTAX, NULL },
		{ "FROM:a@b.example=1", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<a..b@c.example>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<a@b.example..>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:<a@.>", PATH_BAD_ADDRESS, NULL },
		{ "FROM:a@[192.0.2.1]", PATH_LITERAL, NULL },
		{ "FROM:b\xc3\xbc@c.example", PATH_NEEDS_UTF8, NULL },
	};
	static const PathCase recipients[] = {
		{ "TO:<a..b@c.example>", PATH_OK, "a..b@c.example" }, { "TO:<a.@c.example>", PATH_OK, "a.@c.example" },
		{ "TO:<.a@c.example>", PATH_OK, ".a@c.example" }, { "TO:a.@c.example.", PATH_OK, "a.@c.example" },
		{ "TO:<\"a..b\"@c.example>", PATH_OK, "\"a..b\"@c.example" }, /* another mailbox, maybe: it stays apart */
		{ "TO:<.@c.example>", PATH_BAD_ADDRESS, NULL }, { "TO:<a..b @c.example>", PATH_BAD_ADDRESS, NULL },
		{ "TO:<>", PATH_BAD_ADDRESS, NULL }, { "TO:", PATH_SYNTAX, NULL }, { "TO:<a..b@c@d.example>", PATH_BAD_ADDRESS, NULL },
	};
	g_autoptr(Region) region = region_new();
	g_autofree char *size100 = g_strnfill(100, 'l'), *size300 = g_strnfill(300, 'l');
	Path path;

	check_cases(senders, G_N_ELEMENTS(senders), "FROM:", PATH_LOOSE);
	check_cases(recipients, G_N_ELEMENTS(recipients), "TO:", PATH_LOOSE);
	CU_ASSERT_EQUAL(path_parse(region, region_printf(region, "TO:<%s@c.example>", size100), "TO:", PATH_LOOSE, &path), PATH_OK);
	CU_ASSERT_EQUAL(
		path_parse(region, region_printf(region, "TO:<%s@c.example>", size100), "TO:", 0, &path), PATH_TOO_LONG);
	CU_ASSERT_EQUAL(
		path_parse(region, region_printf(region, "TO:<%s@c.example>", size300), "TO:", PATH_LOOSE, &path), PATH_TOO_LONG);
}

static const UnitTest tests[] = {
	{ "S-18 paths are taken in canonical form, the domain in lower case", takes_paths },
	{ "E-17 MAIL FROM without brackets or with bad syntax is refused", refuses_syntax },
	{ "E-18 a domain literal is told apart", refuses_literals },
	{ "R-04 R-05 addresses that are not fully qualified are told apart", tells_unqualified },
	{ "lengths of RFC 5321 4.5.3.1", keeps_limits },
	{ "UTF-8 only where SMTPUTF8 allows it", takes_utf8 },
	{ "SMTPUTF8 is found before the path is parsed", finds_smtputf8 },
	{ "E-05 E-08 parameters are split", splits_parameters },
	{ "E-08 parameters that are none are refused", refuses_parameters },
	{ "too many parameters are told", counts_parameters },
	{ "E-28 mistakes of clients are tolerated where that is wanted", tolerates_mistakes },
	{ 0 },
};

const UnitSuite suite_path = { "path", tests };
