/* mail.h - the suites of this floor, and what they share. */
#pragma once

#include <stdatomic.h>

#include "mail/spool.h"
#include "unit/unit.h"

extern const UnitSuite crc32c_suite, envelope_suite, state_suite, record_suite, content_suite, spool_suite,
	queue_suite, queue_heap_suite, queue_verb_suite, adopt_suite, heirs_suite, changes_suite, golden_suite;

/* A spool in a directory of its own, over a disk that does not sync, with a clock that stands still. */
typedef struct {
	Clock clock; /* first: the table is the object */
	_Atomic int64_t now_us; /* monotonic, and wall; the spool's threads read it, too */
	_Atomic int64_t wall_ahead_us; /* of the monotonic clock */
	char *directory;
	SpoolSettings settings;
	Spool *spool;
} Fixture;

Fixture *fixture_new(void);
void fixture_free(Fixture *fixture); /* closes, and removes the directory */
void fixture_reopen(Fixture *fixture);
/* An envelope to so many recipients: "r0@example.net" … */
Envelope *fixture_envelope(QueueId id, unsigned n_recipients);
/* Commits it with that content, waiting. */
SpoolResult fixture_commit(Fixture *fixture, QueueId id, const char *body, unsigned n_recipients);
/* The message as it is sent, pieces joined.  New; NULL: it cannot be read. */
char *fixture_read(Spool *spool, QueueId id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)
