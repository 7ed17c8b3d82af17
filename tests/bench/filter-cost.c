/* filter-cost.c - what the daemon's filter of system calls adds to a call: [ROUNDS [CALLS]].
 *
 * Each round runs one child without the filter and one with it, in turn, so that both meet the same machine. Printed are
 * nanoseconds of processor time per call: the medians without and with, and the median of the differences. */
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/filter.h"

typedef enum { COST_GETPPID, COST_WRITE, COST_EPOLL, COST_IOCTL, COST_KINDS } CostKind;

static const char *const names[] = { "getppid", "write of an octet", "epoll_wait", "ioctl" };

static double
cost_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double
cost_of(CostKind kind, unsigned calls)
{
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
	const double begun = cost_now();
	struct epoll_event event;
	int link[2], ready;
	long failures = pipe(link);

	for (unsigned i = 0; i < calls; i++)
		switch (kind) {
		case COST_GETPPID:
			(void)getppid();
			break;
		case COST_WRITE:
			failures += write(null, "x", 1) != 1;
			break;
		case COST_EPOLL:
			failures += epoll_wait(epoll, &event, 1, 0) != 0;
			break;
		default: /* judged by its arguments, which the kernel cannot decide in advance */
			failures += ioctl(link[0], FIONREAD, &ready) != 0;
		}
	return failures == 0 ? (cost_now() - begun) / calls : -1;
}

/* All kinds in a child of its own, since a filter cannot be taken off again. */
static void
cost_round(bool is_filtered, unsigned calls, double costs[COST_KINDS])
{
	int link[2], status;
	pid_t child;

	if (pipe(link) != 0 || (child = fork()) < 0)
		exit(2);
	if (child == 0) {
		double mine[COST_KINDS];

		if (is_filtered && !filter_install(FILTER_DAEMON, NULL))
			_exit(1);
		for (CostKind kind = 0; kind < COST_KINDS; kind++)
			mine[kind] = cost_of(kind, calls);
		_exit(write(link[1], mine, sizeof mine) != sizeof mine);
	}
	(void)close(link[1]);
	if (read(link[0], costs, COST_KINDS * sizeof *costs) != COST_KINDS * sizeof *costs ||
		waitpid(child, &status, 0) != child || status != 0) {
		(void)fprintf(stderr, "filter-cost: this system has no seccomp\n");
		exit(2);
	}
	(void)close(link[0]);
}

static int
cost_compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
cost_median(double *values, unsigned n)
{
	qsort(values, n, sizeof *values, cost_compare);
	return values[n / 2];
}

int
main(int argc, char **argv)
{
	const unsigned rounds = argc > 1 ? (unsigned)MAX(atoi(argv[1]), 1) : 21;
	const unsigned calls = argc > 2 ? (unsigned)MAX(atoi(argv[2]), 1) : 500000;
	g_autofree double *costs = g_new(double, 3 * COST_KINDS * rounds);

	for (unsigned i = 0; i < rounds; i++) {
		double pair[2][COST_KINDS];

		cost_round(i % 2 == 1, calls, pair[i % 2]);
		cost_round(i % 2 == 0, calls, pair[1 - i % 2]);
		for (CostKind kind = 0; kind < COST_KINDS; kind++) {
			double *row = costs + 3 * kind * rounds;

			row[i] = pair[0][kind];
			row[rounds + i] = pair[1][kind];
			row[2 * rounds + i] = pair[1][kind] - pair[0][kind];
		}
	}
	for (CostKind kind = 0; kind < COST_KINDS; kind++) {
		double *row = costs + 3 * kind * rounds;

		printf("%-18s %7.1f ns without, %7.1f with, difference %6.1f\n", names[kind], cost_median(row, rounds),
			cost_median(row + rounds, rounds), cost_median(row + 2 * rounds, rounds));
	}
	return 0;
}
