/* test-chain.c - which hooks run, where, in which order, and what becomes of their verdicts. */
#include "engine/chain.h"

#include <string.h>

#include "suites.h"

typedef struct {
	const char *name;
	PtnVerdict verdict;
	int code;            /* made with it; 0: none */
	const char *text;
	bool acts, waits_first, orphans, is_late; /* is_late: beyond its deadline */
	bool cannot_read; /* as ptn_content() notes it */
} Script;

/* What happened in a run. */
typedef struct {
	GString *calls, *applied;
	bool is_gone;
} Seen;

typedef struct {
	Chain *chain;
	ChainRun run;
	HookCall call;
	Seen seen;
} Bench;

static Seen *seen_by_scripts;
static ChainRun *run_of_scripts;

static PtnVerdict
script_run(const HookRow *row, HookCall *call)
{
	const Script *script = row->data;

	g_string_append_printf(seen_by_scripts->calls, "%s ", script->name);
	if (script->acts)
		hook_add_act(call, ACT_HOLD)->text = script->name;
	if (script->waits_first && !call->may_wait)
		return PTN_WAIT;
	if (script->orphans)
		CU_ASSERT_PTR_EQUAL(chain_orphan(run_of_scripts), row);
	while (script->is_late && g_get_monotonic_time() <= call->deadline_us)
		g_thread_yield();
	if (script->cannot_read)
		call->missing = "the content cannot be read now";
	call->code = script->code;
	call->cause = PTN_POLICY;
	call->enhanced = script->code >= 500 ? "5.7.1" : "4.7.1";
	call->text = script->text != NULL ? script->text : "no";
	return script->verdict;
}

static void
bench_apply(void *data, const HookRow *row, HookCall *call)
{
	Seen *seen = data;

	g_string_append_printf(seen->applied, "%s*%u ", row->plugin->name, call->acts->len);
}

static bool
bench_before_wait(void *data)
{
	return !((const Seen *)data)->is_gone;
}

static void
bench_start(Bench *bench)
{
	*bench = (Bench){ .chain = chain_new(), .call.region = region_new() };
	bench->seen = (Seen){ g_string_new(NULL), g_string_new(NULL), false };
	seen_by_scripts = &bench->seen;
	run_of_scripts = &bench->run;
}

static void
bench_end(Bench *bench)
{
	chain_free(bench->chain);
	region_free(bench->call.region);
	CU_ASSERT_PTR_NULL(bench->call.acts);
	g_string_free(bench->seen.calls, TRUE);
	g_string_free(bench->seen.applied, TRUE);
}

static HookPlugin
a_plugin(const char *name)
{
	return (HookPlugin){ .name = name, .deadline_us = 10 * G_USEC_PER_SEC, .at_once = 2 };
}

static void
bench_add(Bench *bench, HookPlugin *plugin, PtnStage stage, unsigned flags, const Script *script)
{
	const HookRow row = { .plugin = plugin, .stage = stage, .flags = flags, .run = script_run, .data = (void *)(uintptr_t)script };

	chain_add(bench->chain, &row);
}

static ChainResult
bench_go_on(Bench *bench, Place place)
{
	const ChainTask task = { .chain = bench->chain, .chain_us = 60 * G_USEC_PER_SEC, .place = place,
		.before_wait = bench_before_wait, .apply = bench_apply, .data = &bench->seen };

	return chain_run(&bench->run, &task, &bench->call);
}

static ChainResult
bench_run(Bench *bench, PtnStage stage, Place place)
{
	bench->run = (ChainRun){ .stage = stage };
	g_string_truncate(bench->seen.calls, 0);
	g_string_truncate(bench->seen.applied, 0);
	return bench_go_on(bench, place);
}

static const Script next = { "a", PTN_NEXT }, next_b = { "b", PTN_NEXT }, signer = { "late", PTN_NEXT };
static const Script refuses = { "no", PTN_REFUSED, 550, "not here", .acts = true };

/* ---- order and places ---- */

static void
test_order(void)
{
	HookPlugin one = a_plugin("one"), two = a_plugin("two");
	Bench bench;

	two.place = 1;
	bench_start(&bench);
	bench_add(&bench, &one, PTN_MESSAGE, PTN_LATE, &signer);
	bench_add(&bench, &one, PTN_MESSAGE, 0, &next);
	bench_add(&bench, &two, PTN_MESSAGE, 0, &next_b);
	bench_add(&bench, &two, PTN_MAIL, 0, &next_b);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MESSAGE, ON_WORKER), CHAIN_PASSED);
	ASSERT_TEXT(bench.seen.calls->str, "a b late ");
	CU_ASSERT_EQUAL(chain_plugins(bench.chain), 2);
	CU_ASSERT_FALSE(chain_has(bench.chain, PTN_RCPT));
	CU_ASSERT_EQUAL(atomic_load(&one.figures[PTN_MESSAGE].calls), 2);
	CU_ASSERT_EQUAL(atomic_load(&one.figures[PTN_MAIL].calls), 0);
	bench_end(&bench);
}

