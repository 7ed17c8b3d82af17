/* spool-adopt.c - the mail of a lost node comes over, message by message, never twice.
 *
 * A message is committed here, held (spool-hold.c); then the line is written there that makes it ours (spool-taken.c);
 * then it is ended there, and released here.  Wherever this is interrupted, one spool alone may deliver it, and the next
 * attempt, of this spool or of one that adopts it, finishes what is left.
 *
 * Invariants: 1. Each adoption makes claims of its own; hold and line name the claim, so that a line means one copy alone,
 * wherever that is by now.  2. An id that a message has had here (two nodes had the same number, an earlier copy is in
 * the way, or it was taken from here and comes back) is given to no other one: that gets a new id.  3. What is held here
 * may be changed by others meanwhile: it is changed as it was read, or not.  4. An adoption that goes on takes the state
 * that the message has there by then. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "base/log.h"
#include "base/random.h"
#include "mail/spool-adopt.h"

enum { ADOPT_AT_ONCE = 100, ADOPT_DEPTH = 8 };

/* One that is here, durably and held, and not ours yet by a line there. */
typedef struct {
	QueueId there, here;
	char claim[2 * SPOOL_ID_SIZE + 1]; /* that the hold here has, and the line there gets */
} Adoptee;

/* ---- a copy, held ---- */

typedef struct {
	Content *content;
	GError **error;
} AdoptCopy;

static bool
spool_adopt_piece(void *data, const char *octets, size_t size)
{
	AdoptCopy *copy = data;

	content_append(copy->content, octets, size);
	return !content_wants_flush(copy->content) || content_flush(copy->content, copy->error);
}

/* New; NULL: this disk cannot take it, or that one not be read. */
static Content *
spool_adopt_content(Adoption *adoption, const SpoolMessage *message, GError **error)
{
	g_autoptr(Content) content = content_new(adoption->to);
	AdoptCopy copy = { content, error };

	if (!spool_content_pieces(message, spool_adopt_piece, &copy, error))
		return NULL;
	return content_finish(content, error) ? g_steal_pointer(&content) : NULL;
}

static void
spool_adopt_log_new_id(const Adoption *adoption, QueueId there, QueueId here)
{
	char old_text[ID_TEXT_SIZE], new_text[ID_TEXT_SIZE];

	log_event(LOG_LEVEL_INFO, "message adopted under a new id", "queue", id_format(here, new_text),
		"old", id_format(there, old_text), "from", adoption->from->directory, NULL);
}

/* The reason of its hold, new; NULL: it was not held.  The hold of an earlier adoption names the id that it was given
 * there, as the message may have another one here. */
static char *
spool_adopt_reason(const SpoolMessage *message)
{
	const MessageState *state = message->state;
	SpoolHold before;

	if (!state->is_held)
		return NULL;
	if (!spool_hold_parse(state->hold_reason, &before) || before.old_id != 0)
		return g_strdup(state->hold_reason != NULL ? state->hold_reason : "");
	before.old_id = message->envelope->id;
	return spool_hold_format(&before);
}

/* How the message is held here, by its state there; new. */
static MessageState *
spool_adopt_state(
	const Adoption *adoption, const SpoolMessage *message, QueueId here, const char *claim)
{
	const QueueId there = message->envelope->id;
	g_autofree char *rest = spool_adopt_reason(message);
	SpoolHold hold = { .rest = rest,
		.until_us = rest != NULL ? message->state->release_at_us : 0,
		.old_id = here != there ? there : 0 };
	MessageState *state = message_state_copy(message->state);

	g_strlcpy(hold.from, adoption->theirs, sizeof hold.from);
	g_strlcpy(hold.by, claim, sizeof hold.by);
	spool_hold_set(state, &hold);
	state->id = here;
	return state;
}

/* A message has, or had, the id here. */
static bool
spool_adopt_is_used(const Adoption *adoption, QueueId id)
{
	return spool_knows_id(adoption->to, id) || spool_taken_heir(adoption->lost, id) != NULL;
}

