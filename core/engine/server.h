/* server.h - listening sockets, loops, and the connections between streams and sessions.
 *
 * Made and steered by the main thread; each loop runs in a thread of its own. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/engine.h"

typedef struct Server Server;

/* `n_loops`: 0 for one per core. */
Server *server_new(Engine *engine, unsigned n_loops, GError **error);
/* Opens what the snapshot's listeners ask for and is not open yet, lets the others go on with the new
 * settings, closes what is asked for no more.  False: an address cannot be bound; nothing changed.
 * `inherited`: of ListenSocket (NULL: none); those that fit are used instead of binding. */
bool server_open(Server *server, Snapshot *snapshot, const GArray *inherited, GError **error);
/* Starts the loops' threads. */
void server_start(Server *server);
/* Closes the doors; each session ends with 421 at its next pause between messages. */
void server_drain(Server *server);
/* Waits until no connection is left or `deadline_us` (monotonic), then stops the loops, which takes at most five seconds
 * more.  False: sessions are still lent to workers that do not return, or a loop does not; they must not be freed. */
bool server_stop(Server *server, int64_t deadline_us);
void server_free(Server *server);
unsigned server_connections(const Server *server);
/* What listens, one text per socket ("submission 127.0.0.1:587"); new. */
GPtrArray *server_doors(Server *server);
