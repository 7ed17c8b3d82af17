/* faulty.c - plugins that die or hang as their options say, one for hooks on workers and one for
 * inline hooks; both in one shared object, to be linked to under each of their names.
 * tests/system/test_faults.py loads them. */
#include "plugin-api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };

static const char *const acts[] = { "none", "crash", "abort", "overflow", "hang", "stack", NULL };

static const PtnOption options[] = {
	{ "at", PTN_TEXT, PTN_IN_SERVER, "",
		"the stage where it acts; command, start, stop, background, too" },
	{ "act", PTN_CHOICE, PTN_IN_SERVER, "none", "what it does there", 0, 0, acts },
	{ "if", PTN_TEXT, PTN_IN_SERVER, "", "acts only on mail of a sender that begins so" },
	{ "release", PTN_TEXT, PTN_IN_SERVER, "/nonexistent", "a file that ends a hang" },
	{ "octets", PTN_SIZE, PTN_IN_SERVER, "1536K", "of the stack that \"stack\" uses" },
	{ 0 },
};

/* ---- what it does ---- */

/* Each page is touched, as a library would that recurses. */
static unsigned
use_stack(long octets)
{
	volatile char page[PAGE];

	page[0] = (char)octets;
	page[PAGE - 1] = 1;
	return (octets > PAGE ? use_stack(octets - PAGE - 64) : 0) + (unsigned)page[0] +
		   (unsigned)page[PAGE - 1];
}

static void
crash(void)
{
	volatile int *volatile nowhere = NULL;

	*nowhere = 1;
}

static void
hang(PtnHook *h)
{
	const char *release = ptn_option(h, "release");
	struct stat status;

	ptn_count(h, "hangs", 1);
	while (stat(release, &status) != 0)
		(void)usleep(10000);
}

static PtnVerdict
act(PtnHook *h, const char *stage)
{
	const char *what = ptn_option(h, "act");

	if (strcmp(ptn_option(h, "at"), stage) != 0)
		return PTN_NEXT;
	if (strcmp(what, "crash") == 0)
		crash();
	else if (strcmp(what, "abort") == 0)
		abort();
	else if (strcmp(what, "overflow") == 0)
		(void)use_stack(INT64_C(1) << 40);
	else if (strcmp(what, "hang") == 0)
		hang(h);
	else if (strcmp(what, "stack") == 0)
		ptn_count(h, ptn_format(h, "stack.%s", stage),
			use_stack((long)ptn_option_number(h, "octets")) > 0);
	return PTN_NEXT;
}

static PtnVerdict
act_on_mail(PtnHook *h, const char *stage)
{
	const char *prefix = ptn_option(h, "if");

	return strncmp(ptn_sender(h), prefix, strlen(prefix)) == 0 ? act(h, stage) : PTN_NEXT;
}

/* ---- hooks ---- */

#define AT(NAME, CALL) \
	static PtnVerdict at_##NAME(PtnHook *h) \
	{ \
		return CALL(h, #NAME); \
	}

AT(connect, act)
AT(tls, act)
AT(helo, act)
AT(auth, act)
AT(authenticated, act)
AT(mail, act_on_mail)
AT(rcpt, act_on_mail)
AT(data, act_on_mail)
AT(message, act_on_mail)
AT(route, act_on_mail)
AT(deliver, act_on_mail)
AT(queued, act_on_mail)
AT(reply, act)
AT(reset, act)
AT(disconnect, act)
AT(delivered, act_on_mail)
AT(tick, act)
AT(start, act)
AT(stop, act)
AT(background, act)

static PtnVerdict
command(PtnHook *h)
{
	ptn_row(h, "done", "yes", NULL);
	return act(h, "command");
}

static PtnVerdict
command_in_background(PtnHook *h)
{
	(void)ptn_background(h, at_background, "", 0);
	ptn_row(h, "done", "yes", NULL);
	return PTN_NEXT;
}

static const PtnCommand commands[] = {
	{ "here", "", "acts at \"command\"", command },
	{ "behind", "", "acts at \"background\"", command_in_background },
	{ 0 },
};

/* clang-format off */
#define HOOKS(FLAGS) { \
	{ PTN_CONNECT, at_connect, FLAGS }, { PTN_TLS, at_tls, FLAGS }, \
	{ PTN_HELO, at_helo, FLAGS }, { PTN_AUTH, at_auth, FLAGS }, \
	{ PTN_AUTHENTICATED, at_authenticated, FLAGS }, { PTN_MAIL, at_mail, FLAGS }, \
	{ PTN_RCPT, at_rcpt, FLAGS }, { PTN_DATA, at_data, FLAGS }, \
	{ PTN_MESSAGE, at_message, FLAGS }, { PTN_ROUTE, at_route, 0 }, \
	{ PTN_DELIVER, at_deliver, 0 }, { PTN_QUEUED, at_queued, 0 }, { PTN_REPLY, at_reply, 0 }, \
	{ PTN_RESET, at_reset, 0 }, { PTN_DISCONNECT, at_disconnect, 0 }, \
	{ PTN_DELIVERED, at_delivered, 0 }, { PTN_TICK, at_tick, 0 }, { 0 } }
/* clang-format on */

static const PtnHookRow hooks[] = HOOKS(0);
static const PtnHookRow inline_hooks[] = HOOKS(PTN_INLINE);
static const PtnHookRow heavy_hooks[] = { { PTN_AUTH, at_auth, PTN_HEAVY },
	{ PTN_MESSAGE, at_message, PTN_HEAVY }, { 0 } };

PTN_PLUGIN(bad_fault) = { PTN_HEAD("bad-fault"), .version = "1", .summary = "dies or hangs",
	.options = options, .hooks = hooks, .commands = commands, .start = at_start, .stop = at_stop,
	.tick = PTN_SECOND };
PTN_PLUGIN(bad_inline) = { PTN_HEAD("bad-inline"), .version = "1",
	.summary = "dies or hangs on the loop", .options = options, .hooks = inline_hooks,
	.tick = PTN_SECOND };
PTN_PLUGIN(bad_heavy) = { PTN_HEAD("bad-heavy"), .version = "1",
	.summary = "dies or hangs on a cruncher or a hasher", .options = options,
	.hooks = heavy_hooks };
