/* expiry.h - how long the certificates of [tls] last. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "service/config.h"
#include "service/metrics.h"

/* Raises and lowers the alarms "tls.expiry" and "tls.expiry.NAME" of the sections of [tls].  Reads their files.  Any thread. */
void expiry_look(Metrics *metrics, const Config *config, int64_t now_us);
