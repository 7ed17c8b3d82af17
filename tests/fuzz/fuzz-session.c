/* fuzz-session.c - whole sessions over the test host: commands, AUTH, DATA, BDAT, pipelined in any pieces.
 *
 * The first octet of an input says how it is fed, and whether the client is logged in; the rest is what it says.
 * A small plugin stands for auth and edits, so that inputs reach all of a session without paying for password hashes. */
#include <ctype.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "host/test-host.h"

enum { FUZZ_LOGGED_IN = 0x80, FUZZ_LENIENT = 0x40, FUZZ_TLS = 0x20, FUZZ_STEP = 0x1f, FUZZ_MOST_QUEUED = 200 };

static PtnVerdict
fuzz_auth(PtnHook *h)
{
	return strcmp(ptn_password(h), "mypassword") == 0 ? ptn_identify(h, ptn_login(h)) : PTN_NEXT;
}

static PtnVerdict
fuzz_rcpt(PtnHook *h)
{
	const char *const two[] = { "first@example.org", "second@example.org", NULL };

	if (strchr(ptn_recipient(h, PTN_THIS), '+') != NULL)
		return ptn_refuse(h, PTN_POLICY, 550, "5.1.1", "<%s>: not here", ptn_recipient(h, PTN_THIS));
	if (g_str_has_prefix(ptn_recipient(h, PTN_THIS), "two@"))
		ptn_replace_recipient(h, PTN_THIS, two);
	ptn_permit(h);
	return PTN_NEXT;
}

static PtnVerdict
fuzz_message(PtnHook *h)
{
	const char *subject = ptn_header(h, "Subject", 0), *name, *value;
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);

	g_assert(body <= size && (content != NULL || size == 0));
	for (size_t i = 0; ptn_header_at(h, i, &name, &value); i++)
		g_assert(name[0] != '\0' && value != NULL);
	if (subject != NULL && strstr(subject, "spam") != NULL)
		return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "not this: %s", subject);
	ptn_remove_headers(h, "X-Remove");
	ptn_remove_headers(h, "Bcc");
	ptn_add_header(h, "X-Fuzz", "%s", subject != NULL ? subject : "none");
	if (subject != NULL && subject[0] == 'h')
		ptn_hold(h, subject, 0);
	return PTN_NEXT;
}

static const PtnHookRow hooks[] = { { PTN_AUTH, fuzz_auth, PTN_INLINE }, { PTN_RCPT, fuzz_rcpt, PTN_INLINE },
	{ PTN_MESSAGE, fuzz_message, 0 }, { 0 } };
static const PtnPlugin plugin = { PTN_HEAD("fuzz"), .version = "1", .summary = "for the fuzzer", .hooks = hooks };

static PtnTest *host;

static void
fuzz_end(void)
{
	ptn_test_free(host);
}

/* A new host from time to time: what was queued is not kept forever. */
static PtnTest *
fuzz_host(void)
{
	static bool is_begun;

	if (!is_begun)
		(void)atexit(fuzz_end);
	is_begun = true;
	if (host != NULL && ptn_test_queued(host) > FUZZ_MOST_QUEUED)
		g_clear_pointer(&host, ptn_test_free);
	if (host != NULL)
		return host;
	host = ptn_test_new(&plugin, NULL);
	ptn_test_entry(host, PTN_ACCOUNT, "user@example.net", "password", "unused", NULL);
	test_host_offer_tls(host);
	test_host_settings(host)->max_message = 3000;
	test_host_settings(host)->max_recipients = 5;
	test_host_settings(host)->max_received = 3;
	return host;
}

/* "250-text" and "250 text" without control characters; a reply's lines have one code.  Returns messages that were queued. */
static unsigned
fuzz_check_reply(const char *reply)
{
	unsigned queued = 0;

	while (*reply != '\0') {
		const char *end = strchr(reply, '\n');

		g_assert(end != NULL && end - reply >= 4);
		g_assert(strchr("2345", reply[0]) != NULL && isdigit((unsigned char)reply[1]) && isdigit((unsigned char)reply[2]));
		g_assert(reply[3] == ' ' || (reply[3] == '-' && strncmp(reply, end + 1, 3) == 0));
		g_assert(g_utf8_validate(reply, end - reply, NULL)); /* what SMTPUTF8 allows */
		for (const char *c = reply; c < end; c++)
			g_assert(!g_ascii_iscntrl(*c) || *c == '\t');
		queued += g_str_has_prefix(reply, "250 2.0.0 Ok: queued as ");
		reply = end + 1;
	}
	return queued;
}

/* What is in the queue has a Received line of ours, header fields without NUL, and line ends that are CRLF. */
static void
fuzz_check_queued(void)
{
	const char *text = ptn_test_queued_text(host, ptn_test_queued(host) - 1);

	g_assert(g_str_has_prefix(text, "Received: "));
	for (const char *c = text; *c != '\0'; c++) {
		g_assert(*c != '\n' || (c > text && c[-1] == '\r'));
		g_assert(*c != '\r' || c[1] == '\n');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned queued = 0;
	size_t step, before;

	if (size < 1)
		return 0;
	before = ptn_test_queued(fuzz_host());
	test_host_listener(host)->is_lenient = (data[0] & FUZZ_LENIENT) != 0;
	ptn_test_connect(host, "192.0.2.1");
	(void)fuzz_check_reply(ptn_test_reply(host));
	if (data[0] & FUZZ_LOGGED_IN)
		g_assert(g_str_has_prefix(ptn_test_login(host, "user@example.net", "mypassword"), "235"));
	step = (data[0] & FUZZ_STEP) != 0 ? (size_t)(data[0] & FUZZ_STEP) * (data[0] & FUZZ_STEP) : size;
	for (size_t at = 1; at < size && !ptn_test_is_closed(host); at += step)
		queued += fuzz_check_reply(ptn_test_send(host, data + at, MIN(step, size - at)));
	g_assert(ptn_test_queued(host) == before + queued);
	if (queued > 0)
		fuzz_check_queued();
	return 0;
}
