/* keeper-link.c - the daemon's end: starting the keeper, and asking it, one question at a time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "sandbox/keeper-private.h"

struct Keeper {
	GMutex lock; /* of the socket, from question to answer */
	int fd;
	pid_t pid;
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
	g_mutex_clear(&keeper->lock);
	g_free(keeper);
}

pid_t
keeper_pid(const Keeper *keeper)
{
	return keeper->pid;
}

bool
keeper_is_alive(const Keeper *keeper)
{
	struct pollfd poller = { .fd = keeper->fd };

	return poll(&poller, 1, 0) == 0;
}

/* ---- asking it ---- */

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
keeper_exchange(Keeper *keeper, const KeeperQuestion *question, KeeperAnswer *answer, int *passed)
{
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	struct iovec part = { answer, sizeof *answer };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.octets, .msg_controllen = sizeof control.octets
	};
	ssize_t n = -1;

	g_mutex_lock(&keeper->lock);
	if (send(keeper->fd, question, sizeof *question, MSG_NOSIGNAL) == (ssize_t)sizeof *question)
		do
			n = recvmsg(keeper->fd, &message, MSG_CMSG_CLOEXEC);
		while (n < 0 && errno == EINTR);
	g_mutex_unlock(&keeper->lock);
	*passed = n >= 0 ? keeper_passed(&message) : -1;
	return n == (ssize_t)sizeof *answer;
}

static bool
keeper_ask(Keeper *keeper, const KeeperQuestion *question, KeeperAnswer *answer, int *passed, GError **error)
{
	if (!keeper_exchange(keeper, question, answer, passed))
		return error_set(error, POSTERN_ERROR_UNAVAILABLE,
			"the keeper of parsers (process %d) has ended; restart Postern to have parsers again",
			(int)keeper->pid);
	if (answer->is_done)
		return true;
	answer->error[sizeof answer->error - 1] = '\0';
	return error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s", answer->error);
}

bool
keeper_load(Keeper *keeper, const char *directory, const char *name, GError **error)
{
	KeeperQuestion question = { .verb = KEEPER_LOAD };
	KeeperAnswer answer;
	int passed;

	if (g_strlcpy(question.name, name, sizeof question.name) >= sizeof question.name ||
		g_strlcpy(question.directory, directory, sizeof question.directory) >= sizeof question.directory)
		return error_set(error, POSTERN_ERROR_INVALID, "the name of plugin %s is too long for a parser", name);
	return keeper_ask(keeper, &question, &answer, &passed, error);
}

int
keeper_start_parser(Keeper *keeper, const char *name, uint64_t memory, pid_t *pid, GError **error)
{
	KeeperQuestion question = { .verb = KEEPER_START, .memory = memory };
	KeeperAnswer answer;
	int passed = -1;

	(void)g_strlcpy(question.name, name, sizeof question.name);
	if (!keeper_ask(keeper, &question, &answer, &passed, error))
		return -1;
	*pid = answer.pid;
	if (passed < 0)
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "the parser came without its socket");
	return passed;
}

int
keeper_end_parser(Keeper *keeper, pid_t pid)
{
	const KeeperQuestion question = { .verb = KEEPER_END, .pid = pid };
	KeeperAnswer answer;
	int passed;

	return keeper_ask(keeper, &question, &answer, &passed, NULL) ? answer.status : -1;
}
