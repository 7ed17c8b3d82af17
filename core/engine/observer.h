/* observer.h - tells plugins what happened, afterwards, in order, on a worker, delaying nobody. */
#pragma once

#include "engine/chain.h"
#include "engine/engine.h"

typedef struct {
	Snapshot *snapshot;     /* a reference is taken */
	PtnStage stage;
	const SessionFacts *facts;   /* copied; NULL in the queue */
	const Envelope *envelope;    /* copied; NULL */
	size_t recipient;
	int code;
	PtnCause cause;
	const char *enhanced, *text; /* copied */
	const char *about, *login;   /* copied; see HookCall */
	bool is_ours;
	Region *session_region;      /* taken; DISCONNECT only */
	void **session_states;       /* taken */
	Lookups *lookups;            /* taken */
} Observation;

/* Runs on one of `workers` at a time; `most` events may wait, and beside them twice as many ends of sessions; what is
 * more is counted as "observer.lost", and logged when it begins. */
Observer *observer_new(Workers *workers, Metrics *metrics, size_t most);
/* Waits until `deadline_us` for what is queued. */
void observer_stop(Observer *observer, int64_t deadline_us);
void observer_free(Observer *observer);
/* Nothing happens where no hook listens. */
void observer_tell(Observer *observer, const Observation *observation);
