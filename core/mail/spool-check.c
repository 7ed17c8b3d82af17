/* spool-check.c - reads everything there is, batch by batch and message by message, and changes nothing. */
#include "base/error.h"
#include "mail/spool-private.h"

static bool
spool_collect_id(void *data, const SpoolSummary *summary)
{
	g_array_append_val((GArray *)data, summary->id);
	return true;
}

GArray *
spool_ids(Spool *spool)
{
	GArray *ids = g_array_new(FALSE, FALSE, sizeof(QueueId));

	spool_each(spool, spool_collect_id, ids);
	return ids;
}

static void
spool_check_message(Spool *spool, QueueId id, GPtrArray *findings)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(SpoolMessage) message = spool_read(spool, id, &error);
	char text[ID_TEXT_SIZE];

	if (message != NULL && spool_read_content(message, &error))
		return;
	g_ptr_array_add(findings, g_strdup_printf("message %s: %s", id_format(id, text), error->message));
}

bool
spool_check(const SpoolSettings *settings, GPtrArray *findings, GError **error)
{
	Spool *spool = spool_new(settings);
	g_autoptr(GArray) ids = NULL;
	const guint before = findings->len;
	bool is_read;

	spool->is_read_only = true;
	is_read = spool_load(spool, error);
	if (is_read) {
		ids = spool_ids(spool);
		for (guint i = 0; i < spool->damage->len; i++)
			g_ptr_array_add(findings, g_strdup(spool->damage->pdata[i]));
		for (guint i = 0; i < ids->len; i++)
			spool_check_message(spool, g_array_index(ids, QueueId, i), findings);
	}
	spool_unload(spool);
	return is_read && findings->len == before;
}
