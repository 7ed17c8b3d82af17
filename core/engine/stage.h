/* stage.h - the one table of stages: names, order, which verdicts count, and what a client gets when a plugin fails.
 *
 * Whatever tells stages apart asks this table: the chain, the check of plugins, --hooks, the log. */
#pragma once

#include <stdbool.h>

#include "plugin-api.h"

enum {
	STAGE_SETTLES = 1,       /* PTN_DONE is a verdict: no other plugin is asked */
	STAGE_OBSERVES = 2,      /* called after the event: no verdict counts, and the reply is not the plugin's */
	STAGE_HAS_RECIPIENT = 4, /* one recipient is current */
	STAGE_OF_MESSAGE = 8,    /* of a mail transaction: what was looked up is valid until its end */
	STAGE_BEFORE_MAIL = 16,  /* the client may still log in */
	STAGE_REFUSES_LATE = 32, /* with [server] refuse-at = rcpt a refusal is sent at RCPT */
	STAGE_TICKS = 64,        /* of a clock: not in the chain */
};

typedef struct {
	PtnStage stage;
	const char *name;  /* of the log, of commands and of metrics */
	unsigned flags;
	/* The reply where a plugin failed and its on-error is defer; code 0: there is no reply. */
	int code;
	const char *enhanced, *text;
	const char *caller; /* the file that calls its hooks */
} StageRow;

enum { STAGES = 20 };

/* In the order in which they follow each other. */
extern const StageRow stages_all[STAGES];

/* NULL: there is no such stage. */
const StageRow *stage_row(PtnStage stage);
/* True: the stage has one of these flags. */
bool stage_is(PtnStage stage, unsigned flags);
/* "?" for one that does not exist. */
const char *stage_name(PtnStage stage);
