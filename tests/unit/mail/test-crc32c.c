/* test-crc32c.c - the checksum, by the processor and by the table. */
#include "base/crc32c.h"

#include "unit/mail/mail.h"

static void
test_known(void)
{
	static const uint8_t zeros[32];

	CU_ASSERT_EQUAL(crc32c(0, "123456789", 9), 0xe3069283);
	CU_ASSERT_EQUAL(crc32c(0, zeros, sizeof zeros), 0x8a9136aa); /* RFC 3720 B.4 */
	CU_ASSERT_EQUAL(crc32c(0, "", 0), 0);
}

static void
test_agree(void)
{
	uint8_t octets[100];

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(i * 37 + 11);
	for (size_t size = 0; size <= 64; size++) {
		for (size_t from = 0; from < 9; from++)
			CU_ASSERT_EQUAL(crc32c(7, octets + from, size), crc32c_portable(7, octets + from, size));
		CU_ASSERT_EQUAL(crc32c(crc32c(0, octets, size), octets + size, 30), crc32c(0, octets, size + 30));
	}
}

const UnitSuite crc32c_suite = { "crc32c", (const UnitTest[]){
	{ "known values", test_known },
	{ "both ways agree, in parts and whole", test_agree },
	{ 0 } } };
