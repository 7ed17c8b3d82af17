/* health.c - failures in a row, pauses, self-tests, alarms. */
#include "plugins/list-health/health.h"

#include <string.h>

#define SOON (5 * 60 * PTN_SECOND)
#define AGAIN (60 * PTN_SECOND)

void
health_init(ListHealth *list)
{
	g_mutex_init(&list->lock);
}

void
health_clear(ListHealth *list)
{
	g_free(list->trouble);
	g_free(list->error);
	g_mutex_clear(&list->lock);
}

/* ---- alarms ---- */

static void
health_set_text(char **text, const char *now)
{
	g_free(*text);
	*text = g_strdup(now);
}

/* Also where nothing changed: an older instance may have lowered what this one raised. */
static void
health_show_alarms(PtnHook *h, const ListHealth *list)
{
	ptn_alarm(h, ptn_format(h, "%s.health", list->name), list->trouble);
	ptn_alarm(h, ptn_format(h, "%s.error", list->name), list->error);
}

void
health_end(PtnHook *h, ListHealth *list)
{
	ptn_alarm(h, ptn_format(h, "%s.health", list->name), NULL);
	ptn_alarm(h, ptn_format(h, "%s.error", list->name), NULL);
}

/* ---- failures; with the lock held ---- */

static void
health_test_in(PtnHook *h, ListHealth *list, gint64 wait)
{
	list->planned = ptn_now(h);
	list->next_test = list->planned + wait;
}

static void
health_leave_out(PtnHook *h, ListHealth *list)
{
	const gint64 most = ptn_option_number(h, "pause-most"), first = ptn_option_number(h, "pause");

	list->pause = list->is_left_out ? MIN(list->pause * 2, MAX(most, first)) : first;
	list->is_left_out = true;
	health_test_in(h, list, list->pause);
	health_set_text(&list->trouble,
		ptn_format(h, "list %s does not answer: it is left out, and tried again every %d s or later", list->label,
			(int)(first / PTN_SECOND)));
	ptn_log(h, PTN_WARNING, "list %s did not answer %u times in a row: left out for %d s", list->label,
		list->failures, (int)(list->pause / PTN_SECOND));
}

static void
health_fail(PtnHook *h, ListHealth *list)
{
	ptn_count(h, ptn_format(h, "failed.%s", list->name), 1);
	list->failures++;
	if (list->is_left_out || list->failures < ptn_option_number(h, "patience"))
		return;
	health_leave_out(h, list);
	health_show_alarms(h, list);
}

static const char *
health_explain(const char *code)
{
	if (strcmp(code, "127.255.255.252") == 0)
		return "the zone is mistyped";
	if (strcmp(code, "127.255.255.254") == 0)
		return "asked through a public resolver";
	if (strcmp(code, "127.255.255.255") == 0)
		return "too many queries";
	if (strcmp(code, "127.0.0.1") == 0)
		return "it refuses our questions";
	return strncmp(code, "127.", 4) == 0 ? "an error code" : "not an answer of a list";
}

/* The codes of a list come and go, so the alarm tells the last one only. */
static void
health_note_error(PtnHook *h, ListHealth *list, const char *code)
{
	const char *text = ptn_format(
		h, "list %s answers %s (%s): nothing counts as listed", list->label, code, health_explain(code));

	ptn_count(h, ptn_format(h, "error.%s", list->name), 1);
	if (g_strcmp0(text, list->error) == 0)
		return;
	ptn_log(h, PTN_WARNING, "%s", text);
	health_set_text(&list->error, text);
	health_show_alarms(h, list);
}

static void
health_answered(PtnHook *h, ListHealth *list, Meaning meaning)
{
	const bool was_erring = list->error != NULL;

	list->failures = 0;
	if (meaning == MEANS_ERROR)
		return;
	health_set_text(&list->error, NULL);
	if (was_erring)
		health_show_alarms(h, list);
}

