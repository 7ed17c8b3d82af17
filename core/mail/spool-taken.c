/* spool-taken.c - the file `taken` of a spool: which of its messages belong to another spool now.
 *
 * A line, "QUEUE-ID SPOOL-ID", durably there, is what makes a message another spool's: the heir has it, durably, and held,
 * before the line is written, and sets it free after.  The states that end these messages here only follow: they are
 * put at each start for those that lack them.  The first line of an id counts.  The lines stay: heirs that were interrupted,
 * and their heirs, see by them what is theirs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "mail/spool-private.h"

enum {
	TAKEN_ID = 13,
	TAKEN_SPOOL = 2 * SPOOL_ID_SIZE,
	TAKEN_LINE = TAKEN_ID + 1 + TAKEN_SPOOL + 1
};

struct SpoolTaken {
	int fd;
	uint64_t end;      /* behind the last whole line */
	GHashTable *heirs; /* QueueId → text */
};

void
spool_taken_free(Spool *spool, SpoolTaken *taken)
{
	if (taken == NULL)
		return;
	if (taken->fd >= 0)
		(void)spool->disk->close(spool->disk, taken->fd);
	g_hash_table_unref(taken->heirs);
	g_free(taken);
}

static void
spool_taken_set(SpoolTaken *taken, QueueId id, const char *heir)
{
	if (!g_hash_table_contains(taken->heirs, &id))
		g_hash_table_insert(taken->heirs, g_memdup2(&id, sizeof id), g_strndup(heir, TAKEN_SPOOL));
}

/* A torn line ends what counts: it was never relied on, and is written over. */
static void
spool_taken_parse(SpoolTaken *taken, const char *text, uint64_t size)
{
	for (; size - taken->end >= TAKEN_LINE; taken->end += TAKEN_LINE) {
		const char *line = text + taken->end;
		g_autofree char *id_text = g_strndup(line, TAKEN_ID);
		QueueId id;

		if (line[TAKEN_ID] != ' ' || line[TAKEN_LINE - 1] != '\n' || !id_parse(id_text, &id) ||
			strspn(line + TAKEN_ID + 1, "0123456789abcdef") != TAKEN_SPOOL)
			return;
		spool_taken_set(taken, id, line + TAKEN_ID + 1);
	}
}

/* Lines whose sync failed may be in the page cache only, and are to be relied on now. */
static bool
spool_taken_renew(
	Spool *spool, const SpoolTaken *taken, char *text, const char *path, GError **error)
{
	struct iovec part = { text, taken->end };

	return taken->end == 0 ||
		   (spool_pwrite(spool->disk, taken->fd, &part, 1, 0) &&
			   spool->disk->fsync(spool->disk, taken->fd) == 0) ||
		   error_set_errno(error, "cannot write %s again", path);
}

static bool
spool_taken_read(Spool *spool, SpoolTaken *taken, const char *path, GError **error)
{
	const Disk *disk = spool->disk;
	g_autofree char *text = NULL;
	uint64_t size;

	if (disk->size(disk, taken->fd, &size) != 0)
		return error_set_errno(error, "cannot look at %s", path);
	text = g_malloc(size + 1);
	if (!spool_pread(disk, taken->fd, text, size, 0))
		return error_set_errno(
			error, "cannot read %s, which says what other spools have taken over", path);
	spool_taken_parse(taken, text, size);
	return spool_taken_renew(spool, taken, text, path, error);
}

SpoolTaken *
spool_taken_open(Spool *spool, bool may_create, GError **error)
{
	g_autofree char *path = g_build_filename(spool->directory, "taken", NULL);
	SpoolTaken *taken = g_new0(SpoolTaken, 1);

	taken->heirs = g_hash_table_new_full(spool_id_hash, g_int64_equal, g_free, g_free);
	taken->fd = spool->disk->open(spool->disk, path, O_RDWR | (may_create ? O_CREAT : 0), 0600);
	if (taken->fd < 0 && !may_create && errno == ENOENT)
		return taken;
	if (taken->fd < 0)
		(void)error_set_errno(error, "cannot open %s", path);
	else if (spool_taken_read(spool, taken, path, error) &&
			 (!may_create || spool_sync_directory(spool, spool->directory, error)))
		return taken;
	spool_taken_free(spool, taken);
	return NULL;
}

const char *
spool_taken_heir(const SpoolTaken *taken, QueueId id)
{
	return g_hash_table_lookup(taken->heirs, &id);
}

bool
spool_taken_add(Spool *spool, SpoolTaken *taken, const GArray *added, GError **error)
{
	g_autoptr(GString) lines = g_string_new(NULL);
	struct iovec part;
	char text[ID_TEXT_SIZE];

	for (guint i = 0; i < added->len; i++) {
		const SpoolTakenLine *line = &g_array_index(added, SpoolTakenLine, i);

		g_string_append_printf(lines, "%s %s\n", id_format(line->id, text), line->heir);
	}
	part = (struct iovec){ lines->str, lines->len };
	if (!spool_pwrite(spool->disk, taken->fd, &part, 1, taken->end) ||
		spool->disk->fsync(spool->disk, taken->fd) != 0)
		return error_set_errno(error, "cannot write %s/taken", spool->directory);
	taken->end += lines->len;
	for (guint i = 0; i < added->len; i++) {
		const SpoolTakenLine *line = &g_array_index(added, SpoolTakenLine, i);

		spool_taken_set(taken, line->id, line->heir);
	}
	return true;
}

void
spool_taken_mark(MessageState *state, const char *heir)
{
	g_autofree char *reply = g_strdup_printf("adopted by spool %s", heir);

	for (unsigned i = 0; i < state->n_recipients; i++)
		if (recipient_state_is_open(&state->recipients[i]))
			message_state_set_recipient(state, i, RECIPIENT_REMOVED, reply);
}

void
spool_taken_end(Spool *spool, MessageState *state, const char *heir)
{
	spool_taken_mark(state, heir);
	spool_put_state(spool, state);
}

/* The index is enough: one that cannot be read is another spool's all the same. */
bool
spool_taken_apply(Spool *spool, GError **error)
{
	SpoolTaken *taken = spool_taken_open(spool, false, error);
	GHashTableIter each;
	void *id, *heir;

	if (taken == NULL)
		return false;
	g_hash_table_iter_init(&each, taken->heirs);
	while (g_hash_table_iter_next(&each, &id, &heir)) {
		g_autoptr(SpoolMessage) message = NULL;
		SpoolSummary summary;

		if (!spool_summary(spool, *(const QueueId *)id, &summary))
			continue;
		message = spool_read(spool, summary.id, NULL);
		spool_taken_end(spool,
			message != NULL ? g_steal_pointer(&message->state)
							: message_state_new(summary.id, summary.n_recipients),
			heir);
	}
	spool_taken_free(spool, taken);
	return true;
}
