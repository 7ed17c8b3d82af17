/* keeper-private.h - the packets between daemon and keeper. */
#pragma once

#include <limits.h>

#include "sandbox/keeper.h"

typedef enum { KEEPER_LOAD, KEEPER_START, KEEPER_END } KeeperVerb;

typedef struct {
	uint64_t number; /* the answer has the same: one that came too late is not taken for another's */
	KeeperVerb verb;
	pid_t pid;       /* END */
	uint64_t memory; /* START: octets */
	char name[64];
	char directory[PATH_MAX]; /* LOAD */
} KeeperQuestion;

typedef struct {
	uint64_t number;
	bool is_done;
	pid_t pid;       /* START; the descriptor of the parser's socket comes with it */
	int status;      /* END */
	char error[512]; /* if it is not done: why */
} KeeperAnswer;
