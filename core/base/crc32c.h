/* crc32c.h - the Castagnoli checksum (RFC 3720 B.4) that guards what the spool writes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, the value of what came before; 0 at the start.  "123456789" gives 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* The same without the processor's help; for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);
