/* keeper-private.h - what daemon and keeper say to each other. */
#pragma once

#include <limits.h>

#include "sandbox/keeper.h"

typedef enum { KEEPER_LOAD, KEEPER_START, KEEPER_END } KeeperVerb;

typedef struct {
	KeeperVerb verb;
	pid_t pid;       /* END */
	uint64_t memory; /* START */
	char name[64];
	char directory[PATH_MAX]; /* LOAD */
} KeeperQuestion;

typedef struct {
	bool is_done;
	pid_t pid;       /* START */
	int status;      /* END */
	char error[512]; /* of what was not done */
} KeeperAnswer;
