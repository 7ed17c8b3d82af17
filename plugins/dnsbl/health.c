/* health.c - failures in a row, pauses, self-tests, alarms. */
#include "health.h"

#include <string.h>

enum { TESTS = 4, BY_IPV6 = 2 }; /* 127.0.0.1, 127.0.0.2, and the same of IPv6 */

#define SOON (5 * 60 * PTN_SECOND)
#define AGAIN (60 * PTN_SECOND)

/* ---- alarms ---- */

static void
health_set_text(char **text, const char *now)
{
	g_free(*text);
	*text = g_strdup(now);
}

/* Also where nothing changed: an older instance may have lowered what this one raised. */
static void
health_show_alarms(PtnHook *h, const List *list)
{
	ptn_alarm(h, ptn_format(h, "%s.health", list->name), list->trouble);
	ptn_alarm(h, ptn_format(h, "%s.error", list->name), list->error);
}

void
health_end(PtnHook *h, List *list)
{
	ptn_alarm(h, ptn_format(h, "%s.health", list->name), NULL);
	ptn_alarm(h, ptn_format(h, "%s.error", list->name), NULL);
}

/* ---- failures; with the lock held ---- */

static void
health_leave_out(PtnHook *h, List *list)
{
	const gint64 most = ptn_option_number(h, "pause-most"), first = ptn_option_number(h, "pause");

	list->pause = list->is_left_out ? MIN(list->pause * 2, MAX(most, first)) : first;
	list->is_left_out = true;
	list->next_test = ptn_now(h) + list->pause;
	health_set_text(&list->trouble,
		ptn_format(h, "list %s (%s) does not answer: it is left out, and tried again every %d s or later",
			list->name, list->shown, (int)(first / PTN_SECOND)));
	ptn_log(h, PTN_WARNING, "list %s (%s) did not answer %u times in a row: left out for %d s", list->name,
		list->shown, list->failures, (int)(list->pause / PTN_SECOND));
}

static void
health_fail(PtnHook *h, List *list)
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
	return strncmp(code, "127.", 4) == 0 ? "an error code" : "not an answer of a list";
}

/* The codes of a list come and go, so the alarm tells the last one only. */
static void
health_note_error(PtnHook *h, List *list, const char *code)
{
	const char *text = ptn_format(h, "list %s (%s) answers %s (%s): nobody counts as listed", list->name,
		list->shown, code, health_explain(code));

	ptn_count(h, ptn_format(h, "error.%s", list->name), 1);
	if (g_strcmp0(text, list->error) == 0)
		return;
	ptn_log(h, PTN_WARNING, "%s", text);
	health_set_text(&list->error, text);
	health_show_alarms(h, list);
}

static void
health_answered(PtnHook *h, List *list, Meaning meaning)
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
health_may_ask(List *list)
{
	bool may_ask;

	g_mutex_lock(&list->lock);
	may_ask = !list->is_left_out && !list->lists_all;
	g_mutex_unlock(&list->lock);
	return may_ask;
}

void
health_note(PtnHook *h, List *list, Meaning meaning, const char *value)
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

/* Right after the start the self-test may not have been done yet; then the answer for 127.0.0.1 is awaited here. */
Meaning
health_control(PtnHook *h, List *list)
{
	const char *value;
	bool is_tested, lists_all;

	g_mutex_lock(&list->lock);
	is_tested = list->is_tested;
	lists_all = list->lists_all;
	g_mutex_unlock(&list->lock);
	if (is_tested)
		return lists_all ? MEANS_LISTED : MEANS_NOTHING;
	return list_meaning(list, ptn_dns(h, list_test_name(h, list, 1, false), PTN_A), &value);
}

/* ---- the self-test ---- */

typedef struct {
	PtnLookup *lookups[TESTS];
	Meaning meanings[TESTS];
	const char *values[TESTS];
} Test;

static bool
health_is_due(PtnHook *h, List *list)
{
	bool is_due;

	g_mutex_lock(&list->lock);
	is_due = ptn_now(h) >= list->next_test;
	g_mutex_unlock(&list->lock);
	return is_due;
}

static int
health_tests_of(const List *list)
{
	return list->takes_ipv6 ? TESTS : BY_IPV6;
}

/* What is wrong; NULL: nothing. */
static const char *
health_verdict(PtnHook *h, const List *list, const Test *test, bool *lists_all)
{
	*lists_all = false;
	for (int i = 0; i < health_tests_of(list); i += 2)
		*lists_all |= test->meanings[i] == MEANS_LISTED || test->meanings[i] == MEANS_OTHER;
	if (*lists_all)
		return ptn_format(
			h, "list %s (%s) lists 127.0.0.1, which no list does: it is left out", list->name, list->shown);
	if (test->meanings[1] == MEANS_NOTHING)
		return ptn_format(h,
			"list %s (%s) does not list its test entry 127.0.0.2: is it the right zone, and alive?", list->name,
			list->shown);
	if (list->takes_ipv6 && test->meanings[BY_IPV6 + 1] == MEANS_NOTHING)
		return ptn_format(h,
			"list %s (%s) does not list its test entry ::FFFF:7F00:2; if it knows IPv4 only, set ipv6 = no",
			list->name, list->shown);
	return NULL;
}

static void
health_judge_answers(PtnHook *h, List *list, const Test *test, const char *error)
{
	const char *verdict = health_verdict(h, list, test, &list->lists_all);

	ptn_count(h, ptn_format(h, "tested.%s", list->name), 1);
	health_answered(h, list, error != NULL ? MEANS_ERROR : MEANS_NOTHING);
	if (error != NULL)
		health_note_error(h, list, error);
	if (list->is_left_out)
		ptn_log(h, PTN_INFO, "list %s (%s) answers again", list->name, list->shown);
	if (verdict != NULL && g_strcmp0(verdict, list->trouble) != 0)
		ptn_log(h, PTN_WARNING, "%s", verdict);
	list->is_left_out = false;
	list->is_tested = true;
	health_set_text(&list->trouble, verdict);
	list->next_test =
		ptn_now(h) + (verdict == NULL && error == NULL ? ptn_option_number(h, "test-every")
													   : MIN(ptn_option_number(h, "test-every"), SOON));
}

static void
health_judge(PtnHook *h, List *list, const Test *test)
{
	const char *error = NULL;
	bool is_answered = true;

	for (int i = 0; i < health_tests_of(list); i++) {
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
		list->next_test = ptn_now(h) + AGAIN;
		health_fail(h, list);
	}
	health_show_alarms(h, list);
	g_mutex_unlock(&list->lock);
}

static void
health_start_test(PtnHook *h, const List *list, Test *test)
{
	for (int i = 0; i < health_tests_of(list); i++)
		test->lookups[i] = ptn_dns_start(h, list_test_name(h, list, 1 + i % 2, i >= BY_IPV6), PTN_A);
}

static void
health_finish_test(PtnHook *h, List *list, Test *test)
{
	for (int i = 0; i < health_tests_of(list); i++)
		test->meanings[i] = list_meaning(list, ptn_dns_wait(h, test->lookups[i]), &test->values[i]);
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
		List *list = g_ptr_array_index(lists, i);

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
health_describe(PtnHook *h, List *list)
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
