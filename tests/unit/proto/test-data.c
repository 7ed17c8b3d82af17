/* test-data.c - the octets after DATA or BDAT, and the way back. */
#include "proto/data.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

static void
collect(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
}

/* "content|E|rest", "|M|" if it did not end; a '!' behind the letter if a bare CR or LF was seen.  The input
 * comes in pieces of `piece` octets. */
static char *
decode(const char *input, size_t size, DataDecoder decoder, size_t piece)
{
	g_autoptr(GString) text = g_string_new(NULL);
	DataResult result = DATA_MORE;
	size_t at = 0;

	while (at < size && result == DATA_MORE) {
		const size_t given = MIN(piece, size - at);
		size_t used;

		result = data_decode(&decoder, input + at, given, &used, collect, text);
		CU_ASSERT(result == DATA_END || used == given);
		at += used;
	}
	if (decoder.is_chunk)
		data_decode_finish(&decoder, collect, text);
	g_string_append_printf(text, "|%s%s|%s", result == DATA_END ? "E" : "M", decoder.has_bare ? "!" : "",
		input + at);
	return g_strdup(text->str);
}

typedef struct {
	const char *input, *result;
} DataCase;

static void
check_cases(const DataCase *cases, size_t n, DataDecoder decoder)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t piece = 1; piece <= strlen(cases[i].input); piece++) {
			g_autofree char *result = decode(cases[i].input, strlen(cases[i].input), decoder, piece);

			ASSERT_TEXT(result, cases[i].result);
		}
	}
}

static void
undoes_dots(void)
{
	static const DataCase cases[] = {
		{ ".\r\n", "|E|" },
		{ ".\r\nQUIT\r\n", "|E|QUIT\r\n" },
		{ "a\r\n.\r\nNOOP\r\n", "a\r\n|E|NOOP\r\n" },
		{ "..\r\n.\r\n", ".\r\n|E|" },
		{ "..a\r\n...\r\n.\r\n", ".a\r\n..\r\n|E|" },
		{ ".a\r\n.\r\n", "a\r\n|E|" },
		{ "a.\r\n.\r\n", "a.\r\n|E|" },
		{ "a\r\n..\r\n.\r\n", "a\r\n.\r\n|E|" },
		{ "\r\n\r\n.\r\n.\r\n", "\r\n\r\n|E|.\r\n" },
		{ "a\r\n", "a\r\n|M|" },
		{ "a\r\n.", "a\r\n|M|" },
		{ "a\r\n.\r", "a\r\n|M|" },
	};

	check_cases(cases, G_N_ELEMENTS(cases), (DataDecoder){ 0 });
	check_cases(cases, G_N_ELEMENTS(cases), (DataDecoder){ .is_lenient = true });
}

/* Each of these ended a message in some server; here the second half must stay content. */
static void
resists_smuggling(void)
{
	static const DataCase strict[] = {
		{ "a\n.\nMAIL\r\n.\r\n", "a\n.\nMAIL\r\n|E!|" },
		{ "a\n.\r\nMAIL\r\n.\r\n", "a\n.\r\nMAIL\r\n|E!|" },
		{ "a\r\n.\nMAIL\r\n.\r\n", "a\r\n.\nMAIL\r\n|E!|" },
		{ "a\r.\rMAIL\r\n.\r\n", "a\r.\rMAIL\r\n|E!|" },
		{ "a\r.\r\nMAIL\r\n.\r\n", "a\r.\r\nMAIL\r\n|E!|" },
		{ "a\r\n.\rMAIL\r\n.\r\n", "a\r\n.\rMAIL\r\n|E!|" },
		{ "a\r\r\n.\r\r\nMAIL\r\n.\r\n", "a\r\r\n.\r\r\nMAIL\r\n|E!|" },
		{ "a\n\n.\r\nMAIL\r\n.\r\n", "a\n\n.\r\nMAIL\r\n|E!|" },
		{ ".\nMAIL\r\n.\r\n", ".\nMAIL\r\n|E!|" },
		{ ".\rMAIL\r\n.\r\n", ".\rMAIL\r\n|E!|" },
	};
	static const DataCase lenient[] = {
		{ "a\n.\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n|E|" },
		{ "a\n.\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n|E|" },
		{ "a\r\n.\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n|E|" },
		{ "a\r.\rMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n|E|" },
		{ "a\r.\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n|E|" },
		{ "a\r\n.\rMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n|E|" },
		{ "a\r\n.\r\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n|E|" },
		{ "a\n\n.\r\nMAIL\r\n.\r\n", "a\r\n\r\n.\r\nMAIL\r\n|E|" },
		{ ".\nMAIL\r\n.\r\n", ".\r\nMAIL\r\n|E|" },
		{ "a\n.\r\n.\r\nMAIL", "a\r\n.\r\n|E|MAIL" },
	};

	check_cases(strict, G_N_ELEMENTS(strict), (DataDecoder){ 0 });
	check_cases(lenient, G_N_ELEMENTS(lenient), (DataDecoder){ .is_lenient = true });
}