/* ---- for clients ---- */

bool
health_may_ask(ListHealth *list)
{
	bool may_ask;

	g_mutex_lock(&list->lock);
	may_ask = !list->is_left_out && !list->lists_all;
	g_mutex_unlock(&list->lock);
	return may_ask;
}

void
health_note(PtnHook *h, ListHealth *list, Meaning meaning, const char *value)
{
	g_mutex_lock(&list->lock);
	if (meaning == MEANS_UNKNOWN)
		health_fail(h, list);
	else
		health_answered(h, list, meaning);
	if (meaning == MEANS_ERROR)
		health_note_error(h, list, value);
	g_mutex_unlock(&list->lock);
}

static const char *
health_test_name(PtnHook *h, const ListHealth *list, unsigned i)
{
	return ptn_format(h, "%s.%s", list->tests[i].name, list->zone);
}

/* Right after the start the self-test may not have been done yet; then the answer for the first
 * entry is awaited here. */
Meaning
health_control(PtnHook *h, ListHealth *list)
{
	Meaning meaning = MEANS_NOTHING;
	const char *value;
	bool is_tested;

	g_mutex_lock(&list->lock);
	is_tested = list->is_tested;
	if (is_tested && list->lists_all)
		meaning = MEANS_LISTED;
	g_mutex_unlock(&list->lock);
	if (!is_tested)
		meaning = list->meaning(list->list, ptn_dns(h, health_test_name(h, list, 0), PTN_A), &value);
	if (meaning == MEANS_NOTHING)
		return MEANS_LISTED;
	if (meaning == MEANS_UNKNOWN)
		return MEANS_UNKNOWN;
	ptn_log(h, PTN_WARNING, "list %s lists %s, which no list does: nothing counts as listed", list->label,
		list->tests[0].shown);
	return MEANS_OTHER;
}

/* ---- the self-test ---- */

typedef struct {
	PtnLookup *lookups[LIST_TESTS_MOST];
	Meaning meanings[LIST_TESTS_MOST];
	const char *values[LIST_TESTS_MOST];
} Test;

static bool
health_is_due(PtnHook *h, ListHealth *list)
{
	const gint64 now = ptn_now(h);
	bool is_due;

	g_mutex_lock(&list->lock);
	is_due = now >= list->next_test || now < list->planned;
	g_mutex_unlock(&list->lock);
	return is_due;
}

/* Entry `i`, or one of its alternatives, is listed, or says something else than that it is not. */
static bool
health_has_entry(const ListHealth *list, const Test *test, unsigned i)
{
	bool has_entry = test->meanings[i] != MEANS_NOTHING;

	while (++i < list->n_tests && list->tests[i].is_alternative)
		has_entry |= test->meanings[i] != MEANS_NOTHING;
	return has_entry;
}

/* What is wrong; NULL: nothing. */
static const char *
health_verdict(PtnHook *h, const ListHealth *list, const Test *test, bool *lists_all)
{
	const ListTest *tests = list->tests;

	*lists_all = false;
	for (unsigned i = 0; i < list->n_tests && !*lists_all; i++)
		*lists_all =
			!tests[i].is_listed && (test->meanings[i] == MEANS_LISTED || test->meanings[i] == MEANS_OTHER);
	if (*lists_all)
		return ptn_format(h, "list %s lists %s, which no list does: it is left out", list->label, tests[0].shown);
	for (unsigned i = 0; i < list->n_tests; i++)
		if (tests[i].is_listed && !tests[i].is_alternative && !health_has_entry(list, test, i))
			return ptn_format(
				h, "list %s does not list its test entry %s%s", list->label, tests[i].shown, tests[i].advice);
	return NULL;
}

