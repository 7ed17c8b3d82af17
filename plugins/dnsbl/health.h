/* health.h - how the lists do: who does not answer is left out for a while, who lists everything until it does not.
 *
 * A list that was left out comes back by the self-test, so that no client waits for one that is still dead. */
#pragma once

#include "list.h"

/* False: nobody is to be asked there now. */
bool health_may_ask(List *list);
/* What an answer for a client says of the list itself; UNKNOWN is a failure. */
void health_note(PtnHook *h, List *list, Meaning meaning, const char *value);
/* What the list says of 127.0.0.1, of which none has to say anything; may wait. */
Meaning health_control(PtnHook *h, List *list);
/* The self-test of RFC 5782 5 of all lists that are due, and what follows from it. */
void health_test_all(PtnHook *h, GPtrArray *lists);
/* A word for people; to be called for one row only. */
const char *health_describe(PtnHook *h, List *list);
/* Lowers its alarms. */
void health_end(PtnHook *h, List *list);
