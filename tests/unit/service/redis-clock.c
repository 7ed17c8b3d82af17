/* redis-clock.c - preloaded into a program of a test (redis-server, posternd): its wall clock is the test's, eight octets of
 * a file in µs: the time itself (POSTERN_TEST_CLOCK), or how far it is ahead of the machine's (POSTERN_TEST_CLOCK_AHEAD). */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t *redis_clock, *redis_clock_ahead;

static const int64_t *
redis_clock_map(const char *variable)
{
	const char *path = getenv(variable);
	const int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = fd >= 0 ? mmap(NULL, sizeof *redis_clock, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (fd >= 0)
		(void)close(fd);
	return map != MAP_FAILED ? map : NULL;
}

__attribute__((constructor)) static void
redis_clock_open(void)
{
	redis_clock = redis_clock_map("POSTERN_TEST_CLOCK");
	redis_clock_ahead = redis_clock_map("POSTERN_TEST_CLOCK_AHEAD");
}

__attribute__((visibility("default"))) int
clock_gettime(clockid_t id, struct timespec *now)
{
	int (*real)(clockid_t, struct timespec *) =
		__extension__(int (*)(clockid_t, struct timespec *))(uintptr_t) dlsym(RTLD_NEXT, "clock_gettime");

	int64_t us;

	if (id != CLOCK_REALTIME || (redis_clock == NULL && redis_clock_ahead == NULL))
		return real(id, now);
	if (redis_clock != NULL) {
		us = __atomic_load_n(redis_clock, __ATOMIC_RELAXED);
	} else {
		(void)real(id, now);
		us = (int64_t)now->tv_sec * 1000000 + now->tv_nsec / 1000 +
			 __atomic_load_n(redis_clock_ahead, __ATOMIC_RELAXED);
	}
	now->tv_sec = us / 1000000;
	now->tv_nsec = us % 1000000 * 1000;
	return 0;
}

__attribute__((visibility("default"))) int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec fine;

	(void)zone;
	(void)clock_gettime(CLOCK_REALTIME, &fine);
	now->tv_sec = fine.tv_sec;
	now->tv_usec = fine.tv_nsec / 1000;
	return 0;
}

__attribute__((visibility("default"))) time_t
time(time_t *place)
{
	struct timespec fine;

	(void)clock_gettime(CLOCK_REALTIME, &fine);
	if (place != NULL)
		*place = fine.tv_sec;
	return fine.tv_sec;
}
