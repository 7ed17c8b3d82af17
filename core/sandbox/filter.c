/* filter.c - the lists of system calls, by what they are for.
 *
 * Names that this system does not know are left out, so that one list serves all architectures. */
#include "sandbox/filter.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sanitizer.h"

/* ---- the lists ---- */

static const char calls_computing[] =
	"brk munmap mremap madvise futex futex_time64 futex_waitv membarrier rseq set_robust_list "
	"get_robust_list sched_yield getcpu clock_gettime clock_gettime64 clock_getres "
	"clock_getres_time64 clock_nanosleep clock_nanosleep_time64 nanosleep gettimeofday time times "
	"getpid gettid getrandom sysinfo restart_syscall rt_sigreturn sigreturn rt_sigprocmask "
	"rt_sigaction sigaltstack uretprobe exit exit_group";

static const char calls_octets[] =
	"read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek close "
	"fstat fstat64 poll ppoll ppoll_time64";

static const char calls_files[] =
	"open openat openat2 creat close_range dup dup2 dup3 fcntl fcntl64 flock stat stat64 "
	"lstat lstat64 newfstatat fstatat64 statx statfs statfs64 fstatfs fstatfs64 access faccessat "
	"faccessat2 getcwd chdir fchdir getdents getdents64 readlink readlinkat mkdir mkdirat rmdir "
	"rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat truncate truncate64 "
	"ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 arm_fadvise64_64 readahead chmod "
	"fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat umask utime "
	"utimes utimensat utimensat_time64 futimesat copy_file_range sendfile sendfile64 splice tee "
	"fsync fdatasync sync_file_range sync_file_range2 syncfs sync msync mincore inotify_init "
	"inotify_init1 inotify_add_watch inotify_rm_watch getxattr lgetxattr fgetxattr listxattr "
	"llistxattr flistxattr memfd_create pipe pipe2 eventfd eventfd2";

static const char calls_events[] =
	"epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 select _newselect "
	"pselect6 pselect6_time64 timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime "
	"timerfd_gettime64 signalfd signalfd4 timer_create timer_settime timer_settime64 "
	"timer_gettime timer_gettime64 timer_getoverrun timer_delete alarm setitimer getitimer pause "
	"rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64";

/* socketcall() is one call for all of them on i386; there families of sockets are not told apart. */
static const char calls_network[] =
	"socketpair bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt "
	"shutdown recv recvfrom recvmsg recvmmsg recvmmsg_time64 send sendto sendmsg sendmmsg "
	"socketcall";

/* About the process itself; what would change its rights is not among them. */
static const char calls_process[] =
	"getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32 "
	"getresuid getresuid32 getresgid getresgid32 getppid getpgid getpgrp getsid uname getrlimit "
	"ugetrlimit setrlimit getrusage prctl arch_prctl set_tid_address set_thread_area "
	"get_thread_area getpriority setpriority ioprio_get ioprio_set sched_getaffinity "
	"sched_setaffinity sched_getparam sched_getscheduler sched_setscheduler sched_setattr "
	"sched_getattr sched_get_priority_max sched_get_priority_min mlock mlock2 munlock wait4 "
	"waitid waitpid adjtimex clock_adjtime clock_adjtime64 cacheflush riscv_flush_icache riscv_hwprobe capget";

static const char calls_children[] = "fork vfork kill tgkill seccomp socketpair recvmsg sendmsg";

/* What a library asks of a descriptor.  Not among them: TIOCSTI and TIOCLINUX, which type commands into a terminal. */
static const unsigned ioctls[] = { FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ, TIOCOUTQ, SIOCATMARK,
	SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR };

/* LeakSanitizer looks at the threads of the process from a child. */
static const char calls_sanitizers[] =
	"clone fork ptrace kill tgkill prctl process_vm_readv openat readlink newfstatat";

/* ---- a filter ---- */

typedef struct {
	scmp_filter_ctx context;
	int failure; /* -errno of the first rule that was refused; 0: none was */
} Filter;

static void
filter_note(Filter *filter, int result)
{
	if (result < 0 && filter->failure == 0)
		filter->failure = result;
}

static void
filter_allow(Filter *filter, const char *names)
{
	g_auto(GStrv) list = g_strsplit(names, " ", -1);

	for (char **name = list; *name != NULL; name++) {
		const int call = seccomp_syscall_resolve_name(*name);

		if (call >= 0)
			filter_note(filter, seccomp_rule_add(filter->context, SCMP_ACT_ALLOW, call, 0));
	}
}

static void
filter_allow_if(Filter *filter, const char *name, struct scmp_arg_cmp condition)
{
	const int call = seccomp_syscall_resolve_name(name);

	if (call >= 0)
		filter_note(filter, seccomp_rule_add_array(filter->context, SCMP_ACT_ALLOW, call, 1, &condition));
}

