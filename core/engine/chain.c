/* chain.c - running the hooks of a stage, wherever each may run. */
#include "engine/chain.h"

#include "base/log.h"
#include "proto/reply.h"

enum { CHAIN_MOST_ORPHANS = 8 };

struct Chain {
	GArray *stages[HOOK_STAGES]; /* of HookRow; NULL: no hook */
	unsigned n_plugins;
};

Chain *
chain_new(void)
{
	return g_new0(Chain, 1);
}

void
chain_free(Chain *chain)
{
	if (chain == NULL)
		return;
	for (size_t i = 0; i < HOOK_STAGES; i++)
		if (chain->stages[i] != NULL)
			g_array_unref(chain->stages[i]);
	g_free(chain);
}

void
chain_add(Chain *chain, const HookRow *row)
{
	GArray **rows = &chain->stages[row->stage];
	guint place;

	if (*rows == NULL)
		*rows = g_array_new(FALSE, FALSE, sizeof(HookRow));
	place = (*rows)->len;
	if (!(row->flags & PTN_LATE))
		while (place > 0 && (g_array_index(*rows, HookRow, place - 1).flags & PTN_LATE))
			place--;
	g_array_insert_vals(*rows, place, row, 1);
	chain->n_plugins = MAX(chain->n_plugins, row->plugin->place + 1);
}

unsigned
chain_plugins(const Chain *chain)
{
	return chain->n_plugins;
}

const HookRow *
chain_row(const Chain *chain, PtnStage stage, size_t i)
{
	const GArray *rows = chain->stages[stage];

	return rows != NULL && i < rows->len ? &g_array_index(rows, HookRow, i) : NULL;
}

bool
chain_has(const Chain *chain, PtnStage stage)
{
	return chain_row(chain, stage, 0) != NULL;
}

/* ---- one hook ---- */

static void
chain_drop_acts(HookCall *call)
{
	g_clear_pointer(&call->acts, g_array_unref);
}

static PtnVerdict
chain_fail(HookCall *call, const char *why)
{
	call->failure = why;
	return PTN_FAILED;
}

/* Observers hear of what is over: `call` holds a reply that was given, not theirs. */
static bool
chain_is_told(const HookRow *row)
{
	return stage_is(row->stage, STAGE_OBSERVES);
}

/* Verdicts that make no sense at this stage count as failures. */
static PtnVerdict
chain_judge(const HookRow *row, HookCall *call, PtnVerdict verdict)
{
	if (call->missing != NULL && (verdict == PTN_NEXT || verdict == PTN_DONE))
		return chain_fail(call, call->missing);
	if (chain_is_told(row) && verdict != PTN_NEXT && verdict != PTN_FAILED)
		return chain_fail(call, "it judged what is over");
	switch (verdict) {
	case PTN_NEXT:
	case PTN_FAILED:
		return verdict;
	case PTN_DONE:
		return stage_is(row->stage, STAGE_SETTLES)
				   ? verdict
				   : chain_fail(call, "it said DONE at a stage that cannot be settled");
	case PTN_REFUSED:
	case PTN_CLOSED:
		if (call->code == 0)
			return chain_fail(call, "it returned a refusal without making one");
		if (!reply_is_valid(call->code, call->enhanced, call->text, true) || call->code < 221)
			return chain_fail(call, "its reply is not a valid one");
		return verdict;
	case PTN_WAIT:
		if ((row->flags & PTN_INLINE) && !call->may_wait)
			return verdict;
		return chain_fail(call, "it asked for a worker where it may wait already");
	}
	return chain_fail(call, "it returned a verdict that does not exist");
}

