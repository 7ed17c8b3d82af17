/* test-reply.c - replies of servers, and ours. */
#include "proto/reply.h"

#include <string.h>

#include "suites.h"

/* Takes lines (separated by '\n'); "RESULT CODE ENHANCED TEXT" after the last. */
static char *
take(const char *lines)
{
	g_auto(GStrv) parts = g_strsplit(lines, "\n", -1);
	g_autoptr(GString) text = g_string_new(NULL);
	ServerReply reply = { .text = text };
	ReplyResult result = REPLY_MORE;

	for (char **line = parts; *line != NULL && result == REPLY_MORE; line++)
		result = reply_take_line(&reply, *line, strlen(*line));
	if (result == REPLY_BAD)
		return g_strdup("bad");
	return g_strdup_printf("%s %d [%s] %s", result == REPLY_MORE ? "more" : "last", reply.code,
		reply.enhanced, text->str);
}

static void
takes_replies(void)
{
	static const struct {
		const char *lines, *result;
	} cases[] = {
		{ "250 Ok", "last 250 [] Ok" },
		{ "250 2.1.0 Ok", "last 250 [2.1.0] Ok" },
		{ "250 2.1.0", "last 250 [2.1.0] " },
		{ "250", "last 250 [] " },
		{ "250 ", "last 250 [] " },
		{ "250-a", "more 250 [] a" },
		{ "250-", "more 250 [] " },
		{ "250-mx.example\n250-SIZE 100\n250 8BITMIME", "last 250 [] mx.example\nSIZE 100\n8BITMIME" },
		{ "550-5.7.1 one\n550 5.7.1 two", "last 550 [5.7.1] one\ntwo" },
		{ "550-5.7.1 one\n550 5.7.2 two", "last 550 [5.7.1] one\n5.7.2 two" },
		{ "550-one\n550 5.7.1 two", "last 550 [] one\n5.7.1 two" },
		{ "550 4.7.1 wrong class", "last 550 [] 4.7.1 wrong class" },
		{ "550 5.7 short", "last 550 [] 5.7 short" },
		{ "550 5.7.1000 long", "last 550 [] 5.7.1000 long" },
		{ "550 5.7.1x", "last 550 [] 5.7.1x" },
		{ "550 5.777.999 x", "last 550 [5.777.999] x" },
		{ "354 3.0.0 go", "last 354 [] 3.0.0 go" },
		{ "599 x", "last 599 [] x" },
		{ "150 x", "last 150 [] x" },
		{ "600 6.0.0 x", "last 600 [6.0.0] x" },
		{ "250-a\n550 5.7.1 b", "last 550 [5.7.1] a\nb" },
		{ "550-5.7.1 a\n250 b", "last 250 [] a\nb" },
		{ "451-4.3.0 a\n450-4.2.1 b\n450 4.2.1 c", "last 450 [4.2.1] a\nb\nc" },
		{ "250 a\tb\x01" "c\x7f", "last 250 [] a?b?c?" },
		{ "250 b\xc3\xbc\xc2\x85.", "last 250 [] b\xc3\xbc?." },
		{ "250 b\xfc.", "last 250 [] b?." },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *result = take(cases[i].lines);

		ASSERT_TEXT(result, cases[i].result);
	}
}

static void
refuses_replies(void)
{
	static const char *const bad[] = { "2", "25", "25x", "050 x", "250x", "250_x",
		"2500", " 250 x",
		"hello", "250-a\nb", "250-a\n", "-50 x", "\n" };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *result = take(bad[i]);

		ASSERT_TEXT(result, "bad");
	}
}

