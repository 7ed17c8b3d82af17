/* disk-storm.c - preloaded into a real daemon (LD_PRELOAD): makes calls on the files below a
 * directory fail.
 *
 * STORM_UNDER names the directory, STORM_CONTROL a file of the layout of StormControl that
 * another process changes while the daemon runs: how often which kind of call fails, in
 * millionths.  tests/system/storm.py writes it.
 *
 * A sync that fails is as on Linux: the pages count as clean afterwards, and the next sync says
 * that all is well, but what was written before it may be gone once the pages have left the
 * cache.  STORM_CONTROL.lost gets what stood there before, for storm.py to put back between two
 * lives of the daemon; see StormLost.  A later write and sync of the same pages takes them out
 * again. */
#undef _FILE_OFFSET_BITS /* open and open64 are two names here */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { STORM_FDS = 65536, STORM_PAGE = 4096 };

#define STORM_MAGIC 0x6d726f74u

/* The order is that of storm.py. */
typedef enum {
	STORM_WRITE_EIO,
	STORM_WRITE_FULL,
	STORM_WRITE_SHORT,
	STORM_SYNC,
	STORM_READ_EIO,
	STORM_READ_SHORT,
	STORM_RENAME,
	STORM_UNLINK,
	STORM_OPEN,
	STORM_KINDS,
} StormKind;

typedef struct {
	uint32_t magic, seed;
	_Atomic uint32_t chance[STORM_KINDS]; /* of a million */
	_Atomic uint32_t failed[STORM_KINDS], calls[STORM_KINDS];
} StormControl;

/* Of the file STORM_CONTROL.lost; `size` octets follow if `what` is LOST and has_data is 1. */
typedef struct {
	uint64_t inode, offset, size;
	uint32_t what, has_data; /* has_data 0: they were zero */
} StormLost;

enum { STORM_LOST = 1, STORM_SAFE = 2, STORM_GONE = 3 };

/* Written and not synced. */
typedef struct StormDirty {
	struct StormDirty *next;
	uint64_t inode, offset, size;
	char *before; /* NULL: zeros */
} StormDirty;

static StormControl *storm;
static const char *storm_under;
static int storm_lost = -1;
static atomic_bool storm_has_lost; /* only then it matters what is safe */
static atomic_uchar storm_watched[STORM_FDS];
static pthread_mutex_t storm_lock = PTHREAD_MUTEX_INITIALIZER;
static StormDirty *storm_dirty;
static atomic_uint storm_threads;
static __thread uint64_t storm_luck;

