/* test-notices.c - notices of plugins: what core adds, and what becomes of those that cannot be sent. */
#include "plugin-test.h"

#include <glib.h>
#include <string.h>

#include "unit/unit.h"

static const char *to;
static const char *last_value = "acme";
static const char *about = "example.com";

static PtnVerdict
notify(PtnHook *h)
{
	return ptn_notify(h, to, ptn_arguments(h)[0], "domain", about, "change",
			   "Accept\r\nBcc: x@example.org", "customer", last_value, NULL)
			   ? PTN_NEXT
			   : ptn_fail(h, "not sent");
}

static PtnVerdict
render(PtnHook *h)
{
	const char *text = ptn_render(h, "iphelper", "domain", "a\r\nBcc: x@example.org", "change", "c", "customer",
		"acme", "recipient", ptn_arguments(h)[0], NULL);

	if (text == NULL || !ptn_submit(h, "owner@example.net", "box@example.net", text))
		return ptn_fail(h, "not sent");
	ptn_row(h, "service", ptn_fact(h, "service-name"), NULL);
	return PTN_NEXT;
}

static PtnVerdict
render_badly(PtnHook *h)
{
	return ptn_render(h, "iphelper", "domain", "example.com", NULL) != NULL ? PTN_NEXT
																			: ptn_fail(h, "a name has no value");
}

static const PtnCommand commands[] = { { "notify", "NAME", "sends it", notify },
	{ "render", "TO", "the same", render }, { "render-badly", "", "values are missing", render_badly }, { 0 } };
static const PtnPlugin plugin = { PTN_HEAD("notices"), .version = "1", .summary = "notices",
	.commands = commands };

static void
test_sent(void)
{
	PtnTest *test = ptn_test_new(&plugin, NULL);
	const char *text;

	to = "alert@example.net";
	last_value = NULL;
	ASSERT_TEXT(ptn_test_command(test, "notices", "notify", "iphelper", NULL), "");
	CU_ASSERT_EQUAL_FATAL(ptn_test_queued(test), 1);
	ASSERT_TEXT(ptn_test_queued_sender(test, 0), "");
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 0), "alert@example.net");
	text = ptn_test_queued_text(test, 0);
	CU_ASSERT_TRUE(g_str_has_prefix(text, "From: postmaster@test.example.net\r\nTo: alert@example.net\r\n"
										  "Subject: [postern] IP Helper example.com\r\nDate: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nMessage-ID: <"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nAuto-Submitted: auto-generated\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\n\r\nAccept\r\nBcc: x@example.org\r\n--\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "alert@example.net' account ''."));
	last_value = "acme";
	ptn_test_free(test);
}

static void
test_rendered(void)
{
	PtnTest *test = ptn_test_new(&plugin, "[server]\nservice-name = rollernet\n");
	const char *text;

	ASSERT_TEXT(ptn_test_command(test, "notices", "render", "list@example.net", NULL), "service=rollernet\n");
	ASSERT_TEXT(ptn_test_queued_sender(test, 0), "owner@example.net");
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 0), "box@example.net");
	text = ptn_test_queued_text(test, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nTo: list@example.net\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nSubject: [rollernet] IP Helper a  Bcc: x@example.org\r\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "\nBcc:"));
	ASSERT_TEXT(ptn_test_command(test, "notices", "render-badly", NULL), "error: a name has no value\n");
	ptn_test_free(test);
}

static void
test_not_sent(void)
{
	PtnTest *test = ptn_test_new(&plugin, NULL);
	const char *const nobody[] = { NULL, "", "no address", "a@example.org\r\nBcc: b@example.org" };

	for (size_t i = 0; i < G_N_ELEMENTS(nobody); i++) {
		to = nobody[i];
		ASSERT_TEXT(ptn_test_command(test, "notices", "notify", "iphelper", NULL), "error: not sent\n");
		CU_ASSERT_PTR_NOT_NULL(
			strstr(ptn_test_alarm(test, "notice.iphelper.example.com"), "domain: example.com; change: Accept  Bcc"));
	}
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	to = "alert@example.net";
	(void)ptn_test_command(test, "notices", "notify", "iphelper", NULL);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "notice.iphelper.example.com"));
	(void)ptn_test_command(test, "notices", "notify", "unheard-of", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_alarm(test, "notice.unheard-of.example.com"), "there is no template"));
	ptn_test_free(test);
}

/* What is sent about one domain says nothing of another. */
static void
test_not_sent_about_one(void)
{
	PtnTest *test = ptn_test_new(&plugin, NULL);

	to = NULL;
	(void)ptn_test_command(test, "notices", "notify", "iphelper", NULL);
	to = "alert@example.net";
	about = "example.org";
	ASSERT_TEXT(ptn_test_command(test, "notices", "notify", "iphelper", NULL), "");
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "notice.iphelper.example.org"));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "notice.iphelper.example.com"));
	about = "example.com";
	ASSERT_TEXT(ptn_test_command(test, "notices", "notify", "iphelper", NULL), "");
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "notice.iphelper.example.com"));
	ptn_test_free(test);
}

static void
test_own_file(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *path = g_build_filename(directory, "iphelper", NULL);
	g_autofree char *config = g_strdup_printf("[server]\ntemplates = %s\n", directory);
	PtnTest *test = ptn_test_new(&plugin, config);

	to = "alert@example.net";
	(void)g_file_set_contents(path, "Subject: own %{customer}\n\n", -1, NULL);
	(void)ptn_test_command(test, "notices", "notify", "iphelper", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 0), "\r\nSubject: own acme\r\n"));
	(void)g_file_set_contents(path, "Subject: own %{costumer}\n\n", -1, NULL);
	(void)ptn_test_command(test, "notices", "notify", "iphelper", NULL);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_queued_text(test, 1), "\r\nSubject: [postern] IP Helper example.com\r\n"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_alarm(test, "template.iphelper"), "/iphelper:1: there is no \"%{costumer}\""));
	ptn_test_free(test);
	unit_remove_directory(directory);
}

static const UnitTest tests[] = {
	{ "a notice has a null sender, our postmaster as From, and what every message needs", test_sent },
	{ "a rendered notice is a message for ptn_submit(), and its values stay in their lines", test_rendered },
	{ "what cannot be sent is an alarm, until one can", test_not_sent },
	{ "a notice about one domain does not lower the alarm of another", test_not_sent_about_one },
	{ "a file takes the place of the text compiled in, unless it is broken", test_own_file },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "notices", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
