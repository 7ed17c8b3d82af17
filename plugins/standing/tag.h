/* tag.h - what a message is signed with, so that a complaint about it can be matched: header PREFIX-Account: TAG.
 *
 * Its first part is keyed and over login and Submit ID: it says whose the message is, to us only.  Its second part, over
 * Submit ID and first part, tells what we made from what others did, before any account is looked at.  So nothing is written
 * down per message, and a complaint, which is rare, costs a walk over all accounts. */
#pragma once

#include "plugin-api.h"

/* "X-Postern-Account" of "Account". */
const char *tag_header(PtnHook *h, const char *which);
/* Puts the header into a submitted message, if there is a secret. */
void tag_sign(PtnHook *h);
/* We made it, for this Submit ID. */
bool tag_is_good(PtnHook *h, const char *submit, const char *tag);
/* When the message with this Submit ID was accepted, in µs since 1970; false: it is none of ours. */
bool tag_time(const char *submit, int64_t *time);
/* Whose it is.  NONE: not good, or of an account that is gone. */
PtnStatus tag_find(PtnHook *h, const char *submit, const char *tag, const char **login);