static void
judges_line_ends(void)
{
	static const DataCase strict[] = {
		{ "a\r\nb\r\n.\r\n", "a\r\nb\r\n|E|" }, { "a\nb\r\n.\r\n", "a\nb\r\n|E!|" },
		{ "a\rb\r\n.\r\n", "a\rb\r\n|E!|" },
		{ "a\n..b\r\n.\r\n", "a\n..b\r\n|E!|" }, { "\n\r\n.\r\n", "\n\r\n|E!|" },
		{ "a\r\r\n.\r\n", "a\r\r\n|E!|" },
	};
	static const DataCase lenient[] = {
		{ "a\nb\r\n.\r\n", "a\r\nb\r\n|E|" }, { "a\rb\r\n.\r\n", "a\r\nb\r\n|E|" },
		{ "a\n..b\n.c\r\n.\r\n", "a\r\n.b\r\nc\r\n|E|" },
		{ "a\r\r\r\nb\r\n.\r\n", "a\r\nb\r\n|E|" }, { "\n\r\r\n\r.\r\n", "\r\n\r\n\r\n.\r\n|M|" },
		{ "a\n\nb", "a\r\n\r\nb|M|" },
	};

	check_cases(strict, G_N_ELEMENTS(strict), (DataDecoder){ 0 });
	check_cases(lenient, G_N_ELEMENTS(lenient), (DataDecoder){ .is_lenient = true });
}

static void
judges_chunks(void)
{
	static const DataCase strict[] = {
		{ "a\r\n.\r\nb", "a\r\n.\r\nb|M|" }, { "..a\r\n", "..a\r\n|M|" }, { "a\nb", "a\nb|M!|" },
		{ "a\r", "a\r|M!|" },
		{ ".", ".|M|" },
	};
	static const DataCase lenient[] = {
		{ "a\n.\n..b\r.\r\n", "a\r\n.\r\n..b\r\n.\r\n|M|" }, { "a\r", "a\r\n|M|" }, { "a\r\n", "a\r\n|M|" },
	};

	check_cases(strict, G_N_ELEMENTS(strict), (DataDecoder){ .is_chunk = true });
	check_cases(lenient, G_N_ELEMENTS(lenient), (DataDecoder){ .is_chunk = true, .is_lenient = true });
}

static void
keeps_octets(void)
{
	DataDecoder decoder = { 0 };
	g_autoptr(GString) text = g_string_new(NULL);
	size_t used;

	CU_ASSERT_EQUAL(data_decode(&decoder, "\0\xff\xc3\xbc\0\r\n.\r\n", 10, &used, collect, text), DATA_END);
	CU_ASSERT_EQUAL(used, 10);
	CU_ASSERT(text->len == 7 && memcmp(text->str, "\0\xff\xc3\xbc\0\r\n", 7) == 0);
	CU_ASSERT_EQUAL(data_decode(&decoder, "x", 1, &used, collect, text), DATA_END);
	CU_ASSERT(used == 0 && text->len == 7);
}

static void
count(void *data, const char *octets, size_t size)
{
	(void)octets, (void)size;
	++*(unsigned *)data;
}

static void
gives_long_runs(void)
{
	static const char input[] = "one\r\ntwo\r\n\r\nthree\r\n";
	DataDecoder decoder = { 0 };
	unsigned n = 0;
	size_t used;
	uint8_t state = 0;

	CU_ASSERT_EQUAL(data_decode(&decoder, input, strlen(input), &used, count, &n), DATA_MORE);
	CU_ASSERT_EQUAL(n, 1);
	data_encode(&state, input, strlen(input), count, &n);
	CU_ASSERT_EQUAL(n, 2);
}

static char *
encode(const char *input, size_t piece)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const size_t size = strlen(input);
	uint8_t state = 0;

	for (size_t at = 0; at < size; at += piece)
		data_encode(&state, input + at, MIN(piece, size - at), collect, text);
	g_string_append(text, data_encode_end(state));
	return g_strdup(text->str);
}

static void
stuffs_dots(void)
{
	static const DataCase cases[] = {
		{ "", ".\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ ".", "..\r\n.\r\n" },
		{ ".\r\n", "..\r\n.\r\n" },
		{ "a\r\n.\r\n..b\r\n.c.\r\n", "a\r\n..\r\n...b\r\n..c.\r\n.\r\n" },
		{ "a\r\n\r\n", "a\r\n\r\n.\r\n" },
		{ "a\n.\nb", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a\r.\rb", "a\r\n..\r\nb\r\n.\r\n" },
		{ "a\n.\r\nMAIL", "a\r\n..\r\nMAIL\r\n.\r\n" },
		{ "a\r", "a\r\n.\r\n" },
		{ "a\r\r\n", "a\r\n.\r\n" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		for (size_t piece = 1; piece <= MAX(strlen(cases[i].input), 1); piece++) {
			g_autofree char *result = encode(cases[i].input, piece);

			ASSERT_TEXT(result, cases[i].result);
		}
	}
}

static const UnitTest tests[] = {
	{ "E-12 dots are undone, CRLF.CRLF ends", undoes_dots },
	{ "E-12 nothing else ends a message", resists_smuggling },
	{ "E-12 bare CR and LF are noticed or made CRLF", judges_line_ends },
	{ "E-12 chunks of BDAT are judged, too", judges_chunks },
	{ "E-07 octets pass unchanged, NULs too", keeps_octets },
	{ "whole lines come in one run", gives_long_runs },
	{ "E-12 dots are stuffed and nothing bare is sent", stuffs_dots },
	{ 0 },
};

const UnitSuite suite_data = { "data", tests };
