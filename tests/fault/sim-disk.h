/* sim-disk.h - a Disk over real files that fails on demand, and remembers enough to lose its power.
 *
 * Syncing does nothing to the real files; what would have survived is computed from the trace: what was
 * synced stays, of the rest each block is kept, lost or half-written, each name kept or lost. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mail/disk.h"

typedef enum {
	SIM_PWRITEV,
	SIM_FDATASYNC,
	SIM_FSYNC,
	SIM_RENAME,
	SIM_UNLINK,
	SIM_PREAD,
	SIM_OPEN,
	SIM_READDIR,
	SIM_CALLS
} SimCall;
/* SIM_KILLED: as if the process had ended before the call; of a sync nothing is spoiled by that.
 * SIM_HANGS: the call waits for sim_disk_heal(), and succeeds then. */
typedef enum { SIM_EIO, SIM_ENOSPC, SIM_SHORT, SIM_KILLED, SIM_HANGS } SimFault;

typedef struct SimDisk SimDisk;

/* New.  `root`: the directory in which all happens; borrowed. */
SimDisk *sim_disk_new(const char *root);
void sim_disk_free(SimDisk *sim);
const Disk *sim_disk_table(SimDisk *sim);
/* The `first` call of that kind from now on fails (1: the next one), and all later ones if `is_lasting`. */
void sim_disk_fail(SimDisk *sim, SimCall call, SimFault fault, unsigned first, bool is_lasting);
void sim_disk_heal(SimDisk *sim);
/* Octets of a file (path below the root) that cannot be read until sim_disk_heal(): a bad sector. */
void sim_disk_break(SimDisk *sim, const char *path, uint64_t offset, uint64_t size);
unsigned sim_disk_failures(SimDisk *sim); /* how many calls failed so far */
/* Octets that the files may hold together; 0: any. */
void sim_disk_set_capacity(SimDisk *sim, uint64_t octets);
uint64_t sim_disk_used(SimDisk *sim); /* octets that they hold */
uint64_t sim_disk_written(SimDisk *sim); /* octets written so far, but for the zeros that make a segment */
/* How many steps were traced so far. */
guint sim_disk_step(SimDisk *sim);

/* Walks along the trace; steps only rise. */
typedef struct SimCut SimCut;
SimCut *sim_cut_new(SimDisk *sim);
void sim_cut_free(SimCut *cut);
void sim_cut_advance(SimCut *cut, guint step);
/* Writes what a power cut at that step leaves into `directory` (empty, with the subdirectories of a spool). */
void sim_cut_write(SimCut *cut, const char *directory, GRand *rand);
