/* limit.c - what was not looked at is refused, unless the administrator says otherwise. */
#include "plugins/mime/limit.h"

#include <stddef.h>

enum { LIMIT_REFUSES, LIMIT_DEFERS, LIMIT_PASSES };

const char *const limit_actions[] = { "refuse", "defer", "pass", NULL };

PtnVerdict
limit_judge_for_now(PtnHook *h, const char *what)
{
	ptn_count(h, "cut", 1);
	if (ptn_option_number(h, "on-limit") != LIMIT_PASSES)
		return ptn_refuse(h, PTN_CONTENT, 450, "4.7.1", "Message has %s", what);
	ptn_log(h, PTN_WARNING, "the message has %s; it passes (on-limit)", what);
	return PTN_NEXT;
}

PtnVerdict
limit_judge(PtnHook *h, const char *what)
{
	if (ptn_option_number(h, "on-limit") != LIMIT_REFUSES)
		return limit_judge_for_now(h, what);
	ptn_count(h, "cut", 1);
	return ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "Message has %s", what);
}
