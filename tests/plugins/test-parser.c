/* test-parser.c - ptn_parse(): what a parser may do, and what becomes of one that does not answer. */
#include "plugin-test.h"

#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/module.h"
#include "sandbox/parsers.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_prober;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1 /* which needs some calls more, and memory without a limit */
#else
#define HAS_SANITIZER 0
#endif

#define SENDER "user@example.net"
#define ECHO "state 5 6 octets"

static PtnTest *
new_test(const char *config)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_prober, NULL };

	return ptn_test_new_chain(plugins, config);
}

static void
check_says(PtnTest *test, const char *what, const char *expected)
{
	const char *said = ptn_test_command(test, "prober", "parser", what, NULL);
	g_autofree char *actual = g_strdup_printf("%s: %s", what, strstr(said, expected) != NULL ? expected : said);
	g_autofree char *wanted = g_strdup_printf("%s: %s", what, expected);

	ASSERT_TEXT(actual, wanted);
}

static void
test_answer(void)
{
	PtnTest *test = new_test(NULL);

	check_says(test, "echo", ECHO);
	check_says(test, "echo", ECHO);
	ptn_test_free(test);
}

/* Neither files nor network nor other processes. */
static void
test_rights(void)
{
	static const char *const refused[] = { "exec", "fork", "open", "stat", "socket", "netlink", "kill", "ptrace",
		"unshare", "mount", "setuid", "keyctl", "code", "interfaces", "signal", "limits", "typing" };
	static const char *const sanitizers_need[] = { "fork", "open", "stat", "kill", "ptrace", "code", "signal", NULL };
	PtnTest *test = new_test(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
		if (!HAS_SANITIZER || !g_strv_contains(sanitizers_need, refused[i]))
			check_says(test, refused[i], "EPERM");
	check_says(test, "clone3", "ENOSYS");
	check_says(test, "descriptors", "ok");
	ptn_test_free(test);
}

/* The plugin fails, says why, and has another parser for the next call. */
static void
test_ends(void)
{
	static const struct {
		const char *what, *why;
	} ends[] = { { "crash", "its parser died: Segmentation fault (signal 11)" },
		{ "abort", "its parser died: Aborted (signal 6)" }, { "exit", "its parser ended with exit code 3" },
		{ "long", "its parser gave a longer answer than it may" },
		{ "memory", "its parser died" } };
	PtnTest *test = new_test("[plugin prober]\ndeadline = 30s\n");

	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		if (HAS_SANITIZER && strchr("cam", ends[i].what[0]) != NULL)
			continue; /* a sanitizer makes a report of it */
		check_says(test, ends[i].what, ends[i].why);
		check_says(test, "echo", ECHO);
	}
	ptn_test_free(test);
}

/* It is not taken for the answer to another call. */
static void
test_two_answers(void)
{
	PtnTest *test = new_test("[plugin prober]\ndeadline = 30s\n");

	for (int i = 0; i < 20; i++) {
		check_says(test, "early", "its parser gave an answer that belongs to no call");
		check_says(test, "echo", ECHO);
	}
	ptn_test_free(test);
}

static void
test_hang(void)
{
	PtnTest *test = new_test("[plugin prober]\ndeadline = 1s\n");

	check_says(test, "hang", "its parser did not answer in time");
	check_says(test, "echo", ECHO);
	ptn_test_free(test);
}

/* Nobody has fetched its status yet. */
static void
wait_for_end(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
	g_autofree char *text = NULL;

	while (g_file_get_contents(path, &text, NULL, NULL) && strstr(text, ") Z ") == NULL) {
		g_clear_pointer(&text, g_free);
		g_usleep(1000);
	}
}

/* One that the system ended while it was idle costs no message. */
static void
test_idle_end(void)
{
	PtnTest *test = new_test(NULL);
	const char *said = ptn_test_command(test, "prober", "parser", "pid", NULL);
	const pid_t pid = atoi(strpbrk(said, "0123456789"));

	CU_ASSERT_FATAL(pid > 1 && kill(pid, SIGKILL) == 0);
	wait_for_end(pid);
	check_says(test, "echo", ECHO);
	ptn_test_free(test);
}

