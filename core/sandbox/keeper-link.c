/* keeper-link.c - the daemon's end: starting the keeper, and asking it, one question at a time.
 *
 * A keeper that is stopped or hangs holds nobody beyond the caller's deadline.  What it answers later is dropped. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "sandbox/keeper-private.h"

enum {
	KEEPER_LOAD_US = 60 * G_USEC_PER_SEC, /* opening all character sets on a cold disk takes seconds */
	KEEPER_END_US = 5 * G_USEC_PER_SEC,
};

struct Keeper {
	GMutex lock;
	GCond is_free;
	bool is_busy; /* a thread uses the socket, from question to answer */
	uint64_t n_questions;
	GArray *unended; /* of pid_t: parsers whose end could not be asked for yet */
	int fd;
	pid_t pid;
	_Atomic bool is_late; /* the last question was not answered in time */
};

/* ---- starting it ---- */

static bool
keeper_spawn(int theirs, pid_t *pid, GError **error)
{
	char name[] = "posternd", argument[] = KEEPER_ARGUMENT, locale[] = "LC_ALL=C.UTF-8";
	char *const arguments[] = { name, argument, NULL }, *const environment[] = { locale, NULL };
	posix_spawn_file_actions_t actions;
	int failure;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, theirs, KEEPER_FD);
	(void)posix_spawn_file_actions_addclosefrom_np(&actions, KEEPER_FD + 1);
	failure = posix_spawn(pid, "/proc/self/exe", &actions, NULL, arguments, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	errno = failure;
	return failure == 0 || error_set_errno(error, "the keeper of parsers cannot be started");
}

static bool
keeper_fork(int theirs, KeeperLoad *load, pid_t *pid, GError **error)
{
	*pid = fork();
	if (*pid < 0)
		return error_set_errno(error, "the keeper of parsers cannot be forked");
	if (*pid > 0)
		return true;
	if (dup2(theirs, KEEPER_FD) != KEEPER_FD || close_range(KEEPER_FD + 1, ~0U, 0) != 0)
		_exit(EXIT_FAILURE);
	_exit(keeper_run(KEEPER_FD, load));
}

Keeper *
keeper_open(KeeperLoad *load, GError **error)
{
	Keeper *keeper;
	pid_t pid = 0;
	int ends[2];
	bool is_started;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		error_set_errno(error, "no socket for the keeper of parsers");
		return NULL;
	}
	is_started = load != NULL ? keeper_fork(ends[1], load, &pid, error) : keeper_spawn(ends[1], &pid, error);
	(void)close(ends[1]);
	if (!is_started) {
		(void)close(ends[0]);
		return NULL;
	}
	keeper = g_new0(Keeper, 1);
	g_mutex_init(&keeper->lock);
	g_cond_init(&keeper->is_free);
	keeper->unended = g_array_new(FALSE, FALSE, sizeof(pid_t));
	keeper->fd = ends[0];
	keeper->pid = pid;
	return keeper;
}

/* It ends by itself when the socket is closed. */
void
keeper_close(Keeper *keeper)
{
	if (keeper == NULL)
		return;
	(void)close(keeper->fd);
	(void)waitpid(keeper->pid, NULL, 0);
	g_array_unref(keeper->unended);
	g_cond_clear(&keeper->is_free);
	g_mutex_clear(&keeper->lock);
	g_free(keeper);
}

pid_t
keeper_pid(const Keeper *keeper)
{
	return keeper->pid;
}

const char *
keeper_trouble(const Keeper *keeper)
{
	struct pollfd poller = { .fd = keeper->fd, .events = POLLIN };

	(void)poll(&poller, 1, 0);
	if ((poller.revents & (POLLHUP | POLLERR)) != 0)
		return "the keeper of parsers has ended; restart Postern to have parsers again";
	if (atomic_load(&keeper->is_late) && (poller.revents & POLLIN) == 0)
		return "the keeper of parsers does not answer";
	return NULL;
}

/* ---- asking it ---- */

/* Waits until its socket is this thread's; false: too late. */
static bool
keeper_enter(Keeper *keeper, int64_t deadline_us)
{
	bool is_free;

	g_mutex_lock(&keeper->lock);
	while (keeper->is_busy && g_cond_wait_until(&keeper->is_free, &keeper->lock, deadline_us))
		continue;
	is_free = !keeper->is_busy;
	if (is_free)
		keeper->is_busy = true;
	g_mutex_unlock(&keeper->lock);
	return is_free;
}

static void
keeper_leave(Keeper *keeper)
{
	g_mutex_lock(&keeper->lock);
	keeper->is_busy = false;
	g_cond_signal(&keeper->is_free);
	g_mutex_unlock(&keeper->lock);
}

/* False: too late. */
static bool
keeper_wait(Keeper *keeper, short events, int64_t deadline_us)
{
	struct pollfd poller = { .fd = keeper->fd, .events = events };
	int64_t left_us;

	do {
		left_us = deadline_us - g_get_monotonic_time();
		if (poll(&poller, 1, left_us > 0 ? (int)MIN(left_us / 1000 + 1, 60000) : 0) > 0)
			return true;
	} while (left_us > 0);
	atomic_store(&keeper->is_late, true);
	return false;
}

static bool
keeper_send(Keeper *keeper, KeeperQuestion *question, int64_t deadline_us)
{
	ssize_t n;

	question->number = ++keeper->n_questions;
	do
		n = send(keeper->fd, question, sizeof *question, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || (errno == EAGAIN && keeper_wait(keeper, POLLOUT, deadline_us))));
	if (n == (ssize_t)sizeof *question)
		return true;
	question->number = 0;
	return false;
}

