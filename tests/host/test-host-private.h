/* test-host-private.h - the inside of a PtnTest, for test-*.c of this folder only. */
#pragma once

#include "test-host.h"

#include <glib.h>

#include "engine/engine.h"
#include "engine/session.h"
#include "engine/stay.h"
#include "host/host.h"

typedef struct {
	Clock clock; /* first: a Clock* leads here */
	_Atomic int64_t offset_us;   /* background work reads it */
	_Atomic int64_t set_back_us; /* of the wall clock alone */
} TestClock;

enum { TEST_CLIENTS = 100 }; /* networks that are known at a time */

typedef struct TestPeers TestPeers;

TestPeers *test_peers_new(void);
/* Ends their sessions; nobody connects any more. */
void test_peers_close(TestPeers *peers);
void test_peers_free(TestPeers *peers); /* after test_peers_close() */
int test_peers_connect(void *peers, const char *address, uint16_t port);

struct PtnTest {
	TestClock clock;
	Engine engine;
	Store *directory_store;
	HostServices services;
	char *directory;     /* of the spool */
	GHashTable *dns;     /* "name/type" -> PtnAnswer* */
	TestPeers *peers;
	GPtrArray *dialogs;  /* scripts of peers */
	Config *config;
	GPtrArray *rows;
	PluginSet *set;
	Snapshot *snapshot;
	EngineSettings *settings; /* of the snapshot; changed only between sessions */
	ListenerSettings *listener;
	Session *session;
	GString *reply;
	GPtrArray *texts;    /* handed out, until the next call */
	bool is_closed;
	TestCommit *commit;  /* NULL: the spool */
	void *commit_data;
};

/* Ends the session, if there is one, and waits until observers were told. */
void test_end_session(PtnTest *test);

/* Those of the plugins in `rows` (PluginRows*) and [level NAME], ends with an empty row; new. */
ConfigKind *test_config_kinds(const GPtrArray *rows);
/* Ends the program: the test itself is wrong. */
void test_die(const char *what, const char *why) G_GNUC_NORETURN;
/* New: the i-th message of the queue. */
SpoolMessage *test_message(PtnTest *test, size_t i);
/* Takes the text; it lives until the next call. */
const char *test_hand_out(PtnTest *test, char *text);
