/* test-misbehaving.c - what the host does with plugins that break the rules of plugin-api.h. */
#include "plugin-test.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "host/module.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_bad_nonsense, ptn_plugin_bad_wordless, ptn_plugin_bad_lines, ptn_plugin_bad_success,
	ptn_plugin_bad_settler, ptn_plugin_bad_identifier, ptn_plugin_bad_editor, ptn_plugin_bad_changer, ptn_plugin_bad_sleeper,
	ptn_plugin_bad_judge, ptn_plugin_listener, ptn_plugin_queue, ptn_plugin_short_words, ptn_plugin_bad_clash,
	ptn_plugin_bad_core, ptn_plugin_shelf;

/* misbehaving.c is linked in and loaded, too. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_odr_violation=0";
}

static PtnTest *
new_session(const PtnPlugin *plugin, const PtnPlugin *other, const char *config)
{
	const PtnPlugin *const plugins[] = { &ptn_test_door, plugin, other, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "password", "unused", NULL);
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, "user@example.net", "x"), "235", 3), 0);
	return test;
}

static const char *
submit(PtnTest *test, const char *subject)
{
	char content[200];

	(void)snprintf(content, sizeof content, "Subject: %s\r\n\r\nbody\r\n", subject);
	return ptn_test_submit(test, "user@example.net", "x@example.org", content);
}

static void
test_verdicts(void)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_bad_nonsense, &ptn_plugin_bad_wordless, &ptn_plugin_bad_lines,
		&ptn_plugin_bad_success, &ptn_plugin_bad_settler, &ptn_plugin_bad_identifier };

	for (size_t i = 0; i < G_N_ELEMENTS(plugins); i++) {
		PtnTest *test = new_session(plugins[i], NULL, NULL);

		ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "451 4.3.0 Error: temporary problem, try again later\n");
		CU_ASSERT_FALSE(ptn_test_is_closed(test));
		ptn_test_free(test);
	}
}

static void
test_on_error_pass(void)
{
	PtnTest *test = new_session(&ptn_plugin_bad_nonsense, NULL, "[plugin bad-nonsense]\non-error = pass\n");

	CU_ASSERT_EQUAL(strncmp(submit(test, "a"), "250", 3), 0);
	ptn_test_free(test);
}

static void
test_mode(void)
{
	PtnTest *test = new_session(&ptn_plugin_bad_changer, NULL, "[plugin bad-changer]\nmode = warn\n");

	CU_ASSERT_EQUAL(strncmp(submit(test, "refuse"), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	CU_ASSERT_FALSE(ptn_test_queued_is_held(test, 0));
	ASSERT_TEXT(ptn_test_queued_sender(test, 0), "user@example.net");
	ptn_test_free(test);
}

static void
test_edits(void)
{
	PtnTest *test = new_session(&ptn_plugin_bad_editor, NULL, NULL);
	const char *text;

	CU_ASSERT_EQUAL(strncmp(submit(test, "a"), "250", 3), 0);
	CU_ASSERT_EQUAL_FATAL(ptn_test_queued(test), 1);
	ASSERT_TEXT(ptn_test_queued_sender(test, 0), "user@example.net");
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 0), "x@example.org");
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 1), NULL);
	ASSERT_TEXT(ptn_test_queued_note(test, 0, "bad-editor.long"), NULL);
	ASSERT_TEXT(ptn_test_queued_note(test, 0, "bad-editor.short"), "kept");
	text = ptn_test_queued_text(test, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nX-Injected: a"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nX-Folded: a\r\n\tb\r\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "\r\nEvil"));
	CU_ASSERT_PTR_NULL(strstr(text, "\nEvil"));
	ptn_test_free(test);
}

static void
test_edits_dropped(void)
{
	PtnTest *test = new_session(&ptn_plugin_bad_changer, NULL, NULL);

	CU_ASSERT_EQUAL(strncmp(submit(test, "refuse"), "550 5.7.1", 9), 0);
	CU_ASSERT_EQUAL(strncmp(submit(test, "fail"), "451 4.3.0", 9), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
	test = new_session(&ptn_plugin_bad_changer, NULL, "[plugin bad-changer]\non-error = pass\n");
	CU_ASSERT_EQUAL(strncmp(submit(test, "fail"), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	CU_ASSERT_FALSE(ptn_test_queued_is_held(test, 0));
	ASSERT_TEXT(ptn_test_queued_sender(test, 0), "user@example.net");
	ptn_test_free(test);
}

static void
test_sleeper(void)
{
	PtnTest *test = new_session(&ptn_plugin_bad_sleeper, NULL, "[plugin bad-sleeper]\ndeadline = 100ms\n");
	const int64_t begun_us = g_get_monotonic_time();

	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "451 4.3.0", 9), 0);
	CU_ASSERT(g_get_monotonic_time() - begun_us < 10 * G_USEC_PER_SEC);
	ptn_test_free(test);
}

static void
test_judge(void)
{
	PtnTest *test = new_session(&ptn_plugin_bad_judge, &ptn_plugin_listener, NULL);

	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<bad"), "501", 3), 0);
	ptn_test_connect(test, "192.0.2.1"); /* the session before is over, and so are its observers */
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.listener.heard.501"), 1);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.listener.heard.235"), 1);
	ptn_test_free(test);
}

/* ---- what does not load ---- */

