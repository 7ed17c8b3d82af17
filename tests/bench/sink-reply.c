/* sink-reply.c - the reply to a message, at once or, with --delay, later. */
#include <poll.h>

#include "sink.h"

bool
sink_is_slow(const Sink *sink)
{
	return sink->options.delay_ms > 0;
}

/* Half as long as the delay to half as long again. */
void
sink_reply_later(SinkThread *thread, SinkSession *session)
{
	const double ms = thread->sink->options.delay_ms * g_rand_double_range(thread->luck, .5, 1.5);

	session->due_ns = bench_now_ns() + (int64_t)(ms * 1e6);
	g_ptr_array_add(thread->slow, session);
}

/* Whatever it sent before it left. */
static bool
reply_client_is_gone(const SinkSession *session)
{
	struct pollfd state = { .fd = session->link.fd, .events = POLLRDHUP };

	return poll(&state, 1, 0) > 0;
}

void
sink_note_taken(SinkThread *thread, const SinkSession *session)
{
	sink_note_id(thread->sink, session->content);
	thread->messages++;
	thread->last_ns = bench_now_ns();
	if (thread->first_ns == 0)
		thread->first_ns = thread->last_ns;
}

bool
sink_reply_taken(SinkThread *thread, SinkSession *session)
{
	Sink *sink = thread->sink;
	const bool is_gone = sink->record != NULL && reply_client_is_gone(session);

	sink_record_message(sink, session, !is_gone);
	if (is_gone)
		return false;
	sink_note_taken(thread, session);
	g_string_append(session->out, "250 2.0.0 Ok: taken\r\n");
	return true;
}

/* How long the loop may sleep, at most 50 ms. */
int
sink_reply_wait_ms(const SinkThread *thread)
{
	int64_t wait_ns = INT64_C(50000000);

	for (guint i = 0; i < thread->slow->len; i++)
		wait_ns =
			MIN(wait_ns, ((const SinkSession *)thread->slow->pdata[i])->due_ns - bench_now_ns());
	return wait_ns <= 0 ? 0 : (int)(wait_ns / 1000000) + 1;
}

void
sink_reply_due(SinkThread *thread)
{
	const int64_t now = bench_now_ns();

	for (guint i = thread->slow->len; i-- > 0;) {
		SinkSession *session = thread->slow->pdata[i];

		if (session->due_ns > now)
			continue;
		g_ptr_array_remove_index_fast(thread->slow, i);
		session->due_ns = 0;
		sink_go_on(thread, session, sink_reply_taken(thread, session));
		i = MIN(i, thread->slow->len); /* it may have been given the next message, or freed */
	}
}
