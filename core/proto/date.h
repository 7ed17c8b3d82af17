/* date.h - dates as header fields write them (RFC 5322 3.3), always UTC. */
#pragma once

#include <stdint.h>

enum { DATE_SIZE = 40 };

/* "Sun, 22 Nov 2026 08:00:00 +0000".  `us` since 1970, held within 1970 … 9999; returns `text`. */
const char *date_format(int64_t us, char text[DATE_SIZE]);
