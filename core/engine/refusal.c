/* refusal.c - what all refusals share: "action on submission errors" (letter O of the behaviours), and the second line. */
#include "engine/refusal.h"

#include <glib.h>
#include <string.h>

#include "engine/chain.h"

RefusalAction
refusal_action(const DirectoryEntry *account)
{
	const char *value = account != NULL ? directory_entry_get(account, "on-refusal") : NULL;

	if (g_strcmp0(value, "reject") == 0)
		return REFUSAL_FOR_GOOD;
	return g_strcmp0(value, "defer") == 0 ? REFUSAL_FOR_NOW : REFUSAL_AUTOMATIC;
}

/* Protocol, credentials and our own troubles are what they are. */
static bool
refusal_is_of_rules(PtnCause cause)
{
	return cause >= PTN_POLICY && cause <= PTN_CONTENT;
}

static int
refusal_other_code(int code)
{
	static const struct {
		int now, good;
	} pairs[] = { { 450, 550 }, { 452, 552 }, { 451, 554 }, { 453, 553 } };

	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		if (code == pairs[i].now)
			return pairs[i].good;
		if (code == pairs[i].good && code != 553) /* 453 is no code of RFC 5321 */
			return pairs[i].now;
	}
	return code < 500 ? 550 : 450;
}

void
refusal_map(RefusalAction action, PtnCause cause, int *code, char *enhanced)
{
	const bool is_wanted =
		(action == REFUSAL_FOR_GOOD && *code < 500) || (action == REFUSAL_FOR_NOW && *code >= 500);

	if (!is_wanted || *code == 421 || !refusal_is_of_rules(cause))
		return;
	*code = refusal_other_code(*code);
	if (enhanced[0] != '\0')
		enhanced[0] = *code >= 500 ? '5' : '4';
}

char *
refusal_support(const EngineSettings *settings, const char *session, PtnCause cause)
{
	g_auto(GStrv) parts = NULL;
	g_auto(GStrv) more = NULL;
	g_autofree char *with_id = NULL;

	if (settings->support == NULL || cause == PTN_PROTOCOL || cause == PTN_LOCAL)
		return NULL;
	parts = g_strsplit(settings->support, "%{session}", -1);
	with_id = g_strjoinv(session, parts);
	more = g_strsplit(with_id, "%{cause}", -1);
	return g_strjoinv(cause_name(cause), more);
}
