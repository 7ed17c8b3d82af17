/* smtp-peer.h - a message, and a client that sends it to a peer that says what its script says. */
#pragma once

#include "engine/smtp-client.h"
#include "unit/mail/mail.h"

/* Lines of a script: "C: " and how a command must begin, "X: " and all of it, "S: " and what is answered, "C: CONTENT" up to
 * the final dot, "C: END" for the end of the connection, "C: TORN" for content that the connection ends in, without a final
 * dot, "R: " and octets that are sent as they are, if anybody takes them.  Behind the last line the peer hangs up. */
typedef struct {
	Fixture *spool;
	char *path;
	int listener;
	GThread *thread;
	const char *const *script;
	GString *faults; /* of the peer; read when it is over */
	DeliverySettings *settings;
	NextHop *hop;
	SmtpClient *client;
	SpoolMessage *message;
	SentResult results[300];
	char *reply;
	HostQuirks *quirks;
} World;

void world_start(World *world, const char *const *script, unsigned recipients);
/* A message of so many octets, or, with 0, a small one. */
void world_start_with(World *world, const char *const *script, unsigned recipients, size_t size);
/* The same over SMTP, or either. */
void world_start_smtp(World *world, const char *const *script, unsigned recipients);
void world_start_with_kind(World *world, HopKind kind, const char *const *script, unsigned recipients, size_t size);
bool world_send(World *world);
void world_check(const World *world, guint i, SentStatus status, const char *reply);
void world_end(World *world);
/* The peer of the tests that make worlds of their own; `data` is a World*. */
void *peer_run(void *data);