static void
submit(PtnTest *test, const char *subject, const char *start)
{
	g_autofree char *content = g_strdup_printf("Subject: %s\r\n\r\nhello\r\n", subject);
	const char *reply;

	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, SENDER, "x");
	reply = ptn_test_submit(test, SENDER, "rcpt@example.org", content);
	if (strncmp(reply, start, strlen(start)) != 0)
		ASSERT_TEXT(reply, start);
}

static void
check_messages(const char *config, const char *start)
{
	PtnTest *test = new_test(config);

	ptn_test_entry(test, PTN_ACCOUNT, SENDER, "password", "unused", NULL);
	submit(test, "echo", "250");
	submit(test, "exit", start);
	submit(test, "echo", "250");
	ptn_test_free(test);
}

static void
test_messages(void)
{
	check_messages("[plugin prober]\non-error = defer\n", "451");
	check_messages("[plugin prober]\non-error = pass\n", "250");
}

static const PtnPlugin *
load_nothing(const char *directory, const char *name, GError **error)
{
	(void)directory;
	(void)name;
	(void)error;
	return NULL;
}

/* The daemon can end no process: nor can it by way of the keeper. */
static void
test_keeper_ends_its_own(void)
{
	g_autoptr(GError) error = NULL;
	Keeper *keeper = keeper_open(load_nothing, &error);
	const pid_t other = fork();

	if (other == 0) {
		(void)pause();
		_exit(0);
	}
	CU_ASSERT_FATAL(keeper != NULL && other > 0);
	CU_ASSERT_EQUAL(keeper_end_parser(keeper, other), -1);
	CU_ASSERT_EQUAL(keeper_end_parser(keeper, -1), -1);
	CU_ASSERT_EQUAL(waitpid(other, NULL, WNOHANG), 0);
	(void)kill(other, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(other, NULL, 0), other);
	keeper_close(keeper);
}

/* Stopped, as by a debugger: nobody waits beyond the deadline, and a parser that was started too late is ended. */
static void
test_keeper_is_stopped(void)
{
	static const ParsersLimits limits = { .most = 2, .most_uses = 100, .memory = 256 << 20, .answer = 64 << 20 };
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) what = g_bytes_new_static("echo", 5);
	g_autoptr(Parsers) parsers = NULL;
	g_autoptr(GByteArray) answer = NULL;
	const int64_t begun = g_get_monotonic_time();

	module_add_linked(&ptn_plugin_prober);
	parsers = parsers_open(module_load, &limits, &error);
	CU_ASSERT_FATAL(parsers != NULL && parsers_load(parsers, "", "prober", &error));
	CU_ASSERT_EQUAL(kill(parsers_keeper(parsers), SIGSTOP), 0);
	answer = parsers_call(parsers, "prober", what, "octets", 6, begun + G_USEC_PER_SEC / 2, &error);
	CU_ASSERT_TRUE(answer == NULL && g_get_monotonic_time() - begun < 10 * G_USEC_PER_SEC);
	ASSERT_TEXT(error->message, "the keeper of parsers does not answer");
	ASSERT_TEXT(parsers_trouble(parsers), "the keeper of parsers does not answer");
	CU_ASSERT_EQUAL(kill(parsers_keeper(parsers), SIGCONT), 0);
	answer = parsers_call(
		parsers, "prober", what, "octets", 6, g_get_monotonic_time() + 60 * G_USEC_PER_SEC, NULL);
	CU_ASSERT_TRUE(answer != NULL && memcmp(answer->data, ECHO, strlen(ECHO)) == 0);
	CU_ASSERT_TRUE(parsers_trouble(parsers) == NULL);
}

