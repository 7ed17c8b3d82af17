/* fuzz-feedback.c - reports of feedback loops: what was read can be kept, logged and shown to people. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "plugins/standing/feedback.h"

static void
assert_printable(const char *text, size_t room)
{
	g_assert(strlen(text) < room);
	for (const char *c = text; *c != '\0'; c++)
		g_assert(g_ascii_isprint(*c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *octets = size > 0 ? g_memdup2(data, size) : NULL; /* what is read behind it is found */
	Feedback feedback;

	if (octets == NULL)
		return 0;
	feedback_read("X-Postern", octets, size, &feedback);
	assert_printable(feedback.type, sizeof feedback.type);
	assert_printable(feedback.recipient, sizeof feedback.recipient);
	assert_printable(feedback.source, sizeof feedback.source);
	assert_printable(feedback.submit, sizeof feedback.submit);
	assert_printable(feedback.tag, sizeof feedback.tag);
	g_assert(strspn(feedback.submit, "0123456789abcdef.") == strlen(feedback.submit));
	return 0;
}
