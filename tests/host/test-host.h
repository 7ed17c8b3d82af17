/* test-host.h - what replays and fuzzers want of the test host beyond plugin-test.h. */
#pragma once

#include "plugin-test.h"

#include "engine/settings.h"
#include "mail/spool.h"

/* Settings of the engine: to be changed before ptn_test_connect(). */
EngineSettings *test_host_settings(PtnTest *test);
/* The listener of the sessions. */
ListenerSettings *test_host_listener(PtnTest *test);
/* STARTTLS is offered from now on, with a certificate made for it; the handshake itself is left out. */
void test_host_offer_tls(PtnTest *test);
/* The client says nothing until its time is over: what the loop does then. */
void test_host_idle(PtnTest *test);
/* The envelope of the i-th message of the queue, in one line that names all of it but the queue id, time and edits; it lives
 * until the next call. */
const char *test_host_queued_envelope(PtnTest *test, size_t i);
/* What an earlier version left in the store: the whole key, "plugin/NAME/KEY". */
void test_host_store(PtnTest *test, const char *key, const char *value);

/* Messages go to `commit` instead of the spool, which writes and syncs for each; its result is the session's.  The
 * transaction is borrowed. */
typedef SpoolResult TestCommit(void *data, const SpoolTransaction *transaction);
void test_host_commit_by(PtnTest *test, TestCommit *commit, void *data);
/* Ends the session, and forgets what it queued and what client and account used of their limits: the next session finds the
 * host as this one did, but for counters. */
void test_host_forget(PtnTest *test);