static void
keeper_end_later(Keeper *keeper, pid_t pid)
{
	g_mutex_lock(&keeper->lock);
	g_array_append_val(keeper->unended, pid);
	g_mutex_unlock(&keeper->lock);
}

/* Its answer is dropped. */
static void
keeper_send_end(Keeper *keeper, pid_t pid)
{
	KeeperQuestion end = { .verb = KEEPER_END, .pid = pid };

	if (!keeper_send(keeper, &end, 0))
		keeper_end_later(keeper, pid);
}

static void
keeper_send_ends(Keeper *keeper)
{
	g_autoptr(GArray) pids = NULL;

	g_mutex_lock(&keeper->lock);
	if (keeper->unended->len > 0) {
		pids = keeper->unended;
		keeper->unended = g_array_new(FALSE, FALSE, sizeof(pid_t));
	}
	g_mutex_unlock(&keeper->lock);
	for (guint i = 0; pids != NULL && i < pids->len; i++)
		keeper_send_end(keeper, g_array_index(pids, pid_t, i));
}

static int
keeper_passed(struct msghdr *message)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
		head->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(head), sizeof fd);
	return fd;
}

static bool
keeper_receive(Keeper *keeper, KeeperAnswer *answer, int *passed, int64_t deadline_us)
{
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	struct iovec part = { answer, sizeof *answer };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof control.octets
	};
	ssize_t n;

	do
		n = recvmsg(keeper->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && (errno == EINTR || (errno == EAGAIN && keeper_wait(keeper, POLLIN, deadline_us))));
	*passed = n >= 0 ? keeper_passed(&message) : -1;
	if (n == (ssize_t)sizeof *answer)
		return true;
	if (*passed >= 0)
		(void)close(*passed);
	*passed = -1;
	return false;
}

/* Of a question that nobody waits for any more: a parser that was started for it is ended. */
static void
keeper_drop(Keeper *keeper, const KeeperAnswer *answer, int passed)
{
	if (passed < 0)
		return;
	(void)close(passed);
	keeper_send_end(keeper, answer->pid);
}

static bool
keeper_exchange(Keeper *keeper, KeeperQuestion *question, KeeperAnswer *answer, int *passed, int64_t deadline_us)
{
	uint64_t number;

	*passed = -1;
	keeper_send_ends(keeper);
	if (!keeper_send(keeper, question, deadline_us))
		return false;
	number = question->number;
	while (keeper_receive(keeper, answer, passed, deadline_us)) {
		if (answer->number == number) {
			atomic_store(&keeper->is_late, false);
			return true;
		}
		keeper_drop(keeper, answer, *passed);
	}
	return false;
}

/* The descriptor that came with the answer is *passed, or -1; `passed` is NULL where none is expected. */
static bool
keeper_ask(Keeper *keeper, KeeperQuestion *question, KeeperAnswer *answer, int64_t deadline_us, int *passed,
	GError **error)
{
	int fd = -1;
	bool is_answered = false;

	if (keeper_enter(keeper, deadline_us)) {
		is_answered = keeper_exchange(keeper, question, answer, &fd, deadline_us);
		keeper_leave(keeper);
	}
	if (fd >= 0 && (passed == NULL || !answer->is_done)) {
		(void)close(fd);
		fd = -1;
	}
	if (passed != NULL)
		*passed = fd;
	if (is_answered && answer->is_done)
		return true;
	if (is_answered) {
		answer->error[sizeof answer->error - 1] = '\0';
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s", answer->error);
	}
	return error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s",
		keeper_trouble(keeper) != NULL ? keeper_trouble(keeper) : "the keeper of parsers did not answer in time");
}

bool
keeper_load(Keeper *keeper, const char *directory, const char *name, GError **error)
{
	KeeperQuestion question = { .verb = KEEPER_LOAD };
	KeeperAnswer answer;

	if (g_strlcpy(question.name, name, sizeof question.name) >= sizeof question.name ||
		g_strlcpy(question.directory, directory, sizeof question.directory) >= sizeof question.directory)
		return error_set(error, POSTERN_ERROR_INVALID, "the name of plugin %s is too long for a parser", name);
	return keeper_ask(keeper, &question, &answer, g_get_monotonic_time() + KEEPER_LOAD_US, NULL, error);
}

int
keeper_start_parser(
	Keeper *keeper, const char *name, uint64_t memory, int64_t deadline_us, pid_t *pid, GError **error)
{
	KeeperQuestion question = { .verb = KEEPER_START, .memory = memory };
	KeeperAnswer answer;
	int passed;

	(void)g_strlcpy(question.name, name, sizeof question.name);
	if (!keeper_ask(keeper, &question, &answer, deadline_us, &passed, error))
		return -1;
	*pid = answer.pid;
	if (passed < 0) {
		(void)keeper_end_parser(keeper, answer.pid);
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "the parser came without its socket");
	}
	return passed;
}

int
keeper_end_parser(Keeper *keeper, pid_t pid)
{
	KeeperQuestion question = { .verb = KEEPER_END, .pid = pid };
	KeeperAnswer answer;
	const int64_t deadline_us = g_get_monotonic_time() + KEEPER_END_US;

	if (keeper_ask(keeper, &question, &answer, deadline_us, NULL, NULL))
		return answer.status;
	if (question.number == 0) /* it was not sent; else the keeper ends it when it comes to it */
		keeper_end_later(keeper, pid);
	return -1;
}
