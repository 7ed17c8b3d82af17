/* server.c - listening sockets, loops, and how many may connect. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "engine/observer.h"
#include "engine/server-private.h"
#include "io/socket.h"

enum { SERVER_ACCEPTS = 32 }; /* connections taken at one event */

#define SERVER_PAUSE_US (CLOCK_SECOND / 10) /* when descriptors are used up */
#define SERVER_JOIN_US (5 * CLOCK_SECOND)   /* for a loop to end that is in the middle of a round */

/* ---- who may connect ---- */

const BudgetRefusal *
server_admit_client(Server *server, Snapshot *snapshot, ServerClient *client)
{
	const EngineSettings *settings = snapshot->settings;
	const BudgetRefusal *refusal;

	client->budget =
		client_budget_take(server->engine->clients, &client->address, settings->clients.ipv6_prefix);
	refusal = client_budget_connect(client->budget, &settings->clients);
	client->is_counted = refusal == NULL;
	return refusal;
}

void
server_forget_client(ServerClient *client)
{
	if (client->is_counted)
		client_budget_disconnect(client->budget);
	client->is_counted = false;
	g_clear_pointer(&client->budget, client_budget_drop);
}

/* The connection is counted in any case; the caller takes it back if it is refused. */
static const BudgetRefusal *
server_count_connection(Server *server, unsigned most)
{
	static const BudgetRefusal all = { "all-connections", 421, "4.7.0", "Error: too many connections",
		true };

	return atomic_fetch_add(&server->connections, 1) >= most ? &all : NULL;
}

/* A proxy is no client: whom it speaks for is counted when its header was read (connection.c). */
static const BudgetRefusal *
server_may_connect(Server *server, Snapshot *snapshot, ServerClient *client, bool is_from_proxy)
{
	const BudgetRefusal *all = server_count_connection(server, snapshot->settings->max_connections);
	const BudgetRefusal *own = NULL;

	if (!is_from_proxy)
		own = server_admit_client(server, snapshot, client);
	else if (all != NULL) /* for the lines about it */
		client->budget = client_budget_take(
			server->engine->clients, &client->address, snapshot->settings->clients.ipv6_prefix);
	return own != NULL ? own : all;
}

static void
server_admit(Side *side, Door *door, int fd, const IpAddress *peer, uint16_t port)
{
	Server *server = side->server;
	ServerClient client = { .address = *peer, .port = port };
	const BudgetRefusal *refusal;
	const ListenerSettings *listener;
	g_autoptr(Snapshot) snapshot = NULL;
	bool is_from_proxy;

	g_mutex_lock(&door->lock);
	snapshot = snapshot_ref(door->snapshot);
	listener = door->settings;
	g_mutex_unlock(&door->lock);
	if (server_blocks(server->engine, snapshot, listener, fd, peer)) {
		(void)close(fd);
		return;
	}
	is_from_proxy = ip_networks_contain(listener->proxies, peer);
	refusal = server_may_connect(server, snapshot, &client, is_from_proxy);
	if (refusal == NULL) {
		connection_open(side, g_steal_pointer(&snapshot), listener, fd, &client, is_from_proxy);
		return;
	}
	atomic_fetch_sub(&server->connections, 1);
	server_refuse(server, snapshot, listener, fd, &client, refusal);
	server_forget_client(&client);
	(void)close(fd);
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

/* On the loop of one side: systemd has the socket still, so that close() alone would not take it out of the loop. */
static void
server_let_go(void *data)
{
	const DoorSide *at = data;
	Door *door = at->door;
	const size_t i = (size_t)(at->side - at->side->server->sides);

	loop_unwatch(at->side->loop, &door->watches[i]);
	loop_clear_timer(at->side->loop, &door->timers[i]);
	if (atomic_fetch_sub(&door->n_watching, 1) == 1) {
		(void)close(door->passed_fd);
		door->passed_fd = -1;
	}
}

static Door *
server_new_door(Server *server, const ListenSocket *socket, const IpAddress *address, uint16_t port)
{
	Door *door = g_new0(Door, 1);

	door->server = server;
	door->fd = socket->fd;
	door->is_passed = socket->is_passed;
	door->passed_fd = -1;
	door->address = *address;
	door->port = port;
	g_mutex_init(&door->lock);
	door->watches = g_new0(LoopWatch, server->n_sides);
	door->timers = g_new0(LoopTimer, server->n_sides);
	door->farewells = g_new0(LoopPost, server->n_sides);
	for (unsigned i = 0; i < server->n_sides; i++) {
		DoorSide *at = g_new0(DoorSide, 1);

		at->door = door;
		at->side = &server->sides[i];
		door->watches[i] = (LoopWatch){ .fd = -1, .ready = server_accept, .data = at };
		door->farewells[i] = (LoopPost){ .run = server_let_go, .data = at };
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
	if (door->passed_fd >= 0)
		(void)close(door->passed_fd);
	snapshot_unref(door->snapshot);
	g_mutex_clear(&door->lock);
	g_free(door->watches);
	g_free(door->timers);
	g_free(door->farewells);
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

static ListenSocket
server_inherit(const GArray *inherited, const IpAddress *address, uint16_t port)
{
	for (guint i = 0; inherited != NULL && i < inherited->len; i++) {
		IpAddress bound;
		uint16_t bound_port;
		const ListenSocket *socket = &g_array_index(inherited, ListenSocket, i);

		if (socket_local(socket->fd, &bound, &bound_port) && bound_port == port && ip_equal(&bound, address))
			return *socket;
	}
	return (ListenSocket){ .fd = -1 };
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
	ListenSocket socket;

	if (door == NULL) {
		socket = server_inherit(opening->inherited, address, port);
		if (socket.fd < 0)
			socket.fd = socket_listen(address, port, listener->is_free, error);
		if (socket.fd < 0)
			return false;
		door = server_new_door(opening->server, &socket, address, port);
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

/* systemd goes on listening, and starts the service again for whoever connects. */
static void
server_give_back(Server *server, Door *door, int fd)
{
	door->passed_fd = fd;
	atomic_store(&door->n_watching, server->n_sides);
	for (unsigned i = 0; i < server->n_sides; i++)
		loop_post(server->sides[i].loop, &door->farewells[i]);
}

/* Other loops may be looking at the socket just now: it is shut here, and freed with the server. */
static void
server_close_door(Server *server, Door *door)
{
	const int fd = atomic_exchange(&door->fd, -1);

	g_ptr_array_add(server->closed, door);
	if (door->is_passed) {
		server_give_back(server, door, fd);
		return;
	}
	(void)shutdown(fd, SHUT_RD);
	(void)close(fd);
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
		server->sides[i].thread = thread_new("loop", server_run_side, &server->sides[i]);
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

/* False: a hook does not return to its loop. */
static bool
server_join_loops(Server *server)
{
	const int64_t until_us = g_get_monotonic_time() + SERVER_JOIN_US;
	bool have_ended = true;

	for (unsigned i = 0; i < server->n_sides; i++) {
		Side *side = &server->sides[i];

		if (side->thread != NULL && thread_join_until(side->thread, until_us))
			side->thread = NULL;
		have_ended &= side->thread == NULL;
	}
	return have_ended;
}

bool
server_stop(Server *server, int64_t deadline_us)
{
	while (atomic_load(&server->connections) > 0 && clock_monotonic(server->engine->clock) < deadline_us)
		g_usleep(10000);
	for (unsigned i = 0; i < server->n_sides; i++)
		loop_stop(server->sides[i].loop);
	return server_join_loops(server) && atomic_load(&server->connections) == 0;
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
