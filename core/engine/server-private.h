/* server-private.h - what server.c and connection.c share. */
#pragma once

#include "base/thread.h"
#include "engine/server.h"
#include "engine/session.h"
#include "io/loop.h"
#include "io/stream.h"

typedef struct Connection Connection;

/* One loop with its thread. */
typedef struct {
	Server *server;
	Loop *loop;
	Thread *thread;
	GQueue connections;   /* of Connection*, through their links; the loop's own */
	char *buffer;         /* what is read goes through it */
	LoopPost drain_post;
} Side;

/* A listening socket; its settings change at reload. */
typedef struct {
	Server *server;
	atomic_int fd;        /* -1: closed; loops may be looking at it */
	bool is_passed;       /* by systemd; see ListenSocket */
	int passed_fd;        /* its descriptor, until all loops have let go of it */
	atomic_uint n_watching; /* loops that have not */
	IpAddress address;
	uint16_t port;
	GMutex lock;          /* guards the two below */
	Snapshot *snapshot;
	const ListenerSettings *settings;
	LoopWatch *watches;   /* one per side */
	LoopTimer *timers;    /* one per side: accepting was paused */
	LoopPost *farewells;  /* one per side: let go of it */
	bool is_wanted;       /* while server_open() compares */
} Door;

struct Server {
	Engine *engine;
	Side *sides;
	unsigned n_sides;
	GPtrArray *doors;     /* of Door* */
	GPtrArray *closed;    /* doors that may still be named by an event of their loop */
	atomic_uint connections;
	atomic_bool is_draining;
};

/* Who is at the other end, and its budget. */
typedef struct {
	IpAddress address;
	uint16_t port;
	bool is_counted;      /* as a connection of the budget */
	ClientBudget *budget; /* a reference; NULL: a proxy whose header has not come, or nothing is counted */
} ServerClient;

enum { SERVER_READ = 64 * 1024 };

/* Takes the snapshot's reference, the descriptor and the client's budget; called by the side's loop.  The connection is
 * counted as one of the server's. */
void connection_open(Side *side, Snapshot *snapshot, const ListenerSettings *listener, int fd,
	const ServerClient *client, bool is_from_proxy);
/* 421 now, or at the next pause between messages. */
void connection_drain(Connection *connection);
/* Fills the client's budget, and counts its connection; NULL, or the reply to send. */
const BudgetRefusal *server_admit_client(Server *server, Snapshot *snapshot, ServerClient *client);
/* Takes the connection back and gives the budget back. */
void server_forget_client(ServerClient *client);

/* ---- server-refusal.c ---- */
/* True: the client is blocked; a reply was sent where it can be read, and the connection is to be closed.  Log and rejection
 * log get one line a minute for each client; the others are counted.  Monitors and proxies are never blocked. */
bool server_blocks(
	Engine *engine, Snapshot *snapshot, const ListenerSettings *listener, int fd, const IpAddress *client);
/* Sends the refusal where it can be read, and reports it to log, rejection log and metrics; where the client itself has too
 * many connections, to observers, too. */
void server_refuse(Server *server, Snapshot *snapshot, const ListenerSettings *listener, int fd,
	const ServerClient *client, const BudgetRefusal *refusal);
