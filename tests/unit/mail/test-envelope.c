/* test-envelope.c - an envelope as octets and back. */
#include <string.h>

#include "unit/mail/mail.h"

static Envelope *
envelope_full(void)
{
	Envelope *envelope = fixture_envelope(0x123456789abc, 2);
	const Cut cuts[] = { { 0, 10 }, { 10, 5 }, { 100, 1 } };

	g_free(envelope->sender);
	envelope->sender = g_strdup("a@example.org");
	envelope->envid = g_strdup("QQ314159");
	envelope->ret = RET_HDRS;
	envelope->body = BODY_8BITMIME;
	envelope->is_smtputf8 = true;
	envelope_add_recipient(envelope, "ü@example.net", "rfc822;x@example.net", NOTIFY_SUCCESS | NOTIFY_DELAY);
	g_free(envelope->top);
	envelope->top = g_strdup("Received: by us\r\n");
	g_free(envelope->bottom);
	envelope->bottom = g_strdup("X-Test: 1\r\n");
	g_array_append_vals(envelope->cuts, cuts, G_N_ELEMENTS(cuts));
	envelope_set_note(envelope, "account", "user@example.org");
	envelope_set_note(envelope, "hold", "");
	return envelope;
}

static void
envelope_assert_same(const Envelope *a, const Envelope *b)
{
	g_autoptr(GByteArray) left = g_byte_array_new(), right = g_byte_array_new();

	envelope_encode(a, left);
	envelope_encode(b, right);
	CU_ASSERT_EQUAL_FATAL(left->len, right->len);
	CU_ASSERT_EQUAL(memcmp(left->data, right->data, left->len), 0);
}

static void
test_round_trip(void)
{
	g_autoptr(Envelope) envelope = envelope_full(), copy = envelope_copy(envelope), back = NULL;
	g_autoptr(GByteArray) octets = g_byte_array_new();
	const Recipient *last;

	envelope_encode(envelope, octets);
	back = envelope_decode(octets->data, octets->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	envelope_assert_same(envelope, back);
	envelope_assert_same(envelope, copy);
	CU_ASSERT_EQUAL(back->id, 0x123456789abc);
	CU_ASSERT(back->is_smtputf8 && back->ret == RET_HDRS && back->body == BODY_8BITMIME);
	ASSERT_TEXT(back->sender, "a@example.org");
	ASSERT_TEXT(back->envid, "QQ314159");
	ASSERT_TEXT(back->bottom, "X-Test: 1\r\n");
	CU_ASSERT_EQUAL_FATAL(back->recipients->len, 3);
	last = back->recipients->pdata[2];
	ASSERT_TEXT(last->original, "rfc822;x@example.net");
	CU_ASSERT_EQUAL(last->notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	CU_ASSERT_EQUAL(g_array_index(back->cuts, Cut, 2).offset, 100);
	ASSERT_TEXT(envelope_note(back, "hold"), "");
	CU_ASSERT_PTR_NULL(envelope_note(back, "customer"));
}

static void
test_notes(void)
{
	g_autoptr(Envelope) envelope = envelope_new(1);

	envelope_set_note(envelope, "a", "1");
	envelope_set_note(envelope, "a", "2");
	envelope_set_note(envelope, "b", NULL);
	ASSERT_TEXT(envelope_note(envelope, "a"), "2");
	CU_ASSERT_EQUAL(envelope->notes->len, 1);
	envelope_set_note(envelope, "a", NULL);
	CU_ASSERT_PTR_NULL(envelope_note(envelope, "a"));
}

/* Every prefix, and every octet changed, is refused or decoded: never read beyond. */
static void
test_malformed(void)
{
	g_autoptr(Envelope) envelope = envelope_full();
	g_autoptr(GByteArray) octets = g_byte_array_new();

	envelope_encode(envelope, octets);
	for (guint size = 0; size < octets->len; size++) {
		g_autofree uint8_t *part = g_memdup2(octets->data, MAX(size, 1));

		CU_ASSERT_PTR_NULL(envelope_decode(part, size));
	}
	for (guint i = 0; i < octets->len; i++) {
		octets->data[i] ^= 0xff;
		envelope_free(envelope_decode(octets->data, octets->len));
		octets->data[i] ^= 0xff;
	}
	g_byte_array_append(octets, (const guint8 *)"x", 1);
	CU_ASSERT_PTR_NULL(envelope_decode(octets->data, octets->len));
}

static void
test_cuts(void)
{
	static const Cut bad[][2] = { { { 10, 5 }, { 14, 1 } }, { { 10, 5 }, { 3, 1 } }, { { 0, 1 }, { 1, UINT64_MAX } } };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(Envelope) envelope = envelope_new(1);
		g_autoptr(GByteArray) octets = g_byte_array_new();

		g_array_append_vals(envelope->cuts, bad[i], 2);
		envelope_encode(envelope, octets);
		CU_ASSERT_PTR_NULL(envelope_decode(octets->data, octets->len));
	}
}

const UnitSuite envelope_suite = { "envelope", (const UnitTest[]){
	{ "an envelope comes back as it was", test_round_trip },
	{ "notes are replaced and removed", test_notes },
	{ "what is no envelope is refused", test_malformed },
	{ "cuts that overlap are refused", test_cuts },
	{ 0 } } };
