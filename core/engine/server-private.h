/* server-private.h - what server.c and connection.c share. */
#pragma once

#include "engine/server.h"
#include "engine/session.h"
#include "io/loop.h"
#include "io/stream.h"

typedef struct Connection Connection;

/* One loop with its thread. */
typedef struct {
	Server *server;
	Loop *loop;
	GThread *thread;
	GQueue connections;   /* of Connection*, through their links; the loop's own */
	char *buffer;         /* what is read goes through it */
	LoopPost drain_post;
} Side;

/* A listening socket; its settings change at reload. */
typedef struct {
	Server *server;
	atomic_int fd;        /* -1: closed; loops may be looking at it */
	IpAddress address;
	uint16_t port;
	GMutex lock;          /* guards the two below */
	Snapshot *snapshot;
	const ListenerSettings *settings;
	LoopWatch *watches;   /* one per side */
	LoopTimer *timers;    /* one per side: accepting was paused */
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
	GMutex lock;          /* guards the table below */
	GHashTable *clients;  /* IpAddress -> count */
};

enum { SERVER_READ = 64 * 1024 };

/* Takes the descriptor; called by the side's loop. */
void connection_open(Side *side, Door *door, int fd, const IpAddress *client, uint16_t port);
/* 421 now, or at the next pause between messages. */
void connection_drain(Connection *connection);
/* True: the client is blocked, and was told so; the connection is to be closed. */
bool server_blocks(Engine *engine, const ListenerSettings *listener, int fd, const IpAddress *client);
void server_forget_client(Server *server, const IpAddress *client);
