/* redis-clock.c - preloaded into a redis-server of a test: its wall clock is the test's, eight octets of a file. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t *redis_clock;

__attribute__((constructor)) static void
redis_clock_open(void)
{
	const char *path = getenv("POSTERN_TEST_CLOCK");
	const int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = fd >= 0 ? mmap(NULL, sizeof *redis_clock, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (map != MAP_FAILED)
		redis_clock = map;
	if (fd >= 0)
		(void)close(fd);
}

__attribute__((visibility("default"))) int
clock_gettime(clockid_t id, struct timespec *now)
{
	int (*real)(clockid_t, struct timespec *) =
		__extension__(int (*)(clockid_t, struct timespec *))(uintptr_t) dlsym(RTLD_NEXT, "clock_gettime");

	if (id != CLOCK_REALTIME || redis_clock == NULL)
		return real(id, now);
	now->tv_sec = __atomic_load_n(redis_clock, __ATOMIC_RELAXED) / 1000000;
	now->tv_nsec = __atomic_load_n(redis_clock, __ATOMIC_RELAXED) % 1000000 * 1000;
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
