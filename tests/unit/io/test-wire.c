/* test-wire.c - connections for straight-line code: Unix sockets, deadlines, the last words of a server. */
#include "io/wire.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "suites.h"

typedef struct {
	char *place, *path;
	int listener;
} World;

static void
world_start(World *world, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	world->place = unit_new_directory();
	world->path = g_strdup_printf("%s/socket", world->place);
	CU_ASSERT_FATAL(strlen(world->path) < sizeof address.sun_path);
	memcpy(address.sun_path, world->path, strlen(world->path));
	world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(world->listener, (const struct sockaddr *)&address, sizeof address), 0);
	CU_ASSERT_EQUAL_FATAL(listen(world->listener, backlog), 0);
}

static void
world_end(World *world)
{
	(void)close(world->listener);
	unit_remove_directory(world->place);
	g_free(world->place);
	g_free(world->path);
}

static int64_t
soon(int64_t time_us)
{
	return g_get_monotonic_time() + time_us;
}

static void
test_unix(void)
{
	g_autoptr(Wire) wire = NULL;
	char octets[20] = "";
	World world;
	int peer;

	world_start(&world, 5);
	wire = wire_open_unix(world.path, soon(5 * CLOCK_SECOND), NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(wire);
	peer = accept(world.listener, NULL, NULL);
	CU_ASSERT_TRUE(wire_write(wire, "PING\n", 5, NULL) && wire_flush(wire, NULL));
	CU_ASSERT_EQUAL(recv(peer, octets, sizeof octets, 0), 5);
	CU_ASSERT_EQUAL(send(peer, "PONG\n", 5, 0), 5);
	ASSERT_TEXT(wire_read_line(wire, 100, NULL), "PONG");
	(void)close(peer);
	CU_ASSERT_PTR_NULL(wire_read_line(wire, 100, NULL));
	world_end(&world);
}

static void
test_no_unix(void)
{
	g_autoptr(GError) absent = NULL, far = NULL;
	g_autofree char *path = g_strnfill(200, 'x');

	path[0] = '/';
	CU_ASSERT_PTR_NULL(wire_open_unix("/nonexistent/socket", soon(CLOCK_SECOND), &absent));
	CU_ASSERT_PTR_NOT_NULL(strstr(absent->message, "/nonexistent/socket"));
	CU_ASSERT_PTR_NULL(wire_open_unix(path, soon(CLOCK_SECOND), &far));
	CU_ASSERT_PTR_NOT_NULL(strstr(far->message, "longer than"));
}

/* A listener that accepts nobody: its queue is full after some, and the next one waits no longer than told. */
static void
test_full_queue(void)
{
	g_autoptr(GPtrArray) wires = g_ptr_array_new_with_free_func((GDestroyNotify)wire_close);
	int64_t begun;
	Wire *wire;
	World world;

	world_start(&world, 0);
	do {
		begun = g_get_monotonic_time();
		wire = wire_open_unix(world.path, begun + CLOCK_SECOND / 5, NULL);
		if (wire != NULL)
			g_ptr_array_add(wires, wire);
	} while (wire != NULL && wires->len < 100);
	CU_ASSERT_PTR_NULL(wire);
	CU_ASSERT_TRUE(g_get_monotonic_time() - begun < CLOCK_SECOND);
	world_end(&world);
}

static void
test_deadline(void)
{
	g_autoptr(Wire) wire = NULL;
	World world;
	int64_t begun = g_get_monotonic_time();

	world_start(&world, 5);
	wire = wire_open_unix(world.path, begun + CLOCK_SECOND / 5, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(wire);
	CU_ASSERT_PTR_NULL(wire_read_line(wire, 100, NULL));
	CU_ASSERT_TRUE(g_get_monotonic_time() - begun >= CLOCK_SECOND / 5);
	CU_ASSERT_TRUE(g_get_monotonic_time() - begun < CLOCK_SECOND * 9 / 10); /* a slice would be a second */
	world_end(&world);
}

/* A server that says why it takes no more, and closes, while we are still writing. */
static void
test_last_words(void)
{
	g_autofree char *data = g_malloc0(4 << 20);
	g_autoptr(Wire) wire = NULL;
	World world;
	int peer;

	world_start(&world, 5);
	wire = wire_open_unix(world.path, soon(5 * CLOCK_SECOND), NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(wire);
	peer = accept(world.listener, NULL, NULL);
	CU_ASSERT_EQUAL(send(peer, "too much\n", 9, 0), 9);
	(void)close(peer);
	CU_ASSERT_FALSE(wire_write(wire, data, 4 << 20, NULL));
	CU_ASSERT_FALSE(wire_write(wire, "more", 4, NULL));
	ASSERT_TEXT(wire_read_line(wire, 100, NULL), "too much");
	CU_ASSERT_PTR_NULL(wire_read_line(wire, 100, NULL));
	world_end(&world);
}

/* What is thrown away, and the ends of empty lines, count too. */
static void
test_cut(void)
{
	static const char sent[] = "12345\r\n\n\nabc";
	static const struct {
		const char *line;
		size_t left;
	} expected[] = { { "123", 93 }, { "", 92 }, { "", 91 } };
	g_autoptr(Wire) wire = NULL;
	size_t left = 100;
	const char *line;
	World world;
	int peer;

	world_start(&world, 5);
	wire = wire_open_unix(world.path, soon(5 * CLOCK_SECOND), NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(wire);
	peer = accept(world.listener, NULL, NULL);
	CU_ASSERT_EQUAL(send(peer, sent, sizeof sent - 1, 0), sizeof sent - 1);
	(void)close(peer);
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
		CU_ASSERT_TRUE(wire_read_cut(wire, 3, &left, &line, NULL));
		CU_ASSERT_STRING_EQUAL(line, expected[i].line);
		CU_ASSERT_EQUAL(left, expected[i].left);
	}
	CU_ASSERT_FALSE(wire_read_cut(wire, 3, &left, &line, NULL));
	CU_ASSERT_STRING_EQUAL(line, "abc");
	world_end(&world);
}

static const UnitTest tests[] = {
	{ "a Unix socket", test_unix },
	{ "a Unix socket that is not there, or cannot be", test_no_unix },
	{ "a Unix socket whose queue is full", test_full_queue },
	{ "a reader of a silent server is back at its deadline", test_deadline },
	{ "the last words of a server that takes no more", test_last_words },
	{ "lines of which only the start is kept", test_cut },
	{ NULL, NULL },
};

const UnitSuite suite_wire = { "wire", tests };
