/* claim.h - the number of this node is ours alone: a lease on it in each store that nodes share.
 *
 * Ids of mail hold the node's number; two nodes with one number would give one id to two messages.  The claim "node/N" is
 * the id of our spool, which is random and stays over restarts, and the machine's name.  It lasts a minute and is renewed
 * every twenty seconds, so that who takes the place of a node that died waits a minute at most.  What only one process can
 * open (a SQLite file, memory) needs none. */
#pragma once

#include "daemon/daemon.h"

#define CLAIM_PREFIX "node/" /* of its key */

/* At the start; may wait for the stores.  False: another instance holds the number now; the sentence says which, and what to
 * do.  A store that is unavailable is asked again by claim_check(). */
bool claim_take(Daemon *daemon, GError **error);
/* On a worker, often: renews the claim when it is time.  A claim that is another's raises the alarm "node.number". */
void claim_check(Daemon *daemon);
/* At a clean stop: gives the number back. */
void claim_release(Daemon *daemon);