static void
keeps_limits(void)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *longest = g_strnfill(REPLY_LINE_MAX + 1, 'x');
	ServerReply reply = { .text = text };

	memcpy(longest, "250-", 4);
	CU_ASSERT_EQUAL(reply_take_line(&reply, longest, REPLY_LINE_MAX + 1), REPLY_MORE);
	CU_ASSERT_EQUAL(text->len, REPLY_LINE_MAX - 4);
	for (int i = 1; i < 2 * REPLY_TEXT_MAX / REPLY_LINE_MAX; i++)
		CU_ASSERT_EQUAL(reply_take_line(&reply, longest, REPLY_LINE_MAX), REPLY_MORE);
	CU_ASSERT_EQUAL(text->len, REPLY_TEXT_MAX);
	CU_ASSERT_EQUAL(reply_take_line(&reply, "550 5.7.1 end", 13), REPLY_LAST);
	CU_ASSERT_EQUAL(text->len, REPLY_TEXT_MAX);
	CU_ASSERT_EQUAL(reply.code, 550);
	ASSERT_TEXT(reply.enhanced, "5.7.1");
}

static void
cuts_between_characters(void)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GString) line = g_string_new("250-");
	ServerReply reply = { .text = text };

	for (int i = 0; i < 600; i++)
		g_string_append(line, "\xe2\x82\xac");
	for (int i = 0; i < 40; i++)
		CU_ASSERT_EQUAL(reply_take_line(&reply, line->str, line->len), REPLY_MORE);
	CU_ASSERT_TRUE(text->len <= REPLY_TEXT_MAX && text->len > REPLY_TEXT_MAX - 3);
	CU_ASSERT_TRUE(g_utf8_validate(text->str, (gssize)text->len, NULL));
}

static void
judges_ours(void)
{
	static const struct {
		int code;
		const char *enhanced, *text;
		bool is_utf8, is_valid;
	} cases[] = {
		{ 250, "2.1.0", "Ok", false, true }, { 550, "5.7.1", "no", false, true },
		{ 450, "4.1.8", "no", false, true },
		{ 354, "", "go", false, true }, { 334, NULL, "VXNlcm5hbWU6", false, true },
		{ 354, "3.0.0", "go", false, false },
		{ 550, "4.7.1", "no", false, false }, { 450, "5.7.1", "no", false, false },
		{ 550, "", "no", false, false },
		{ 550, NULL, "no", false, false }, { 199, "1.0.0", "no", false, false },
		{ 600, "6.0.0", "no", false, false },
		{ 550, "5.7.1 ", "no", false, false }, { 550, "5.7.1 x", "no", false, false },
		{ 550, "5.7", "no", false, false },
		{ 550, "5..1", "no", false, false }, { 550, "5.7.1234", "no", false, false },
		{ 550, "5.7.1", "", false, false },
		{ 550, "5.7.1", NULL, false, false }, { 550, "5.7.1", "a\r\n250 Ok", false, false },
		{ 550, "5.7.1", "a\tb", false, false },
		{ 550, "5.7.1", "b\xc3\xbc", false, false }, { 550, "5.7.1", "b\xc3\xbc", true, true },
		{ 550, "5.7.1", "b\xfc", true, false }, { 550, "5.7.1", "b\xc2\x85", true, false },
		{ 550, "5.7.1", "b\xe2\x80\xa8", true, false },
	};
	g_autofree char *size480 = g_strnfill(REPLY_OURS_MAX, 'x');
	g_autofree char *size481 = g_strnfill(REPLY_OURS_MAX + 1, 'x');

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *what = g_strdup_printf("%zu: %s", i, cases[i].is_valid ? "valid" : "invalid");
		const bool is_valid = reply_is_valid(cases[i].code, cases[i].enhanced, cases[i].text, cases[i].is_utf8);
		g_autofree char *got = g_strdup_printf("%zu: %s", i, is_valid ? "valid" : "invalid");

		ASSERT_TEXT(got, what);
	}
	CU_ASSERT_TRUE(reply_is_valid(250, "2.0.0", size480, false));
	CU_ASSERT_FALSE(reply_is_valid(250, "2.0.0", size481, false));
}

static const UnitTest tests[] = {
	{ "replies of servers, with and without enhanced codes", takes_replies },
	{ "what is no reply is bad", refuses_replies },
	{ "lines and text have limits", keeps_limits },
	{ "text is cut between characters", cuts_between_characters },
	{ "E-11 our replies carry an enhanced code of their class, and no line ends", judges_ours },
	{ 0 },
};

const UnitSuite suite_reply = { "reply", tests };
