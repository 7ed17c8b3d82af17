/* test-shares.c - how many addresses, connections and threads a next hop gets, and what becomes of its jobs without. */
#include <sys/socket.h>
#include <unistd.h>

#include "engine/delivery-private.h"
#include "fault/fault.h"
#include "fault/world.h"
#include "io/socket.h"

/* A server at all addresses of this machine: it counts who comes, and hangs up. */
static int
open_port(uint16_t *port)
{
	IpAddress address;
	int fd;

	CU_ASSERT_FATAL(ip_parse("0.0.0.0", &address));
	fd = socket_listen(&address, 0, false, NULL);
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
add_route(World *world, const char *domain, const char *to)
{
	const char *const domains[] = { domain, NULL };

	g_ptr_array_add(world->snapshot->delivery->routes,
		route_new(domain, g_strdupv((char **)(uintptr_t)domains), NULL, next_hop_parse(to, TLS_NONE, NULL)));
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
	DeliveryThread thread = { 0 };
	uint16_t port;
	const int fd = open_port(&port);
	unsigned visitors = 0;
	Job *first, *second;

	to = g_strdup_printf("smtp:[127.0.0.1]:%u", port);
	key = g_strdup_printf("127.0.0.1 %u", port);
	add_route(world, "crowded.example", to);
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
	g_clear_pointer(&thread.tried, g_ptr_array_unref);
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

static PtnAnswer *
resolve_many(void *data, const char *name, PtnRecord type)
{
	static const char *const values[] = { "127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14", "127.0.0.15",
		"127.0.0.16", "127.0.0.17", "127.0.0.18", NULL };

	(void)data, (void)name;
	return dns_answer_new(type == PTN_A ? PTN_OK : PTN_NONE, type == PTN_A ? values : NULL, 60 * CLOCK_SECOND);
}

/* A name with eight addresses, of which none is good: the attempt ends after some. */
static void
check_addresses(unsigned most)
{
	World *world = world_new();
	Dns *dns = dns_new_scripted(resolve_many, NULL);
	g_autofree char *to = NULL;
	unsigned visitors = 0;
	uint16_t port;
	const int fd = open_port(&port);

	to = g_strdup_printf("smtp://many.example:%u", port);
	add_route(world, "many.example", to);
	world->snapshot->dns = dns;
	if (most > 0)
		world->snapshot->delivery->max_addresses = most;
	world_start(world);
	CU_ASSERT_NOT_EQUAL(world_send(world, "r@many.example", NULL), 0);
	most = world->snapshot->delivery->max_addresses;
	WORLD_WAIT_UNTIL(world, (visitors += count_visitors(fd)) >= most && queue_active(world->engine.queue) == 0);
	CU_ASSERT_EQUAL(visitors + count_visitors(fd), most);
	CU_ASSERT_EQUAL(spool_count(world->engine.spool), 1); /* put off */
	(void)shutdown(fd, SHUT_RDWR);
	(void)close(fd);
	world_free(world);
	dns_free(dns);
}

static void
test_addresses(void)
{
	check_addresses(0); /* the default, five */
	check_addresses(2);
}

static unsigned
waiting_jobs(World *world)
{
	const Destination *destination;
	unsigned n;

	g_mutex_lock(&world->delivery->lock);
	destination = only_destination(world->delivery);
	n = destination != NULL ? destination->jobs.length : 0;
	g_mutex_unlock(&world->delivery->lock);
	return n;
}

/* Of many messages for one next hop some are ready, the others are not in memory. */
static void
test_ready(void)
{
	enum { MESSAGES = 30, READY = 4 };
	World *world = world_new();

	world->snapshot->delivery->ready = READY;
	world->snapshot->delivery->per_destination = 1;
	world_add_hop(world, "slow0");
	world_start(world);
	for (unsigned i = 0; i < MESSAGES; i++)
		CU_ASSERT_NOT_EQUAL(world_send(world, "r@slow0.example", NULL), 0);
	WORLD_WAIT_UNTIL(world, world_begun(world) == 1 && waiting_jobs(world) > READY / 2);
	g_usleep(100000);
	CU_ASSERT_TRUE(waiting_jobs(world) > READY / 2 && waiting_jobs(world) <= READY);
	CU_ASSERT_TRUE(queue_active(world->engine.queue) <= READY + 2);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, spool_count(world->engine.spool) == 0);
	CU_ASSERT_EQUAL(world_taken_in_all(world), MESSAGES);
	world_free(world);
}

/* Servers that foreign DNS names leave a quarter of the connections to those that somebody of ours named. */
static void
test_reserve(void)
{
	World *world = world_new();
	g_autoptr(NextHop) mx = next_hop_for_domain("slow.example", TLS_NONE);
	g_autoptr(NextHop) server = next_hop_parse("smtp://mail.example.net", TLS_NONE, NULL);
	g_autoptr(NextHop) mailboxes = next_hop_parse("lmtp:unix:/run/dovecot/lmtp", TLS_NONE, NULL);
	Destination by_mx = { .hop = mx }, by_route = { .hop = server }, local = { .hop = mailboxes };
	Delivery delivery = { .engine = &world->engine, .snapshot = world->snapshot };

	world->snapshot->delivery->max_deliveries = 200;
	delivery.threads = delivery.mx_threads = 149;
	CU_ASSERT_TRUE(delivery_may_start(&delivery, &by_mx));
	delivery.threads = delivery.mx_threads = 150;
	CU_ASSERT_FALSE(delivery_may_start(&delivery, &by_mx));
	CU_ASSERT_TRUE(delivery_may_start(&delivery, &by_route));
	CU_ASSERT_TRUE(delivery_may_start(&delivery, &local));
	delivery.threads = 199; /* 50 of them for routes: MX has still its three quarters */
	delivery.mx_threads = 149;
	CU_ASSERT_TRUE(delivery_may_start(&delivery, &by_mx));
	delivery.threads = 200;
	CU_ASSERT_FALSE(delivery_may_start(&delivery, &local));
	world_free(world);
}

/* One account's messages are not all that is active: where they have as many next hops as may be, further ones stay in the
 * queue, and other mail passes. */
static void
test_destinations(void)
{
	enum { HOPS = 30, MESSAGES = 20, MOST = 100 };
	World *world = world_new();
	g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func(g_free);
	AccountBudget *account = account_budget_take(world->engine.accounts, "greedy@example.net");
	QueueId other;

	for (unsigned i = 0; i < HOPS; i++) {
		g_autofree char *name = g_strdup_printf("slow%u", i);

		world_add_hop(world, name);
		g_ptr_array_add(recipients, g_strdup_printf("r@%s.example", name));
	}
	g_ptr_array_add(recipients, NULL);
	world->snapshot->settings->accounts.most[ACCOUNT_DESTINATIONS] = MOST;
	world->account = "greedy@example.net";
	world_start(world);
	for (unsigned i = 0; i < MESSAGES; i++)
		CU_ASSERT_NOT_EQUAL(world_try_to_send(world, (const char *const *)recipients->pdata), 0);
	WORLD_WAIT_UNTIL(world, account_budget_used(account, ACCOUNT_DESTINATIONS) >= MOST);
	g_usleep(100000);
	CU_ASSERT_TRUE(account_budget_used(account, ACCOUNT_DESTINATIONS) < MOST + HOPS);
	CU_ASSERT_TRUE(queue_active(world->engine.queue) <= 1 + MOST / HOPS);
	world->account = "modest@example.net";
	other = world_send(world, "r@fast.example", NULL);
	WORLD_WAIT_UNTIL(world, world_taken(world, other, "r@fast.example") == 1);
	world_open_gate(world);
	for (unsigned i = 0; i < 20 && spool_count(world->engine.spool) > 0; i++) {
		world_pass_time(world, DELIVERY_SPREAD_US);
		g_usleep(200000);
	}
	WORLD_WAIT_UNTIL(world, spool_count(world->engine.spool) == 0);
	CU_ASSERT_EQUAL(world_taken_in_all(world), HOPS * MESSAGES + 1);
	WORLD_WAIT_UNTIL(world, account_budget_used(account, ACCOUNT_DESTINATIONS) == 0);
	account_budget_drop(account);
	world_free(world);
}

static void
test_active(void)
{
	enum { HOPS = 10, MOST = 3 };
	World *world = world_new();

	world->snapshot->delivery->max_active = MOST;
	for (unsigned i = 0; i < HOPS; i++) {
		g_autofree char *name = g_strdup_printf("slow%u", i);

		world_add_hop(world, name);
	}
	world_start(world);
	for (unsigned i = 0; i < HOPS; i++) {
		g_autofree char *recipient = g_strdup_printf("r@slow%u.example", i);

		CU_ASSERT_NOT_EQUAL(world_send(world, recipient, NULL), 0);
	}
	WORLD_WAIT_UNTIL(world, world_begun(world) == MOST);
	g_usleep(100000);
	CU_ASSERT_EQUAL(queue_active(world->engine.queue), MOST);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, spool_count(world->engine.spool) == 0);
	CU_ASSERT_EQUAL(world_taken_in_all(world), HOPS);
	world_free(world);
}

const UnitSuite shares_suite = { "shares", (const UnitTest[]){
	{ "Q-20 a next hop whose address is crowded keeps its jobs, one taken ahead too", test_crowded_with_next },
	{ "Q-20 five addresses are tried in one attempt, or as many as the option says", test_addresses },
	{ "Q-20 so many messages are ready for one next hop", test_ready },
	{ "Q-20 a quarter of the connections is not for MX", test_reserve },
	{ "Q-14 so many messages are active", test_active },
	{ "Q-20 an account has so many next hops at a time", test_destinations },
	{ 0 } } };