static bool
spool_adopt_commit(Adoption *adoption, const SpoolMessage *message, QueueId *here, GError **error)
{
	const QueueId there = message->envelope->id;
	Content *content = spool_adopt_content(adoption, message, error);
	SpoolTransaction *transaction;
	MessageState *state;
	Envelope *envelope;

	if (content == NULL)
		return false;
	*here = spool_adopt_is_used(adoption, there) ? id_next(adoption->ids) : there;
	state = spool_adopt_state(adoption, message, *here, adoption->claim);
	envelope = envelope_copy(message->envelope);
	envelope->id = *here;
	transaction = spool_transaction_new();
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, envelope, state);
	if (spool_commit_wait(adoption->to, transaction) != SPOOL_COMMITTED)
		return error_set(
			error, POSTERN_ERROR_IO, "the spool %s cannot take a message", adoption->to->directory);
	if (*here != there)
		spool_adopt_log_new_id(adoption, there, *here);
	return true;
}

/* The id apart, which comes first in the record. */
static bool
spool_adopt_is_same(const Envelope *a, const Envelope *b)
{
	g_autoptr(GByteArray) left = g_byte_array_new(), right = g_byte_array_new();

	envelope_encode(a, left);
	envelope_encode(b, right);
	return left->len == right->len && memcmp(left->data + 8, right->data + 8, left->len - 8) == 0;
}

/* A copy of an adoption that was interrupted becomes what the message there is by now; its claim stays.  False: it has
 * changed meanwhile. */
static bool
spool_adopt_renew(Adoption *adoption, const SpoolMessage *message, MessageState *ours, const SpoolHold *hold)
{
	g_autoptr(MessageState) renewed =
		spool_adopt_state(adoption, message, ours->id, hold->by[0] != '\0' ? hold->by : adoption->claim);

	renewed->version = ours->version;
	return spool_put_unchanged(adoption->to, renewed);
}

/* `here`: its id here if an adoption that was interrupted has begun with it, else 0. */
static bool
spool_adopt_take_up(Adoption *adoption, const SpoolMessage *message, Adoptee *adoptee, GError **error)
{
	const QueueId *begun = g_hash_table_lookup(adoption->begun, &adoptee->there);
	bool is_done = begun == NULL;

	while (!is_done) {
		SpoolHold hold;
		g_autoptr(GError) failure = NULL;
		g_autoptr(SpoolMessage) ours = spool_adopt_find_held(adoption, *begun, &hold, &failure);

		if (failure != NULL) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return false;
		}
		if (ours == NULL) /* somebody released or removed it meanwhile */
			return true;
		if (!spool_adopt_is_same(ours->envelope, message->envelope)) {
			is_done = spool_adopt_drop(adoption, ours->state, "another copy here");
			continue;
		}
		is_done = spool_adopt_renew(adoption, message, ours->state, &hold);
		adoptee->here = *begun;
		g_strlcpy(adoptee->claim, hold.by[0] != '\0' ? hold.by : adoption->claim, sizeof adoptee->claim);
	}
	return true;
}

static void
spool_adopt_count_failure(Adoption *adoption, const GError *error)
{
	if (g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_IO))
		adoption->n_unread++;
	else
		adoption->n_damaged++;
}

/* What cannot be read stays there. */
static bool
spool_adopt_one(Adoption *adoption, QueueId id, GError **error)
{
	g_autoptr(GError) unread = NULL;
	g_autoptr(SpoolMessage) message = spool_read(adoption->from, id, &unread);
	Adoptee adoptee = { .there = id };

	g_strlcpy(adoptee.claim, adoption->claim, sizeof adoptee.claim);
	if (message == NULL || !spool_adopt_take_up(adoption, message, &adoptee, &unread) ||
		(adoptee.here == 0 && !spool_read_content(message, &unread))) {
		spool_adopt_count_failure(adoption, unread);
		return true;
	}
	if (adoptee.here == 0 && !spool_adopt_commit(adoption, message, &adoptee.here, error))
		return false;
	g_array_append_val(adoption->adoptees, adoptee);
	return true;
}

/* ---- it is ours ---- */

static void
spool_adopt_settle_one(Adoption *adoption, const Adoptee *adoptee)
{
	g_autoptr(SpoolMessage) there = spool_read(adoption->from, adoptee->there, NULL);
	bool is_done = false;

	if (there != NULL)
		spool_taken_end(adoption->from, g_steal_pointer(&there->state), adoptee->claim);
	while (!is_done) { /* an administrator may have released or removed it meanwhile */
		SpoolHold hold;
		g_autoptr(SpoolMessage) here = spool_adopt_find_held(adoption, adoptee->here, &hold, NULL);

		is_done = here == NULL || spool_adopt_release(adoption, here->state);
	}
}

