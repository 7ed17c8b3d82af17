/* fuzz-session.c - whole sessions over the test host: commands, AUTH, DATA, BDAT, pipelined in any pieces.
 *
 * The first octet of an input says how it is fed, and whether the client is logged in, the second how listener and spool
 * behave; the rest is what the client says.
 * A small plugin stands for auth and edits, so that inputs reach all of a session without paying for password hashes. */
#include <ctype.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "fuzz/mutate.h"
#include "host/test-host.h"
#include "mail/spool-private.h"

enum { FUZZ_HEAD = 2, FUZZ_MOST_MESSAGE = 200, FUZZ_MOST_PIECES = 20 };
enum { FUZZ_LOGGED_IN = 0x80, FUZZ_LENIENT = 0x40, FUZZ_STEP = 0x1f };
enum { FUZZ_STRICT = 1, FUZZ_AT_RCPT = 2, FUZZ_FAILS = 4, FUZZ_FULL = 8, FUZZ_INBOUND = 16, FUZZ_REMOVES = 32 };

static const FuzzRule fuzz_rules[] = { { 'L', "MAIL FROM:<$s>$p\r\n" }, { 'L', "RCPT TO:<$r>$q\r\n" },
	{ 'L', "DATA\r\n$m.\r\n" }, { 'L', "MAIL FROM:<user@example.net>\r\nRCPT TO:<x@example.org>\r\nDATA\r\n$m.\r\n" },
	{ 'L', "MAIL FROM:<user@example.net>$p\r\nRCPT TO:<$r>\r\n$c" }, { 'L', "$c" }, { 'L', "$m" }, { 'L', "RSET\r\n" },
	{ 'L', "$e $h\r\n" }, { 'L', "STARTTLS\r\n" }, { 'L', "AUTH $a\r\n" }, { 'L', "$o\r\n" },
	{ 'e', "EHLO" }, { 'e', "HELO" }, { 'e', "ehlo" },
	{ 'h', "client.example.net" }, { 'h', "[192.0.2.1]" }, { 'h', "[IPv6:2001:db8::1]" }, { 'h', "localhost" }, { 'h', "" },
	{ 's', "user@example.net" }, { 's', "" }, { 's', "other@example.net" }, { 's', "x@example.org" },
	{ 's', "j\xc3\xb6@example.net" },
	{ 'r', "x@example.org" }, { 'r', "a+b@example.org" }, { 'r', "two@example.org" }, { 'r', "y@example.org" },
	{ 'r', "user@example.net" }, { 'r', "postmaster" }, { 'r', "\"a b\"@example.org" }, { 'r', "x@[192.0.2.1]" },
	{ 'r', "@a.example:x@example.org" }, { 'r', "x@b\xc3\xbc" "cher.example" },
	{ 'p', "" }, { 'p', "" }, { 'p', " SIZE=$n$p" }, { 'p', " BODY=8BITMIME$p" }, { 'p', " BODY=BINARYMIME$p" },
	{ 'p', " BODY=7BIT$p" }, { 'p', " SMTPUTF8$p" }, { 'p', " RET=HDRS$p" }, { 'p', " RET=FULL$p" }, { 'p', " ENVID=a+3Db$p" },
	{ 'p', " AUTH=<>$p" }, { 'p', " AUTH=user@example.net$p" },
	{ 'q', "" }, { 'q', "" }, { 'q', " NOTIFY=NEVER$q" }, { 'q', " NOTIFY=SUCCESS,FAILURE,DELAY$q" },
	{ 'q', " ORCPT=rfc822;x+2By@example.org$q" }, { 'q', " ORCPT=utf-8;x$q" },
	{ 'n', "0" }, { 'n', "5" }, { 'n', "100" }, { 'n', "201" }, { 'n', "99999999999999999999" },
	{ 'c', "BDAT 0 LAST\r\n" }, { 'c', "BDAT 5\r\nabc\r\n$c" }, { 'c', "BDAT 15 LAST\r\nSubject: a\r\n\r\nb" },
	{ 'c', "BDAT 12\r\nSubject: s\r\n$c" }, { 'c', "BDAT $n\r\n" }, { 'c', "BDAT 3 LAST\r\nx\r\n" },
	{ 'c', "BDAT 1\r\n\r$c" }, { 'c', "BDAT 1\r\n\n$c" },
	{ 'm', "$f$m" }, { 'm', "$f$m" }, { 'm', "\r\n$b" },
	{ 'f', "Subject: hello\r\n" }, { 'f', "Subject: spam\r\n" }, { 'f', "Bcc: a\r\n b\r\n" }, { 'f', "X-Remove: x\r\n" },
	{ 'f', "Received: a\r\n" }, { 'f', "From: user@example.net\r\n" }, { 'f', "Return-Path: <a>\r\n" }, { 'f', " b\r\n" },
	{ 'f', "Date: x\r\n" }, { 'f', "Message-Id: <x@y>\r\n" }, { 'f', "From x\r\n" }, { 'f', "no field\r\n" },
	{ 'b', "text\r\n" }, { 'b', "..\r\n" }, { 'b', "a\nb\r\n" }, { 'b', "a\rb\r\n" }, { 'b', "a\n.\n" }, { 'b', "\r\n.\n" },
	{ 'b', "" },
	{ 'a', "PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==" }, { 'a', "PLAIN\r\nAHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==" },
	{ 'a', "LOGIN\r\ndXNlckBleGFtcGxlLm5ldA==\r\nbXlwYXNzd29yZA==" }, { 'a', "PLAIN =" }, { 'a', "PLAIN\r\n*" },
	{ 'a', "LOGIN dXNlckBleGFtcGxlLm5ldA==\r\nYg==" }, { 'a', "X" },
	{ 'o', "NOOP" }, { 'o', "VRFY x" }, { 'o', "ETRN example.net" }, { 'o', "ETRN @example.net" }, { 'o', "HELP" }, { 'o', "QUIT" },
	{ 'o', "GET / HTTP/1.0" }, { 'o', "X-Field: a" }, { 'o', "" }, { 0 } };

