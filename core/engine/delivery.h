/* delivery.h - takes what is due from the queue, brings it to its next hops, and records what became of it.
 *
 * One thread schedules; delivery threads start on demand, each serving one next hop at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/route.h"

typedef struct Delivery Delivery;

/* The snapshot gets a reference; its `delivery` holds the settings. */
Delivery *delivery_new(Engine *engine, Snapshot *snapshot);
/* From the next message on; messages that wait for a next hop are routed again. */
void delivery_set_snapshot(Delivery *delivery, Snapshot *snapshot);
void delivery_start(Delivery *delivery);
/* Something may be due earlier than was known; for queue_new().  `data` is a Delivery*. */
void delivery_wake(void *data);
/* Begins nothing more, waits until `deadline_us` (monotonic) for the deliveries under way; may be called again.  False:
 * some are under way still, or the scheduler waits for a hook.  The results known so far have been put to the spool in either case. */
bool delivery_stop(Delivery *delivery, int64_t deadline_us);
void delivery_free(Delivery *delivery);
/* Messages for the domain are due now; for ETRN, on a worker.  `data` is a Delivery*. */
void delivery_retry_domain(void *data, const char *domain);

typedef struct {
	unsigned threads, active, destinations;
	uint64_t waiting; /* messages that wait for a next hop which has enough to do, once for each such hop */
} DeliveryFigures;

void delivery_figures(Delivery *delivery, DeliveryFigures *figures);
