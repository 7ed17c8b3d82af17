/* test-forget.c - many sessions in one host, without a disk: for fuzzers, which run thousands a second. */
#include "test-host-private.h"

void
test_host_commit_by(PtnTest *test, TestCommit *commit, void *data)
{
	test->commit = commit;
	test->commit_data = data;
}

void
test_host_forget(PtnTest *test)
{
	test_end_session(test);
	g_ptr_array_set_size(test->texts, 0);
	queue_free(test->engine.queue);
	test->engine.queue = queue_new(test->engine.spool, test->engine.clock, NULL, NULL);
}
