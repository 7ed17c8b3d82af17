/* limit.h - what plugins do with a message of which they cannot look at all: the option `on-limit`. */
#pragma once

#include "plugin-api.h"

/* For PTN_CHOICE: "refuse", "defer", "pass". */
extern const char *const limit_actions[];

/* Settles a message that is beyond a limit by the option `on-limit`: refused with 550, put off with 450, or passed with
 * a line in the log.  `what`: "more parts or files than can be checked". */
PtnVerdict limit_judge(PtnHook *h, const char *what);
/* The same for a limit that may be reached at this moment only: put off, where the option does not let it pass. */
PtnVerdict limit_judge_for_now(PtnHook *h, const char *what);
