/* fuzz.h - the one function of a fuzzer.  What must hold it asserts with g_assert(). */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
