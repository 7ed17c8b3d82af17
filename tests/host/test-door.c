/* test-door.c - the plugin that stands for auth in tests: no password hashes are paid for. */
#include "plugin-test.h"

static PtnVerdict
door_let_in(PtnHook *h)
{
	return ptn_identify(h, ptn_login(h));
}

static PtnVerdict
door_permit(PtnHook *h)
{
	ptn_permit(h);
	return PTN_NEXT;
}

static const PtnHookRow door_hooks[] = { { PTN_AUTH, door_let_in, PTN_INLINE }, { PTN_RCPT, door_permit, PTN_INLINE },
	{ 0 } };

const PtnPlugin ptn_test_door = { PTN_HEAD("door"), .version = "1", .summary = "lets everybody in", .hooks = door_hooks };
