/* random.h - what nobody may guess: the kernel's random numbers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills `data`; may block only before the kernel has gathered entropy at boot.  A system without getrandom(2) ends the process:
 * nothing we could go on with would be a secret. */
void random_fill(void *data, size_t size);
/* 0 to `below` - 1, each as likely; 0 if `below` is 0. */
uint32_t random_below(uint32_t below);
