/* record.c - what is known of addresses and domains, as it stands in the store.
 *
 * "VERDICT SINCE ASKED BY TEXT", times in seconds.  How long a record holds is decided when it is read, so that changed
 * settings hold for old records, too; the store's own expiry only cleans up. */
#include "senderverify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKEW (300 * PTN_SECOND) /* what is later than that was written before the clock was set back */

static const char *const names[] = { [VERDICT_NONE] = "unknown",
	[VERDICT_GOOD] = "good",
	[VERDICT_BAD] = "bad",
	[VERDICT_UNSURE] = "unsure",
	[VERDICT_ACCEPTS] = "accepts-all",
	[VERDICT_SELECTIVE] = "selective",
	[VERDICT_REFUSES] = "refuses-all" };

const char *
verify_verdict_name(Verdict verdict)
{
	return names[verdict];
}

const char *
verify_address_key(PtnHook *h, const char *address)
{
	return ptn_format(h, "address/%s", address);
}

const char *
verify_domain_key(PtnHook *h, const char *domain)
{
	return ptn_format(h, "domain/%s", domain);
}

/* ---- how long it holds ---- */

static const char *
refresh_option(const Record *record)
{
	switch (record->verdict) {
	case VERDICT_GOOD: /* after a try that failed it is asked as often as a bad one */
		return record->asked == record->since ? "positive-refresh" : "negative-refresh";
	case VERDICT_ACCEPTS:
	case VERDICT_SELECTIVE:
		return "positive-refresh";
	case VERDICT_UNSURE:
		return "unsure-refresh";
	default:
		return "negative-refresh";
	}
}

/* What was learned of a domain by one address must not outlive what is known of addresses. */
static const char *
expire_option(const Record *record)
{
	switch (record->verdict) {
	case VERDICT_GOOD:
		return "positive-expire";
	case VERDICT_ACCEPTS:
	case VERDICT_SELECTIVE:
		return "positive-refresh";
	default:
		return "negative-expire";
	}
}

int64_t
verify_record_refresh_at(PtnHook *h, const Record *record)
{
	return record->asked + ptn_option_number(h, refresh_option(record));
}

bool
verify_record_is_due(PtnHook *h, const Record *record)
{
	const int64_t now = ptn_store_now(h);

	return now >= verify_record_refresh_at(h, record) || record->asked > now + SKEW;
}

int64_t
verify_record_expires_at(PtnHook *h, const Record *record)
{
	return record->since + ptn_option_number(h, expire_option(record));
}

/* ---- reading and writing ---- */

/* Takes the word at `*text`, and leaves `*text` behind it. */
static const char *
take_word(PtnHook *h, const char **text)
{
	const size_t size = strcspn(*text, " ");
	const char *word = ptn_format(h, "%.*s", (int)size, *text);

	*text += size + ((*text)[size] == ' ');
	return word;
}

static bool
parse(PtnHook *h, const char *text, Record *record)
{
	const char *verdict = take_word(h, &text);

	*record = (Record){ 0 };
	for (size_t i = VERDICT_GOOD; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i], verdict) == 0)
			record->verdict = (Verdict)i;
	record->since = strtoll(take_word(h, &text), NULL, 10) * PTN_SECOND;
	record->asked = strtoll(take_word(h, &text), NULL, 10) * PTN_SECOND;
	record->by = take_word(h, &text);
	record->text = text;
	return record->verdict != VERDICT_NONE;
}

PtnStatus
verify_record_read(PtnHook *h, const char *key, Record *record)
{
	const char *text;
	const PtnStatus status = ptn_store_get(h, key, &text);

	if (status != PTN_OK)
		return status;
	return parse(h, text, record) && ptn_store_now(h) < verify_record_expires_at(h, record) &&
				   record->since <= ptn_store_now(h) + SKEW
			   ? PTN_OK
			   : PTN_NONE;
}

static void
store(PtnHook *h, const char *key, const Record *record)
{
	const int64_t left = verify_record_expires_at(h, record) - ptn_store_now(h);
	const char *text =
		ptn_format(h, "%s %" PRId64 " %" PRId64 " %s %s", names[record->verdict], record->since / PTN_SECOND,
			record->asked / PTN_SECOND, record->by[0] != '\0' ? record->by : "-", record->text);

	if (left > 0 && ptn_store_set(h, key, text, left) != PTN_OK)
		ptn_log(h, PTN_WARNING, "what was found out of %s cannot be kept", key);
}

void
verify_record_write(PtnHook *h, const char *key, const Record *fresh)
{
	Record known;

	if (fresh->verdict != VERDICT_GOOD && verify_record_read(h, key, &known) == PTN_OK &&
		known.verdict == VERDICT_GOOD) {
		known.asked = fresh->asked;
		if (known.asked / PTN_SECOND == known.since / PTN_SECOND) /* equal would read as a try that went well */
			known.asked += PTN_SECOND;
		store(h, key, &known);
		return;
	}
	store(h, key, fresh);
}
