/* spool-room.c - space of the volume for messages that are not committed yet.
 *
 * The free space of a volume says nothing of what sessions are about to write.  Each reserves what its
 * message has grown to and has not written, so that all of them together leave keep_free. */
#include "mail/spool-private.h"

#define SPOOL_ROOM_LOOK_US (CLOCK_SECOND / 20) /* how long the free space is believed where there is plenty */
#define SPOOL_ROOM_PLENTY (UINT64_C(1) << 30)

/* False: it cannot be found out. */
static bool
spool_room_look(Spool *spool, uint64_t *free_octets)
{
	if (spool->disk->free_octets(spool->disk, spool->directory, free_octets) != 0)
		return false;
	atomic_store(&spool->room_seen, *free_octets);
	atomic_store(&spool->room_seen_us, g_get_monotonic_time());
	return true;
}

/* Writes of the last moment are not in what was seen: near the limit it is looked at each time. */
static bool
spool_room_suffices(Spool *spool, uint64_t reserved)
{
	const int64_t now_us = g_get_monotonic_time();
	const uint64_t wanted = spool->keep_free + reserved;
	uint64_t free_octets = atomic_load(&spool->room_seen);

	if (now_us - atomic_load(&spool->room_seen_us) < SPOOL_ROOM_LOOK_US && free_octets >= wanted &&
		free_octets - wanted >= SPOOL_ROOM_PLENTY)
		return true;
	return !spool_room_look(spool, &free_octets) || free_octets >= wanted;
}

bool
spool_reserve(Spool *spool, uint64_t octets)
{
	const uint64_t reserved = atomic_fetch_add(&spool->reserved, octets) + octets;

	if (spool->keep_free == 0 || spool_room_suffices(spool, reserved))
		return true;
	spool_unreserve(spool, octets);
	return false;
}

void
spool_unreserve(Spool *spool, uint64_t octets)
{
	atomic_fetch_sub(&spool->reserved, octets);
}
