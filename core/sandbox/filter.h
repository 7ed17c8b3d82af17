/* filter.h - which system calls a process of ours may make (seccomp).  A call that is not on the list fails with EPERM;
 * nothing is ever killed.  What a filter takes away never comes back, not in children either. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
	/* No new programs, children, signals to other processes, their memory or limits, namespaces, mounts, keys, sockets other
	 * than IP, Unix and NETLINK_ROUTE. */
	FILTER_DAEMON,
	FILTER_KEEPER, /* the same without network, but with children, and signals to them */
	FILTER_PARSER, /* computes, and reads and writes what is open */
} FilterRole;

/* Installs it in all threads of the process.  False: this system has no seccomp, or refuses the filter.  Any thread. */
bool filter_install(FilterRole role, GError **error);
/* How many filters process `pid` runs under, as /proc says; -1: that cannot be read. */
int filter_count(int pid);
