/* test-keyed-hash.c - SipHash by its reference vectors and beside OpenSSL's; names made to collide. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/keyed-hash.h"
#include "suites.h"

enum { LONGEST = 64, LETTERS = 14, NAMES = 1 << LETTERS };

static void
fill_counting(uint8_t *octets, size_t size)
{
	for (size_t i = 0; i < size; i++)
		octets[i] = (uint8_t)i;
}

/* Key 00 01 … 0f, messages 00 01 … of 0 to 15 octets: vectors.h of the reference implementation. */
static void
test_reference(void)
{
	static const uint64_t expected[] = { UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd),
		UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7),
		UINT64_C(0x18765564cd99a68d), UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
		UINT64_C(0x93f5f5799a932462), UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3),
		UINT64_C(0xf4b32f46226bada7), UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90),
		UINT64_C(0xf723ca908e7af2ee), UINT64_C(0xa129ca6149be45e5) };
	uint8_t key[SIPHASH_KEY_SIZE], message[G_N_ELEMENTS(expected)];

	fill_counting(key, sizeof key);
	fill_counting(message, sizeof message);
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		CU_ASSERT_EQUAL(siphash(key, message, i), expected[i]);
}

static uint64_t
openssl_siphash(const uint8_t *key, const uint8_t *data, size_t size)
{
	unsigned digest = 8;
	const OSSL_PARAM parameters[] = { OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &digest),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
	uint64_t result = 0;
	size_t length;

	CU_ASSERT_EQUAL(EVP_MAC_init(context, key, SIPHASH_KEY_SIZE, parameters), 1);
	CU_ASSERT_EQUAL(EVP_MAC_update(context, data, size), 1);
	CU_ASSERT_EQUAL(EVP_MAC_final(context, (unsigned char *)&result, &length, sizeof result), 1);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(mac);
	return GUINT64_FROM_LE(result);
}

static void
test_beside_openssl(void)
{
	uint8_t key[SIPHASH_KEY_SIZE], message[LONGEST];

	for (size_t size = 0; size <= LONGEST; size++) {
		for (size_t i = 0; i < sizeof key; i++)
			key[i] = (uint8_t)g_random_int();
		for (size_t i = 0; i < size; i++)
			message[i] = (uint8_t)g_random_int();
		CU_ASSERT_EQUAL(siphash(key, message, size), openssl_siphash(key, message, size));
	}
}

/* "ay" and "c7" have the same g_str_hash(), so all names made of them have. */
static char *
colliding_name(unsigned n)
{
	GString *name = g_string_new(NULL);

	for (unsigned bit = 0; bit < LETTERS; bit++)
		g_string_append(name, n >> bit & 1 ? "ay" : "c7");
	return g_string_free(name, FALSE);
}

static unsigned
count_hashes(GHashFunc hash)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

	for (unsigned i = 0; i < NAMES; i++) {
		g_autofree char *name = colliding_name(i);

		g_hash_table_add(seen, GUINT_TO_POINTER(hash(name)));
	}
	return g_hash_table_size(seen);
}

static void
test_collisions(void)
{
	CU_ASSERT_EQUAL(count_hashes(g_str_hash), 1);
	CU_ASSERT(count_hashes(keyed_hash_text) > NAMES - 16);
	CU_ASSERT(count_hashes(keyed_hash_text_caseless) > NAMES - 16);
}

static void
test_forms(void)
{
	CU_ASSERT_EQUAL(keyed_hash_text("mail"), keyed_hash_octets("mail", 4));
	CU_ASSERT_NOT_EQUAL(keyed_hash_text("mail"), keyed_hash_text("Mail"));
	CU_ASSERT_EQUAL(keyed_hash_text_caseless("MaiL"), keyed_hash_text("mail"));
	CU_ASSERT(keyed_hash_equal_caseless("MaiL", "mail"));
	CU_ASSERT_FALSE(keyed_hash_equal_caseless("mail", "mai"));
	CU_ASSERT_NOT_EQUAL(keyed_hash_octets("\0\0", 2), keyed_hash_octets("\0", 1));
}

static const UnitTest tests[] = {
	{ "the reference vectors of SipHash-2-4", test_reference },
	{ "the same as OpenSSL's for all lengths", test_beside_openssl },
	{ "names built to collide do not", test_collisions },
	{ "texts, texts without case, octets", test_forms },
	{ NULL, NULL },
};

const UnitSuite suite_keyed_hash = { "keyed-hash", tests };
