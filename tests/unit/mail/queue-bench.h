/* queue-bench.h - a queue over a small spool, with a clock that the test moves. */
#pragma once

#include "mail/queue.h"
#include "unit/mail/mail.h"

typedef struct {
	Fixture *fixture;
	Queue *queue;
	int n_wakes;
	int n_unparked; /* verbs took so many parked messages */
	void *unparked; /* what the last of them had waited for */
} Bench;

Bench *bench_new(void);
void bench_free(Bench *bench);
/* Commits a message with one recipient that is due now. */
void bench_enter(Bench *bench, QueueId id);
/* New: the state of such a message. */
MessageState *bench_state(QueueId id, RecipientStatus status, int64_t next_us);
/* The active message comes back with that state, which is taken. */
void bench_return(Bench *bench, MessageState *state);
/* Makes a message active that is due; 0: none is. */
QueueId bench_take(Bench *bench);
void bench_reopen(Bench *bench);
bool bench_is_held(Bench *bench, QueueId id);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bench, bench_free)
