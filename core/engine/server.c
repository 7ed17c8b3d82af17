/* server.c - listening sockets, loops, and how many may connect. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "base/log.h"
#include "engine/observer.h"
#include "engine/server-private.h"
#include "io/socket.h"

enum { SERVER_ACCEPTS = 32 }; /* connections taken at one event */

#define SERVER_PAUSE_US (CLOCK_SECOND / 10) /* when descriptors are used up */

/* ---- who may connect ---- */

static guint
server_hash_address(gconstpointer key)
{
	return keyed_hash_octets(key, sizeof(IpAddress));
}

static gboolean
server_equal_address(gconstpointer a, gconstpointer b)
{
	return ip_equal(a, b);
}

/* True: one more of this client is fine, and counted. */
static bool
server_admit_client(Server *server, const IpAddress *client, unsigned most)
{
	guint count;

	g_mutex_lock(&server->lock);
	count = GPOINTER_TO_UINT(g_hash_table_lookup(server->clients, client));
	if (count < most)
		g_hash_table_insert(server->clients, g_memdup2(client, sizeof *client), GUINT_TO_POINTER(count + 1));
	g_mutex_unlock(&server->lock);
	return count < most;
}

void
server_forget_client(Server *server, const IpAddress *client)
{
	guint count;

	g_mutex_lock(&server->lock);
	count = GPOINTER_TO_UINT(g_hash_table_lookup(server->clients, client));
	if (count > 1)
		g_hash_table_insert(server->clients, g_memdup2(client, sizeof *client), GUINT_TO_POINTER(count - 1));
	else
		g_hash_table_remove(server->clients, client);
	g_mutex_unlock(&server->lock);
}

/* A client that is blocked costs a test of the table and one write: no session, no handshake, no line in the log.  It is not told for
 * how long.  On implicit TLS there is nothing to say in clear. */
