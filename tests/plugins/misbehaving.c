/* misbehaving.c - plugins that break one rule of plugin-api.h each; all in one shared object, to be linked to under each
 * of their names (NAME.so). */
#include "plugin-api.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAD(NAME, TEXT, ...) PTN_PLUGIN(NAME) = { PTN_HEAD(TEXT), .version = "1", .summary = "misbehaves", __VA_ARGS__ }

static PtnVerdict
next(PtnHook *h)
{
	(void)h;
	return PTN_NEXT;
}

static bool
is_sender(PtnHook *h, const char *local_part)
{
	return strncmp(ptn_sender(h), local_part, strlen(local_part)) == 0 && ptn_sender(h)[strlen(local_part)] == '@';
}

/* ---- verdicts ---- */

static PtnVerdict
say_nonsense(PtnHook *h)
{
	(void)h;
	return (PtnVerdict)77;
}

static PtnVerdict
refuse_without_words(PtnHook *h)
{
	(void)h;
	return PTN_REFUSED;
}

static PtnVerdict
refuse_with_lines(PtnHook *h)
{
	return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "no\r\n250 2.1.0 Ok");
}

static PtnVerdict
refuse_with_success(PtnHook *h)
{
	return ptn_refuse(h, PTN_POLICY, 250, "2.1.0", "yes, that is, no");
}

static PtnVerdict
settle_mail(PtnHook *h)
{
	(void)h;
	return PTN_DONE;
}

static PtnVerdict
identify_at_mail(PtnHook *h)
{
	return ptn_identify(h, "boss@example.net");
}

static const PtnHookRow nonsense_hooks[] = { { PTN_MAIL, say_nonsense, 0 }, { 0 } };
static const PtnHookRow wordless_hooks[] = { { PTN_MAIL, refuse_without_words, 0 }, { 0 } };
static const PtnHookRow lines_hooks[] = { { PTN_MAIL, refuse_with_lines, 0 }, { 0 } };
static const PtnHookRow success_hooks[] = { { PTN_MAIL, refuse_with_success, 0 }, { 0 } };
static const PtnHookRow settler_hooks[] = { { PTN_MAIL, settle_mail, 0 }, { 0 } };
static const PtnHookRow identifier_hooks[] = { { PTN_MAIL, identify_at_mail, 0 }, { 0 } };

BAD(bad_nonsense, "bad-nonsense", .hooks = nonsense_hooks);
BAD(bad_wordless, "bad-wordless", .hooks = wordless_hooks);
BAD(bad_lines, "bad-lines", .hooks = lines_hooks);
BAD(bad_success, "bad-success", .hooks = success_hooks);
BAD(bad_settler, "bad-settler", .hooks = settler_hooks);
BAD(bad_identifier, "bad-identifier", .hooks = identifier_hooks);

/* ---- edits ---- */

static PtnVerdict
edit_badly(PtnHook *h)
{
	const char *const none[] = { NULL };
	const char *const bad[] = { "good@example.org", "not an address", NULL };
	char note[2001];
	PtnCopy *copy;

	memset(note, 'n', sizeof note - 1);
	note[sizeof note - 1] = '\0';
	ptn_note(h, "long", note);
	ptn_note(h, "short", "kept");
	ptn_add_header(h, "X-Injected", "a\r\nEvil: b\nEvil: c\rEvil: d");
	ptn_add_header(h, "X-Folded", "a\r\n\tb");
	ptn_add_header(h, "Evil: x\r\nY", "no name");
	ptn_set_sender(h, "not an address");
	ptn_replace_recipient(h, 0, none);
	ptn_replace_recipient(h, 0, bad);
	ptn_replace_recipient(h, 1000, none);
	copy = ptn_copy(h, "", "not an address");
	ptn_copy_header(copy, "X-Copy", "a\r\nEvil: b");
	ptn_copy_note(copy, "long", note);
	return PTN_NEXT;
}

