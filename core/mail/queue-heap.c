/* queue-heap.c - a binary heap of items that know their place in it. */
#include "mail/queue-heap.h"

static bool
queue_heap_is_before(const QueueItem *a, const QueueItem *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->id < b->id;
}

static void
queue_heap_set(GPtrArray *heap, guint at, QueueItem *item)
{
	heap->pdata[at] = item;
	item->at = at;
}

static void
queue_heap_rise(GPtrArray *heap, QueueItem *item)
{
	guint at = item->at;

	while (at > 0) {
		QueueItem *parent = heap->pdata[(at - 1) / 2];

		if (!queue_heap_is_before(item, parent))
			break;
		queue_heap_set(heap, at, parent);
		at = (at - 1) / 2;
	}
	queue_heap_set(heap, at, item);
}

static void
queue_heap_sink(GPtrArray *heap, QueueItem *item)
{
	guint at = item->at;

	for (;;) {
		guint child = 2 * at + 1;

		if (child + 1 < heap->len && queue_heap_is_before(heap->pdata[child + 1], heap->pdata[child]))
			child++;
		if (child >= heap->len || !queue_heap_is_before(heap->pdata[child], item))
			break;
		queue_heap_set(heap, at, heap->pdata[child]);
		at = child;
	}
	queue_heap_set(heap, at, item);
}

void
queue_heap_remove(GPtrArray *heap, QueueItem *item)
{
	const guint at = item->at;
	QueueItem *last;

	if (at == QUEUE_NOT_IN_HEAP)
		return;
	last = heap->pdata[heap->len - 1];
	g_ptr_array_set_size(heap, (gint)heap->len - 1);
	item->at = QUEUE_NOT_IN_HEAP;
	if (last == item)
		return;
	queue_heap_set(heap, at, last);
	queue_heap_rise(heap, last);
	queue_heap_sink(heap, last);
}

void
queue_heap_put(GPtrArray *heap, QueueItem *item, int64_t due_us)
{
	queue_heap_remove(heap, item);
	item->due_us = due_us;
	if (due_us == CLOCK_NEVER)
		return;
	item->at = heap->len;
	g_ptr_array_add(heap, item);
	queue_heap_rise(heap, item);
}

QueueItem *
queue_heap_first(const GPtrArray *heap)
{
	return heap->len > 0 ? heap->pdata[0] : NULL;
}
