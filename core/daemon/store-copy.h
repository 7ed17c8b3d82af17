/* store-copy.h - a store copied into another back end, and compared; without a daemon. */
#pragma once

#include <glib.h>

#include "service/store.h"

typedef struct {
	size_t copied, expired; /* expired meanwhile, so not there */
} StoreCopied;

/* Copies every item with its expiry, then compares what `to` has with what was read.  `to` must be empty, unless it
 * `may_have_more`: then items of the same key are overwritten, and others stay. */
bool store_copy(Store *from, Store *to, bool may_have_more, StoreCopied *copied, GError **error);
