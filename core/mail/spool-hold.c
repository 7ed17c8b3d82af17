/* spool-hold.c - the reason for which a message is held while it is adopted, and what it says:
 *
 *	adoption from spool FROM by spool HEIR as OLD-ID; held UNTIL: REASON
 *
 * "as" if it has a new id here, "held" if it was held before (UNTIL: when it was to be released, 0: never).  An adoption from
 * a dead heir nests: REASON is then the dead heir's own.  Before 2026 there was no "by", and no UNTIL. */
#include <string.h>

#include "base/keyed-hash.h"
#include "mail/spool-private.h"

enum { HOLD_SPOOL = 2 * SPOOL_ID_SIZE, HOLD_ID = 13, HOLD_NAMED = 5 };

static const char hold_from[] = "adoption from spool ", hold_by[] = " by spool ",
				  hold_as[] = " as ", hold_held[] = "; held";

char *
spool_hold_format(const SpoolHold *hold)
{
	GString *text = g_string_new(NULL);
	char id[ID_TEXT_SIZE];

	g_string_append_printf(text, "%s%s", hold_from, hold->from);
	if (hold->by[0] != '\0')
		g_string_append_printf(text, "%s%s", hold_by, hold->by);
	if (hold->old_id != 0)
		g_string_append_printf(text, "%s%s", hold_as, id_format(hold->old_id, id));
	if (hold->rest != NULL)
		g_string_append_printf(
			text, "%s %" G_GINT64_FORMAT ": %s", hold_held, hold->until_us, hold->rest);
	return g_string_free(text, FALSE);
}

static bool
hold_skip(const char **at, const char *word)
{
	const bool is_there = g_str_has_prefix(*at, word);

	*at += is_there ? strlen(word) : 0;
	return is_there;
}

static bool
hold_take_spool(const char **at, char spool[2 * SPOOL_ID_SIZE + 1])
{
	if (strspn(*at, "0123456789abcdef") < HOLD_SPOOL)
		return false;
	memcpy(spool, *at, HOLD_SPOOL);
	spool[HOLD_SPOOL] = '\0';
	*at += HOLD_SPOOL;
	return true;
}

bool
spool_hold_parse(const char *reason, SpoolHold *hold)
{
	const char *at = reason;
	char *end;

	*hold = (SpoolHold){ 0 };
	if (at == NULL || !hold_skip(&at, hold_from) || !hold_take_spool(&at, hold->from))
		return false;
	if (hold_skip(&at, hold_by) && !hold_take_spool(&at, hold->by))
		return false;
	if (hold_skip(&at, hold_as)) {
		g_autofree char *id = g_strndup(at, HOLD_ID);

		if (!id_parse(id, &hold->old_id))
			return false;
		at += HOLD_ID;
	}
	if (!hold_skip(&at, hold_held))
		return *at == '\0';
	hold->until_us = g_ascii_strtoll(at, &end, 10);
	at = end;
	if (!hold_skip(&at, ": "))
		return false;
	hold->rest = at;
	return true;
}

void
spool_hold_set(MessageState *state, const SpoolHold *hold)
{
	char *reason = spool_hold_format(hold);

	g_free(state->hold_reason);
	state->hold_reason = reason;
	state->is_held = true;
	state->release_at_us = 0;
}

bool
spool_is_adopting(const char *hold_reason)
{
	SpoolHold hold;

	return spool_hold_parse(hold_reason, &hold);
}

/* An adoption from a dead heir nests: the innermost one has what comes after them all. */
char *
spool_hold_behind(const char *hold_reason, const char *added)
{
	g_autofree char *rest = NULL;
	SpoolHold hold;

	if (!spool_hold_parse(hold_reason, &hold))
		return g_strdup(added != NULL ? added : "");
	rest = spool_hold_behind(hold.rest, added);
	if (hold.rest == NULL || !spool_is_adopting(hold.rest))
		hold.until_us = 0;
	hold.rest = rest;
	return spool_hold_format(&hold);
}

void
spool_hold_restore(MessageState *state)
{
	SpoolHold hold;
	char *reason;

	if (!spool_hold_parse(state->hold_reason, &hold))
		return;
	reason = g_strdup(hold.rest);
	g_free(state->hold_reason);
	state->hold_reason = reason;
	state->is_held = reason != NULL;
	state->release_at_us = reason != NULL ? hold.until_us : 0;
	if (reason == NULL)
		state->held_since_us = 0;
}

/* "ID (DIRECTORY)" once for each. */
static void
hold_name_spool(const GKeyFile *places, const char *id, GHashTable *named, GString *text)
{
	g_autofree char *place = NULL;

	if (!g_hash_table_add(named, g_strdup(id)))
		return;
	place = g_key_file_get_string((GKeyFile *)(uintptr_t)places, "adopted", id, NULL);
	if (place == NULL)
		place = g_key_file_get_string((GKeyFile *)(uintptr_t)places, "begun", id, NULL);
	g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", id);
	if (place != NULL)
		g_string_append_printf(text, " (%s)", place);
}

char *
spool_adopting_from(Spool *spool)
{
	g_autofree char *path = g_build_filename(spool->directory, "adopted", NULL);
	g_autoptr(GHashTable) named = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	g_autoptr(GKeyFile) places = g_key_file_new();
	g_autoptr(GArray) ids = spool_ids(spool);
	GString *text = g_string_new(NULL);

	(void)g_key_file_load_from_file(places, path, G_KEY_FILE_NONE, NULL);
	for (guint i = 0; i < ids->len && g_hash_table_size(named) < HOLD_NAMED; i++) {
		g_autoptr(SpoolMessage) message = NULL;
		SpoolSummary summary;
		SpoolHold hold;

		if (!spool_summary(spool, g_array_index(ids, QueueId, i), &summary) || !summary.is_held)
			continue;
		message = spool_read(spool, summary.id, NULL);
		if (message != NULL && spool_hold_parse(message->state->hold_reason, &hold))
			hold_name_spool(places, hold.from, named, text);
	}
	return g_string_free(text, FALSE);
}

size_t
spool_count_adopting(Spool *spool)
{
	g_autoptr(GArray) ids = spool_ids(spool);
	size_t n = 0;

	for (guint i = 0; i < ids->len; i++) {
		g_autoptr(SpoolMessage) message = NULL;
		SpoolSummary summary;
		SpoolHold hold;

		if (!spool_summary(spool, g_array_index(ids, QueueId, i), &summary) || !summary.is_held)
			continue;
		message = spool_read(spool, summary.id, NULL);
		n += message != NULL && spool_hold_parse(message->state->hold_reason, &hold);
	}
	return n;
}
