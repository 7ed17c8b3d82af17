/* test-service-rules.c - rules of plugin-api.h about services and memory: what lives how long, whose keys are whose, what
 * is left open, how much work may wait, and what a getter says where there is nothing. */
#include "plugin-test.h"

#include <glib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit/unit.h"

#define LOGIN "user@example.net"

static PtnHookRow rows[6];
static const PtnOption options[] = {
	{ "colour", PTN_TEXT | PTN_LIST, PTN_IN_SERVER | PTN_IN_ITEM, "red blue", "colours" }, { 0 }
};
static const PtnPlugin one = { PTN_HEAD("one"), .version = "1", .summary = "first", .hooks = rows,
	.options = options, .session_size = 8, .message_size = 8 };

/* `other`: behind it; NULL: none. */
static PtnTest *
new_test(const PtnPlugin *other, const char *config)
{
	const PtnPlugin *const plugins[] = { &ptn_test_door, &one, other, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, LOGIN, "x"), "235", 3), 0);
	return test;
}

static const char *
submit(PtnTest *test)
{
	return ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nbody\r\n");
}

static void
set_rows(PtnHookRow first, PtnHookRow second)
{
	memset(rows, 0, sizeof rows);
	rows[0] = first;
	rows[1] = second;
}

static PtnVerdict
verdict_of(PtnHook *h, bool is_right)
{
	return is_right ? PTN_NEXT : ptn_refuse(h, PTN_LOCAL, 554, "5.0.0", "not as it should be");
}

/* ---- memory ---- */

typedef struct {
	char *text;
} Kept;

static PtnVerdict
keep_at_connect(PtnHook *h)
{
	Kept *session = ptn_session(h);
	char *zeroed = ptn_keep(h, PTN_FOR_SESSION, NULL, 4);

	session->text = ptn_keep(h, PTN_FOR_SESSION, "session", 8);
	return verdict_of(h, ptn_keep(h, PTN_FOR_MESSAGE, "x", 2) == NULL && ptn_message(h) == NULL &&
							 ptn_keep(h, PTN_FOR_HOOK, "x", 2) != NULL && memcmp(zeroed, "\0\0\0", 4) == 0);
}

/* Runs twice per message, and for two messages of a session. */
static PtnVerdict
keep_at_mail(PtnHook *h)
{
	const Kept *session = ptn_session(h);
	Kept *message = ptn_message(h);
	const bool is_new = message->text == NULL;

	message->text = ptn_keep(h, PTN_FOR_MESSAGE, "message", 8);
	return verdict_of(h, is_new && strcmp(session->text, "session") == 0);
}

static PtnVerdict
look_at_message(PtnHook *h)
{
	const Kept *session = ptn_session(h), *message = ptn_message(h);

	return verdict_of(h, strcmp(session->text, "session") == 0 && strcmp(message->text, "message") == 0);
}

static void
test_scopes(void)
{
	PtnTest *test;

	set_rows((PtnHookRow){ PTN_CONNECT, keep_at_connect, 0 }, (PtnHookRow){ PTN_MAIL, keep_at_mail, 0 });
	rows[2] = (PtnHookRow){ PTN_MESSAGE, look_at_message, 0 };
	test = new_test(NULL, NULL);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	ptn_test_free(test);
}

/* ---- getters where there is nothing ---- */

static PtnVerdict
look_at_nothing(PtnHook *h)
{
	size_t size = 1, body = 1;
	const char *name, *value;
	int code = 1;
	const bool is_right = ptn_password(h) == NULL && ptn_sender(h) == NULL && ptn_sender_submitted(h) == NULL &&
						  ptn_recipients(h) == 0 && ptn_recipient(h, 0) == NULL &&
						  ptn_recipient(h, PTN_THIS) == NULL && ptn_header(h, "Subject", 0) == NULL &&
						  !ptn_header_at(h, 0, &name, &value) && ptn_content(h, &size, &body) == NULL &&
						  ptn_noted(h, "name") == NULL && ptn_account(h) == NULL && ptn_customer(h) == NULL &&
						  ptn_fact(h, "no such fact") == NULL && ptn_work_data(h) == NULL &&
						  ptn_arguments(h)[0] == NULL && ptn_reply(h, &code, NULL, NULL) == NULL;

	ptn_row(h, "column", "text", NULL); /* of commands only */
	return verdict_of(h, is_right);
}