/* Nobody waits for an orphan's verdict, and the loop has said why it gave up. */
static PtnVerdict
chain_call(ChainRun *run, const HookRow *row, HookCall *call)
{
	HookPlugin *plugin = row->plugin;
	const int64_t begun_us = g_get_monotonic_time();
	PtnVerdict verdict;

	call->begun_us = begun_us;
	call->deadline_us = MIN(begun_us + plugin->deadline_us, run->deadline_us);
	call->would_have_waited = false;
	if (!chain_is_told(row))
		call->code = 0;
	call->failure = NULL;
	call->item = NULL;
	atomic_store(&run->running, row);
	atomic_store(&run->hook_deadline_us, call->deadline_us);
	atomic_fetch_add(&plugin->busy, 1);
	verdict = row->run(row, call);
	atomic_fetch_sub(&plugin->busy, 1);
	atomic_store(&run->hook_deadline_us, 0);
	if (atomic_exchange(&run->running, NULL) == NULL) {
		atomic_fetch_sub(&plugin->orphans, 1);
		run->is_orphaned = true;
	}
	if (call->asked == NULL) {
		HookFigures *figures = &plugin->figures[row->stage];

		atomic_fetch_add(&figures->calls, 1);
		atomic_fetch_add(&figures->time_us, (unsigned long long)(g_get_monotonic_time() - begun_us));
	}
	if (run->is_orphaned)
		return chain_fail(call, "it came back too late");
	if (call->would_have_waited)
		return PTN_WAIT;
	verdict = chain_judge(row, call, verdict);
	if (verdict == PTN_NEXT && g_get_monotonic_time() > call->deadline_us)
		return chain_fail(call, "it missed its deadline");
	return verdict;
}

/* Taking away the row tells the hook's thread, when it comes back, that it was given up. */
const HookRow *
chain_orphan(ChainRun *run)
{
	const HookRow *row = atomic_exchange(&run->running, NULL);

	if (row != NULL)
		atomic_fetch_add(&row->plugin->orphans, 1);
	return row;
}

static const char *
chain_why_not(const HookRow *row)
{
	if (atomic_load(&row->plugin->orphans) >= CHAIN_MOST_ORPHANS)
		return "too many of its hooks have not returned";
	if (!(row->flags & PTN_INLINE) && atomic_load(&row->plugin->busy) >= row->plugin->at_once)
		return "it holds all the workers it may";
	return NULL;
}

static void
chain_log(const HookRow *row, const HookCall *call, const char *event, const char *why)
{
	char id[ID_TEXT_SIZE];

	if (call->asked != NULL || !hook_may_log(call, event))
		return;
	log_event(LOG_LEVEL_WARNING, event, "session", call->facts != NULL ? call->facts->id : NULL, "queue",
		call->envelope != NULL ? id_format(call->envelope->id, id) : NULL, "plugin", row->plugin->name, "stage",
		stage_name(row->stage), "error", why, NULL);
}

/* A failure is the administrator's `on-error`, never a silent "go on". */
static PtnVerdict
chain_settle_failure(const HookRow *row, HookCall *call)
{
	const StageRow *stage = stage_row(row->stage);

	if (call->asked == NULL)
		atomic_fetch_add(&row->plugin->figures[row->stage].failures, 1);
	chain_log(row, call,
		row->plugin->passes_on_error || chain_is_told(row) ? "plugin failed, passed" : "plugin failed, deferred",
		call->failure);
	if (row->plugin->passes_on_error || chain_is_told(row))
		return PTN_NEXT;
	call->cause = PTN_LOCAL;
	call->code = stage->code;
	call->enhanced = stage->enhanced;
	call->text = stage->text;
	return PTN_REFUSED;
}

/* Mail to recipients that are exempt from what judges content is accepted all the same, but its copies go to others: a
 * message that would be refused has none.  A plugin that failed counts if it judges clients or content (`on`). */
static bool
chain_bars_copies(const HookRow *row, const HookCall *call, bool has_failed)
{
	return row->stage == PTN_MESSAGE && call->is_content_exempt &&
		   (has_failed ? row->plugin->on != 0 : call->cause == PTN_CONTENT);
}

static PtnVerdict
chain_bar_copies(const HookRow *row, HookCall *call)
{
	chain_log(row, call, "message to exempt recipients accepted without copies", call->text);
	chain_drop_acts(call);
	hook_add_act(call, ACT_BAR_COPIES)->text = call->text;
	return PTN_NEXT;
}

/* Crunchers are few: one that waited for a store would be missing, so workers wait. */
static bool
chain_may_wait(const HookRow *row, Place place)
{
	return place != ON_LOOP && !(place == ON_CRUNCHER && (row->flags & PTN_INLINE));
}

