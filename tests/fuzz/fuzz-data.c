/* fuzz-data.c - message content in and out: the same however it comes in, and nothing bare goes out. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/data.h"
#include "proto/mbox.h"

static void
collect(void *data, const char *octets, size_t size)
{
	g_assert(size > 0);
	g_string_append_len(data, octets, (gssize)size);
}

/* What is left of the input when the message ends. */
static size_t
decode(DataDecoder *decoder, const char *input, size_t size, size_t piece, GString *content)
{
	DataResult result = DATA_MORE;
	size_t at = 0;

	while (at < size && result == DATA_MORE) {
		size_t used;

		result = data_decode(decoder, input + at, MIN(piece, size - at), &used, collect, content);
		g_assert(used <= size - at && (result == DATA_END || used == MIN(piece, size - at)));
		at += used;
	}
	g_assert(result == DATA_MORE || (at >= 3 && memcmp(input + at - 3, ".\r\n", 3) == 0));
	g_assert(result == DATA_MORE || at == 3 || memcmp(input + at - 5, "\r\n", 2) == 0);
	if (result == DATA_MORE)
		data_decode_finish(decoder, collect, content);
	return result == DATA_END ? size - at : SIZE_MAX;
}

static void
check_nothing_bare(const GString *content)
{
	for (size_t i = 0; i < content->len; i++) {
		if (content->str[i] == '\r')
			g_assert(content->str[i + 1] == '\n');
		if (content->str[i] == '\n')
			g_assert(i > 0 && content->str[i - 1] == '\r');
	}
}

/* Sent and received again it is the same, but for a line end at the end. */
static void
check_round_trip(const GString *content, size_t piece)
{
	g_autoptr(GString) sent = g_string_new(NULL);
	g_autoptr(GString) received = g_string_new(NULL);
	DataDecoder decoder = { 0 };
	uint8_t state = 0;

	for (size_t at = 0; at < content->len; at += piece)
		data_encode(&state, content->str + at, MIN(piece, content->len - at), collect, sent);
	g_string_append(sent, data_encode_end(state));
	check_nothing_bare(sent);
	g_assert(decode(&decoder, sent->str, sent->len, sent->len, received) == 0);
	g_assert(!decoder.has_bare);
	if (content->len > 0 && content->str[content->len - 1] != '\n')
		g_string_truncate(received, received->len - 2);
	g_assert(g_string_equal(received, content));
}

/* However it comes, and never twice. */
static void
check_mailbox_lines(const char *input, size_t size, size_t piece)
{
	g_autoptr(GString) whole = g_string_new(NULL);
	g_autoptr(GString) pieces = g_string_new(NULL);
	g_autoptr(GString) again = g_string_new(NULL);
	MboxFilter first = { 0 }, second = { 0 }, third = { 0 };

	mbox_filter(&first, input, size, collect, whole);
	mbox_finish(&first, collect, whole);
	for (size_t at = 0; at < size; at += piece)
		mbox_filter(&second, input + at, MIN(piece, size - at), collect, pieces);
	mbox_finish(&second, collect, pieces);
	g_assert(g_string_equal(whole, pieces));
	mbox_filter(&third, whole->str, whole->len, collect, again);
	mbox_finish(&third, collect, again);
	g_assert(g_string_equal(whole, again));
	g_assert(whole->len <= size && memcmp(whole->str, input + size - whole->len, whole->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *input = (const char *)data + 1;
	g_autoptr(GString) whole = g_string_new(NULL);
	g_autoptr(GString) pieces = g_string_new(NULL);
	g_autoptr(GString) sent = g_string_new(NULL);
	DataDecoder first = { 0 }, second;
	uint8_t state = 0;
	size_t left;

	if (size == 0)
		return 0;
	first.is_lenient = data[0] & 1;
	first.is_chunk = data[0] & 2;
	second = first;
	left = decode(&first, input, size - 1, size, whole);
	g_assert(left == decode(&second, input, size - 1, 1 + data[0] % 7, pieces));
	g_assert(g_string_equal(whole, pieces) && first.has_bare == second.has_bare);
	data_encode(&state, input, size - 1, collect, sent);
	g_string_append(sent, data_encode_end(state));
	check_nothing_bare(sent);
	if (first.is_lenient)
		check_nothing_bare(whole);
	if (first.is_lenient || !first.has_bare)
		check_round_trip(whole, 1 + data[0] % 11);
	check_mailbox_lines(input, size - 1, 1 + data[0] % 7);
	return 0;
}
