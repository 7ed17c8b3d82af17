/* transaction.h - a message while it is being made: envelope, content, edits, copies.
 *
 * Belongs to its session; ends as a SpoolTransaction or leaves nothing behind. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/id.h"
#include "base/region.h"
#include "engine/hook.h"
#include "mail/content.h"
#include "mail/envelope.h"
#include "mail/spool.h"

struct Transaction {
	QueueId id;
	Envelope *envelope;       /* sender, recipients, notes as they are now */
	char *submitted_sender;
	int64_t declared_size;    /* SIZE=, -1: none */
	bool is_permitted;        /* the recipient at hand may be relayed to */
	Content *content;
	size_t body_offset;       /* of the content as received */
	GString *top, *bottom;    /* header lines added */
	GHashTable *removed;      /* lower-case names of header fields left out */
	GPtrArray *copies;        /* of TransactionCopy* */
	char *copies_barred;      /* why none may be made, and those that were are dropped; NULL: they may */
	char *hold_reason;        /* NULL: not held */
	char *held_by;            /* the plugin that holds it; NULL: not held */
	int64_t release_at_us;
	Region *region;           /* what plugins keep for the message */
	void **plugin_states;
	unsigned n_plugins;
};

typedef struct {
	QueueId id;
	Envelope *envelope; /* NULL once sealed */
	GString *headers;
} TransactionCopy;

Transaction *transaction_new(QueueId id, const char *sender, unsigned n_plugins);
void transaction_free(Transaction *transaction);
/* One act of the hook of plugin `plugin`. */
void transaction_apply(Transaction *transaction, const char *plugin, const Act *act, IdSource *ids);
/* Header fields as edited so far: the `nth` one named `name`, value unfolded without outer blanks.  New, or NULL. */
char *transaction_header(Transaction *transaction, const char *name, size_t nth);
/* Of the content as it was received: edits do not count.  New, raw; NULL: there is none. */
char *transaction_header_received(Transaction *transaction, const char *name, size_t nth);
/* The i-th field of all; values raw.  False: no more. */
bool transaction_header_at(Transaction *transaction, size_t i, char **name, char **value);
/* What is committed: the content goes along, the rest is copied.  May not be called twice. */
SpoolTransaction *transaction_seal(Transaction *transaction);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transaction, transaction_free)