/* An answer may have as many octets as the limit says, which a reload may change. */
static void
test_longest_answer(void)
{
	ParsersLimits limits = { .most = 2, .most_uses = 100, .memory = 256 << 20, .answer = strlen(ECHO) };
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) what = g_bytes_new_static("echo", 5);
	g_autoptr(Parsers) parsers = NULL;
	const int64_t until_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	GByteArray *answer;

	module_add_linked(&ptn_plugin_prober);
	parsers = parsers_open(module_load, &limits, NULL);
	CU_ASSERT_FATAL(parsers != NULL && parsers_load(parsers, "", "prober", NULL));
	answer = parsers_call(parsers, "prober", what, "octets", 6, until_us, NULL);
	CU_ASSERT_TRUE_FATAL(answer != NULL && answer->len == strlen(ECHO));
	g_byte_array_unref(answer);
	limits.answer--;
	parsers_set_limits(parsers, &limits);
	CU_ASSERT_PTR_NULL(parsers_call(parsers, "prober", what, "octets", 6, until_us, &error));
	ASSERT_TEXT(error->message, "its parser gave a longer answer than it may");
}

/* ---- callers that wait ---- */

typedef struct {
	Parsers *parsers;
	const char *plugin, *what;
	int64_t time_us; /* until its deadline */
	bool is_answered;
	GThread *thread;
} Caller;

static void *
caller_run(void *data)
{
	Caller *caller = data;
	g_autoptr(GBytes) what = g_bytes_new_static(caller->what, strlen(caller->what) + 1);
	g_autoptr(GByteArray) answer = parsers_call(caller->parsers, caller->plugin, what, "octets", 6,
		g_get_monotonic_time() + caller->time_us, NULL);

	caller->is_answered = answer != NULL;
	return NULL;
}

static void
caller_start(Caller *caller, Parsers *parsers)
{
	caller->parsers = parsers;
	caller->thread = g_thread_new("caller", caller_run, caller);
	g_usleep(G_USEC_PER_SEC / 5); /* who waits first is what matters */
}

/* The end of a parser wakes a caller of its own plugin, whoever has waited longer for another. */
static void
test_waiting_callers(void)
{
	static const ParsersLimits limits = { .most = 1, .most_uses = 100, .memory = 256 << 20, .answer = 64 << 20 };
	static PtnPlugin second;
	Caller callers[] = { { .plugin = "prober", .what = "hang", .time_us = 5 * G_USEC_PER_SEC },
		{ .plugin = "prober", .what = "echo", .time_us = 4 * G_USEC_PER_SEC },
		{ .plugin = "second", .what = "hang", .time_us = G_USEC_PER_SEC },
		{ .plugin = "second", .what = "echo", .time_us = 4 * G_USEC_PER_SEC } };
	g_autoptr(Parsers) parsers = NULL;

	second = ptn_plugin_prober;
	second.name = "second";
	module_add_linked(&ptn_plugin_prober);
	module_add_linked(&second);
	parsers = parsers_open(module_load, &limits, NULL);
	CU_ASSERT_FATAL(parsers_load(parsers, "", "prober", NULL) && parsers_load(parsers, "", "second", NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
		caller_start(&callers[i], parsers);
	(void)g_thread_join(callers[3].thread);
	CU_ASSERT_TRUE(callers[3].is_answered);
	(void)g_thread_join(callers[1].thread);
	CU_ASSERT_FALSE(callers[1].is_answered);
	(void)g_thread_join(callers[2].thread);
	(void)g_thread_join(callers[0].thread);
}

static const UnitTest tests[] = { { "a keeper ends its own children alone", test_keeper_ends_its_own },
	{ "Z-10 a keeper that is stopped holds nobody", test_keeper_is_stopped },
	{ "an answer has a limit", test_longest_answer }, { "the answer, its parameters and octets", test_answer },
	{ "Z-10 a parser has no files, network or other processes", test_rights },
	{ "Z-10 a parser that ends without an answer", test_ends },
	{ "Z-10 an answer too many ends a parser", test_two_answers },
	{ "Z-10 a parser that hangs is ended", test_hang }, { "a parser that died idle costs no message", test_idle_end },
	{ "Z-10 its end is the failure of one message", test_messages },
	{ "a caller that waits is woken by its own plugin's parsers", test_waiting_callers }, /* its threads take address space */
	{ 0 } };
static const UnitSuite suite = { "parser", tests };

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
