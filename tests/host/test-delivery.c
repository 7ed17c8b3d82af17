/* test-delivery.c - what the queue would do with a message of a test host: its route, a plugin as next hop, its outcome. */
#include "test-host-private.h"

#include <stdlib.h>

#include "engine/observer.h"
#include "engine/route.h"

void
ptn_test_inbound(PtnTest *test, bool is_inbound)
{
	test->listener->is_inbound = is_inbound;
}

const char *
ptn_test_route(PtnTest *test, size_t i)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);
	g_autoptr(DeliverySettings) settings = delivery_settings_new();
	RouteAnswer answer;
	char *text;

	settings->hostname = g_strdup(test->settings->hostname);
	route_recipient(&test->engine, test->snapshot, settings, message->envelope, 0, &answer);
	text = answer.hop != NULL ? g_strdup(answer.hop->text) : g_strdup(answer.reply);
	route_answer_clear(&answer);
	return test_hand_out(test, text);
}

static void
test_apply(void *data, const HookRow *row, HookCall *call)
{
	(void)data, (void)row, (void)call; /* what is delivered is edited no more */
}

const char *
ptn_test_deliver(PtnTest *test, size_t i)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);
	g_autoptr(Region) region = region_new();
	const ChainTask task = { .chain = test->snapshot->chain,
		.chain_us = test->settings->chain_us,
		.place = ANYWHERE,
		.apply = test_apply };
	ChainRun run = { .stage = PTN_DELIVER };
	HookCall call = { .stage = PTN_DELIVER, .envelope = message->envelope, .region = region };
	ChainResult result;

	if (!spool_read_whole(message, NULL))
		test_die("queue", "the content cannot be read");
	call.content = message->content;
	call.content_size = message->size;
	result = chain_run(&run, &task, &call);
	if (result == CHAIN_SETTLED)
		return test_hand_out(test, g_strdup("250 2.0.0 delivered"));
	return test_hand_out(test, call.code != 0 ? g_strdup_printf("%d %s %s", call.code, call.enhanced, call.text)
											  : g_strdup("451 4.3.0 nobody took it"));
}

void
ptn_test_outcome(PtnTest *test, size_t i, PtnStage stage, const char *reply, bool is_ours)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);
	const Observation observation = { .snapshot = test->snapshot,
		.stage = stage,
		.envelope = message->envelope,
		.code = atoi(reply),
		.cause = PTN_REMOTE,
		.text = reply,
		.is_ours = is_ours };

	observer_tell(test->engine.observer, &observation);
	observer_stop(test->engine.observer, g_get_monotonic_time() + 10 * PTN_SECOND);
}
