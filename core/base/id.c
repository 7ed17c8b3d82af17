/* id.c - ids that are never used twice. */
#include "base/id.h"

#include <glib.h>
#include <stdatomic.h>
#include <string.h>

enum { ID_SEQUENCE_BITS = 12, ID_NODE_BITS = 10, ID_TIME_SHIFT = ID_SEQUENCE_BITS + ID_NODE_BITS, ID_DIGITS = 13 };

#define ID_EPOCH_MS INT64_C(1577836800000) /* 2020-01-01 */

static const char id_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Time and sequence count as one number that only rises: after 4096 ids in a millisecond the next
 * one borrows from the millisecond to come. */
struct IdSource {
	const Clock *clock;
	unsigned node;
	_Atomic uint64_t last; /* time and sequence of the id drawn last, without the node */
};

IdSource *
id_source_new(const Clock *clock, unsigned node)
{
	IdSource *source = g_new0(IdSource, 1);

	source->clock = clock;
	source->node = node % ID_NODES;
	return source;
}

void
id_source_free(IdSource *source)
{
	g_free(source);
}

QueueId
id_next(IdSource *source)
{
	const int64_t ms = clock_wall(source->clock) / 1000 - ID_EPOCH_MS;
	const uint64_t now = (uint64_t)MAX(ms, 1) << ID_SEQUENCE_BITS;
	uint64_t last = atomic_load(&source->last);
	uint64_t next;

	do
		next = MAX(now, last + 1);
	while (!atomic_compare_exchange_weak(&source->last, &last, next));
	return (next >> ID_SEQUENCE_BITS) << ID_TIME_SHIFT | (uint64_t)source->node << ID_SEQUENCE_BITS |
		   (next & ((1u << ID_SEQUENCE_BITS) - 1));
}

/* Time and sequence, without the node. */
static uint64_t
id_rank(QueueId id)
{
	return (id >> ID_TIME_SHIFT) << ID_SEQUENCE_BITS | (id & ((1u << ID_SEQUENCE_BITS) - 1));
}

bool
id_is_later(QueueId a, QueueId b)
{
	return id_rank(a) > id_rank(b);
}

void
id_source_pass(IdSource *source, QueueId id)
{
	const uint64_t passed = id_rank(id);
	uint64_t last = atomic_load(&source->last);

	while (last < passed && !atomic_compare_exchange_weak(&source->last, &last, passed))
		;
}

unsigned
id_node(QueueId id)
{
	return (unsigned)(id >> ID_SEQUENCE_BITS) % ID_NODES;
}

const char *
id_format(QueueId id, char text[ID_TEXT_SIZE])
{
	for (int i = ID_DIGITS - 1; i >= 0; i--) {
		text[i] = id_digits[id & 31];
		id >>= 5;
	}
	text[ID_DIGITS] = '\0';
	return text;
}

bool
id_parse(const char *text, QueueId *id)
{
	uint64_t value = 0;

	if (strlen(text) != ID_DIGITS)
		return false;
	for (; *text != '\0'; text++) {
		const char *digit = strchr(id_digits, g_ascii_toupper(*text));

		if (digit == NULL || value >> 59 != 0)
			return false;
		value = value << 5 | (uint64_t)(digit - id_digits);
	}
	*id = value;
	return true;
}
