/* test-crowded.c - next hops that share an address: who finds it full gives its jobs back in their order. */
#include <sys/socket.h>
#include <unistd.h>

#include "engine/delivery-private.h"
#include "fault/fault.h"
#include "fault/world.h"
#include "io/socket.h"

/* A server at a port of its own: it counts who comes, and hangs up. */
static int
open_port(uint16_t *port)
{
	IpAddress address;
	int fd;

	CU_ASSERT_FATAL(ip_parse("127.0.0.1", &address));
	fd = socket_listen(&address, 0, NULL);
	CU_ASSERT_FATAL(fd >= 0 && socket_local(fd, &address, port));
	return fd;
}

static unsigned
count_visitors(int fd)
{
	unsigned n = 0;

	for (int one; (one = accept(fd, NULL, NULL)) >= 0; n++)
		(void)close(one);
	return n;
}

static void
set_used(Delivery *delivery, const char *key, unsigned used)
{
	g_mutex_lock(&delivery->lock);
	g_hash_table_insert(delivery->addresses, g_strdup(key), GUINT_TO_POINTER(used));
	g_mutex_unlock(&delivery->lock);
}

static Destination *
only_destination(Delivery *delivery)
{
	GHashTableIter each;
	void *destination = NULL;

	g_hash_table_iter_init(&each, delivery->destinations);
	(void)g_hash_table_iter_next(&each, NULL, &destination);
	return destination;
}

static bool
has_given_up(Delivery *delivery, unsigned jobs)
{
	Destination *destination;
	bool has;

	g_mutex_lock(&delivery->lock);
	destination = only_destination(delivery);
	has = destination != NULL && destination->threads == 0 && destination->jobs.length == jobs &&
		  destination->crowded_until_us > 0;
	if (has)
		destination->crowded_until_us = CLOCK_NEVER; /* the test is the only thread from now on */
	g_mutex_unlock(&delivery->lock);
	return has;
}

/* It comes back with a connection that was lost, and a job that it took ahead: neither may be left behind, or pass the other. */
static void
test_crowded_with_next(void)
{
	World *world = world_new();
	const DeliverySettings *settings = world->snapshot->delivery;
	g_autofree char *to = NULL, *key = NULL;
	static const char *const domains[] = { "crowded.example", NULL };
	DeliveryThread thread = { 0 };
	uint16_t port;
	const int fd = open_port(&port);
	unsigned visitors = 0;
	Job *first, *second;

	to = g_strdup_printf("smtp:[127.0.0.1]:%u", port);
	key = g_strdup_printf("127.0.0.1 %u", port);
	g_ptr_array_add(settings->routes,
		route_new("crowded", g_strdupv((char **)(uintptr_t)domains), NULL, next_hop_parse(to, TLS_NONE, NULL)));
	world_start(world);
	set_used(world->delivery, key, settings->per_destination);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_NOT_EQUAL(world_send(world, "r@crowded.example", NULL), 0);
	WORLD_WAIT_UNTIL(world, has_given_up(world->delivery, 3));
	CU_ASSERT_EQUAL(count_visitors(fd), 0);

	g_mutex_lock(&world->delivery->lock);
	thread.delivery = world->delivery;
	thread.destination = only_destination(world->delivery);
	first = g_queue_pop_head(&thread.destination->jobs);
	thread.next = second = g_queue_pop_head(&thread.destination->jobs);
	g_mutex_unlock(&world->delivery->lock);
	delivery_do_job(&thread, first);
	CU_ASSERT_TRUE(thread.gives_up);
	CU_ASSERT_PTR_NULL(thread.next);
	g_mutex_lock(&world->delivery->lock);
	CU_ASSERT_EQUAL(thread.destination->jobs.length, 3);
	CU_ASSERT_PTR_EQUAL(g_queue_peek_nth(&thread.destination->jobs, 0), first);
	CU_ASSERT_PTR_EQUAL(g_queue_peek_nth(&thread.destination->jobs, 1), second);
	thread.destination->crowded_until_us = 0;
	g_mutex_unlock(&world->delivery->lock);
	CU_ASSERT_EQUAL(count_visitors(fd), 0);

	set_used(world->delivery, key, 0); /* there is room: they go on by themselves */
	WORLD_WAIT_UNTIL(world, (visitors += count_visitors(fd)) > 0);
	(void)shutdown(fd, SHUT_RDWR);
	(void)close(fd);
	world_free(world);
}

const UnitSuite crowded_suite = { "crowded", (const UnitTest[]){
	{ "Q-20 a next hop whose address is crowded keeps its jobs, one taken ahead too", test_crowded_with_next },
	{ 0 } } };
