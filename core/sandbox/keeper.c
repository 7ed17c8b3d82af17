/* keeper.c - the keeper's own process: one thread, a table of plugins, and its children. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/keyed-hash.h"
#include "sandbox/filter.h"
#include "sandbox/keeper-private.h"
#include "sandbox/parser.h"

typedef struct {
	const PtnPlugin *plugin;
	void *state; /* of its parser */
} Prepared;

typedef struct {
	int fd;
	KeeperLoad *load;
	GHashTable *prepared; /* of Prepared*, by name */
	GError *unfiltered;   /* why its own filter is not there: then no parser would get one */
} KeeperProcess;

/* ---- the verbs ---- */

static bool
keeper_prepare(const PtnPlugin *plugin, void **state, KeeperAnswer *answer)
{
	if (plugin->parse == NULL) {
		g_strlcpy(answer->error, "it has no parser", sizeof answer->error);
		return false;
	}
	if (plugin->parser_start != NULL && !plugin->parser_start(state)) {
		g_strlcpy(answer->error, "its parser_start() failed", sizeof answer->error);
		return false;
	}
	return true;
}

static void
keeper_do_load(KeeperProcess *keeper, const KeeperQuestion *question, KeeperAnswer *answer)
{
	g_autoptr(GError) error = NULL;
	const PtnPlugin *plugin;
	Prepared *prepared;
	void *state = NULL;

	answer->is_done = g_hash_table_contains(keeper->prepared, question->name);
	if (answer->is_done)
		return;
	if (keeper->unfiltered != NULL) {
		g_strlcpy(answer->error, keeper->unfiltered->message, sizeof answer->error);
		return;
	}
	plugin = keeper->load(question->directory, question->name, &error);
	if (plugin == NULL) {
		g_strlcpy(answer->error, error->message, sizeof answer->error);
		return;
	}
	answer->is_done = keeper_prepare(plugin, &state, answer);
	if (!answer->is_done)
		return;
	prepared = g_new0(Prepared, 1);
	prepared->plugin = plugin;
	prepared->state = state;
	g_hash_table_insert(keeper->prepared, g_strdup(question->name), prepared);
}

/* The descriptor of the daemon's end, or -1. */
static int
keeper_do_start(KeeperProcess *keeper, const KeeperQuestion *question, KeeperAnswer *answer)
{
	const Prepared *prepared = g_hash_table_lookup(keeper->prepared, question->name);
	int ends[2];

	if (prepared == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		g_strlcpy(answer->error, prepared == NULL ? "it is not loaded" : g_strerror(errno), sizeof answer->error);
		return -1;
	}
	answer->pid = fork();
	if (answer->pid == 0)
		parser_run(ends[1], prepared->plugin, prepared->state, question->memory);
	if (answer->pid < 0)
		g_strlcpy(answer->error, g_strerror(errno), sizeof answer->error);
	(void)close(ends[1]);
	answer->is_done = answer->pid > 0;
	if (answer->is_done)
		return ends[0];
	(void)close(ends[0]);
	return -1;
}

/* Its own children alone: the daemon, which can end no process, might have been taken over.  One that ended by itself keeps its
 * own reason. */
static void
keeper_do_end(const KeeperQuestion *question, KeeperAnswer *answer)
{
	pid_t ended = question->pid > 0 ? waitpid(question->pid, &answer->status, WNOHANG) : -1;

	if (ended == 0) {
		(void)kill(question->pid, SIGKILL);
		ended = waitpid(question->pid, &answer->status, 0);
	}
	answer->is_done = ended > 0 && ended == question->pid;
	if (!answer->is_done)
		g_strlcpy(answer->error, "it is no parser", sizeof answer->error);
}

/* ---- the socket ---- */

static bool
keeper_answer(int fd, const KeeperAnswer *answer, int passed)
{
	union {
		char octets[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)answer, sizeof *answer };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (passed >= 0) {
		struct cmsghdr *head;

		message.msg_control = control.octets;
		message.msg_controllen = sizeof control.octets;
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof passed);
		memcpy(CMSG_DATA(head), &passed, sizeof passed);
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof *answer;
}

static bool
keeper_serve(KeeperProcess *keeper)
{
	KeeperAnswer answer = { 0 };
	KeeperQuestion question;
	int passed = -1;
	bool is_sent;

	if (read(keeper->fd, &question, sizeof question) != (ssize_t)sizeof question)
		return false;
	answer.number = question.number;
	switch (question.verb) {
	case KEEPER_LOAD:
		keeper_do_load(keeper, &question, &answer);
		break;
	case KEEPER_START:
		passed = keeper_do_start(keeper, &question, &answer);
		break;
	case KEEPER_END:
		keeper_do_end(&question, &answer);
		break;
	}
	is_sent = keeper_answer(keeper->fd, &answer, passed);
	if (passed >= 0)
		(void)close(passed);
	return is_sent;
}

/* Nobody reads its memory, and it has no capability: neither it nor a parser needs one. */
static void
keeper_give_up_rights(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)syscall(SYS_capset, &head, none);
	(void)prctl(PR_SET_DUMPABLE, 0);
}

/* The daemon decides when it ends: signals for the whole group (Ctrl-C, systemd's) are not for it. */
static void
keeper_settle(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE };
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < G_N_ELEMENTS(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, as some shells leave it, no child would have a status */
	(void)prctl(PR_SET_NAME, "postern-keeper");
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* whose reports go there */
	(void)dup2(null, STDERR_FILENO);
#endif
	if (null > STDERR_FILENO)
		(void)close(null);
	keeper_give_up_rights();
}

int
keeper_run(int fd, KeeperLoad *load)
{
	KeeperProcess keeper = { .fd = fd, .load = load, .prepared = g_hash_table_new(keyed_hash_text, g_str_equal) };

	keeper_settle();
	(void)filter_install(FILTER_KEEPER, &keeper.unfiltered);
	while (keeper_serve(&keeper))
		continue;
	return EXIT_SUCCESS;
}