const FuzzGrammar fuzz_grammar = { FUZZ_HEAD, fuzz_rules };

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

typedef struct {
	SpoolResult result; /* of each commit */
	unsigned n;         /* messages that were committed */
} FuzzSpool;

static FuzzSpool spool;

static bool
fuzz_collect(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
	return true;
}

/* What is in the queue has a Received line of ours, and line ends that are CRLF, but in BINARYMIME. */
static void
fuzz_check_text(const GString *text, bool is_binary)
{
	const char *end = text->str + text->len;

	g_assert(g_str_has_prefix(text->str, "Received: "));
	for (const char *at = text->str; !is_binary && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
		g_assert(at > text->str && at[-1] == '\r');
	for (const char *at = text->str; !is_binary && (at = memchr(at, '\r', (size_t)(end - at))) != NULL; at++)
		g_assert(at[1] == '\n');
}

/* What was committed can be read again. */
static void
fuzz_check_envelope(const Envelope *envelope)
{
	g_autoptr(GByteArray) octets = g_byte_array_new();
	g_autoptr(Envelope) again = NULL;

	g_assert(envelope->recipients->len > 0);
	envelope_encode(envelope, octets);
	again = envelope_decode(octets->data, octets->len);
	g_assert(again != NULL && strcmp(again->sender, envelope->sender) == 0);
}

static SpoolResult
fuzz_commit(void *data, const SpoolTransaction *transaction)
{
	FuzzSpool *to = data;

	for (guint i = 0; i < transaction->additions->len; i++) {
		Envelope *envelope = g_array_index(transaction->additions, SpoolAddition, i).envelope;
		SpoolMessage message = { .envelope = envelope };
		g_autoptr(GString) text = g_string_new(NULL);
		size_t size;

		message.content = content_data(transaction->content, &size);
		message.size = size;
		g_assert(spool_message_pieces(&message, fuzz_collect, text, NULL));
		fuzz_check_text(text, envelope->body == BODY_BINARYMIME);
		fuzz_check_envelope(envelope);
	}
	to->n += to->result == SPOOL_COMMITTED;
	return to->result;
}

static void
fuzz_end(void)
{
	ptn_test_free(host);
}

/* One host for all inputs: to make it costs as much as a thousand of them. */
static void
fuzz_start(void)
{
	if (host != NULL)
		return;
	host = ptn_test_new(&plugin, NULL);
	ptn_test_entry(host, PTN_ACCOUNT, "user@example.net", "password", "unused", NULL);
	test_host_offer_tls(host);
	test_host_settings(host)->max_message = FUZZ_MOST_MESSAGE;
	test_host_settings(host)->max_recipients = 5;
	test_host_settings(host)->max_received = 3;
	test_host_commit_by(host, fuzz_commit, &spool);
	(void)atexit(fuzz_end);
}

/* What the first two octets of an input choose. */
static void
fuzz_choose(const uint8_t *head)
{
	test_host_listener(host)->is_lenient = (head[0] & FUZZ_LENIENT) != 0;
	test_host_listener(host)->is_strict = (head[1] & FUZZ_STRICT) != 0;
	test_host_listener(host)->is_inbound = (head[1] & FUZZ_INBOUND) != 0;
	test_host_settings(host)->refuses_at_rcpt = (head[1] & FUZZ_AT_RCPT) != 0;
	test_host_settings(host)->removes_bcc = (head[1] & FUZZ_REMOVES) != 0;
	test_host_settings(host)->removes_return_path = (head[1] & FUZZ_REMOVES) != 0;
	spool.result = (head[1] & FUZZ_FAILS) != 0 ? SPOOL_FAILED : (head[1] & FUZZ_FULL) != 0 ? SPOOL_FULL : SPOOL_COMMITTED;
	spool.n = 0;
}

/* Octets up to the first control character that is no tab. */
static size_t
fuzz_printable(const char *text)
{
	return strcspn(text, "\1\2\3\4\5\6\a\b\n\v\f\r\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37\177");
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
		g_assert(reply + fuzz_printable(reply) == end);
		queued += g_str_has_prefix(reply, "250 2.0.0 Ok: queued as ");
		reply = end + 1;
	}
	return queued;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char login[] = "EHLO client.example.net\r\nAUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA==\r\n";
	unsigned queued = 0;
	size_t step;

	if (size < FUZZ_HEAD)
		return 0;
	fuzz_start();
	fuzz_choose(data);
	ptn_test_connect(host, "192.0.2.1");
	(void)fuzz_check_reply(ptn_test_reply(host));
	if (data[0] & FUZZ_LOGGED_IN)
		g_assert(strstr(ptn_test_send(host, login, sizeof login - 1), "\n235 ") != NULL);
	step = (data[0] & FUZZ_STEP) != 0 ? (size_t)(data[0] & FUZZ_STEP) * (data[0] & FUZZ_STEP) : size;
	step = MAX(step, size / FUZZ_MOST_PIECES + 1);
	for (size_t at = FUZZ_HEAD; at < size && !ptn_test_is_closed(host); at += step)
		queued += fuzz_check_reply(ptn_test_send(host, data + at, MIN(step, size - at)));
	g_assert(spool.n == queued);
	test_host_forget(host);
	return 0;
}
