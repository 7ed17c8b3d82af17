/* test-region.c - memory that is freed all at once. */
#include "base/region.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "suites.h"

static void
gives_zeroed_aligned_pieces(void)
{
	g_autoptr(Region) region = region_new();
	g_autoptr(GPtrArray) pieces = g_ptr_array_new();

	for (size_t size = 0; size < 3000; size += 7) {
		unsigned char *piece = region_alloc(region, size);
		size_t sum = 0;

		CU_ASSERT_EQUAL_FATAL((uintptr_t)piece % alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			sum += piece[i];
		CU_ASSERT_EQUAL_FATAL(sum, 0);
		memset(piece, (int)(size % 251) + 1, size);
		g_ptr_array_add(pieces, piece);
	}
	for (size_t k = 0; k < pieces->len; k++) { /* no two of them share an octet */
		const unsigned char *piece = pieces->pdata[k];

		for (size_t i = 0; i < k * 7; i++)
			CU_ASSERT_EQUAL_FATAL(piece[i], k * 7 % 251 + 1);
	}
}

static void
copies_text(void)
{
	g_autoptr(Region) region = region_new();
	g_autofree char *large = g_strnfill(5000, 'l');
	char *copy = region_strdup(region, large);

	ASSERT_TEXT(copy, large);
	ASSERT_TEXT(region_strdup(region, ""), "");
	ASSERT_TEXT(region_strdup(region, NULL), NULL);
	ASSERT_TEXT(region_strndup(region, "abcdef", 3), "abc");
	ASSERT_TEXT(region_printf(region, "%s-%d", "a", 7), "a-7");
	ASSERT_TEXT(region_printf(region, "%s", large), large);
	CU_ASSERT_EQUAL(memcmp(region_copy(region, "a\0b", 3), "a\0b", 3), 0);
	CU_ASSERT_PTR_NOT_NULL(region_copy(region, NULL, 0));
	ASSERT_TEXT(copy, large);
}

static void
fills_blocks(void)
{
	g_autoptr(Region) region = region_new();
	size_t before;

	CU_ASSERT_EQUAL(region_size(region), 0);
	(void)region_alloc(region, 16);
	before = region_size(region);
	CU_ASSERT(before > 0 && before <= 1024 + 64);
	(void)region_alloc(region, 100000); /* has a block of its own, and the first goes on being filled */
	CU_ASSERT(region_size(region) >= before + 100000 && region_size(region) < before + 101000);
	before = region_size(region);
	(void)region_alloc(region, 16);
	CU_ASSERT_EQUAL(region_size(region), before);
}

static void
clears(void)
{
	g_autoptr(Region) region = region_new();

	(void)region_alloc(region, 5000);
	region_clear(region);
	CU_ASSERT_EQUAL(region_size(region), 0);
	ASSERT_TEXT(region_strdup(region, "again"), "again");
	region_free(NULL);
}

static const UnitTest tests[] = {
	{ "pieces are zeroed, aligned, and apart", gives_zeroed_aligned_pieces },
	{ "text is copied", copies_text },
	{ "a large piece does not waste the room of a small one", fills_blocks },
	{ "a region that was cleared serves again", clears },
	{ 0 },
};

const UnitSuite suite_region = { "region", tests };
