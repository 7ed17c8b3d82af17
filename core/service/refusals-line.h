/* refusals-line.h - a refusal as one line of JSON, and back. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "service/refusals.h"

/* New, with "\n" at its end. */
char *refusal_format(const Refusal *refusal);
/* The texts point into `line` (without its "\n"), which is changed.  False: damaged, or not ours. */
bool refusal_parse(char *line, Refusal *refusal);