static PtnVerdict
look_beyond(PtnHook *h)
{
	const char *name, *value;

	return verdict_of(h, ptn_password(h) == NULL && ptn_recipient(h, 1) == NULL &&
							 ptn_recipient(h, 1000000) == NULL && ptn_header(h, "Subject", 1) == NULL &&
							 !ptn_header_at(h, 1000000, &name, &value));
}

static void
test_nothing_there(void)
{
	PtnTest *test;

	set_rows((PtnHookRow){ PTN_CONNECT, look_at_nothing, 0 }, (PtnHookRow){ PTN_MESSAGE, look_beyond, 0 });
	test = new_test(NULL, NULL);
	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	ptn_test_free(test);
}

/* ---- options ---- */

static PtnVerdict
read_wrong_names(PtnHook *h)
{
	static const char *const wrong[] = { "color", "", "/", "blue/color", "nothing/colour", "two.colour",
		"two/colour", "red/mode" };

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		if (ptn_option(h, wrong[i]) != NULL || ptn_option_number(h, wrong[i]) != 0 ||
			ptn_option_list(h, wrong[i])[0] != NULL)
			return verdict_of(h, false);
	return verdict_of(
		h, strcmp(ptn_option(h, "colour"), "green") == 0 && strcmp(ptn_option(h, "sky/colour"), "blue") == 0 &&
			   strcmp(ptn_option(h, "mode"), "enforce") == 0 && strcmp(ptn_option_items(h)[0], "sky") == 0);
}

static void
test_wrong_options(void)
{
	PtnTest *test;

	set_rows((PtnHookRow){ PTN_MAIL, read_wrong_names, 0 }, (PtnHookRow){ 0 });
	test = new_test(NULL, "[plugin one]\ncolour = green\n[plugin one/sky]\ncolour = blue\n");
	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	ptn_test_free(test);
}

/* ---- the store, and notes: each its own ---- */

static PtnVerdict
write_own(PtnHook *h)
{
	ptn_note(h, "secret", "of one");
	return verdict_of(h, ptn_store_set(h, "secret", "of one", 100 * PTN_SECOND) == PTN_OK);
}

static PtnVerdict
read_others(PtnHook *h)
{
	static const char *const keys[] = { "secret", "one/secret", "../one/secret", "/plugin/one/secret",
		"plugin/one/secret", "node/secret" };
	const char *value;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (ptn_store_get(h, keys[i], &value) != PTN_NONE)
			return verdict_of(h, false);
	if (ptn_store_remove(h, "../one/secret") == PTN_UNSURE ||
		ptn_store_set(h, "../one/secret", "mine", 100 * PTN_SECOND) != PTN_OK)
		return verdict_of(h, false);
	return verdict_of(h,
		ptn_noted(h, "secret") == NULL && ptn_noted(h, "one.secret") == NULL && ptn_noted(h, "account") == NULL);
}

static PtnVerdict
read_own(PtnHook *h)
{
	const char *value = NULL;

	return verdict_of(h, ptn_store_get(h, "secret", &value) == PTN_OK && strcmp(value, "of one") == 0 &&
							 strcmp(ptn_noted(h, "secret"), "of one") == 0);
}

static void
test_keys(void)
{
	static const PtnHookRow other_rows[] = { { PTN_DATA, read_others, 0 }, { 0 } };
	static const PtnPlugin two = { PTN_HEAD("two"), .version = "1", .summary = "second", .hooks = other_rows };
	PtnTest *test;

	set_rows((PtnHookRow){ PTN_MAIL, write_own, 0 }, (PtnHookRow){ PTN_MESSAGE, read_own, 0 });
	test = new_test(&two, NULL);
	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	ptn_test_free(test);
}

/* ---- what is left open ---- */

static atomic_int ends; /* connections that the plugin's side closed */

