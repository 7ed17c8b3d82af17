/* bad-newer.c - needs a function of the host that does not exist (yet). */
#include "plugin-api.h"

PtnVerdict ptn_foretell(PtnHook *h);

static const PtnHookRow hooks[] = { { PTN_MAIL, ptn_foretell, 0 }, { 0 } };

PTN_PLUGIN(bad_newer) = { PTN_HEAD("bad-newer"), .version = "1", .summary = "of the future", .hooks = hooks };