bool
server_blocks(Engine *engine, const ListenerSettings *listener, int fd, const IpAddress *client)
{
	static const char later[] = "421 4.7.0 Error: too many errors from your address, try again later\r\n";
	static const char never[] = "554 5.7.1 Error: your address is not welcome here\r\n";
	const BlocksAnswer answer = blocks_test(engine->blocks, client);

	if (answer == BLOCKS_FREE)
		return false;
	if (listener->tls != LISTENER_TLS_IMPLICIT)
		(void)!send(fd, answer == BLOCKS_FOR_EVER ? never : later,
			answer == BLOCKS_FOR_EVER ? sizeof never - 1 : sizeof later - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	metrics_add(engine->metrics, "connections.blocked", 1);
	return true;
}

/* Plugins that count hear of it. */
static void
server_tell(Engine *engine, Snapshot *snapshot, const IpAddress *client)
{
	SessionFacts facts = { .client = *client };

	observer_tell(engine->observer, &(Observation){ .snapshot = snapshot,
										.stage = PTN_EVENT,
										.facts = &facts,
										.about = "too-many-connections",
										.is_ours = true });
}

/* On implicit TLS there is nothing to say in clear. */
static void
server_turn_away(Door *door, int fd, const IpAddress *client, const char *why)
{
	char text[IP_TEXT_SIZE], line[512];
	Snapshot *snapshot;

	g_mutex_lock(&door->lock);
	if (door->settings->tls != LISTENER_TLS_IMPLICIT) {
		const int size = snprintf(line, sizeof line, "421 4.7.0 %s Error: %s from %s\r\n",
			door->snapshot->settings->hostname, why, ip_format(client, text));

		(void)!send(fd, line, (size_t)MIN(size, (int)sizeof line - 1), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	snapshot = snapshot_ref(door->snapshot);
	g_mutex_unlock(&door->lock);
	server_tell(door->server->engine, snapshot, client);
	snapshot_unref(snapshot);
	metrics_add(door->server->engine->metrics, "event.too-many-connections", 1);
	log_event(LOG_LEVEL_INFO, "connection refused", "client", ip_format(client, text), "cause", why, NULL);
	(void)close(fd);
}

static void
server_admit(Side *side, Door *door, int fd, const IpAddress *client, uint16_t port)
{
	Server *server = side->server;
	const EngineSettings *settings;
	unsigned most, most_per_client;
	bool is_blocked;

	g_mutex_lock(&door->lock);
	is_blocked = server_blocks(server->engine, door->settings, fd, client);
	settings = door->snapshot->settings;
	most = settings->max_connections;
	most_per_client = settings->max_connections_per_client;
	g_mutex_unlock(&door->lock);
	if (is_blocked) {
		(void)close(fd);
		return;
	}
	if (atomic_load(&server->connections) >= most) {
		server_turn_away(door, fd, client, "too many connections");
		return;
	}
	if (!server_admit_client(server, client, most_per_client)) {
		server_turn_away(door, fd, client, "too many connections");
		return;
	}
	atomic_fetch_add(&server->connections, 1);
	connection_open(side, door, fd, client, port);
}

/* ---- doors ---- */

typedef struct {
	Door *door;
	Side *side;
} DoorSide;

static void
server_accept(void *data, unsigned events)
{
	const DoorSide *at = data;
	Door *door = at->door;
	Side *side = at->side;
	const size_t i = (size_t)(side - side->server->sides);

	(void)events;
	for (int n = 0; n < SERVER_ACCEPTS; n++) {
		IpAddress client;
		uint16_t port;
		const int fd = socket_accept(door->fd, &client, &port);

		if (fd >= 0) {
			server_admit(side, door, fd, &client, port);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			loop_unwatch(side->loop, &door->watches[i]);
			loop_set_timer(side->loop, &door->timers[i], loop_now(side->loop) + SERVER_PAUSE_US);
			metrics_add(side->server->engine->metrics, "server.accept-paused", 1);
		}
		return;
	}
}

static void
server_accept_again(void *data)
{
	const DoorSide *at = data;
	const size_t i = (size_t)(at->side - at->side->server->sides);

	(void)loop_watch(at->side->loop, &at->door->watches[i], at->door->fd, LOOP_READ | LOOP_SHARED);
}

static Door *
server_new_door(Server *server, int fd, const IpAddress *address, uint16_t port)
{
	Door *door = g_new0(Door, 1);

	door->server = server;
	door->fd = fd;
	door->address = *address;
	door->port = port;
	g_mutex_init(&door->lock);
	door->watches = g_new0(LoopWatch, server->n_sides);
	door->timers = g_new0(LoopTimer, server->n_sides);
	for (unsigned i = 0; i < server->n_sides; i++) {
		DoorSide *at = g_new0(DoorSide, 1);

		at->door = door;
		at->side = &server->sides[i];
		door->watches[i] = (LoopWatch){ .fd = -1, .ready = server_accept, .data = at };
		door->timers[i] = (LoopTimer){ .fire = server_accept_again, .data = at, .at_us = CLOCK_NEVER };
	}
	return door;
}

static void
server_free_door(Door *door)
{
	for (unsigned i = 0; i < door->server->n_sides; i++)
		g_free(door->watches[i].data);
	if (door->fd >= 0)
		(void)close(door->fd);
	snapshot_unref(door->snapshot);
	g_mutex_clear(&door->lock);
	g_free(door->watches);
	g_free(door->timers);
	g_free(door);
}

static Door *
server_find_door(const GPtrArray *doors, const IpAddress *address, uint16_t port)
{
	for (guint i = 0; i < doors->len; i++) {
		Door *door = g_ptr_array_index(doors, i);

		if (door->port == port && ip_equal(&door->address, address))
			return door;
	}
	return NULL;
}

static int
server_inherit(const GArray *inherited, const IpAddress *address, uint16_t port)
{
	for (guint i = 0; inherited != NULL && i < inherited->len; i++) {
		IpAddress bound;
		uint16_t bound_port;
		const int fd = g_array_index(inherited, int, i);

		if (socket_local(fd, &bound, &bound_port) && bound_port == port && ip_equal(&bound, address))
			return fd;
	}
	return -1;
}

typedef struct {
	Server *server;
	Snapshot *snapshot;
	const GArray *inherited;
	GPtrArray *fresh; /* of Door*: opened, not yet watched */
} Opening;

static bool
server_open_one(
	Opening *opening, const ListenerSettings *listener, const IpAddress *address, uint16_t port, GError **error)
{
	Door *door = server_find_door(opening->server->doors, address, port);
	int fd;

	if (door == NULL) {
		fd = server_inherit(opening->inherited, address, port);
		if (fd < 0)
			fd = socket_listen(address, port, error);
		if (fd < 0)
			return false;
		door = server_new_door(opening->server, fd, address, port);
		g_ptr_array_add(opening->fresh, door);
		door->snapshot = snapshot_ref(opening->snapshot);
		door->settings = listener;
	}
	door->is_wanted = true;
	return true;
}

static bool
server_open_all(Opening *opening, GError **error)
{
	const GPtrArray *listeners = opening->snapshot->settings->listeners;

	for (guint i = 0; i < listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(listeners, i);

		for (guint a = 0; a < listener->addresses->len; a++)
			for (guint p = 0; p < listener->ports->len; p++)
				if (!server_open_one(opening, listener, &g_array_index(listener->addresses, IpAddress, a),
						g_array_index(listener->ports, uint16_t, p), error))
					return false;
	}
	return true;
}

/* The settings of the door's listener in the new snapshot; those that share an address and port are one. */
static const ListenerSettings *
server_listener_of(const Snapshot *snapshot, const Door *door)
{
	const GPtrArray *listeners = snapshot->settings->listeners;

	for (guint i = 0; i < listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(listeners, i);

		for (guint a = 0; a < listener->addresses->len; a++)
			for (guint p = 0; p < listener->ports->len; p++)
				if (g_array_index(listener->ports, uint16_t, p) == door->port &&
					ip_equal(&g_array_index(listener->addresses, IpAddress, a), &door->address))
					return listener;
	}
	return NULL;
}

/* Other loops may be looking at the socket just now: it is shut here, and freed with the server. */
static void
server_close_door(Server *server, Door *door)
{
	const int fd = atomic_exchange(&door->fd, -1);

	(void)shutdown(fd, SHUT_RD);
	(void)close(fd);
	g_ptr_array_add(server->closed, door);
}

static void
server_swap_snapshot(Door *door, Snapshot *snapshot)
{
	Snapshot *old;

	g_mutex_lock(&door->lock);
	old = door->snapshot;
	door->settings = server_listener_of(snapshot, door);
	door->snapshot = snapshot_ref(snapshot);
	g_mutex_unlock(&door->lock);
	snapshot_unref(old);
}

static void
server_watch_door(Door *door)
{
	for (unsigned i = 0; i < door->server->n_sides; i++)
		(void)loop_watch(door->server->sides[i].loop, &door->watches[i], door->fd, LOOP_READ | LOOP_SHARED);
}

bool
server_open(Server *server, Snapshot *snapshot, const GArray *inherited, GError **error)
{
	g_autoptr(GPtrArray) fresh = g_ptr_array_new();
	Opening opening = { server, snapshot, inherited, fresh };

	for (guint i = 0; i < server->doors->len; i++)
		((Door *)g_ptr_array_index(server->doors, i))->is_wanted = false;
	if (!server_open_all(&opening, error)) {
		for (guint i = 0; i < fresh->len; i++)
			server_free_door(fresh->pdata[i]);
		return false;
	}
	for (guint i = server->doors->len; i-- > 0;) {
		Door *door = g_ptr_array_index(server->doors, i);

		if (door->is_wanted)
			server_swap_snapshot(door, snapshot);
		else
			server_close_door(server, g_ptr_array_remove_index(server->doors, i));
	}
	for (guint i = 0; i < fresh->len; i++) {
		g_ptr_array_add(server->doors, fresh->pdata[i]);
		server_watch_door(fresh->pdata[i]);
	}
	return true;
}

/* ---- sides ---- */

static void *
server_run_side(void *data)
{
	Side *side = data;

	loop_run(side->loop);
	return NULL;
}

static void
server_drain_side(void *data)
{
	Side *side = data;
	GList *link = side->connections.head;

	while (link != NULL) {
		GList *next = link->next;

		connection_drain(link->data);
		link = next;
	}
}

Server *
server_new(Engine *engine, unsigned n_loops, GError **error)
{
	Server *server = g_new0(Server, 1);

	server->engine = engine;
	server->n_sides = n_loops > 0 ? n_loops : g_get_num_processors();
	server->sides = g_new0(Side, server->n_sides);
	server->doors = g_ptr_array_new();
	server->closed = g_ptr_array_new();
	g_mutex_init(&server->lock);
	server->clients = g_hash_table_new_full(server_hash_address, server_equal_address, g_free, NULL);
	for (unsigned i = 0; i < server->n_sides; i++) {
		Side *side = &server->sides[i];

		side->server = server;
		side->loop = loop_new(engine->clock, error);
		side->buffer = g_malloc(SERVER_READ);
		side->drain_post = (LoopPost){ .run = server_drain_side, .data = side };
		g_queue_init(&side->connections);
		if (side->loop == NULL) {
			server_free(server);
			return NULL;
		}
	}
	return server;
}

void
server_start(Server *server)
{
	for (unsigned i = 0; i < server->n_sides; i++)
		server->sides[i].thread = g_thread_new("loop", server_run_side, &server->sides[i]);
}

void
server_drain(Server *server)
{
	atomic_store(&server->is_draining, true);
	for (guint i = server->doors->len; i-- > 0;)
		server_close_door(server, g_ptr_array_remove_index(server->doors, i));
	for (unsigned i = 0; i < server->n_sides; i++)
		loop_post(server->sides[i].loop, &server->sides[i].drain_post);
}

bool
server_stop(Server *server, int64_t deadline_us)
{
	while (atomic_load(&server->connections) > 0 && clock_monotonic(server->engine->clock) < deadline_us)
		g_usleep(10000);
	for (unsigned i = 0; i < server->n_sides; i++) {
		loop_stop(server->sides[i].loop);
		if (server->sides[i].thread != NULL)
			g_thread_join(g_steal_pointer(&server->sides[i].thread));
	}
	return atomic_load(&server->connections) == 0;
}

void
server_free(Server *server)
{
	for (guint i = 0; i < server->doors->len; i++)
		server_free_door(g_ptr_array_index(server->doors, i));
	for (guint i = 0; i < server->closed->len; i++)
		server_free_door(g_ptr_array_index(server->closed, i));
	g_ptr_array_unref(server->doors);
	g_ptr_array_unref(server->closed);
	for (unsigned i = 0; i < server->n_sides; i++) {
		loop_free(server->sides[i].loop);
		g_free(server->sides[i].buffer);
	}
	g_hash_table_unref(server->clients);
	g_mutex_clear(&server->lock);
	g_free(server->sides);
	g_free(server);
}

unsigned
server_connections(const Server *server)
{
	return atomic_load(&server->connections);
}

GPtrArray *
server_doors(Server *server)
{
	GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < server->doors->len; i++) {
		const Door *door = g_ptr_array_index(server->doors, i);
		char text[IP_TEXT_SIZE];

		g_ptr_array_add(
			texts, g_strdup_printf("%s %s:%u", door->settings->name, ip_format(&door->address, text), door->port));
	}
	return texts;
}
