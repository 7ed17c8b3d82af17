/* talk.c - what is sent and read without blocking, until a deadline.  The other end may be in a stranger's hands. */
#include "sandbox/talk.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/random.h"
#include "sandbox/parser.h"

enum { TALK_READ = 4096 };

typedef struct {
	int fd;
	uint64_t number; /* of the call */
	int64_t deadline_us;
	bool is_late;
} Talk;

static bool
talk_wait(Talk *talk, short events)
{
	struct pollfd poller = { .fd = talk->fd, .events = events };
	const int64_t left_us = talk->deadline_us - g_get_monotonic_time();
	int n;

	do
		n = poll(&poller, 1, left_us > 0 ? (int)MIN(left_us / 1000 + 1, 60000) : 0);
	while (n < 0 && errno == EINTR);
	talk->is_late = n == 0 && g_get_monotonic_time() >= talk->deadline_us;
	return !talk->is_late;
}

static bool
talk_goes_on(Talk *talk, ssize_t n, short events)
{
	if (n > 0)
		return true;
	return n < 0 && (errno == EINTR || (errno == EAGAIN && talk_wait(talk, events)));
}

/* Together, so that the other side wakes once. */
static bool
talk_write(Talk *talk, struct iovec *parts, size_t n_parts)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = n_parts };

	while (message.msg_iovlen > 0) {
		ssize_t n = sendmsg(talk->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (!talk_goes_on(talk, n, POLLOUT))
			return false;
		for (; message.msg_iovlen > 0 && n >= (ssize_t)message.msg_iov->iov_len; message.msg_iovlen--)
			n -= (ssize_t)message.msg_iov++->iov_len;
		if (message.msg_iovlen > 0 && n > 0) {
			message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
	return true;
}

/* Reads until there are at least `least` octets in `answer`. */
static bool
talk_read(Talk *talk, GByteArray *answer, size_t least)
{
	while (answer->len < least) {
		const guint before = answer->len;
		const size_t room = MAX(least - before, TALK_READ);
		ssize_t n;

		g_byte_array_set_size(answer, before + (guint)room);
		n = recv(talk->fd, answer->data + before, room, MSG_DONTWAIT);
		g_byte_array_set_size(answer, before + (guint)MAX(n, 0));
		if (!talk_goes_on(talk, n, POLLIN))
			return false;
	}
	return true;
}

/* NULL: *end says why. */
static GByteArray *
talk_read_answer(Talk *talk, size_t most, TalkEnd *end)
{
	g_autoptr(GByteArray) answer = g_byte_array_new();
	ParserAnswer head;

	*end = TALK_BROKEN;
	/* wait first: the parser takes a while, and a read that finds nothing is a call in vain */
	if (!talk_wait(talk, POLLIN) || !talk_read(talk, answer, sizeof head))
		return NULL;
	memcpy(&head, answer->data, sizeof head);
	*end = head.number != talk->number ? TALK_ASTRAY : TALK_LONG;
	if (head.number != talk->number || head.size > most)
		return NULL;
	*end = TALK_BROKEN;
	if (!talk_read(talk, answer, sizeof head + (size_t)head.size))
		return NULL;
	*end = TALK_ASTRAY;
	if (answer->len != sizeof head + head.size)
		return NULL;
	*end = TALK_ANSWERED;
	g_byte_array_remove_range(answer, 0, sizeof head);
	return g_steal_pointer(&answer);
}

GByteArray *
talk_call(int fd, const TalkCall *call, TalkEnd *end)
{
	ParserCall head = { .parameters_size = call->parameters_size, .size = call->size };
	struct iovec parts[] = { { &head, sizeof head },
		{ (void *)(uintptr_t)call->parameters, call->parameters_size },
		{ (void *)(uintptr_t)call->octets, call->size } };
	Talk talk = { .fd = fd, .deadline_us = call->deadline_us };
	GByteArray *answer = NULL;

	random_fill(&talk.number, sizeof talk.number);
	head.number = talk.number;
	*end = TALK_BROKEN;
	if (talk_write(&talk, parts, G_N_ELEMENTS(parts)))
		answer = talk_read_answer(&talk, call->most, end);
	if (answer == NULL && talk.is_late)
		*end = TALK_LATE;
	return answer;
}
