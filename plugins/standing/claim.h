/* claim.h - what counts once, though it is tried several times: a claim of the store is begun, and ended when it was counted. */
#pragma once

#include "plugin-api.h"

/* OK: it is ours, also when an earlier attempt of ours, by the same report, began it and was not answered or did not end it.
 * TAKEN: it was counted, or somebody else is about to. */
PtnStatus claim_begin(PtnHook *h, const char *key, int64_t time);
/* It is counted. */
void claim_end(PtnHook *h, const char *key, int64_t time);
/* Whether it was begun by others, or counted; as far as the store answers. */
bool claim_is_known(PtnHook *h, const char *key);