/* Durable here first, then the lines there, and then free to go here. */
static bool
spool_adopt_settle(Adoption *adoption, GError **error)
{
	g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(SpoolTakenLine));

	if (adoption->adoptees->len == 0)
		return true;
	for (guint i = 0; i < adoption->adoptees->len; i++) {
		const Adoptee *adoptee = &g_array_index(adoption->adoptees, Adoptee, i);
		const SpoolTakenLine line = { adoptee->there, adoptee->claim };

		g_array_append_val(lines, line);
	}
	if (!spool_flush(adoption->to, CLOCK_NEVER))
		return error_set(
			error, POSTERN_ERROR_IO, "the spool %s cannot be written to", adoption->to->directory);
	if (!spool_taken_add(adoption->from, adoption->taken, lines, error))
		return false;
	for (guint i = 0; i < adoption->adoptees->len; i++)
		spool_adopt_settle_one(adoption, &g_array_index(adoption->adoptees, Adoptee, i));
	g_array_set_size(adoption->adoptees, 0);
	return spool_flush(adoption->from, CLOCK_NEVER) ||
		   error_set(error, POSTERN_ERROR_IO, "the spool %s cannot be written to",
			   adoption->from->directory);
}

static bool
spool_adopt_all(Adoption *adoption, GError **error)
{
	g_autoptr(GArray) ids = spool_ids(adoption->from);

	id_source_pass(adoption->ids, spool_highest_id(adoption->from));
	if (!spool_adopt_resolve_all(adoption, error))
		return false;
	for (guint i = 0; i < ids->len; i++) {
		if (!spool_adopt_one(adoption, g_array_index(ids, QueueId, i), error))
			return false;
		if ((adoption->adoptees->len == ADOPT_AT_ONCE || i + 1 == ids->len) &&
			!spool_adopt_settle(adoption, error))
			return false;
	}
	if (!spool_flush(adoption->to, CLOCK_NEVER))
		return error_set(
			error, POSTERN_ERROR_IO, "the spool %s cannot be written to", adoption->to->directory);
	if (adoption->n_unread > 0)
		return error_set(error, POSTERN_ERROR_IO,
			"%zu message%s in %s cannot be read now and %s left there: adopt it again",
			adoption->n_unread, adoption->n_unread == 1 ? "" : "s", adoption->from->directory,
			adoption->n_unread == 1 ? "was" : "were");
	if (adoption->n_damaged > 0)
		return error_set(error, POSTERN_ERROR_DAMAGED,
			"%zu damaged message%s in %s %s left there", adoption->n_damaged,
			adoption->n_damaged == 1 ? "" : "s", adoption->from->directory,
			adoption->n_damaged == 1 ? "was" : "were");
	return true;
}

/* ---- the spool there ---- */

/* Half of it is the spool's id, so that people see whose it is. */
static void
spool_adopt_make_claim(Adoption *adoption)
{
	guint64 number;

	random_fill(&number, sizeof number);
	g_snprintf(adoption->claim, sizeof adoption->claim, "%.16s%016" G_GINT64_MODIFIER "x",
		spool_instance(adoption->to), number);
}

