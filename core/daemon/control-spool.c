/* control-spool.c - posternctl spool: its figures, and the mail of a lost node. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/control.h"
#include "engine/stay.h"

/* ---- adopting ---- */

typedef struct {
	GHashTable *before; /* ids of what was not held */
	GArray *ids;        /* of QueueId: what is not held now, and was not there or held */
	GArray *waiting;    /* the same: all that is held now */
	IdSource *source;
} Adopted;

static bool
spool_note_one(void *data, const SpoolSummary *summary)
{
	const Adopted *adopted = data;
	gint64 *id;

	if (summary->is_held)
		return true;
	id = g_new(gint64, 1);
	*id = (gint64)summary->id;
	g_hash_table_add(adopted->before, id);
	return true;
}

static bool
spool_find_new(void *data, const SpoolSummary *summary)
{
	const Adopted *adopted = data;
	const gint64 id = (gint64)summary->id;

	id_source_pass(adopted->source, summary->id);
	if (summary->is_held)
		g_array_append_val(adopted->waiting, summary->id);
	else if (!g_hash_table_contains(adopted->before, &id))
		g_array_append_val(adopted->ids, summary->id);
	return true;
}

/* Due at once: what the lost node waited for may be long over.  One that the queue knew as held, since an
 * adoption was interrupted, may be held for another time now. */
static void
spool_make_due(Daemon *daemon, const GArray *ids)
{
	queue_refill(daemon->engine.queue);
	for (guint i = 0; i < ids->len; i++)
		(void)queue_do(daemon->engine.queue, g_array_index(ids, QueueId, i), QUEUE_RETRY, NULL);
	delivery_wake(daemon->delivery);
}

static bool
spool_take_over(Daemon *daemon, const char *directory, Answer *answer, GError **error)
{
	g_autoptr(GHashTable) before = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	g_autoptr(GArray) waiting = g_array_new(FALSE, FALSE, sizeof(QueueId));
	Adopted adopted = { before, ids, waiting, daemon->engine.ids };
	g_autofree char *count = NULL;
	bool is_whole;
	size_t n = 0;

	if (!g_path_is_absolute(directory))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not an absolute path", directory);
	spool_each(daemon->engine.spool, spool_note_one, &adopted);
	is_whole = spool_adopt(daemon->engine.spool, directory, daemon->engine.ids, &n, error);
	spool_each(daemon->engine.spool, spool_find_new, &adopted);
	atomic_store(&daemon->adopting_us, 0);
	spool_make_due(daemon, ids);
	for (guint i = 0; i < waiting->len; i++)
		stay_note(daemon->engine.stay, g_array_index(waiting, QueueId, i));
	count = g_strdup_printf("%zu", n);
	log_event(LOG_LEVEL_INFO, "spool adopted", "from", directory, "messages", count, NULL);
	if (n > 0 || is_whole)
		answer_text(answer, "adopted %zu message%s of %s.", n, n == 1 ? "" : "s", directory);
	return is_whole;
}

/* ---- figures ---- */

static void
spool_put_figure(Answer *answer, const char *name, uint64_t number)
{
	g_autofree char *text = g_strdup_printf("number:%" G_GUINT64_FORMAT, number);

	answer_row(answer, name, text, NULL);
}

static void
spool_show(Daemon *daemon, Answer *answer)
{
	SpoolFigures figures;

	spool_figures(daemon->engine.spool, &figures);
	answer_columns(answer, "figure", "value:value", NULL);
	answer_row(answer, "open", figures.is_closed ? "boolean:no" : "boolean:yes", NULL);
	answer_row(answer, "damaged", figures.has_damage ? "boolean:yes" : "boolean:no", NULL);
	spool_put_figure(answer, "messages", figures.messages);
	spool_put_figure(answer, "under-way", queue_active(daemon->engine.queue));
	spool_put_figure(answer, "unwritten-results", figures.unwritten);
	spool_put_figure(answer, "segments", figures.segments);
	spool_put_figure(answer, "log-octets", figures.log_octets);
	spool_put_figure(answer, "live-octets", figures.live_octets);
	spool_put_figure(answer, "content-files", figures.files);
	spool_put_figure(answer, "free-octets", figures.free_octets);
	spool_put_figure(answer, "commits", figures.commits);
	spool_put_figure(answer, "transactions", figures.transactions);
	spool_put_figure(answer, "states", figures.states);
	spool_put_figure(answer, "last-sync-us", figures.sync_us_last);
	spool_put_figure(answer, "longest-sync-us", figures.sync_us_max);
	spool_put_figure(answer, "compacted-octets", figures.compacted_octets);
}

void
control_spool(Daemon *daemon, const Request *request, Answer *answer)
{
	char *const *words = request->words + 1;
	g_autoptr(GError) error = NULL;

	if (words[0] == NULL)
		spool_show(daemon, answer);
	else if (strcmp(words[0], "adopt") != 0 || words[1] == NULL || words[2] != NULL)
		answer_fail(answer, "spool knows: adopt DIRECTORY, check [DIRECTORY], "
							"set-aside SEGMENT [DIRECTORY], and alone its figures");
	else if (!spool_take_over(daemon, words[1], answer, &error))
		answer_fail(answer, "%s", error->message);
}
