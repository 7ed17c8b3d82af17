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
	Engine *engine = &test->engine;

	test_end_session(test);
	g_ptr_array_set_size(test->texts, 0);
	queue_free(engine->queue);
	engine->queue = queue_new(engine->spool, engine->clock, NULL, NULL);
	client_budgets_free(engine->clients);
	engine->clients = client_budgets_new(engine->clock, TEST_CLIENTS);
	account_budgets_free(engine->accounts);
	engine->accounts = account_budgets_new();
}
