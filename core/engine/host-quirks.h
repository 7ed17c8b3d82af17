/* host-quirks.h - what servers offer and cannot do, and how many recipients they take, remembered for a while.  Any thread. */
#pragma once

#include <stdbool.h>

#include "base/clock.h"

typedef struct HostQuirks HostQuirks;

typedef enum {
	QUIRK_TLS = 1,        /* TLS breaks, and mail passes in clear */
	QUIRK_PIPELINING = 2, /* commands that come in one burst are lost, or misunderstood */
	QUIRK_RECIPIENTS = 4, /* it takes only so many recipients in one transaction */
} HostQuirk;

#define HOST_QUIRKS_US (3600 * CLOCK_SECOND) /* so long they count; afterwards the server is tried anew */
enum { HOST_QUIRKS_MOST = 1000 };            /* servers that are remembered; of more, the oldest are forgotten */

HostQuirks *host_quirks_new(const Clock *clock);
void host_quirks_free(HostQuirks *quirks);
/* Bits of HostQuirk of the server at `place` ("ADDRESS PORT"); with `quirks` NULL, none. */
unsigned host_quirks_of(HostQuirks *quirks, const char *place);
/* How many recipients it takes in one transaction; 0: no limit is known. */
unsigned host_quirks_most(HostQuirks *quirks, const char *place);
/* It takes no more than `most`.  True: it is news. */
bool host_quirks_note_most(HostQuirks *quirks, const char *place, unsigned most);
/* The server has this one.  True: it is news, and will be minded. */
bool host_quirks_note(HostQuirks *quirks, const char *place, HostQuirk quirk);
