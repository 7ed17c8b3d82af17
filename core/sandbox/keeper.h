/* keeper.h - the process that starts parsers.
 *
 * It is started before the daemon may start nothing any more, knows none of its secrets, and never reads what strangers wrote: it
 * loads the plugins that have parsers, lets them open what they will need, and forks a process of itself whenever the
 * daemon asks for one.  Both talk in packets over a socket, a question and an answer at a time; when the socket is closed,
 * keeper and parsers end. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin-api.h"

/* The argument that makes posternd a keeper, and the descriptor of its end of the socket. */
#define KEEPER_ARGUMENT "--keep-parsers"
enum { KEEPER_FD = 3 };

/* Finds a plugin by directory and name; NULL: an error. */
typedef const PtnPlugin *KeeperLoad(const char *directory, const char *name, GError **error);

/* ---- in the keeper ---- */

/* Serves the daemon at `fd` until it ends; the exit code of the process. */
int keeper_run(int fd, KeeperLoad *load);

/* ---- in the daemon ---- */

typedef struct Keeper Keeper;

/* Starts the keeper.  `load` NULL: as a new process of this program, with KEEPER_ARGUMENT.  Else, for tests, as a fork
 * of the caller, which must have one thread only.  NULL: an error.  Blocks until the process is started. */
Keeper *keeper_open(KeeperLoad *load, GError **error);
/* The keeper and its parsers end.  NULL: nothing. */
void keeper_close(Keeper *keeper);
/* Loads a plugin and prepares its parser; a second time nothing is done.  Blocks while it loads, a minute at most.  Any thread. */
bool keeper_load(Keeper *keeper, const char *directory, const char *name, GError **error);
/* A new parser of a loaded plugin, with at most `memory` octets: the descriptor of its socket, or -1.  Blocks until `deadline_us`
 * (g_get_monotonic_time()) at most.  Any thread. */
int keeper_start_parser(
	Keeper *keeper, const char *name, uint64_t memory, int64_t deadline_us, pid_t *pid, GError **error);
/* Ends a parser, if it did not end by itself; why it ended, as waitpid() says it.  -1: that is not known.  Blocks for some
 * seconds at most; the parser is ended even if the keeper is late.  Any thread. */
int keeper_end_parser(Keeper *keeper, pid_t pid);
pid_t keeper_pid(const Keeper *keeper);
/* Why no parser can be started now: the keeper has ended, or did not answer its last question.  NULL: all is well.  Any thread. */
const char *keeper_trouble(const Keeper *keeper);
