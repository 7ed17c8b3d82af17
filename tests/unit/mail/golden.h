/* golden.h - a small spool with something of everything, and all that is known of a spool as text.
 *
 * golden_fill() must not change: the spools of tests/unit/mail/golden have the same messages, written
 * by the versions that had the formats. */
#pragma once

#include "unit/mail/mail.h"

enum { GOLDEN_SEGMENT = 64 << 10 };

/* Puts a new spool in the place of the fixture's, and fills it.  The clock stands still. */
void golden_fill(Fixture *fixture);
/* Every field of every message, with its content, and the index; new. */
char *golden_text(Spool *spool);