static bool
spool_adopt_from(Spool *spool, const char *directory, IdSource *ids, size_t *n,
	char theirs[2 * SPOOL_ID_SIZE + 1], GError **error)
{
	const SpoolSettings settings = { .directory = directory,
		.clock = spool->clock,
		.disk = spool->disk,
		.segment_size = spool->segment_size,
		.large = spool->large };
	g_autofree char *format = g_build_filename(directory, "format", NULL);
	Adoption adoption = { .to = spool, .ids = ids };
	bool is_adopted = false;
	int fd;

	fd = spool->disk->open(spool->disk, format, O_RDONLY, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no spool in %s", directory);
	if (fd < 0)
		return error_set_errno(error, "cannot open %s", format);
	(void)spool->disk->close(spool->disk, fd);
	adoption.from = spool_open(&settings, error);
	if (adoption.from == NULL)
		return false;
	adoption.theirs = spool_instance(adoption.from);
	spool_adopt_make_claim(&adoption);
	g_strlcpy(theirs, adoption.theirs, 2 * SPOOL_ID_SIZE + 1);
	adoption.begun = g_hash_table_new_full(spool_id_hash, g_int64_equal, g_free, g_free);
	adoption.adoptees = g_array_new(FALSE, FALSE, sizeof(Adoptee));
	adoption.released = g_hash_table_new_full(spool_id_hash, g_int64_equal, g_free, g_free);
	adoption.is_damaged = spool_has_damage(adoption.from);
	adoption.lost = spool_taken_open(spool, false, error);
	adoption.taken = adoption.lost != NULL ? spool_taken_open(adoption.from, true, error) : NULL;
	is_adopted = adoption.taken != NULL && spool_adopt_all(&adoption, error);
	*n += adoption.n;
	spool_taken_free(adoption.from, adoption.taken);
	spool_taken_free(spool, adoption.lost);
	g_array_unref(adoption.adoptees);
	g_hash_table_unref(adoption.released);
	g_hash_table_unref(adoption.begun);
	spool_close(adoption.from);
	return is_adopted;
}

/* ---- nested adoptions ---- */

/* The spool that one of the messages held here waits for, and that is in our list of spools adopted before; new; NULL:
 * none.  A dead heir's mail that it had not finished adopting may be settled by where that mail came from. */
static char *
spool_adopt_find_other(Spool *spool, GHashTable *done)
{
	g_autofree char *path = g_build_filename(spool->directory, "adopted", NULL);
	g_autoptr(GKeyFile) list = g_key_file_new();
	g_autoptr(GArray) ids = spool_ids(spool);

	if (!g_key_file_load_from_file(list, path, G_KEY_FILE_NONE, NULL))
		return NULL;
	for (guint i = 0; i < ids->len; i++) {
		g_autoptr(SpoolMessage) message = NULL;
		SpoolSummary summary;
		SpoolHold hold;

		if (!spool_summary(spool, g_array_index(ids, QueueId, i), &summary) || !summary.is_held)
			continue;
		message = spool_read(spool, summary.id, NULL);
		if (message == NULL || !spool_hold_parse(message->state->hold_reason, &hold) ||
			g_hash_table_contains(done, hold.from))
			continue;
		g_hash_table_add(done, g_strdup(hold.from));
		if (g_key_file_has_key(list, "adopted", hold.from, NULL))
			return g_key_file_get_string(list, "adopted", hold.from, NULL);
	}
	return NULL;
}

/* `group`: "adopted", or "begun" of one that is named to people alone.  A convenience: without it the administrator adopts
 * that directory again. */
static void
spool_adopt_remember(Spool *spool, const char *group, const char *theirs, const char *directory)
{
	g_autofree char *path = g_build_filename(spool->directory, "adopted", NULL);
	g_autoptr(GKeyFile) list = g_key_file_new();

	(void)g_key_file_load_from_file(list, path, G_KEY_FILE_NONE, NULL);
	g_key_file_set_string(list, group, theirs, directory);
	if (!g_key_file_save_to_file(list, path, NULL))
		log_event(LOG_LEVEL_WARNING, "adopted spool not remembered", "file", path, NULL);
}

/* What cannot be settled stays held, and is counted by spool_count_adopting(). */
static void
spool_adopt_again(Spool *spool, const char *directory, IdSource *ids, size_t *n)
{
	g_autoptr(GError) error = NULL;
	char theirs[2 * SPOOL_ID_SIZE + 1];

	if (!spool_adopt_from(spool, directory, ids, n, theirs, &error))
		log_event(LOG_LEVEL_WARNING, "spool not adopted again", "from", directory, "error",
			error->message, NULL);
}

bool
spool_adopt(Spool *spool, const char *directory, IdSource *ids, size_t *n, GError **error)
{
	g_autoptr(GHashTable) done = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	char theirs[2 * SPOOL_ID_SIZE + 1] = "";

	*n = 0;
	if (!spool_adopt_from(spool, directory, ids, n, theirs, error)) {
		if (theirs[0] != '\0')
			spool_adopt_remember(spool, "begun", theirs, directory);
		return false;
	}
	spool_adopt_remember(spool, "adopted", theirs, directory);
	g_hash_table_add(done, g_strdup(theirs));
	for (int i = 0; i < ADOPT_DEPTH; i++) {
		g_autofree char *other = NULL;

		if (!spool_adopt_own(spool, n, error))
			return false;
		other = spool_adopt_find_other(spool, done);
		if (other == NULL)
			break;
		spool_adopt_again(spool, other, ids, n);
	}
	return true;
}
