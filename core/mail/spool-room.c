/* spool-room.c - space of the volume for messages that are not committed yet.
 *
 * The free space of a volume says nothing of what sessions are about to write.  Each reserves what its
 * message has grown to and has not written, so that all of them together leave keep_free. */
#include "mail/spool-private.h"

#define SPOOL_ROOM_LOOK_US (CLOCK_SECOND / 20) /* how long the free space is believed */
#define SPOOL_ROOM_PLENTY (UINT64_C(1) << 30)

/* Free octets of the volume, seen at most SPOOL_ROOM_LOOK_US ago, or now if `is_exact`; UINT64_MAX:
 * unknown. */
static uint64_t
spool_room_free(Spool *spool, bool is_exact)
{
	const int64_t now_us = g_get_monotonic_time();
	uint64_t free_octets;

	if (!is_exact && now_us - atomic_load(&spool->room_seen_us) < SPOOL_ROOM_LOOK_US)
		return atomic_load(&spool->room_seen);
	if (spool->disk->free_octets(spool->disk, spool->directory, &free_octets) != 0)
		free_octets = UINT64_MAX;
	atomic_store(&spool->room_seen, free_octets);
	atomic_store(&spool->room_seen_us, now_us);
	return free_octets;
}

/* Writes of the last moment are not in what was seen: near the limit it is looked at each time. */
static bool
spool_room_suffices(Spool *spool, uint64_t reserved)
{
	const uint64_t wanted = spool->keep_free + reserved;
	uint64_t free_octets = spool_room_free(spool, false);

	if (free_octets < wanted || free_octets - wanted < SPOOL_ROOM_PLENTY)
		free_octets = spool_room_free(spool, true);
	return free_octets >= wanted;
}

bool
spool_room_is_short(Spool *spool)
{
	return spool->keep_free > 0 && spool_room_free(spool, false) < spool->keep_free;
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
