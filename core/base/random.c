/* random.c - what nobody may guess. */
#include "base/random.h"

#include <errno.h>
#include <glib.h>
#include <sys/random.h>

void
random_fill(void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t n = getrandom((char *)data + done, size - done, 0);

		if (n < 0 && errno != EINTR)
			g_error("getrandom: %s", g_strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
}

uint32_t
random_below(uint32_t below)
{
	const uint32_t surplus = below > 0 ? (uint32_t)(-below) % below : 0; /* 2^32 mod below */
	uint32_t number;

	if (below == 0)
		return 0;
	do
		random_fill(&number, sizeof number);
	while (number < surplus);
	return number % below;
}
