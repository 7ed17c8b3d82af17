/* bytes.h - little-endian integers and counted texts as they stand in the spool's records.
 *
 * The reader never leaves its input: what is missing or malformed reads as zero and sets `is_bad`. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BYTES_NO_TEXT UINT32_C(0xffffffff) /* the count of a text that is NULL */

static inline void
bytes_set32(uint8_t *at, uint32_t value)
{
	value = GUINT32_TO_LE(value);
	memcpy(at, &value, sizeof value);
}

static inline void
bytes_set64(uint8_t *at, uint64_t value)
{
	value = GUINT64_TO_LE(value);
	memcpy(at, &value, sizeof value);
}

static inline uint32_t
bytes_at32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return GUINT32_FROM_LE(value);
}

static inline uint64_t
bytes_at64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof value);
	return GUINT64_FROM_LE(value);
}

static inline void
bytes_put8(GByteArray *out, uint8_t value)
{
	g_byte_array_append(out, &value, 1);
}

static inline void
bytes_put32(GByteArray *out, uint32_t value)
{
	value = GUINT32_TO_LE(value);
	g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

static inline void
bytes_put64(GByteArray *out, uint64_t value)
{
	value = GUINT64_TO_LE(value);
	g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

/* `text` may be NULL. */
static inline void
bytes_put_text(GByteArray *out, const char *text)
{
	const size_t size = text != NULL ? strlen(text) : 0;

	bytes_put32(out, text != NULL ? (uint32_t)size : BYTES_NO_TEXT);
	g_byte_array_append(out, (const guint8 *)text, (guint)size);
}

typedef struct {
	const uint8_t *at, *end;
	bool is_bad;
} BytesReader;

/* NULL, and is_bad, if so many are not left. */
static inline const uint8_t *
bytes_take(BytesReader *reader, size_t size)
{
	const uint8_t *taken = reader->at;

	if (reader->is_bad || (size_t)(reader->end - reader->at) < size) {
		reader->is_bad = true;
		return NULL;
	}
	reader->at += size;
	return taken;
}

static inline uint8_t
bytes_get8(BytesReader *reader)
{
	const uint8_t *at = bytes_take(reader, 1);

	return at != NULL ? *at : 0;
}

static inline uint32_t
bytes_get32(BytesReader *reader)
{
	const uint8_t *at = bytes_take(reader, 4);

	return at != NULL ? bytes_at32(at) : 0;
}

static inline uint64_t
bytes_get64(BytesReader *reader)
{
	const uint8_t *at = bytes_take(reader, 8);

	return at != NULL ? bytes_at64(at) : 0;
}

/* New; NULL if it is none, or malformed (a NUL within is). */
static inline char *
bytes_get_text(BytesReader *reader)
{
	const uint32_t size = bytes_get32(reader);
	const uint8_t *at;

	if (reader->is_bad || size == BYTES_NO_TEXT)
		return NULL;
	at = bytes_take(reader, size);
	if (at == NULL || memchr(at, '\0', size) != NULL) {
		reader->is_bad = true;
		return NULL;
	}
	return g_strndup((const char *)at, size);
}

/* The same where NULL is not allowed. */
static inline char *
bytes_get_some_text(BytesReader *reader)
{
	char *text = bytes_get_text(reader);

	if (text == NULL)
		reader->is_bad = true;
	return text;
}
