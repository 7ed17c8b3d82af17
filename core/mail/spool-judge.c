/* spool-judge.c - the start: what is damaged, and whether it is known which messages there are.
 *
 * Each batch names its predecessor.  So what could not be read hides nothing if the next batch that was read follows on
 * the last one before.  Where that cannot be known, the start is refused: a message that was acknowledged may be there,
 * and what is written next would stand in its place. */
#include "base/error.h"
#include "mail/spool-private.h"

bool
spool_refuse_unread(const Spool *spool, const Found *found, GError **error)
{
	const bool is_header = found->scan.unread_at == 0;

	return error_set(error, POSTERN_ERROR_IO,
		"segment %" G_GUINT64_FORMAT ", octet %" G_GUINT64_FORMAT
		" cannot be read: %s; which messages it holds is not "
		"known. If it stays so, start without it: posternctl spool set-aside %" G_GUINT64_FORMAT
		" %s",
		found->segment->number, found->scan.unread_at,
		g_strerror(is_header ? found->header_errno : found->scan.unread_errno),
		found->segment->number, spool->directory);
}

static const Found *
spool_next_with_batches(const Recovery *recovery, guint i)
{
	for (i++; i < recovery->found->len; i++) {
		const Found *found = &g_array_index(recovery->found, Found, i);

		if (found->scan.first_batch != 0)
			return found;
	}
	return NULL;
}

/* May batches that count stand where the segment could not be read?  `last`: the batch before its first one.  Segments are
 * used in the order of their numbers, so that of those without batches only the first one behind the tail may have some. */
static bool
spool_may_hide(const Recovery *recovery, guint i, uint64_t last)
{
	const Found *found = &g_array_index(recovery->found, Found, i), *next;
	const SpoolScan *scan = &found->scan;

	if (scan->hides)
		return true;
	if (scan->last_batch != 0)
		last = scan->last_batch;
	if (scan->unread_at == 0) /* its header may say that the tail ended before its last batch */
		return found->header_errno != 0 && i == recovery->n_used;
	if (found->is_ended && found->limit <= last)
		return false;
	next = spool_next_with_batches(recovery, i);
	return next != NULL ? next->scan.previous != last : i <= recovery->n_used;
}

/* The header that cannot be read may have said where the segment before ends; its first batch says the same. */
static void
spool_end_before(Spool *spool, Recovery *recovery, guint i)
{
	const Found *found = &g_array_index(recovery->found, Found, i);

	for (guint k = 0; k < i; k++) {
		Found *before = &g_array_index(recovery->found, Found, k);

		if (before->is_ended || before->scan.last_batch <= found->scan.previous)
			continue;
		before->is_ended = true;
		before->limit = found->scan.previous;
		spool_scan_reset(&before->scan);
		spool_scan_batches(
			spool, before->segment, MAX(before->limit, SPOOL_NO_BATCH), &before->scan);
	}
}

static void
spool_note_findings(Spool *spool, Found *found)
{
	const SpoolSegment *segment = found->segment;

	for (guint k = 0; k < found->scan.findings->len; k++)
		spool_note_damage(spool, "%s", (const char *)found->scan.findings->pdata[k]);
	if (found->header_errno != 0)
		spool_note_damage(spool, "segment %" G_GUINT64_FORMAT ": its header cannot be read: %s",
			segment->number, g_strerror(found->header_errno));
	else if (!found->has_header)
		spool_note_damage(
			spool, "segment %" G_GUINT64_FORMAT ": its header is damaged", segment->number);
	if (segment->is_aside)
		spool_note_damage(spool,
			"segment %" G_GUINT64_FORMAT
			" was set aside: its batches count as far as they can be read",
			segment->number);
	found->segment->has_damage =
		found->scan.findings->len > 0 || !found->has_header || segment->is_aside;
}

/* One behind the tail that was not used: a torn header is no damage, but what the disk cannot read is. */
static void
spool_judge_unused(Spool *spool, Found *found)
{
	if (found->scan.n_unread > 0 || found->header_errno != 0 || found->segment->is_aside)
		spool_note_findings(spool, found);
}

static void
spool_judge_link(Spool *spool, const Found *found, SpoolSegment *before, uint64_t last)
{
	if (before == NULL || found->scan.first_batch == 0 || found->scan.previous == last)
		return;
	spool_note_damage(spool,
		"segment %" G_GUINT64_FORMAT ": its end is damaged, batch %" G_GUINT64_FORMAT
		" was the last to be read",
		before->number, last);
	before->has_damage = true;
}

bool
spool_judge(Spool *spool, Recovery *recovery, GError **error)
{
	uint64_t last = 0;
	SpoolSegment *before = NULL;

	for (guint i = 0; i < recovery->found->len; i++) {
		const Found *found = &g_array_index(recovery->found, Found, i);

		if (found->header_errno != 0 && found->scan.first_batch != 0)
			spool_end_before(spool, recovery, i);
	}
	for (guint i = 0; i < recovery->found->len; i++) {
		Found *found = &g_array_index(recovery->found, Found, i);

		if (found->segment->number < recovery->oldest) {
			found->segment->has_damage |= found->scan.n_unread > 0 || found->header_errno != 0;
			continue;
		}
		if (spool_may_hide(recovery, i, last) && !found->segment->is_aside && !spool->is_read_only)
			return spool_refuse_unread(spool, found, error);
		if (i >= recovery->n_used) {
			spool_judge_unused(spool, found);
			continue;
		}
		spool_note_findings(spool, found);
		spool_judge_link(spool, found, before, last);
		before = found->segment;
		if (found->scan.last_batch != 0)
			last = found->scan.last_batch;
		else if (found->is_ended)
			last = found->limit;
	}
	return true;
}
