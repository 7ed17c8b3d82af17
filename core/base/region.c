/* region.c - a list of blocks, each filled from its start; large pieces get a block of their own. */
#include "base/region.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { REGION_BLOCK = 1000 }; /* a block and malloc's own header stay within 1 KiB */

typedef struct Block Block;

struct Block {
	Block *next;
	size_t used, size;
	alignas(max_align_t) char bytes[];
};

struct Region {
	Block *blocks; /* the first one is being filled */
	size_t total;
};

Region *
region_new(void)
{
	return g_new0(Region, 1);
}

void
region_clear(Region *region)
{
	Block *block = region->blocks;

	while (block != NULL) {
		Block *next = block->next;

		g_free(block);
		block = next;
	}
	region->blocks = NULL;
	region->total = 0;
}

void
region_free(Region *region)
{
	if (region == NULL)
		return;
	region_clear(region);
	g_free(region);
}

/* A large piece goes behind the block being filled, so that the room left there is still used. */
static Block *
region_add_block(Region *region, size_t size)
{
	const bool is_large = size > REGION_BLOCK / 2;
	const size_t room = is_large ? size : REGION_BLOCK;
	Block *block = g_malloc(sizeof *block + room);

	block->used = 0;
	block->size = room;
	region->total += sizeof *block + room;
	if (is_large && region->blocks != NULL) {
		block->next = region->blocks->next;
		region->blocks->next = block;
	} else {
		block->next = region->blocks;
		region->blocks = block;
	}
	return block;
}

void *
region_alloc(Region *region, size_t size)
{
	const size_t align = alignof(max_align_t);
	const size_t taken = (MAX(size, 1) + align - 1) / align * align;
	Block *block = region->blocks;
	void *piece;

	if (block == NULL || block->size - block->used < taken)
		block = region_add_block(region, taken);
	piece = block->bytes + block->used;
	block->used += taken;
	return memset(piece, 0, size);
}

void *
region_copy(Region *region, const void *data, size_t size)
{
	void *piece = region_alloc(region, size);

	if (size > 0)
		memcpy(piece, data, size);
	return piece;
}

char *
region_strndup(Region *region, const char *text, size_t size)
{
	char *piece = region_alloc(region, size + 1);

	memcpy(piece, text, size);
	return piece;
}

char *
region_strdup(Region *region, const char *text)
{
	return text == NULL ? NULL : region_strndup(region, text, strlen(text));
}

char *
region_vprintf(Region *region, const char *format, va_list arguments)
{
	va_list again;
	int length;
	char *piece;

	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length < 0)
		return region_strdup(region, "");
	piece = region_alloc(region, (size_t)length + 1);
	(void)vsnprintf(piece, (size_t)length + 1, format, arguments);
	return piece;
}

char *
region_printf(Region *region, const char *format, ...)
{
	va_list arguments;
	char *piece;

	va_start(arguments, format);
	piece = region_vprintf(region, format, arguments);
	va_end(arguments);
	return piece;
}

size_t
region_size(const Region *region)
{
	return region->total;
}
