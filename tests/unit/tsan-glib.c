/* tsan-glib.c - tells ThreadSanitizer what GLib's mutexes, conditions and reference counts order.
 *
 * GLib builds them of futexes and atomics inside a library that is not instrumented, so each use of them would be
 * reported as a race.  Linked into a program under TSan these stand before GLib's own; otherwise the file is empty.
 * Run with G_SLICE=always-malloc: GLib's own allocator hides from TSan who has a block next. */
#if defined(__has_feature) /* clang */
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_THREAD__

#include <dlfcn.h>
#include <glib.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

/* dlsym() answers a void*, which C does not turn into a function by itself. */
#define REAL(NAME) __extension__((__typeof__(&NAME))dlsym(RTLD_NEXT, #NAME))

void
g_mutex_lock(GMutex *mutex)
{
	REAL(g_mutex_lock)(mutex);
	__tsan_acquire(mutex);
}

gboolean
g_mutex_trylock(GMutex *mutex)
{
	const gboolean is_taken = REAL(g_mutex_trylock)(mutex);

	if (is_taken)
		__tsan_acquire(mutex);
	return is_taken;
}

void
g_mutex_unlock(GMutex *mutex)
{
	__tsan_release(mutex);
	REAL(g_mutex_unlock)(mutex);
}

void
g_cond_wait(GCond *cond, GMutex *mutex)
{
	__tsan_release(mutex);
	REAL(g_cond_wait)(cond, mutex);
	__tsan_acquire(mutex);
}

gboolean
g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
	gboolean is_signalled;

	__tsan_release(mutex);
	is_signalled = REAL(g_cond_wait_until)(cond, mutex, end);
	__tsan_acquire(mutex);
	return is_signalled;
}

gboolean
(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
	gboolean is_last;

	__tsan_release(count);
	is_last = REAL(g_atomic_ref_count_dec)(count);
	if (is_last)
		__tsan_acquire(count);
	return is_last;
}

#else

/* ISO C wants something here. */
typedef int TsanNothing;

#endif
