/* control-select.h - which messages of the queue are meant: ids, and tests that must all hold. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "daemon/daemon.h"

typedef struct Selector Selector;

typedef enum { QUEUE_IS_ACTIVE, QUEUE_IS_DEFERRED, QUEUE_IS_HELD } QueueState;

/* Words: an id (several: any of them), account= customer= sender= recipient= domain= with "*" for anything,
 * state=held|deferred|active, age>1h age<5m size>1M size<64K.  New; NULL with a sentence.
 * No words: all messages. */
Selector *selector_parse(char *const *words, GError **error);
/* All with that account or customer; "*" in `value` stands for itself.  New. */
Selector *selector_new_exact(const char *name, const char *value);
void selector_free(Selector *selector);
bool selector_is_empty(const Selector *selector);
/* state=held means messages with a recipient that is held by itself, too. */
void selector_take_partly_held(Selector *selector);
/* Ids alone, with no test. */
bool selector_is_one_id(const Selector *selector, QueueId *id);

typedef struct {
	SpoolSummary summary;
	const SpoolMessage *message; /* without content; NULL: it cannot be read */
	QueueState state;
} Selected;

/* Calls `each` for what is meant, oldest first.  Waits for the disk.  How many. */
size_t selector_each(
	const Selector *selector, Daemon *daemon, void (*each)(void *data, const Selected *selected), void *data);
/* "active": new, due or under way; "deferred": tried, waiting for the next time; "held". */
const char *queue_state_name(QueueState state);
QueueState queue_state_of(const SpoolSummary *summary, int64_t now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Selector, selector_free)