static void
health_judge_answers(PtnHook *h, ListHealth *list, const Test *test, const char *error)
{
	const char *verdict = health_verdict(h, list, test, &list->lists_all);

	ptn_count(h, ptn_format(h, "tested.%s", list->name), 1);
	health_answered(h, list, error != NULL ? MEANS_ERROR : MEANS_NOTHING);
	if (error != NULL)
		health_note_error(h, list, error);
	if (list->is_left_out)
		ptn_log(h, PTN_INFO, "list %s answers again", list->label);
	if (verdict != NULL && g_strcmp0(verdict, list->trouble) != 0)
		ptn_log(h, PTN_WARNING, "%s", verdict);
	list->is_left_out = false;
	list->is_tested = true;
	health_set_text(&list->trouble, verdict);
	health_test_in(h, list, verdict == NULL && error == NULL ? ptn_option_number(h, "test-every")
															 : MIN(ptn_option_number(h, "test-every"), SOON));
}

static void
health_judge(PtnHook *h, ListHealth *list, const Test *test)
{
	const char *error = NULL;
	bool is_answered = true;

	for (unsigned i = 0; i < list->n_tests; i++) {
		is_answered &= test->meanings[i] != MEANS_UNKNOWN;
		if (test->meanings[i] == MEANS_ERROR)
			error = test->values[i];
	}
	g_mutex_lock(&list->lock);
	if (is_answered) {
		health_judge_answers(h, list, test, error);
	} else if (list->is_left_out) {
		ptn_count(h, ptn_format(h, "retried.%s", list->name), 1);
		list->failures++;
		health_leave_out(h, list);
	} else {
		health_test_in(h, list, AGAIN);
		health_fail(h, list);
	}
	health_show_alarms(h, list);
	g_mutex_unlock(&list->lock);
}

static void
health_start_test(PtnHook *h, const ListHealth *list, Test *test)
{
	for (unsigned i = 0; i < list->n_tests; i++)
		test->lookups[i] = ptn_dns_start(h, health_test_name(h, list, i), PTN_A);
}

static void
health_finish_test(PtnHook *h, ListHealth *list, Test *test)
{
	for (unsigned i = 0; i < list->n_tests; i++)
		test->meanings[i] = list->meaning(list->list, ptn_dns_wait(h, test->lookups[i]), &test->values[i]);
	health_judge(h, list, test);
}

void
health_test_all(PtnHook *h, GPtrArray *lists)
{
	g_autofree Test *tests = g_new0(Test, lists->len + 1);
	g_autofree bool *is_due = g_new0(bool, lists->len + 1);

	for (guint i = 0; i < lists->len; i++) {
		is_due[i] = health_is_due(h, g_ptr_array_index(lists, i));
		if (is_due[i])
			health_start_test(h, g_ptr_array_index(lists, i), &tests[i]);
	}
	for (guint i = 0; i < lists->len; i++) {
		ListHealth *list = g_ptr_array_index(lists, i);

		if (is_due[i]) {
			health_finish_test(h, list, &tests[i]);
			continue;
		}
		g_mutex_lock(&list->lock);
		health_show_alarms(h, list);
		g_mutex_unlock(&list->lock);
	}
}

/* ---- for people ---- */

const char *
health_describe(PtnHook *h, ListHealth *list)
{
	const char *word = "ok";

	g_mutex_lock(&list->lock);
	if (list->is_left_out || list->lists_all)
		word = ptn_format(h, "left out: %s", list->trouble);
	else if (list->error != NULL || list->trouble != NULL)
		word = ptn_format(h, "%s", list->error != NULL ? list->error : list->trouble);
	else if (!list->is_tested)
		word = "not tested yet";
	g_mutex_unlock(&list->lock);
	return word;
}

void
health_tell_doctor(PtnHook *h, const char *plugin, ListHealth *list)
{
	const char *state = health_describe(h, list);
	const bool is_ok = strcmp(state, "ok") == 0;

	ptn_row(h, "result", is_ok ? "ok" : "look", "check", ptn_format(h, "%s/%s", plugin, list->name), "detail",
		is_ok ? "its self-test succeeds" : state, NULL);
}
