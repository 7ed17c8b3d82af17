/* test-command.c - splitting command lines. */
#include "proto/command.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

static void
splits_lines(void)
{
	static const struct {
		const char *line, *verb, *argument;
	} cases[] = {
		{ "EHLO example.net", "EHLO", "example.net" },
		{ "ehlo  \t example.net \t ", "EHLO", "example.net" },
		{ "MAIL FROM:<a@b.example> SIZE=1", "MAIL", "FROM:<a@b.example> SIZE=1" },
		{ "QUIT", "QUIT", "" },
		{ "QUIT ", "QUIT", "" },
		{ "STARTTLS", "STARTTLS", "" },
		{ "X-Y1 z", "X-Y1", "z" },
		{ "ABCDEFGHIJK x", "ABCDEFGHIJK", "x" },
		{ "ABCDEFGHIJKL x", "", "ABCDEFGHIJKL x" },
		{ "", "", "" },
		{ "  ", "", "" },
		{ " NOOP", "", " NOOP" },
		{ "No\x01op", "", "No\x01op" },
		{ "\xc3\xa4 b", "", "\xc3\xa4 b" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *line = g_strdup(cases[i].line);
		Command command;

		command_split(line, strlen(line), &command);
		ASSERT_TEXT(command.verb, cases[i].verb);
		ASSERT_TEXT(command.argument, cases[i].argument);
	}
}

static void
shows_junk(void)
{
	char http[] = "GET / HTTP/1.1", header[] = "Subject: hello", tls[] = "\x16\x03\x01";
	Command command;

	command_split(http, strlen(http), &command);
	ASSERT_TEXT(command.verb, "GET");
	ASSERT_TEXT(command.argument, "/ HTTP/1.1");
	command_split(header, strlen(header), &command);
	ASSERT_TEXT(command.verb, "");
	ASSERT_TEXT(command.argument, "Subject: hello");
	command_split(tls, strlen(tls), &command);
	ASSERT_TEXT(command.verb, "");
}

static void
refuses_nul(void)
{
	char at_end[] = "NOOP\0", inside[] = "MAIL FROM:<a@b.example>\0 SIZE=1", in_verb[] = "NO\0OP";
	Command command;

	command_split(at_end, 5, &command);
	ASSERT_TEXT(command.verb, "");
	command_split(inside, sizeof inside - 1, &command);
	ASSERT_TEXT(command.verb, "");
	ASSERT_TEXT(command.argument, "MAIL FROM:<a@b.example>");
	command_split(in_verb, 5, &command);
	ASSERT_TEXT(command.verb, "");
}

static const UnitTest tests[] = {
	{ "a line is a verb and the rest", splits_lines },
	{ "C-17 HTTP, header lines and a ClientHello can be told from verbs", shows_junk },
	{ "a NUL leaves no verb", refuses_nul },
	{ 0 },
};

const UnitSuite suite_command = { "command", tests };
