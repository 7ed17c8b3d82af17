/* forward.h - senders of forwarded mail, and the way back for its bounces.
 *
 * The secret is the cluster's: made once, kept in the directory. */
#pragma once

#include "engine/engine.h"

/* The sender under which a message from `sender` is forwarded by `domain`: the null sender stays, others become an address of
 * `domain` that leads back for `valid_days`.  New; NULL: the directory cannot be reached. */
char *forward_sender(const Engine *engine, const char *sender, const char *domain);

typedef enum {
	FORWARD_BACK,    /* `sender` (new) is whose mail was forwarded */
	FORWARD_NOT,     /* the address is none of these               */
	FORWARD_FORGED,
	FORWARD_EXPIRED,
	FORWARD_UNSURE,  /* the directory cannot be reached            */
} ForwardAnswer;

/* `valid_days`: how long bounces may take. */
ForwardAnswer forward_origin(const Engine *engine, int valid_days, const char *address, char **sender);
