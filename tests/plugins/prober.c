/* prober.c - a plugin that tries what it should not be able to do: "posternctl prober here WHAT" in the daemon, "posternctl prober
 * parser WHAT" in its parser, and for a message whose subject is WHAT in the parser, too; tests/system/test_sandbox.py loads it. */
#include "plugin-api.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_SIZE = 256, PARSER_SOCKET = 3 };

/* ---- what is tried: each returns -1 and errno, or something else ---- */

static long
try_exec(void)
{
	char name[] = "true";
	char *const arguments[] = { name, NULL };

	return execve("/bin/true", arguments, arguments + 1);
}

static long
try_fork(void)
{
	const pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child > 0 ? waitpid(child, NULL, 0) : child;
}

static long
try_open(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static long
try_stat(void)
{
	struct stat status;

	return stat("/etc/passwd", &status);
}

static long
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long
try_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long
try_audit(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
}

/* Which addresses are ours: the kernel says it by netlink. */
static long
try_interfaces(void)
{
	struct ifaddrs *all = NULL;
	const int result = getifaddrs(&all);

	freeifaddrs(all);
	return result;
}

static long
try_signal(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long
try_limits(void)
{
	struct rlimit limit;

	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit);
}

/* Would type into a terminal. */
static long
try_typing(void)
{
	return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static long
try_kill(void)
{
	return kill(getppid(), 0);
}

static long
try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long
try_unshare(void)
{
	return unshare(CLONE_NEWUTS);
}

static long
try_mount(void)
{
	return mount("none", "/nonexistent", "tmpfs", 0, NULL);
}

static long
try_setuid(void)
{
	return setuid(geteuid());
}

static long
try_clone3(void)
{
	return syscall(SYS_clone3, NULL, 0);
}

static long
try_keyctl(void)
{
	return syscall(SYS_keyctl, 0, 0, 0);
}

static long
try_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : munmap(page, 4096);
}

/* How many of the first descriptors are open beside 0 to 3. */
static long
try_descriptors(void)
{
	long n = 0;

	for (int fd = 4; fd < 1000; fd++)
		n += lseek(fd, 0, SEEK_CUR) != -1 || errno != EBADF;
	return n;
}

static const struct {
	const char *name;
	long (*run)(void);
} attempts[] = { { "exec", try_exec }, { "fork", try_fork }, { "open", try_open }, { "stat", try_stat },
	{ "socket", try_socket }, { "netlink", try_netlink }, { "kill", try_kill }, { "ptrace", try_ptrace },
	{ "unshare", try_unshare }, { "mount", try_mount }, { "setuid", try_setuid }, { "clone3", try_clone3 },
	{ "keyctl", try_keyctl }, { "code", try_code }, { "audit", try_audit }, { "interfaces", try_interfaces },
	{ "signal", try_signal }, { "limits", try_limits }, { "typing", try_typing }, { "descriptors", try_descriptors } };

/* "EPERM", "ok", "unknown" */
static void
attempt(const char *what, char text[TEXT_SIZE])
{
	(void)snprintf(text, TEXT_SIZE, "unknown");
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		long result;

		if (strcmp(attempts[i].name, what) != 0)
			continue;
		errno = 0;
		result = attempts[i].run();
		(void)snprintf(text, TEXT_SIZE, "%s", result >= 0 ? "ok" : strerrorname_np(errno));
		if (result > 0 && strcmp(what, "descriptors") == 0)
			(void)snprintf(text, TEXT_SIZE, "%ld", result);
	}
}

/* ---- in the parser ---- */

/* An answer of our own making, in front of the one that the host writes. */
static void
answer_early(void)
{
	static const struct {
		uint64_t number, size;
		char text[8];
	} answer = { 1, 8, "earlier" };

	if (write(PARSER_SOCKET, &answer, sizeof answer) != sizeof answer)
		_exit(1);
}

static void
misbehave(PtnParse *parse, const char *what)
{
	if (strcmp(what, "early") == 0)
		answer_early();
	if (strcmp(what, "abort") == 0)
		abort();
	if (strcmp(what, "crash") == 0)
		(void)raise(SIGSEGV);
	if (strcmp(what, "exit") == 0)
		_exit(3);
	while (strcmp(what, "hang") == 0)
		(void)sched_yield();
	for (size_t size = 1 << 20; strcmp(what, "memory") == 0; size += 1 << 20)
		memset(malloc(size), 1, size);
	for (int i = 0; strcmp(what, "long") == 0 && i < 80; i++) {
		static const char mebibyte[1 << 20];

		ptn_parsed(parse, mebibyte, sizeof mebibyte);
	}
}

static bool
parser_start(void **state)
{
	static char word[] = "state";

	*state = word;
	return getenv("PROBER_FAILS") == NULL;
}

static void
parse(PtnParse *call, void *state, const void *parameters, size_t parameters_size, const char *octets, size_t size)
{
	char text[TEXT_SIZE];

	misbehave(call, parameters);
	attempt(parameters, text);
	if (strcmp(parameters, "echo") == 0)
		(void)snprintf(text, sizeof text, "%s %zu %zu %.20s", (const char *)state, parameters_size, size, octets);
	if (strcmp(parameters, "pid") == 0)
		(void)snprintf(text, sizeof text, "%d", (int)getpid());
	ptn_parsed(call, text, strlen(text));
}

/* ---- in the daemon ---- */

static PtnVerdict
ask(PtnHook *h, const char *what, const char *octets, size_t octets_size, const char **answer)
{
	size_t size;

	*answer = ptn_parse(h, what, strlen(what) + 1, octets, octets_size, &size);
	return *answer != NULL ? PTN_NEXT : PTN_FAILED;
}

static PtnVerdict
command_parser(PtnHook *h)
{
	const char *what = ptn_arguments(h)[0] != NULL ? ptn_arguments(h)[0] : "", *answer;
	const PtnVerdict verdict = ask(h, what, "octets", strlen("octets"), &answer);

	if (verdict == PTN_NEXT)
		ptn_row(h, "answer", answer, NULL);
	return verdict;
}

static PtnVerdict
command_here(PtnHook *h)
{
	char text[TEXT_SIZE];

	attempt(ptn_arguments(h)[0] != NULL ? ptn_arguments(h)[0] : "", text);
	ptn_row(h, "answer", text, NULL);
	return PTN_NEXT;
}

/* A message whose parser does not answer passes only by on-error. */
static PtnVerdict
check_message(PtnHook *h)
{
	const char *subject = ptn_header(h, "Subject", 0), *answer, *content;
	size_t size, body;

	if (subject == NULL || (content = ptn_content(h, &size, &body)) == NULL)
		return PTN_NEXT;
	(void)ask(h, subject, content, size, &answer);
	if (answer != NULL)
		ptn_add_header(h, "X-Answer", "%s", answer);
	return PTN_NEXT;
}

static const PtnHookRow hooks[] = { { PTN_MESSAGE, check_message, 0 }, { 0 } };

static const PtnCommand commands[] = {
	{ "parser", "WHAT", "tries it in the parser", command_parser },
	{ "here", "WHAT", "tries it in the daemon", command_here },
	{ 0 },
};

PTN_PLUGIN(prober) = {
	PTN_HEAD("prober"),
	.version = "1",
	.summary = "tries what it should not be able to do",
	.hooks = hooks,
	.commands = commands,
	.parser_start = parser_start,
	.parse = parse,
};
