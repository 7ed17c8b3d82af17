/* refusal.h - what all refusals share: whether one is for now or for good (an account's "action on submission errors"), and
 * its second line.
 *
 * Any thread; no memory of its own. */
#pragma once

#include "engine/settings.h"
#include "plugin-api.h"
#include "service/directory.h"

typedef enum {
	REFUSAL_AUTOMATIC, /* as the rule that refuses has it */
	REFUSAL_FOR_GOOD,  /* on-refusal = reject: every 4xx of the rules becomes 5xx */
	REFUSAL_FOR_NOW,   /* on-refusal = defer: every 5xx of the rules becomes 4xx */
} RefusalAction;

enum { REFUSAL_ENHANCED_SIZE = 16 }; /* "5.7.999" and its end */

/* The account's option "on-refusal"; NULL: AUTOMATIC. */
RefusalAction refusal_action(const DirectoryEntry *account);
/* Changes code and enhanced code ("" or "x.y.z", in REFUSAL_ENHANCED_SIZE octets) if `cause` is one of the rules'.
 * 421 stays: it ends the session, whatever the account wants. */
void refusal_map(RefusalAction action, PtnCause cause, int *code, char *enhanced);
/* The line behind a refusal, [server] support with "%{session}" and "%{cause}" filled in; NULL: none, because it is not set or
 * the refusal is about the protocol or about us.  New. */
char *refusal_support(const EngineSettings *settings, const char *session, PtnCause cause);