static void
test_places(void)
{
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, PTN_INLINE, &next);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &next_b);
	bench_add(&bench, &plugin, PTN_MAIL, PTN_HEAVY, &signer);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_LOOP), CHAIN_WANTS_WORKER);
	ASSERT_TEXT(bench.seen.calls->str, "a ");
	CU_ASSERT_EQUAL(bench_go_on(&bench, ON_CRUNCHER), CHAIN_WANTS_WORKER);
	CU_ASSERT_EQUAL(bench_go_on(&bench, ON_WORKER), CHAIN_WANTS_CRUNCHER);
	CU_ASSERT_EQUAL(bench_go_on(&bench, ON_CRUNCHER), CHAIN_PASSED);
	ASSERT_TEXT(bench.seen.calls->str, "a b late ");
	bench_end(&bench);
}

static void
test_wait(void)
{
	static const Script waits = { "w", PTN_NEXT, .acts = true, .waits_first = true };
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, PTN_INLINE, &waits);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_LOOP), CHAIN_WANTS_WORKER);
	ASSERT_TEXT(bench.seen.applied->str, "");
	CU_ASSERT_EQUAL(bench_go_on(&bench, ON_WORKER), CHAIN_PASSED);
	ASSERT_TEXT(bench.seen.calls->str, "w w ");
	ASSERT_TEXT(bench.seen.applied->str, "p*1 ");
	bench_end(&bench);
	bench_start(&bench); /* crunchers are few: behind a heavy hook a worker waits, too */
	bench_add(&bench, &plugin, PTN_MAIL, PTN_HEAVY, &next);
	bench_add(&bench, &plugin, PTN_MAIL, PTN_INLINE, &waits);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_CRUNCHER), CHAIN_WANTS_WORKER);
	CU_ASSERT_EQUAL(bench_go_on(&bench, ON_WORKER), CHAIN_PASSED);
	ASSERT_TEXT(bench.seen.calls->str, "a w w ");
	bench_end(&bench);
}

static void
test_client_gone(void)
{
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &next);
	bench.seen.is_gone = true;
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_CLOSED);
	ASSERT_TEXT(bench.seen.calls->str, "");
	bench_end(&bench);
}

/* ---- verdicts ---- */

static void
test_refusal(void)
{
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &refuses);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &next_b);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_REFUSED);
	ASSERT_TEXT(bench.seen.calls->str, "no ");
	ASSERT_TEXT(bench.seen.applied->str, "");
	ASSERT_TEXT(bench.call.text, "not here");
	CU_ASSERT_EQUAL(bench.call.code, 550);
	CU_ASSERT_EQUAL(atomic_load(&plugin.figures[PTN_MAIL].refusals), 1);
	bench_end(&bench);
}

static void
test_settled(void)
{
	static const Script done = { "done", PTN_DONE };
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_AUTH, 0, &done);
	bench_add(&bench, &plugin, PTN_AUTH, 0, &next_b);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_AUTH, ON_WORKER), CHAIN_SETTLED);
	ASSERT_TEXT(bench.seen.calls->str, "done ");
	bench_end(&bench);
}

static void
test_warn_and_off(void)
{
	HookPlugin warns = a_plugin("warns"), off = a_plugin("off");
	Bench bench;

	warns.mode = HOOK_WARNS;
	off.mode = HOOK_IS_OFF;
	bench_start(&bench);
	bench_add(&bench, &off, PTN_MAIL, 0, &next);
	bench_add(&bench, &warns, PTN_MAIL, 0, &refuses);
	bench_add(&bench, &warns, PTN_MAIL, 0, &next_b);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_PASSED);
	ASSERT_TEXT(bench.seen.calls->str, "no b ");
	ASSERT_TEXT(bench.seen.applied->str, "");
	CU_ASSERT_EQUAL(atomic_load(&warns.figures[PTN_MAIL].refusals), 0);
	bench_end(&bench);
}