#define STORM_REAL(name) \
	static __typeof__(&(name)) real; \
	if (real == NULL) \
	*(void **)(&real) = dlsym(RTLD_NEXT, #name)

static int (*storm_real_open)(const char *, int, ...);
static ssize_t (*storm_real_pread)(int, void *, size_t, off_t);

/* Runs before main(); a mistake in the environment must not look like a calm. */
__attribute__((constructor)) static void
storm_begin(void)
{
	const char *control = getenv("STORM_CONTROL");
	char lost[4096];
	int fd;

	*(void **)(&storm_real_open) = dlsym(RTLD_NEXT, "open64");
	*(void **)(&storm_real_pread) = dlsym(RTLD_NEXT, "pread64");
	storm_under = getenv("STORM_UNDER");
	if (control == NULL || storm_under == NULL)
		return;
	snprintf(lost, sizeof lost, "%s.lost", control);
	fd = storm_real_open(control, O_RDWR | O_CLOEXEC);
	storm_lost = storm_real_open(lost, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0)
		storm = mmap(NULL, sizeof *storm, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || storm_lost < 0 || storm == MAP_FAILED || storm->magic != STORM_MAGIC) {
		fprintf(stderr, "disk-storm: %s cannot be used\n", control);
		_exit(3);
	}
	close(fd);
}

/* ---- chance ---- */

/* xorshift64*; a sequence of its own for each thread. */
static uint64_t
storm_random(void)
{
	if (storm_luck == 0)
		storm_luck = ((uint64_t)storm->seed << 20) +
					 atomic_fetch_add(&storm_threads, 1) * 2654435761u + 88172645463325252u;
	storm_luck ^= storm_luck >> 12;
	storm_luck ^= storm_luck << 25;
	storm_luck ^= storm_luck >> 27;
	return (storm_luck * 2685821657736338717u) >> 16;
}

static bool
storm_strikes(StormKind kind)
{
	atomic_fetch_add(&storm->calls[kind], 1);
	if (storm_random() % 1000000 >= atomic_load(&storm->chance[kind]))
		return false;
	atomic_fetch_add(&storm->failed[kind], 1);
	return true;
}

/* Sets errno if so. */
static bool
storm_fails(StormKind kind, int number)
{
	if (!storm_strikes(kind))
		return false;
	errno = number;
	return true;
}

static bool
storm_is_below(const char *path)
{
	const size_t size = storm != NULL ? strlen(storm_under) : 0;

	return storm != NULL && strncmp(path, storm_under, size) == 0 &&
		   (path[size] == '/' || path[size] == '\0');
}

static bool
storm_is_watched(int fd)
{
	return storm != NULL && fd >= 0 && fd < STORM_FDS && atomic_load(&storm_watched[fd]) != 0;
}

static int
storm_watch(int fd, const char *path)
{
	if (fd >= 0 && fd < STORM_FDS)
		atomic_store(&storm_watched[fd], storm_is_below(path) ? 1 : 0);
	return fd;
}

/* ---- what a failed sync loses ---- */

static void
storm_write_lost(uint32_t what, uint64_t inode, uint64_t offset, uint64_t size, const char *before)
{
	const StormLost entry = { inode, offset, size, what, before != NULL };
	struct iovec parts[2] = { { (void *)(uintptr_t)&entry, sizeof entry },
		{ (void *)(uintptr_t)before, size } };

	if (what != STORM_LOST && !atomic_load(&storm_has_lost))
		return;
	atomic_store(&storm_has_lost, true);
	if (writev(storm_lost, parts, before != NULL ? 2 : 1) < 0)
		abort();
}

static bool
storm_is_zero(const char *octets, size_t size)
{
	return size == 0 || (octets[0] == '\0' && memcmp(octets, octets + 1, size - 1) == 0);
}

/* The pages that a write is about to touch, as they are now; NULL: not known. */
static StormDirty *
storm_remember(int fd, off_t offset, size_t size)
{
	const uint64_t begin = (uint64_t)offset / STORM_PAGE * STORM_PAGE;
	const uint64_t end = ((uint64_t)offset + size + STORM_PAGE - 1) / STORM_PAGE * STORM_PAGE;
	StormDirty *dirty = calloc(1, sizeof *dirty);
	struct stat status;
	ssize_t got;

	if (dirty == NULL || fstat(fd, &status) < 0 ||
		(dirty->before = calloc(1, end - begin)) == NULL) {
		free(dirty);
		return NULL;
	}
	dirty->inode = status.st_ino;
	dirty->offset = begin;
	dirty->size = end - begin;
	got = storm_real_pread(fd, dirty->before, dirty->size, (off_t)begin);
	if (got <= 0 || storm_is_zero(dirty->before, (size_t)got)) {
		free(dirty->before);
		dirty->before = NULL;
	}
	return dirty;
}

static void
storm_add_dirty(StormDirty *dirty)
{
	if (dirty == NULL)
		return;
	pthread_mutex_lock(&storm_lock);
	dirty->next = storm_dirty;
	storm_dirty = dirty;
	pthread_mutex_unlock(&storm_lock);
}

/* Takes those of a file out; the oldest first, as its `before` is what the disk has. */
static StormDirty *
storm_take_dirty(uint64_t inode)
{
	StormDirty *taken = NULL, **at = &storm_dirty;

	pthread_mutex_lock(&storm_lock);
	while (*at != NULL) {
		StormDirty *dirty = *at;

		if (dirty->inode != inode) {
			at = &dirty->next;
			continue;
		}
		*at = dirty->next;
		dirty->next = taken;
		taken = dirty;
	}
	pthread_mutex_unlock(&storm_lock);
	return taken;
}

static void
storm_settle(StormDirty *taken, uint32_t what)
{
	pthread_mutex_lock(&storm_lock);
	while (taken != NULL) {
		StormDirty *next = taken->next;

		storm_write_lost(what, taken->inode, taken->offset, taken->size,
			what == STORM_LOST ? taken->before : NULL);
		free(taken->before);
		free(taken);
		taken = next;
	}
	pthread_mutex_unlock(&storm_lock);
}

static void
storm_forget_file(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return;
	storm_settle(storm_take_dirty(status.st_ino), STORM_SAFE);
	pthread_mutex_lock(&storm_lock);
	storm_write_lost(STORM_GONE, status.st_ino, 0, 0, NULL);
	pthread_mutex_unlock(&storm_lock);
}

/* ---- calls: open, close, names ---- */

static bool
storm_has_mode(int flags)
{
	return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

static mode_t
storm_mode(int flags, va_list arguments)
{
	return storm_has_mode(flags) ? (mode_t)va_arg(arguments, int) : 0;
}

#define STORM_OPEN_BODY(name) \
	STORM_REAL(name); \
	va_list arguments; \
	mode_t mode; \
\
	va_start(arguments, flags); \
	mode = storm_mode(flags, arguments); \
	va_end(arguments); \
	if (storm_is_below(path) && storm_fails(STORM_OPEN, EIO)) \
	return -1

int
open(const char *path, int flags, ...)
{
	STORM_OPEN_BODY(open);
	return storm_watch(real(path, flags, mode), path);
}

int
open64(const char *path, int flags, ...)
{
	STORM_OPEN_BODY(open64);
	return storm_watch(real(path, flags, mode), path);
}

int
openat(int directory, const char *path, int flags, ...)
{
	STORM_OPEN_BODY(openat);
	return storm_watch(real(directory, path, flags, mode), path);
}

int
openat64(int directory, const char *path, int flags, ...)
{
	STORM_OPEN_BODY(openat64);
	return storm_watch(real(directory, path, flags, mode), path);
}

int
close(int fd)
{
	STORM_REAL(close);
	if (fd >= 0 && fd < STORM_FDS)
		atomic_store(&storm_watched[fd], 0);
	return real(fd);
}

int
rename(const char *from, const char *to)
{
	STORM_REAL(rename);
	return storm_is_below(from) && storm_fails(STORM_RENAME, EIO) ? -1 : real(from, to);
}

int
unlink(const char *path)
{
	STORM_REAL(unlink);
	if (storm_is_below(path) && storm_fails(STORM_UNLINK, EIO))
		return -1;
	if (storm_is_below(path))
		storm_forget_file(path);
	return real(path);
}

/* ---- calls: reading ---- */

/* Of so many octets, how many may be read or written: fewer, sometimes. */
static size_t
storm_shorten(StormKind kind, size_t size)
{
	return size > 1 && storm_strikes(kind) ? 1 + (size_t)(storm_random() % (size - 1)) : size;
}

ssize_t
read(int fd, void *data, size_t size)
{
	STORM_REAL(read);
	if (!storm_is_watched(fd))
		return real(fd, data, size);
	return storm_fails(STORM_READ_EIO, EIO) ? -1
											: real(fd, data, storm_shorten(STORM_READ_SHORT, size));
}

ssize_t
pread(int fd, void *data, size_t size, off_t offset)
{
	if (!storm_is_watched(fd))
		return storm_real_pread(fd, data, size, offset);
	return storm_fails(STORM_READ_EIO, EIO)
			   ? -1
			   : storm_real_pread(fd, data, storm_shorten(STORM_READ_SHORT, size), offset);
}

ssize_t
pread64(int fd, void *data, size_t size, off64_t offset)
{
	return pread(fd, data, size, offset);
}

/* ---- calls: writing ---- */

static bool
storm_write_fails(void)
{
	return storm_fails(STORM_WRITE_EIO, EIO) || storm_fails(STORM_WRITE_FULL, ENOSPC);
}

static size_t
storm_sum(const struct iovec *parts, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += parts[i].iov_len;
	return sum;
}

/* The parts cut to `size` octets; `cut` has room for n. */
static int
storm_cut(struct iovec *cut, const struct iovec *parts, int n, size_t size)
{
	int i = 0;

	for (; i < n && size > 0; i++) {
		cut[i] = parts[i];
		cut[i].iov_len = size < parts[i].iov_len ? size : parts[i].iov_len;
		size -= cut[i].iov_len;
	}
	return i;
}

ssize_t
pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
	STORM_REAL(pwritev);
	struct iovec *cut;
	StormDirty *dirty;
	size_t size;
	ssize_t written;

	if (!storm_is_watched(fd))
		return real(fd, parts, n, offset);
	if (storm_write_fails())
		return -1;
	size = storm_shorten(STORM_WRITE_SHORT, storm_sum(parts, n));
	cut = calloc((size_t)n + 1, sizeof *cut);
	if (cut == NULL)
		return -1;
	dirty = storm_remember(fd, offset, size);
	written = real(fd, cut, storm_cut(cut, parts, n, size), offset);
	storm_add_dirty(dirty);
	free(cut);
	return written;
}

ssize_t
pwritev64(int fd, const struct iovec *parts, int n, off64_t offset)
{
	return pwritev(fd, parts, n, offset);
}

ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
	const struct iovec part = { (void *)(uintptr_t)data, size };

	return pwritev(fd, &part, 1, offset);
}

ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
	return pwrite(fd, data, size, offset);
}

ssize_t
write(int fd, const void *data, size_t size)
{
	STORM_REAL(write);
	if (!storm_is_watched(fd))
		return real(fd, data, size);
	return storm_write_fails() ? -1 : real(fd, data, storm_shorten(STORM_WRITE_SHORT, size));
}

/* ---- calls: syncing ---- */

static int
storm_sync(int fd, int (*real)(int))
{
	struct stat status;
	StormDirty *taken;
	int result;

	if (!storm_is_watched(fd) || fstat(fd, &status) < 0)
		return real(fd);
	taken = storm_take_dirty(status.st_ino);
	result = storm_strikes(STORM_SYNC) ? -1 : real(fd);
	storm_settle(taken, result == 0 ? STORM_SAFE : STORM_LOST);
	if (result < 0)
		errno = EIO;
	return result;
}

int
fdatasync(int fd)
{
	STORM_REAL(fdatasync);
	return storm_sync(fd, real);
}

int
fsync(int fd)
{
	STORM_REAL(fsync);
	return storm_sync(fd, real);
}
