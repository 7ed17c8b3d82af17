/* work-queue.c - turns: see the header. */
#include "io/work-queue.h"

static void
work_queue_insert(WorkQueue *queue, Work *behind, Work *work)
{
	Work **link = behind != NULL ? &behind->next : &queue->first;

	work->next = *link;
	*link = work;
	if (work->next == NULL)
		queue->last = work;
	queue->count++;
}

bool
work_queue_add(WorkQueue *queue, Work *work, unsigned most_of_client)
{
	Work *behind = NULL;
	unsigned n_of_client = 0;

	work->turn = queue->turn + 1;
	if (work->client == NULL && (queue->last == NULL || queue->last->turn <= work->turn)) {
		work_queue_insert(queue, queue->last, work);
		return true;
	}
	for (const Work *each = queue->first; each != NULL; each = each->next)
		if (work->client != NULL && each->client == work->client) {
			work->turn = each->turn + 1;
			n_of_client++;
		}
	if (most_of_client > 0 && n_of_client >= most_of_client)
		return false;
	for (Work *each = queue->first; each != NULL && each->turn <= work->turn; each = each->next)
		behind = each;
	work_queue_insert(queue, behind, work);
	return true;
}

Work *
work_queue_take(WorkQueue *queue, WorkBar *is_barred, const void *data)
{
	Work *before = NULL, *work = queue->first;

	while (is_barred != NULL && work != NULL && work->client != NULL &&
		   is_barred(data, work->client)) {
		before = work;
		work = work->next;
	}
	if (work == NULL)
		return NULL;
	*(before != NULL ? &before->next : &queue->first) = work->next;
	if (queue->last == work)
		queue->last = before;
	queue->turn = MAX(queue->turn, work->turn);
	queue->count--;
	return work;
}
