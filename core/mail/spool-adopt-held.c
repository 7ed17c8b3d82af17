/* spool-adopt-held.c - copies of adoptions that were interrupted, here or by a spool that was adopted since: whose they are.
 *
 * The line there decides.  Without one the message is still there's, and the copy is taken up by the next adoption; a message
 * that is not there any more was ended there, as that spool came back, unless something is damaged there. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "mail/spool-adopt.h"

bool
spool_has_damage(Spool *spool)
{
	g_autoptr(GPtrArray) damage = spool_damage(spool);

	return damage->len > 0;
}

bool
spool_adopt_release(Adoption *adoption, MessageState *state)
{
	spool_hold_restore(state);
	if (!spool_put_unchanged(adoption->to, state))
		return false;
	adoption->n++;
	return true;
}

bool
spool_adopt_drop(Adoption *adoption, MessageState *state, const char *heir)
{
	char text[ID_TEXT_SIZE];

	spool_taken_mark(state, heir);
	if (!spool_put_unchanged(adoption->to, state))
		return false;
	log_event(LOG_LEVEL_INFO, "copy of an adopted message dropped", "queue",
		id_format(state->id, text), "from", adoption->theirs, "heir", heir, NULL);
	return true;
}

static bool
spool_adopt_keep_held(const Adoption *adoption, QueueId id)
{
	char text[ID_TEXT_SIZE];

	log_event(LOG_LEVEL_WARNING, "message of an adoption stays held", "queue", id_format(id, text), "from",
		adoption->theirs, "error",
		"it is not there any more, where something is damaged, and no spool has recorded that it took it", NULL);
	return true;
}

static void
spool_adopt_note(GHashTable *table, QueueId there, QueueId here)
{
	g_hash_table_insert(table, g_memdup2(&there, sizeof there), g_memdup2(&here, sizeof here));
}

/* By the line there.  One copy has the claim of the line; spools of before claims may have several that do. */
static bool
spool_adopt_resolve_taken(
	Adoption *adoption, MessageState *state, const SpoolHold *hold, QueueId there, const char *heir)
{
	const bool is_ours = (hold->by[0] == '\0' || strcmp(heir, hold->by) == 0) &&
						 !g_hash_table_contains(adoption->released, &there);

	if (!is_ours)
		return spool_adopt_drop(adoption, state, heir);
	if (!spool_adopt_release(adoption, state))
		return false;
	spool_adopt_note(adoption->released, there, state->id);
	return true;
}

/* Nobody took it by a line. */
static bool
spool_adopt_resolve_untaken(
	Adoption *adoption, MessageState *state, const SpoolHold *hold, QueueId there)
{
	SpoolSummary summary;

	if (spool_summary(adoption->from, there, &summary)) {
		if (adoption->from == adoption->to || g_hash_table_contains(adoption->begun, &there))
			return spool_adopt_drop(adoption, state, "another copy here");
		spool_adopt_note(adoption->begun, there, state->id);
		return true;
	}
	if (hold->by[0] == '\0')
		return spool_adopt_release(adoption, state);
	return adoption->is_damaged ? spool_adopt_keep_held(adoption, state->id)
								: spool_adopt_drop(adoption, state, "the spool itself, which came back");
}

/* Whose it is.  False: it has changed since it was read. */
static bool
spool_adopt_resolve(Adoption *adoption, MessageState *state, const SpoolHold *hold)
{
	const QueueId there = hold->old_id != 0 ? hold->old_id : state->id;
	const char *heir = spool_taken_heir(adoption->taken, there);

	return heir != NULL ? spool_adopt_resolve_taken(adoption, state, hold, there, heir)
						: spool_adopt_resolve_untaken(adoption, state, hold, there);
}

SpoolMessage *
spool_adopt_find_held(const Adoption *adoption, QueueId id, SpoolHold *hold, GError **error)
{
	g_autoptr(SpoolMessage) message = NULL;
	SpoolSummary summary;

	if (!spool_summary(adoption->to, id, &summary) || !summary.is_held)
		return NULL;
	message = spool_read(adoption->to, id, error);
	if (message == NULL || !spool_hold_parse(message->state->hold_reason, hold) ||
		strcmp(hold->from, adoption->theirs) != 0)
		return NULL;
	return g_steal_pointer(&message);
}

static bool
spool_adopt_refuse_unread(QueueId id, const GError *unread, GError **error)
{
	char text[ID_TEXT_SIZE];

	return error_set(error, POSTERN_ERROR_IO,
		"the held message %s cannot be read now, and may be of an adoption: try again, or remove it (%s)",
		id_format(id, text), unread->message);
}

bool
spool_adopt_resolve_all(Adoption *adoption, GError **error)
{
	g_autoptr(GArray) ids = spool_ids(adoption->to);

	for (guint i = 0; i < ids->len; i++) {
		const QueueId id = g_array_index(ids, QueueId, i);
		bool is_done = false;

		while (!is_done) {
			g_autoptr(GError) unread = NULL;
			SpoolHold hold;
			g_autoptr(SpoolMessage) message = spool_adopt_find_held(adoption, id, &hold, &unread);

			if (g_error_matches(unread, POSTERN_ERROR, POSTERN_ERROR_IO))
				return spool_adopt_refuse_unread(id, unread, error);
			is_done = message == NULL || spool_adopt_resolve(adoption, message->state, &hold);
		}
	}
	return true;
}

/* A spool that came back may adopt its heir, and with that copies of what is its own. */
bool
spool_adopt_own(Spool *spool, size_t *n, GError **error)
{
	Adoption adoption = { .to = spool, .from = spool, .theirs = spool_instance(spool) };
	bool is_resolved;

	adoption.taken = spool_taken_open(spool, false, error);
	if (adoption.taken == NULL)
		return false;
	adoption.begun = g_hash_table_new_full(spool_id_hash, g_int64_equal, g_free, g_free);
	adoption.released = g_hash_table_new_full(spool_id_hash, g_int64_equal, g_free, g_free);
	adoption.is_damaged = spool_has_damage(spool);
	is_resolved = spool_adopt_resolve_all(&adoption, error);
	*n += adoption.n;
	g_hash_table_unref(adoption.released);
	g_hash_table_unref(adoption.begun);
	spool_taken_free(spool, adoption.taken);
	return is_resolved;
}
