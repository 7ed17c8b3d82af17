/* dialog.c - asking an exchanger whether it would take mail for an address: EHLO, MAIL, RCPT, and never DATA.
 *
 * Two things may be learned of its domain on the way.  It accepts all: it takes an address that nobody can have, too.
 * It refuses all: it said so before it heard of any address, or it refuses its postmaster by the same words, for reasons
 * of policy (5.7.x); by "no such user" alone nothing is learned, for a postmaster may be missing, too. */
#include "senderverify.h"

#include <string.h>
#include <strings.h>

enum { TEXT_MOST = 150 }; /* with an address of any length it fits into a reply */

/* What a server says is shown to clients and operators: printable ASCII, not too much of it. */
static const char *
clean(PtnHook *h, const char *text)
{
	const size_t size = strlen(text) < TEXT_MOST ? strlen(text) : TEXT_MOST;
	char *copy = ptn_keep(h, PTN_FOR_HOOK, NULL, size + 1);

	for (size_t i = 0; i < size; i++)
		copy[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	return copy;
}

static const char *
said(PtnHook *h, const char *exchanger, const PtnReply *reply)
{
	if (reply->code == 0)
		return clean(h, ptn_format(h, "%s: %s", exchanger, reply->text));
	return clean(h, ptn_format(h, "%s said: %d %s%s%s", exchanger, reply->code, reply->enhanced,
						reply->enhanced[0] != '\0' ? " " : "", reply->text));
}

static bool
has_only_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text & 0x80)
			return false;
	return true;
}

/* ---- learning ---- */

static const char *
skip_address(const char *text)
{
	const char *end = *text == '<' ? strchr(text, '>') : NULL;

	return end != NULL ? end + 1 : text;
}

/* The same but for addresses in "<>". */
static bool
says_the_same(const char *a, const char *b)
{
	for (;;) {
		a = skip_address(a);
		b = skip_address(b);
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

static Verdict
learn_acceptance(PtnHook *h, PtnStream *stream, const char *address)
{
	const PtnReply reply = ptn_smtp(h, stream, "RCPT TO:<no-such-user-%08x%08x@%s>", ptn_random(h, UINT32_MAX),
		ptn_random(h, UINT32_MAX), ptn_domain_of(address));

	return reply.code / 100 == 2 ? VERDICT_ACCEPTS : reply.code / 100 == 5 ? VERDICT_SELECTIVE : VERDICT_NONE;
}

static Verdict
learn_refusal(PtnHook *h, PtnStream *stream, const char *address, const PtnReply *refusal)
{
	PtnReply reply;

	if (strncmp(refusal->enhanced, "5.7.", 4) != 0 || strncasecmp(address, "postmaster@", 11) == 0)
		return VERDICT_NONE;
	reply = ptn_smtp(h, stream, "RCPT TO:<postmaster@%s>", ptn_domain_of(address));
	return reply.code == refusal->code && strcmp(reply.enhanced, refusal->enhanced) == 0 &&
				   says_the_same(reply.text, refusal->text)
			   ? VERDICT_REFUSES
			   : VERDICT_NONE;
}

/* ---- the dialog ---- */

static Verdict
verdict_of(const PtnReply *reply)
{
	return reply->code / 100 == 2 ? VERDICT_GOOD : reply->code / 100 == 5 ? VERDICT_BAD : VERDICT_UNSURE;
}

static void
settle(PtnHook *h, Outcome *outcome, const PtnReply *reply)
{
	outcome->verdict = verdict_of(reply);
	outcome->text = said(h, outcome->by, reply);
	if (reply->code == 0)
		outcome->stream = NULL; /* nobody to say QUIT to */
}

/* True: the server is ready to hear of the address. */
static bool
begin(PtnHook *h, Outcome *outcome, const char *address)
{
	const PtnReply hello = ptn_smtp_hello(h, outcome->stream);
	const bool needs_utf8 = !has_only_ascii(address);
	PtnReply mail;

	settle(h, outcome, &hello);
	if (outcome->verdict != VERDICT_GOOD) {
		outcome->is_refused_early = outcome->verdict == VERDICT_BAD;
		return false;
	}
	if (needs_utf8 && strcasestr(hello.text, "SMTPUTF8") == NULL) {
		outcome->verdict = VERDICT_UNSURE;
		outcome->text = clean(h, ptn_format(h, "%s does not take internationalized addresses", outcome->by));
		return false;
	}
	mail = ptn_smtp(
		h, outcome->stream, "MAIL FROM:<%s>%s", ptn_option(h, "probe-sender"), needs_utf8 ? " SMTPUTF8" : "");
	settle(h, outcome, &mail);
	if (outcome->verdict == VERDICT_BAD)
		outcome->domain = VERDICT_REFUSES;
	return outcome->verdict == VERDICT_GOOD;
}

Outcome
verify_dialog_ask(PtnHook *h, const char *exchanger, const char *address, bool learns)
{
	Outcome outcome = { .verdict = VERDICT_UNSURE, .by = clean(h, exchanger) };
	PtnReply reply;

	if (ptn_is_private(h, exchanger, 25)) {
		outcome.verdict = VERDICT_BAD;
		outcome.is_refused_early = true;
		outcome.text = clean(h, ptn_format(h, "%s has no public address", exchanger));
		return outcome;
	}
	outcome.stream = ptn_open(h, exchanger, 25, PTN_TLS_LATER);
	if (outcome.stream == NULL) {
		outcome.text = clean(h, ptn_format(h, "no connection to %s", exchanger));
		return outcome;
	}
	if (!begin(h, &outcome, address))
		return outcome;
	reply = ptn_smtp(h, outcome.stream, "RCPT TO:<%s>", address);
	settle(h, &outcome, &reply);
	if (learns && outcome.verdict == VERDICT_GOOD && ptn_option_number(h, "learn-domains") == VERIFY_LEARNS_ALL)
		outcome.domain = learn_acceptance(h, outcome.stream, address);
	else if (learns && outcome.verdict == VERDICT_BAD)
		outcome.domain = learn_refusal(h, outcome.stream, address, &reply);
	return outcome;
}
