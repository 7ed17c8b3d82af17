/* offences.h - how long a client is blocked, by how often it was before. */
#pragma once

#include "plugin-api.h"

/* The address alone, or the network that counts as one client (ipv6-as). */
const char *offender(PtnHook *h, const char *client);
/* NULL, or what is wrong with a value of ipv6-as. */
const char *offender_check(PtnHook *h, const char *length);
/* True: nothing is counted against it: networks of `never` and of [server] monitors, and a listener's proxies. */
bool offender_is_exempt(PtnHook *h, const char *client);
/* Blocks it: for minutes, then hours, then until somebody lifts it.  By one node at a time, and once for what comes in while it is
 * being blocked. */
void offence(PtnHook *h, const char *who, const char *reason);
/* How many there are, and of when the last; 0: none within the memory. */
long offences(PtnHook *h, const char *who, int64_t *last);
void offences_forget(PtnHook *h, const char *who);