static void
test_nonsense(void)
{
	static const Script cases[] = { { "done at mail", PTN_DONE }, { "no words", PTN_REFUSED, 0 },
		{ "250", PTN_REFUSED, 250, "fine" }, { "199", PTN_REFUSED, 199, "what" }, { "closes with 200", PTN_CLOSED, 200, "what" },
		{ "CRLF", PTN_REFUSED, 550, "no\r\n250 Ok" }, { "LF", PTN_REFUSED, 550, "no\n" }, { "waits on a worker", PTN_WAIT },
		{ "no such verdict", (PtnVerdict)77 }, { "fails", PTN_FAILED } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		HookPlugin defers = a_plugin("defers"), passes = a_plugin("passes");
		Bench bench;

		passes.passes_on_error = true;
		bench_start(&bench);
		bench_add(&bench, &defers, PTN_MAIL, 0, &cases[i]);
		bench_add(&bench, &passes, PTN_RCPT, 0, &cases[i]);
		bench_add(&bench, &passes, PTN_RCPT, 0, &next_b);
		CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_REFUSED);
		CU_ASSERT_EQUAL(bench.call.code, 451);
		ASSERT_TEXT(bench.call.enhanced, "4.3.0");
		CU_ASSERT_EQUAL(bench.call.cause, PTN_LOCAL);
		CU_ASSERT_EQUAL(atomic_load(&defers.figures[PTN_MAIL].failures), 1);
		CU_ASSERT_EQUAL(bench_run(&bench, PTN_RCPT, ON_WORKER), CHAIN_PASSED);
		CU_ASSERT_PTR_NOT_NULL(strstr(bench.seen.calls->str, " b "));
		bench_end(&bench);
	}
}

/* A hook that was not given the content, and goes on, has failed; its refusal stands.  The next hook begins anew. */
static void
test_unread(void)
{
	static const Script unread = { .name = "u", .verdict = PTN_NEXT, .cannot_read = true },
						refusing = { .name = "r", .verdict = PTN_REFUSED, .code = 550, .cannot_read = true },
						goes_on = { .name = "n", .verdict = PTN_NEXT };
	HookPlugin defers = a_plugin("defers"), passes = a_plugin("passes");
	Bench bench;

	passes.passes_on_error = true;
	bench_start(&bench);
	bench_add(&bench, &defers, PTN_MAIL, 0, &unread);
	bench_add(&bench, &passes, PTN_RCPT, 0, &unread);
	bench_add(&bench, &defers, PTN_RCPT, 0, &goes_on);
	bench_add(&bench, &defers, PTN_MESSAGE, 0, &refusing);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_REFUSED);
	CU_ASSERT_EQUAL(bench.call.code, 451);
	CU_ASSERT_EQUAL(atomic_load(&defers.figures[PTN_MAIL].failures), 1);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_RCPT, ON_WORKER), CHAIN_PASSED);
	CU_ASSERT_EQUAL(atomic_load(&defers.figures[PTN_RCPT].failures), 0);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MESSAGE, ON_WORKER), CHAIN_REFUSED);
	CU_ASSERT_EQUAL(bench.call.code, 550);
	bench_end(&bench);
}

static void
test_failure_at_auth(void)
{
	static const Script fails = { "fails", PTN_FAILED, .acts = true };
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_AUTH, 0, &fails);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_AUTH, ON_WORKER), CHAIN_REFUSED);
	CU_ASSERT_EQUAL(bench.call.code, 454);
	ASSERT_TEXT(bench.seen.applied->str, "");
	bench_end(&bench);
}

/* ---- bounds ---- */

static void
test_at_once(void)
{
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &next);
	bench_add(&bench, &plugin, PTN_RCPT, PTN_INLINE, &next);
	atomic_store(&plugin.busy, 2);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_REFUSED);
	ASSERT_TEXT(bench.seen.calls->str, "");
	CU_ASSERT_EQUAL(bench.call.code, 451);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_RCPT, ON_LOOP), CHAIN_PASSED); /* one that does not wait holds no worker */
	atomic_store(&plugin.busy, 1);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_PASSED);
	CU_ASSERT_EQUAL(atomic_load(&plugin.busy), 1);
	bench_end(&bench);
}

static void
test_deadline(void)
{
	static const Script slow = { "slow", PTN_NEXT, .acts = true, .is_late = true };
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	plugin.deadline_us = 1000;
	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &slow);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_REFUSED);
	CU_ASSERT_EQUAL(bench.call.code, 451);
	ASSERT_TEXT(bench.seen.applied->str, "");
	bench_end(&bench);
}