/* Of its own threads. */
static void
filter_allow_signals(Filter *filter)
{
	filter_allow_if(filter, "tgkill", SCMP_CMP(0, SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

/* clone3() hides its flags behind a pointer: without it libraries use clone(). */
static void
filter_allow_clone(Filter *filter, bool may_fork)
{
	static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
									   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	const uint64_t thread = may_fork ? 0 : CLONE_THREAD;
#if defined(__s390__) || defined(__s390x__)
	const unsigned flags = 1;
#else
	const unsigned flags = 0;
#endif

	filter_allow_if(filter, "clone", SCMP_CMP(flags, SCMP_CMP_MASKED_EQ, namespaces | thread, thread));
}

static void
filter_refuse_clone3(Filter *filter)
{
	const int call = seccomp_syscall_resolve_name("clone3");

	if (call >= 0)
		filter_note(filter, seccomp_rule_add(filter->context, SCMP_ACT_ERRNO(ENOSYS), call, 0));
}

static void
filter_allow_memory(Filter *filter, bool may_execute)
{
	static const char *const calls[] = { "mmap", "mmap2", "mprotect" };

	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
		if (may_execute)
			filter_allow(filter, calls[i]);
		else
			filter_allow_if(filter, calls[i], SCMP_CMP(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static void
filter_allow_sockets(Filter *filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	const int call = seccomp_syscall_resolve_name("socket");

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++)
		filter_allow_if(filter, "socket", SCMP_CMP(0, SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	/* getifaddrs() and getaddrinfo(): without it reach_is_own() knows no address of this machine */
	if (call >= 0)
		filter_note(filter,
			seccomp_rule_add(filter->context, SCMP_ACT_ALLOW, call, 2, SCMP_CMP(0, SCMP_CMP_EQ, AF_NETLINK),
				SCMP_CMP(2, SCMP_CMP_EQ, NETLINK_ROUTE)));
}

/* The kernel reads 32 of their bits. */
static void
filter_allow_ioctls(Filter *filter)
{
	for (size_t i = 0; i < G_N_ELEMENTS(ioctls); i++)
		filter_allow_if(filter, "ioctl", SCMP_CMP(1, SCMP_CMP_MASKED_EQ, UINT32_MAX, ioctls[i]));
}

static void
filter_fill_parser(Filter *filter)
{
	filter_allow_memory(filter, HAS_SANITIZER);
	if (!HAS_SANITIZER)
		filter_allow_signals(filter); /* abort() */
}

static void
filter_fill_keeper(Filter *filter)
{
	filter_allow(filter, calls_children);
	filter_allow_clone(filter, true);
}

static void
filter_fill_daemon(Filter *filter)
{
	filter_allow(filter, calls_network);
	filter_allow_sockets(filter);
	if (HAS_SANITIZER)
		return;
	filter_allow_signals(filter);
	filter_allow_clone(filter, false);
}

static void
filter_fill(Filter *filter, FilterRole role)
{
	filter_allow(filter, calls_computing);
	filter_allow(filter, calls_octets);
	filter_refuse_clone3(filter);
	if (HAS_SANITIZER)
		filter_allow(filter, calls_sanitizers);
	if (role == FILTER_PARSER) {
		filter_fill_parser(filter);
		return;
	}
	filter_allow_memory(filter, true);
	filter_allow(filter, calls_files);
	filter_allow(filter, calls_events);
	filter_allow(filter, calls_process);
	filter_allow_ioctls(filter);
	filter_allow_if(filter, "prlimit64", SCMP_CMP(0, SCMP_CMP_EQ, 0));
	if (role == FILTER_KEEPER)
		filter_fill_keeper(filter);
	else
		filter_fill_daemon(filter);
}

bool
filter_install(FilterRole role, GError **error)
{
	Filter filter = { .context = seccomp_init(SCMP_ACT_ERRNO(EPERM)) };

	if (filter.context == NULL)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "this system has no seccomp");
	/* a call of another architecture (32 bits on 64) is refused, too, not punished */
	filter_note(&filter, seccomp_attr_set(filter.context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)));
	filter_note(&filter, seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_TSYNC, 1));
	filter_fill(&filter, role);
	if (filter.failure == 0)
		filter_note(&filter, seccomp_load(filter.context));
	seccomp_release(filter.context);
	if (filter.failure == 0)
		return true;
	return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the filter of system calls cannot be installed: %s",
		g_strerror(-filter.failure));
}

int
filter_count(int pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", pid);
	g_autofree char *text = NULL;
	const char *mode, *count;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return -1;
	mode = strstr(text, "\nSeccomp:\t");
	count = strstr(text, "\nSeccomp_filters:\t");
	if (mode == NULL || mode[strlen("\nSeccomp:\t")] != '2')
		return mode != NULL ? 0 : -1;
	return count != NULL ? atoi(count + strlen("\nSeccomp_filters:\t")) : 1;
}