static PtnVerdict
chain_run_row(ChainRun *run, const ChainTask *task, const HookRow *row, HookCall *call)
{
	const char *why_not = chain_why_not(row);
	const HookCall before = *call;
	const int64_t begun_us = task->told != NULL ? g_get_monotonic_time() : 0;
	PtnVerdict verdict;
	bool has_failed;

	call->may_wait = chain_may_wait(row, task->place);
	call->missing = NULL;
	verdict = why_not != NULL ? chain_fail(call, why_not) : chain_call(run, row, call);
	if (task->told != NULL && verdict != PTN_WAIT)
		task->told(task->data, row, call, verdict, g_get_monotonic_time() - begun_us);
	if (chain_is_told(row)) { /* the next one hears what this one heard */
		call->cause = before.cause;
		call->code = before.code;
		call->enhanced = before.enhanced;
		call->text = before.text;
	}
	if (verdict == PTN_WAIT) {
		chain_drop_acts(call);
		return PTN_WAIT;
	}
	has_failed = verdict == PTN_FAILED;
	if (has_failed) {
		chain_drop_acts(call);
		verdict = chain_settle_failure(row, call);
	}
	if ((verdict == PTN_REFUSED || verdict == PTN_CLOSED) && row->plugin->mode == HOOK_WARNS) {
		chain_log(row, call, "plugin would refuse (mode = warn)", call->text);
		verdict = PTN_NEXT;
		chain_drop_acts(call);
	}
	if (verdict == PTN_REFUSED && chain_bars_copies(row, call, has_failed))
		verdict = chain_bar_copies(row, call);
	if (verdict == PTN_REFUSED || verdict == PTN_CLOSED)
		atomic_fetch_add(&row->plugin->figures[row->stage].refusals, call->asked == NULL);
	else if (call->acts != NULL)
		task->apply(task->data, row, call);
	chain_drop_acts(call);
	return verdict;
}

/* ---- a stage ---- */

static bool
chain_may_run_here(const HookRow *row, Place place, ChainResult *elsewhere)
{
	if (place == ANYWHERE)
		return true;
	if (row->flags & PTN_HEAVY) {
		*elsewhere = CHAIN_WANTS_CRUNCHER;
		return place == ON_CRUNCHER;
	}
	*elsewhere = CHAIN_WANTS_WORKER;
	return (row->flags & PTN_INLINE) || place == ON_WORKER;
}

/* Before the end of AUTH a client of a listener that takes both kinds of mail may still become either. */
static HookOn
chain_mail_of(const SessionFacts *facts, PtnStage stage)
{
	if (facts->login != NULL || !facts->is_inbound)
		return HOOK_ON_SUBMISSION;
	return facts->takes_auth && stage_is(stage, STAGE_BEFORE_MAIL) ? HOOK_ON_BOTH : HOOK_ON_INBOUND;
}

/* Observers hear of every mail: what was begun for a session has its end there. */
static bool
chain_concerns(const HookRow *row, const HookCall *call)
{
	if (row->plugin->mode == HOOK_IS_OFF)
		return false;
	return row->plugin->on == 0 || call->facts == NULL || chain_is_told(row) ||
		   (row->plugin->on & chain_mail_of(call->facts, row->stage)) != 0;
}

ChainResult
chain_run(ChainRun *run, const ChainTask *task, HookCall *call)
{
	const HookRow *row;

	if (run->deadline_us == 0)
		run->deadline_us = g_get_monotonic_time() + task->chain_us;
	for (; (row = chain_row(task->chain, run->stage, run->next)) != NULL; run->next++) {
		ChainResult elsewhere;
		PtnVerdict verdict;

		if (!chain_concerns(row, call))
			continue;
		if (!chain_may_run_here(row, task->place, &elsewhere))
			return elsewhere;
		if (task->place != ON_LOOP && task->before_wait != NULL && !task->before_wait(task->data))
			return CHAIN_CLOSED;
		verdict = chain_run_row(run, task, row, call);
		if (run->is_orphaned)
			return CHAIN_CLOSED;
		if (verdict == PTN_WAIT && !chain_may_wait(row, task->place))
			return CHAIN_WANTS_WORKER;
		if (verdict == PTN_REFUSED || verdict == PTN_CLOSED)
			return verdict == PTN_REFUSED ? CHAIN_REFUSED : CHAIN_CLOSED;
		if (verdict == PTN_DONE)
			return CHAIN_SETTLED;
	}
	return CHAIN_PASSED;
}
