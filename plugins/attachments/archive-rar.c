/* archive-rar.c - whether a rar file of version 5 is encrypted, which libarchive does not tell
 * (3.6.2): by its headers. */
#include <glib.h>
#include <string.h>

#include "plugins/attachments/archive.h"

enum {
	CHECKSUM_SIZE = 4,
	NUMBER_MOST = 10, /* octets of a number */
	HEADER_OF_FILE = 2,
	HEADER_OF_SERVICE = 3,
	HEADER_OF_ENCRYPTION = 4, /* all that follows is encrypted, names, too */
	FLAG_EXTRA = 1,
	FLAG_DATA = 2,
	RECORD_OF_ENCRYPTION = 1,
};

typedef struct {
	const char *at, *end;
	bool is_broken;
} Reader;

/* Seven bits in each octet, the lowest first; the highest bit says that more follow. */
static uint64_t
read_number(Reader *reader)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < NUMBER_MOST && reader->at < reader->end; i++) {
		const unsigned char octet = (unsigned char)*reader->at++;

		value |= (uint64_t)(octet & 0x7f) << (7 * i);
		if ((octet & 0x80) == 0)
			return value;
	}
	reader->is_broken = true;
	return 0;
}

/* The next `size` octets, as a reader of their own. */
static Reader
read_block(Reader *reader, uint64_t size)
{
	Reader block = { reader->at, reader->end, false };

	if (size > (uint64_t)(reader->end - reader->at))
		reader->is_broken = true;
	else
		block.end = reader->at += size;
	return block;
}

static bool
has_encryption_record(Reader extras)
{
	while (extras.at < extras.end && !extras.is_broken) {
		const uint64_t size = read_number(&extras);
		Reader record = read_block(&extras, size);

		if (!extras.is_broken && read_number(&record) == RECORD_OF_ENCRYPTION && !record.is_broken)
			return true;
	}
	return false;
}

static bool
header_is_encrypted(Reader *reader)
{
	const uint64_t size = (reader->at += CHECKSUM_SIZE, read_number(reader));
	Reader header = read_block(reader, size);
	const uint64_t type = read_number(&header), flags = read_number(&header);
	const uint64_t extra_size = (flags & FLAG_EXTRA) != 0 ? read_number(&header) : 0;
	const uint64_t data_size = (flags & FLAG_DATA) != 0 ? read_number(&header) : 0;

	reader->is_broken |= header.is_broken || extra_size > (uint64_t)(header.end - header.at);
	if (reader->is_broken)
		return false;
	(void)read_block(reader, data_size);
	if (type == HEADER_OF_ENCRYPTION)
		return true;
	header.at = header.end - extra_size;
	return (type == HEADER_OF_FILE || type == HEADER_OF_SERVICE) && has_encryption_record(header);
}

bool
archive_is_encrypted_rar5(const char *octets, size_t size, unsigned most)
{
	static const char signature[] = "Rar!\x1a\x07\x01"; /* and NUL */
	Reader reader = { octets + sizeof signature, octets + size, false };

	if (size < sizeof signature || memcmp(octets, signature, sizeof signature) != 0)
		return false;
	for (unsigned n = 0; !reader.is_broken && reader.end - reader.at > CHECKSUM_SIZE; n++)
		if (n == most || header_is_encrypted(&reader))
			return true;
	return false;
}