static void
read_to_end(int socket, void *data)
{
	char octets[100];

	(void)data;
	while (read(socket, octets, sizeof octets) > 0)
		;
	atomic_fetch_add(&ends, 1);
}

static PtnVerdict
leave_open(PtnHook *h)
{
	PtnStream *first = ptn_open(h, "192.0.2.25", 25, PTN_PLAIN),
			  *second = ptn_open(h, "192.0.2.25", 25, PTN_PLAIN);

	return first != NULL && second != NULL && ptn_write(h, first, "x\r\n", 3) ? PTN_NEXT : ptn_fail(h, "not open");
}

static void
test_open_streams(void)
{
	PtnTest *test;

	set_rows((PtnHookRow){ PTN_MAIL, leave_open, 0 }, (PtnHookRow){ 0 });
	test = new_test(NULL, NULL);
	atomic_store(&ends, 0);
	ptn_test_server(test, "192.0.2.25", 25, read_to_end, NULL);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "250", 3), 0);
	for (int i = 0; i < 1000 && atomic_load(&ends) < 2; i++)
		g_usleep(10000);
	CU_ASSERT_EQUAL(atomic_load(&ends), 2); /* the session is still there */
	ptn_test_free(test);
}

/* ---- work ---- */

static atomic_bool may_end;
static atomic_int done;
static unsigned taken, refused;

static PtnVerdict
wait_for_end(PtnHook *h)
{
	while (!atomic_load(&may_end) && ptn_sleep(h, PTN_SECOND / 100))
		;
	atomic_fetch_add(&done, 1);
	return PTN_NEXT;
}

static PtnVerdict
start_much(PtnHook *h)
{
	taken = refused = 0;
	for (int i = 0; i < 3000; i++) {
		if (ptn_background(h, wait_for_end, &i, sizeof i))
			taken++;
		else
			refused++;
	}
	return PTN_NEXT;
}

static void
test_too_much_work(void)
{
	PtnTest *test;

	set_rows((PtnHookRow){ PTN_MAIL, start_much, 0 }, (PtnHookRow){ 0 });
	test = new_test(NULL, NULL);
	atomic_store(&may_end, false);
	atomic_store(&done, 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "250", 3), 0);
	CU_ASSERT(taken >= 1 && taken <= 1000);
	CU_ASSERT(refused >= 2000);
	atomic_store(&may_end, true);
	ptn_test_finish_work(test);
	CU_ASSERT_EQUAL(atomic_load(&done), (int)taken);
	(void)ptn_test_say(test, "RSET"); /* and now there is room again */
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "250", 3), 0);
	CU_ASSERT(taken >= 1);
	ptn_test_finish_work(test);
	ptn_test_free(test);
}

static PtnVerdict
submit_badly(PtnHook *h)
{
	static const char *const bad[] = { "", "nobody", "a b@example.net", "x@example.org\r\nBcc: y@example.org" };

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		if (ptn_submit(h, LOGIN, bad[i], "Subject: x\r\n\r\n") ||
			(i > 0 && ptn_submit(h, bad[i], LOGIN, "Subject: x\r\n\r\n")))
			return verdict_of(h, false);
	return PTN_NEXT;
}

static void
test_submit_badly(void)
{
	PtnTest *test;

	set_rows((PtnHookRow){ PTN_MAIL, submit_badly, 0 }, (PtnHookRow){ 0 });
	test = new_test(NULL, NULL);
	CU_ASSERT_EQUAL(strncmp(submit(test), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "what is kept lives as long as its scope, and there is no scope of a message before MAIL", test_scopes },
	{ "getters say NULL, none or false where there is nothing", test_nothing_there },
	{ "options by names that are wrong, or another's, are not set", test_wrong_options },
	{ "keys of the store and notes are each plugin's own, whatever the key looks like", test_keys },
	{ "streams that are left open end with the hook", test_open_streams },
	{ "of too much background work the rest is refused, until some of it is done", test_too_much_work },
	{ "messages to and from what is no address are not submitted", test_submit_badly },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "service-rules", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
