/* test-queue-heap.c - the heap of the queue: in order, whatever is taken out of its middle. */
#include "base/clock.h"
#include "mail/queue-heap.h"
#include "unit/mail/mail.h"

enum { ITEMS = 7, MANY = 300, ROUNDS = 50 };

static void
assert_order(GPtrArray *heap)
{
	int64_t last_us = -1;
	QueueId last_id = 0;
	QueueItem *item;

	while ((item = queue_heap_first(heap)) != NULL) {
		CU_ASSERT_TRUE(item->due_us > last_us || (item->due_us == last_us && item->id > last_id));
		last_us = item->due_us;
		last_id = item->id;
		queue_heap_remove(heap, item);
		CU_ASSERT_EQUAL(item->at, QUEUE_NOT_IN_HEAP);
	}
	CU_ASSERT_EQUAL(heap->len, 0);
}

/* The last one, of another subtree, comes into the place of the one that goes, and has to rise there. */
static void
test_rises(void)
{
	static const int64_t due[ITEMS] = { 1, 10, 2, 11, 12, 3, 4 };
	g_autoptr(GPtrArray) heap = g_ptr_array_new();
	QueueItem items[ITEMS];

	for (guint i = 0; i < ITEMS; i++) {
		items[i] = (QueueItem){ .id = i + 1, .at = QUEUE_NOT_IN_HEAP };
		queue_heap_put(heap, &items[i], due[i]);
	}
	queue_heap_remove(heap, &items[3]);
	assert_order(heap);
}

static void
test_random(void)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(7);

	for (int round = 0; round < ROUNDS; round++) {
		g_autoptr(GPtrArray) heap = g_ptr_array_new();
		g_autofree QueueItem *items = g_new0(QueueItem, MANY);

		for (guint i = 0; i < MANY; i++) {
			items[i].id = i + 1;
			items[i].at = QUEUE_NOT_IN_HEAP;
			queue_heap_put(heap, &items[i], g_rand_int_range(random, 0, 100));
		}
		for (guint i = 0; i < MANY / 2; i++) {
			QueueItem *item = &items[g_rand_int_range(random, 0, MANY)];

			if (g_rand_boolean(random))
				queue_heap_remove(heap, item);
			else
				queue_heap_put(heap, item, g_rand_int_range(random, 0, 100));
		}
		assert_order(heap);
	}
}

static const UnitTest tests[] = {
	{ "what comes into a gap rises", test_rises },
	{ "in order after puts and removals at random", test_random },
	{ NULL, NULL },
};

const UnitSuite queue_heap_suite = { "queue-heap", tests };