static PtnVerdict
edit_and_refuse(PtnHook *h)
{
	ptn_hold(h, "to be refused anyway", 0);
	ptn_set_sender(h, "other@example.net");
	(void)ptn_copy(h, "", "archive@example.net");
	return strstr(ptn_header(h, "Subject", 0), "refuse") != NULL ? ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "no")
																 : ptn_fail(h, "cannot tell");
}

static const PtnHookRow editor_hooks[] = { { PTN_MESSAGE, edit_badly, 0 }, { 0 } };
static const PtnHookRow changer_hooks[] = { { PTN_MESSAGE, edit_and_refuse, 0 }, { 0 } };

BAD(bad_editor, "bad-editor", .hooks = editor_hooks);
BAD(bad_changer, "bad-changer", .hooks = changer_hooks);

/* ---- time ---- */

static PtnVerdict
sleep_long(PtnHook *h)
{
	(void)ptn_sleep(h, 30 * PTN_SECOND);
	return PTN_NEXT;
}

static const PtnHookRow sleeper_hooks[] = { { PTN_MAIL, sleep_long, 0 }, { 0 } };

BAD(bad_sleeper, "bad-sleeper", .hooks = sleeper_hooks);

/* Does not return until the test says so by a file, whatever its deadline. */
static PtnVerdict
never_return(PtnHook *h)
{
	const char *release = ptn_option(h, "release");
	struct stat status;

	if (!is_sender(h, "stuck"))
		return PTN_NEXT;
	while (stat(release, &status) != 0)
		(void)usleep(10000);
	return PTN_NEXT;
}

static const PtnOption stuck_options[] = { { "release", PTN_TEXT, PTN_IN_SERVER, "/nonexistent", "a file that ends it" }, { 0 } };
static const PtnHookRow stuck_hooks[] = { { PTN_MAIL, never_return, 0 }, { 0 } };

BAD(bad_stuck, "bad-stuck", .options = stuck_options, .hooks = stuck_hooks);

static PtnVerdict
hold_worker(PtnHook *h)
{
	if (is_sender(h, "slow"))
		(void)ptn_sleep(h, 3 * PTN_SECOND);
	return PTN_NEXT;
}

static const PtnHookRow flooder_hooks[] = { { PTN_MAIL, hold_worker, 0 }, { 0 } };

BAD(bad_flooder, "bad-flooder", .hooks = flooder_hooks);

/* Waits before EHLO is answered: what a client pipelines comes in while the session is lent. */
static PtnVerdict
wait_at_hello(PtnHook *h)
{
	if (strncmp(ptn_helo(h), "slow", 4) == 0)
		(void)ptn_sleep(h, PTN_SECOND);
	return PTN_NEXT;
}

static const PtnHookRow waiter_hooks[] = { { PTN_HELO, wait_at_hello, 0 }, { 0 } };

BAD(bad_waiter, "bad-waiter", .hooks = waiter_hooks);

/* Says that it does not wait, and does; what it did before is to happen once. */
static PtnVerdict
wait_inline(PtnHook *h)
{
	ptn_add_header(h, "X-Once", "edit");
	(void)ptn_sleep(h, PTN_SECOND / 100);
	return PTN_NEXT;
}

static const PtnHookRow liar_hooks[] = { { PTN_MESSAGE, wait_inline, PTN_INLINE }, { 0 } };

BAD(bad_liar, "bad-liar", .hooks = liar_hooks);

/* ---- what is told ---- */

static PtnVerdict
judge_what_is_over(PtnHook *h)
{
	return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "too late");
}

static PtnVerdict
hear(PtnHook *h)
{
	int code;

	if (ptn_reply(h, &code, NULL, NULL) != NULL)
		ptn_count(h, ptn_format(h, "heard.%d", code), 1);
	return PTN_NEXT;
}

