/* test-lock.c - the counters of probes under way change only while their lock is held.
 *
 * Two probes that end at the same moment would miscount without it, which no run shows reliably.  So the linker puts these
 * functions between: what was there when the lock was given back must be there when it is taken next. */
#include "test-senderverify.h"

#include "senderverify.h"

static struct {
	Instance *instance; /* the one whose lock was made last; NULL: none was */
	Instance left;      /* as it was when its lock was given back */
	unsigned taken, changed;
} watched;

int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

/* No other part of this program makes such a mutex; the lock is the first member of the instance. */
int
__wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
	watched.instance = (Instance *)mutex;
	watched.left = *watched.instance;
	watched.taken = watched.changed = 0;
	return __real_pthread_mutex_init(mutex, attributes);
}

static bool
is_as_it_was_left(void)
{
	const Instance *now = watched.instance;

	return now->probes == watched.left.probes &&
		   memcmp(now->destinations, watched.left.destinations, sizeof now->destinations) == 0;
}

int
__wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	const int result = __real_pthread_mutex_lock(mutex);

	if (mutex == &watched.instance->lock) {
		watched.taken++;
		watched.changed += !is_as_it_was_left();
	}
	return result;
}

int
__wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (mutex == &watched.instance->lock) {
		watched.left.probes = watched.instance->probes;
		memcpy(watched.left.destinations, watched.instance->destinations, sizeof watched.left.destinations);
	}
	return __real_pthread_mutex_unlock(mutex);
}

static void
test_counters_are_locked(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	EXPECT("one@example.net", "250");
	EXPECT_PROBES(1);
	EXPECT("two@example.net", "250");
	EXPECT_PROBES(2);
	CU_ASSERT_EQUAL(watched.instance->probes, 0);
	CU_ASSERT_EQUAL(watched.taken, 4); /* each probe takes it and gives it back */
	(void)pthread_mutex_lock(&watched.instance->lock);
	(void)pthread_mutex_unlock(&watched.instance->lock);
	CU_ASSERT_EQUAL(watched.changed, 0);
	for (size_t i = 0; i < VERIFY_DESTINATIONS; i++)
		CU_ASSERT_EQUAL(watched.instance->destinations[i].probes, 0);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "counters of probes change only while their lock is held", test_counters_are_locked },
	{ NULL, NULL },
};

const UnitSuite suite_lock = { "senderverify-lock", tests };