/* The shared object under each of its names, in a directory of its own. */
static char *
new_folder(void)
{
	static const char *const names[] = { "bad-stage", "bad-both", "bad-tick", "bad-name", "bad-major", "bad-minor",
		"bad-size", "bad-lost", "bad-three", "bad-meaning", "new-meaning", "nothing" };
	const char *build = g_getenv("TOP_BUILDDIR") != NULL ? g_getenv("TOP_BUILDDIR") : ".";
	g_autofree char *all = g_build_filename(build, "tests/plugins/.libs/misbehaving.so", NULL);
	g_autofree char *newer = g_build_filename(build, "tests/plugins/.libs/bad-newer.so", NULL);
	char *folder = unit_new_directory();
	g_autofree char *newer_link = g_build_filename(folder, "bad-newer.so", NULL);
	g_autofree char *text = g_build_filename(folder, "text.so", NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *link = g_strdup_printf("%s/%s.so", folder, names[i]);

		CU_ASSERT_EQUAL(symlink(all, link), 0);
	}
	CU_ASSERT_EQUAL(symlink(newer, newer_link), 0);
	CU_ASSERT_TRUE(g_file_set_contents(text, "no shared object\n", -1, NULL));
	return folder;
}

static void
test_loading(void)
{
	static const struct {
		const char *name, *says;
	} cases[] = { { "bad-major", "was built for API 1, this Postern has API 0" }, { "bad-minor", "newer than this Postern's" },
		{ "bad-size", "larger PtnPlugin" }, { "bad-name", "calls itself \"another-name\"" },
		{ "bad-stage", "a hook at stage 20, which does not exist" }, { "bad-both", "both inline and heavy" },
		{ "bad-tick", "no time between ticks" }, { "bad-lost", "for a command \"nothing\" that it does not have" },
		{ "bad-three", "\"one two three\", which is not one word or two" },
		{ "bad-meaning", "not an option of the type and place" }, { "new-meaning", "a meaning 99, which does not exist" },
		{ "nothing", "it has no ptn_plugin_nothing" }, { "missing", "there is no " }, { "../evil", "no name of a plugin" },
		{ "text", "cannot be loaded" }, { "bad-newer", "bad-newer.so needs ptn_foretell(), which this Postern lacks" } };
	g_autofree char *folder = new_folder();

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		CU_ASSERT_PTR_NULL(module_load(folder, cases[i].name, &error));
		ASSERT_TEXT(error != NULL && strstr(error->message, cases[i].says) != NULL ? cases[i].says
			: error != NULL ? error->message : "it was loaded", cases[i].says);
	}
	unit_remove_directory(folder);
}

static bool
reserve_two(const char *word)
{
	return strcmp(word, "queue") == 0 || strcmp(word, "recipient") == 0;
}

/* Loads the plugins in this order; what was wrong, borrowed for the next call. */
static const char *
load_words(const PtnPlugin *const *plugins)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) rows = NULL;

	for (; *plugins != NULL; plugins++) {
		module_add_linked(*plugins);
		g_ptr_array_add(names, (void *)(uintptr_t)(*plugins)->name);
	}
	g_ptr_array_add(names, NULL);
	rows = host_load("/nonexistent", (const char *const *)names->pdata, reserve_two, mistakes);
	CU_ASSERT(mistakes->len <= 1);
	return mistakes->len > 0 ? g_intern_string(g_ptr_array_index(mistakes, 0)) : "";
}

static void
test_words(void)
{
	const struct {
		const PtnPlugin *plugins[3];
		const char *says;
	} cases[] = { { { &ptn_plugin_short_words }, "" },
		{ { &ptn_plugin_queue },
			"plugin queue has commands \"posternctl queue\", which is one of Postern's own" },
		{ { &ptn_plugin_bad_core },
			"plugin bad-core has commands \"posternctl recipient\", which is one of Postern's own" },
		{ { &ptn_plugin_short_words, &ptn_plugin_bad_clash },
			"plugin bad-clash has commands \"posternctl shelf\", which is taken by plugin short-words: leave one of them "
			"out of [server] plugins" },
		{ { &ptn_plugin_shelf, &ptn_plugin_short_words },
			"plugin short-words has commands \"posternctl shelf\", which is taken by plugin shelf: leave one of them out "
			"of [server] plugins" },
		{ { &ptn_plugin_short_words, &ptn_plugin_shelf },
			"plugin shelf has commands \"posternctl shelf\", which is taken by plugin short-words: leave one of them out "
			"of [server] plugins" } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		ASSERT_TEXT(load_words(cases[i].plugins), cases[i].says);
}

static const UnitTest tests[] = {
	{ "verdicts that make no sense: the client is put off, and nothing of theirs is sent", test_verdicts },
	{ "with on-error = pass the mail goes on", test_on_error_pass },
	{ "with mode = warn a refusal is logged only, and its edits are dropped", test_mode },
	{ "long notes, injected header lines, bad addresses are not taken", test_edits },
	{ "edits and copies of a hook that refuses or fails are dropped", test_edits_dropped },
	{ "a hook that sleeps over its deadline has failed", test_sleeper },
	{ "an observer that judges is not listened to, and does not silence the next", test_judge },
	{ "what does not fit is not loaded, and the reason is told in words", test_loading },
	{ "Y-25 a word of posternctl belongs to the core or to one plugin", test_words },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "misbehaving", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
