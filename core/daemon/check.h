/* check.h - what is wrong with a configuration beyond each value of it: contradictions, and what this machine would say at a
 * start.  A *mistake* prevents a start; a *warning* does not. */
#pragma once

#include "daemon/daemon.h"

/* ---- check-config.c ---- */

/* Contradictions between sections; part of daemon_load().  Adds sentences to `mistakes` and to the warnings of `loaded`. */
void check_config(const Loaded *loaded, GPtrArray *mistakes);

/* ---- check-machine.c ---- */

/* What a start would find, without starting: the user and groups, addresses and ports, directories, certificates, services, and
 * what plugins say in their start().  As root the process becomes the daemon's user on the way: for `posternd -t` alone.
 * Blocks: it connects to remote stores. */
void check_machine(const Loaded *loaded, GPtrArray *mistakes);
/* Certificates that are expired or for another name: warnings of `loaded`.  Blocks on the disk. */
void check_certificates(const Loaded *loaded);

/* ---- check-doors.c ---- */

/* Addresses that are not of this machine, ports that another program has.  What the running daemon at [server] control listens
 * on is not in use.  Blocks while that one is asked. */
void check_doors(const Loaded *loaded, GPtrArray *mistakes);

/* ---- check-running.c ---- */

/* What the daemon at [server] control answers to a command, as it stands on the wire (answer.h).  New; NULL: none runs.  Blocks for
 * some seconds at most. */
char *check_ask_running(const Config *config, const char *const *words);
