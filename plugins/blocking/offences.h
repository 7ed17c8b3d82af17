/* offences.h - how long a client is blocked, by how often it was before. */
#pragma once

#include "plugin-api.h"

/* The address alone, or the network that counts as one client (ipv6-as). */
const char *offender(PtnHook *h, const char *client);
/* NULL, or what is wrong with a value of ipv6-as. */
const char *offender_check(PtnHook *h, const char *length);
/* True: nothing is counted against it: networks of `never` and of [server] monitors, and a listener's proxies. */
bool offender_is_exempt(PtnHook *h, const char *client);
/* Offences that could not be written to the store, by client; bounded, and guarded by a lock of their own. */
typedef struct Offences Offences;

Offences *offences_new(void);
void offences_free(Offences *offences);
/* Blocks it: for minutes, then hours, then until somebody lifts it.  By one node at a time, and once for what comes in while it is
 * being blocked. */
void offence(PtnHook *h, Offences *offences, const char *who, const char *reason);
/* How many there are; 0: none within the memory. */
long offences_read(PtnHook *h, Offences *offences, const char *who);
/* Writes what the store did not take; for a tick. */
void offences_settle(PtnHook *h, Offences *offences);
void offences_forget(PtnHook *h, Offences *offences, const char *who);
