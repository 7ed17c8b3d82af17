/* rules.h - the rules of the plugin as octets, in which they go to the parser, and a finding, which comes back so. */
#pragma once

#include "plugin-api.h"
#include "plugins/attachments/inspect.h"

/* Of the options.  New. */
GBytes *rules_pack(PtnHook *h);
/* False: they make no sense.  Cleared by rules_clear(). */
bool rules_unpack(InspectRules *rules, const void *octets, size_t size);
void rules_clear(InspectRules *rules);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(InspectRules, rules_clear)

void finding_pack(const Finding *finding, PtnParse *parse);
/* False: it makes no sense; a stranger may have made it up.  `finding` is then empty. */
bool finding_unpack(Finding *finding, const char *octets, size_t size);
