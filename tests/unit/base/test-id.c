/* test-id.c - ids that are never used twice. */
#include "base/id.h"

#include <glib.h>

#include "suites.h"

#define YEAR_2026 INT64_C(1795334400000000)

typedef struct {
	Clock clock;
	int64_t now_us;
} FakeClock;

static int64_t
fake_now(const Clock *clock)
{
	return ((const FakeClock *)clock)->now_us;
}

static FakeClock
fake_clock(int64_t now_us)
{
	return (FakeClock){ { fake_now, fake_now }, now_us };
}

static void
rises(void)
{
	FakeClock clock = fake_clock(YEAR_2026);
	IdSource *source = id_source_new(&clock.clock, 1023);
	QueueId last = 0;

	for (int i = 0; i < 10000; i++) {
		const QueueId id = id_next(source);

		CU_ASSERT_FATAL(id > last);
		CU_ASSERT_EQUAL_FATAL(id_node(id), 1023);
		last = id;
		if (i == 5000)
			clock.now_us -= 3600 * CLOCK_SECOND; /* a clock set back makes no id twice */
	}
	clock.now_us += 7200 * CLOCK_SECOND;
	CU_ASSERT(id_next(source) > last + (INT64_C(3500000) << 22));
	id_source_free(source);
}

/* As a number the id of a node with a higher number is above; by what it makes a source draw it is not. */
static void
later_by_time_and_sequence(void)
{
	FakeClock clock = fake_clock(YEAR_2026);
	IdSource *three = id_source_new(&clock.clock, 3), *five = id_source_new(&clock.clock, 5);
	const QueueId first = id_next(three), second = id_next(three), other = id_next(five);

	CU_ASSERT(other > second && !id_is_later(other, second) && id_is_later(second, other));
	CU_ASSERT(!id_is_later(first, other) && !id_is_later(other, first));
	CU_ASSERT(id_is_later(first, 0));
	id_source_free(three);
	id_source_free(five);
}

static void
differs_by_node(void)
{
	FakeClock clock = fake_clock(YEAR_2026);
	IdSource *one = id_source_new(&clock.clock, 1);
	IdSource *two = id_source_new(&clock.clock, 2);
	const QueueId id = id_next(one);

	CU_ASSERT_EQUAL(id_node(id), 1);
	CU_ASSERT_NOT_EQUAL(id, id_next(two));
	id_source_free(one);
	id_source_free(two);
}

static void
passes_what_the_spool_holds(void)
{
	FakeClock late = fake_clock(YEAR_2026 + 1000 * CLOCK_SECOND), early = fake_clock(YEAR_2026);
	IdSource *before = id_source_new(&late.clock, 5);
	IdSource *after = id_source_new(&early.clock, 5);
	const QueueId highest = id_next(before);

	id_source_pass(after, highest);
	CU_ASSERT(id_next(after) > highest);
	id_source_pass(after, 1);
	CU_ASSERT(id_next(after) > highest);
	id_source_free(before);
	id_source_free(after);
}

static void
survives_odd_clocks(void)
{
	FakeClock clock = fake_clock(0);
	IdSource *source = id_source_new(&clock.clock, 0);

	CU_ASSERT_NOT_EQUAL(id_next(source), 0);
	id_source_free(source);
}

static gpointer
draw(gpointer data)
{
	QueueId *ids = g_new(QueueId, 10000);

	for (int i = 0; i < 10000; i++)
		ids[i] = id_next(data);
	return ids;
}

static void
serves_many_threads(void)
{
	FakeClock clock = fake_clock(YEAR_2026);
	IdSource *source = id_source_new(&clock.clock, 7);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, NULL);
	GThread *threads[4];
	QueueId *ids[4];

	for (int i = 0; i < 4; i++)
		threads[i] = g_thread_new("draw", draw, source);
	for (int i = 0; i < 4; i++) {
		ids[i] = g_thread_join(threads[i]);
		for (int k = 0; k < 10000; k++)
			g_hash_table_add(seen, &ids[i][k]);
	}
	CU_ASSERT_EQUAL(g_hash_table_size(seen), 40000);
	for (int i = 0; i < 4; i++)
		g_free(ids[i]);
	id_source_free(source);
}

static void
writes_and_reads(void)
{
	static const struct {
		QueueId id;
		const char *text;
	} cases[] = { { 1, "0000000000001" }, { 31, "000000000000Z" }, { 32, "0000000000010" },
		{ UINT64_MAX, "FZZZZZZZZZZZZ" }, { 0, "0000000000000" } };
	static const char *const bad[] = { "", "000000000001", "00000000000001", "000000000000I",
		"000000000000U", "000000000000L",
		"000000000000O", "00000000000 1", "G000000000000", "ZZZZZZZZZZZZZ", "-000000000001" };
	char text[ID_TEXT_SIZE];
	QueueId id;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ASSERT_TEXT(id_format(cases[i].id, text), cases[i].text);
		CU_ASSERT(id_parse(text, &id) && id == cases[i].id);
	}
	CU_ASSERT(id_parse("fzzzzzzzzzzzz", &id) && id == UINT64_MAX);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		id = 77;
		CU_ASSERT_FALSE(id_parse(bad[i], &id));
		CU_ASSERT_EQUAL(id, 77);
	}
}

static const UnitTest tests[] = {
	{ "ids of a node rise, whatever the clock does", rises },
	{ "nodes draw different ids", differs_by_node },
	{ "ids of several nodes are compared by time and sequence", later_by_time_and_sequence },
	{ "Q-02 ids drawn after a start are greater than those in the spool", passes_what_the_spool_holds },
	{ "no id is 0", survives_odd_clocks },
	{ "threads draw different ids", serves_many_threads },
	{ "ids are written and read", writes_and_reads },
	{ 0 },
};

const UnitSuite suite_id = { "id", tests };