static void
test_deadline_of_all(void)
{
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &next);
	bench.run = (ChainRun){ .stage = PTN_MAIL, .deadline_us = g_get_monotonic_time() + G_USEC_PER_SEC };
	CU_ASSERT_EQUAL(bench_go_on(&bench, ON_WORKER), CHAIN_PASSED);
	CU_ASSERT(bench.call.deadline_us <= bench.run.deadline_us);
	CU_ASSERT_EQUAL(atomic_load(&bench.run.hook_deadline_us), 0);
	bench_end(&bench);
}

static void
test_orphan(void)
{
	static const Script lost = { "lost", PTN_NEXT, .acts = true, .orphans = true };
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, 0, &lost);
	CU_ASSERT_PTR_NULL(chain_orphan(&bench.run));
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_CLOSED);
	ASSERT_TEXT(bench.seen.applied->str, "");
	CU_ASSERT_EQUAL(atomic_load(&plugin.orphans), 0); /* it came back */
	bench_end(&bench);
}

static void
test_too_many_orphans(void)
{
	HookPlugin plugin = a_plugin("p");
	Bench bench;

	bench_start(&bench);
	bench_add(&bench, &plugin, PTN_MAIL, PTN_INLINE, &next);
	atomic_store(&plugin.orphans, 8);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_REFUSED);
	ASSERT_TEXT(bench.seen.calls->str, "");
	atomic_store(&plugin.orphans, 7);
	CU_ASSERT_EQUAL(bench_run(&bench, PTN_MAIL, ON_WORKER), CHAIN_PASSED);
	bench_end(&bench);
}

/* `on`: which hooks are called for which mail. */
static void
test_on(void)
{
	static const Script a = { .name = "all" }, s = { .name = "submission" }, i = { .name = "inbound" }, b = { .name = "both" };
	static char login[] = "user@example.net";
	static const struct {
		SessionFacts facts;
		PtnStage stage;
		const char *called;
	} cases[] = { { { .login = login, .takes_auth = true }, PTN_MESSAGE, "all submission both " },
		{ { .login = login, .is_inbound = true, .takes_auth = true }, PTN_MESSAGE, "all submission both " },
		{ { .is_inbound = true }, PTN_MESSAGE, "all inbound both " },
		{ { .is_inbound = true, .takes_auth = true }, PTN_MAIL, "all inbound both " },
		{ { .is_inbound = true, .takes_auth = true }, PTN_CONNECT, "all submission inbound both " },
		{ { .is_inbound = true }, PTN_CONNECT, "all inbound both " },
		{ { .takes_auth = true }, PTN_CONNECT, "all submission both " },
		{ { .is_inbound = true }, PTN_DISCONNECT, "all submission inbound both " } };

	for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
		HookPlugin plugins[] = { a_plugin("a"), a_plugin("s"), a_plugin("i"), a_plugin("b") };
		const Script *const scripts[] = { &a, &s, &i, &b };
		Bench bench;

		bench_start(&bench);
		for (unsigned p = 0; p < G_N_ELEMENTS(plugins); p++) {
			plugins[p].on = (HookOn)p;
			bench_add(&bench, &plugins[p], cases[k].stage, PTN_INLINE, scripts[p]);
		}
		bench.call.facts = &cases[k].facts;
		(void)bench_run(&bench, cases[k].stage, ON_LOOP);
		ASSERT_TEXT(bench.seen.calls->str, cases[k].called);
		bench_end(&bench);
	}
}

static const UnitTest tests[] = {
	{ "on = submission, inbound or both: whose mail a plugin judges", test_on },
	{ "order is that of adding, late hooks behind all others", test_order },
	{ "each hook runs where it may: loop, worker, cruncher", test_places },
	{ "WAIT: again from the start on a worker, what it did before is dropped", test_wait },
	{ "nothing runs for a client that is gone", test_client_gone },
	{ "a refusal ends the stage and drops what its hook did", test_refusal },
	{ "DONE settles AUTH", test_settled },
	{ "mode = warn: logged only; mode = off: not called", test_warn_and_off },
	{ "verdicts that make no sense are failures: on-error decides", test_nonsense },
	{ "a failure at AUTH is 454", test_failure_at_auth },
	{ "a hook that was not given the content fails, unless it refuses", test_unread },
	{ "at-once: a plugin holds no more workers than it may", test_at_once },
	{ "a missed deadline is a failure", test_deadline },
	{ "the deadline of the whole bounds that of each", test_deadline_of_all },
	{ "an orphan that comes back is not listened to", test_orphan },
	{ "with eight orphans a plugin is not called any more", test_too_many_orphans },
	{ NULL, NULL },
};

const UnitSuite suite_chain = { "chain", tests };