static const PtnHookRow judge_hooks[] = { { PTN_REPLY, judge_what_is_over, 0 }, { 0 } };
static const PtnHookRow listener_hooks[] = { { PTN_REPLY, hear, 0 }, { 0 } };

BAD(bad_judge, "bad-judge", .hooks = judge_hooks);
BAD(listener, "listener", .hooks = listener_hooks);

/* ---- start, and what is wrong with the constant ---- */

static PtnVerdict
start_never(PtnHook *h)
{
	return ptn_fail(h, "the moon is not full");
}

static const PtnHookRow unknown_hooks[] = { { (PtnStage)20, next, 0 }, { 0 } };
static const PtnHookRow both_hooks[] = { { PTN_MAIL, next, PTN_INLINE | PTN_HEAVY }, { 0 } };
static const PtnHookRow tick_hooks[] = { { PTN_TICK, next, 0 }, { 0 } };
static const PtnCommand commands[] = { { "list", "", "lists", next, .reads_only = true }, { 0 } };

BAD(bad_start, "bad-start", .start = start_never);
BAD(bad_stage, "bad-stage", .hooks = unknown_hooks);
BAD(bad_both, "bad-both", .hooks = both_hooks);
BAD(bad_tick, "bad-tick", .hooks = tick_hooks);
BAD(bad_name, "another-name");
BAD(queue, "queue", .commands = commands);

/* ---- short words and meanings ---- */

static PtnVerdict
list_short(PtnHook *h)
{
	const char *const *arguments = ptn_arguments(h);

	ptn_row(h, "said", arguments[0] != NULL ? arguments[0] : "nothing", NULL);
	return PTN_NEXT;
}

static const PtnCommand short_commands[] = { { "list", "[WHO]", "lists", list_short, .reads_only = true },
	{ "clear", NULL, "changes", next }, { 0 } };
static const PtnShortWord short_words[] = { { "lists", "list" }, { "shelf clear", "clear" }, { "shelf show", "list" },
	{ 0 } };
static const PtnShortWord other_words[] = { { "shelf hide", "list" }, { 0 } };
static const PtnShortWord core_words[] = { { "recipient", "list" }, { 0 } };
static const PtnShortWord lost_words[] = { { "nowhere", "nothing" }, { 0 } };
static const PtnShortWord three_words[] = { { "one two three", "list" }, { 0 } };
static const PtnOption meant_options[] = { { "never", PTN_TEXT, PTN_IN_SERVER, "", "a text" }, { 0 } };
static const PtnMeaningRow wrong_meanings[] = { { "never", PTN_MEANS_NEVER_BLOCKED }, { 0 } };
static const PtnMeaningRow new_meanings[] = { { "never", (PtnMeaning)99 }, { 0 } };

BAD(short_words, "short-words", .commands = short_commands, .short_words = short_words);
BAD(bad_clash, "bad-clash", .commands = short_commands, .short_words = other_words);
BAD(bad_core, "bad-core", .commands = short_commands, .short_words = core_words);
BAD(bad_lost, "bad-lost", .commands = short_commands, .short_words = lost_words);
BAD(bad_three, "bad-three", .commands = short_commands, .short_words = three_words);
BAD(shelf, "shelf", .commands = short_commands);
BAD(bad_meaning, "bad-meaning", .options = meant_options, .meanings = wrong_meanings);
BAD(new_meaning, "new-meaning", .options = meant_options, .meanings = new_meanings);

PTN_PLUGIN(bad_major) = { .struct_size = sizeof(PtnPlugin), .api_major = PTN_API_MAJOR + 1, .name = "bad-major" };
PTN_PLUGIN(bad_minor) = { .struct_size = sizeof(PtnPlugin), .api_major = PTN_API_MAJOR, .api_minor = PTN_API_MINOR + 1,
	.name = "bad-minor" };
PTN_PLUGIN(bad_size) = { .struct_size = sizeof(PtnPlugin) + 8, .api_major = PTN_API_MAJOR, .name = "bad-size" };
