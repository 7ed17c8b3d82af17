/* sim-private.h - the trace, shared by sim-disk.c and sim-cut.c. */
#pragma once

#include "fault/sim-disk.h"

enum { SIM_BLOCK = 4096, SIM_FDS = 4096 };

typedef enum { OP_WRITE, OP_SYNC, OP_SPOILED_SYNC, OP_CREATE, OP_RENAME, OP_UNLINK, OP_SYNC_NAMES } OpType;

typedef struct {
	OpType type;
	unsigned file;
	uint64_t offset;
	uint8_t *data;
	size_t size;
	char *path, *to; /* relative to the root */
} Op;

/* What cannot be read of a file. */
typedef struct {
	unsigned file;
	uint64_t offset, size;
} BadSector;

struct SimDisk {
	Disk table; /* first: the table is the object */
	char *root;
	GMutex lock;
	GCond healed;
	unsigned countdown[SIM_CALLS], failures;
	bool is_lasting[SIM_CALLS];
	SimFault fault[SIM_CALLS];
	GPtrArray *ops;
	GHashTable *files; /* path → number of the file */
	GHashTable *sizes; /* number of the file → octets */
	GArray *bad; /* of BadSector */
	unsigned n_files;
	unsigned fd_file[SIM_FDS];
	char *fd_directory[SIM_FDS];
	uint64_t capacity, used;
};
