/* sink-record.c - the record of --record: a line for whatever became of a recipient, in the
 * order of time.
 *
 *     accepted ID RECIPIENT TIME CRC SIZE   250 was sent to a client that was still there
 *     left ID RECIPIENT TIME CRC SIZE       the client left before the reply: not accepted
 *     failed 0 RECIPIENT TIME               a report says so of this recipient
 *     refused 0 RECIPIENT TIME              550 to RCPT
 *
 * ID is the X-Bench-Id of the header; TIME is monotonic, in ns; CRC (CRC-32C) and SIZE are those
 * of the body, without the header. */
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "sink.h"

void
sink_record_open(Sink *sink)
{
	if (sink->options.record_to == NULL)
		return;
	sink->record = fopen(sink->options.record_to, "w");
	if (sink->record == NULL)
		bench_fail("%s: %s", sink->options.record_to, g_strerror(errno));
}

void
sink_record_close(Sink *sink)
{
	if (sink->record != NULL && fclose(sink->record) != 0)
		bench_fail("%s: %s", sink->options.record_to, g_strerror(errno));
}

/* ---- the body ---- */

/* Finds the end of the header, an empty line, and counts what comes behind it. */
void
sink_record_content(SinkSession *session, const char *octets, size_t size)
{
	static const char end[] = "\r\n\r\n";

	while (size > 0 && session->n_end < 4) {
		session->n_end = *octets == end[session->n_end] ? session->n_end + 1
						 : *octets == '\r'              ? 1
														: 0;
		octets++;
		size--;
	}
	session->body_crc = crc32c(session->body_crc, octets, size);
	session->body_size += size;
}

void
sink_record_begin(SinkSession *session)
{
	session->n_end = 0;
	session->body_crc = 0;
	session->body_size = 0;
}

/* ---- lines ---- */

static void
record_put(Sink *sink, const SinkSession *session, const char *what, const char *recipient)
{
	fprintf(sink->record,
		"%s %" G_GINT64_FORMAT " %s %" G_GINT64_FORMAT " %08x %" G_GUINT64_FORMAT "\n", what,
		sink_content_id(session->content), recipient, bench_now_ns(), session->body_crc,
		session->body_size);
}

void
sink_record_refusal(Sink *sink, const char *recipient)
{
	if (sink->record != NULL)
		fprintf(sink->record, "refused 0 %s %" G_GINT64_FORMAT "\n", recipient, bench_now_ns());
}

/* RFC 3464 2.3: a group of fields per recipient, Final-Recipient before Action, groups divided
 * by empty lines. */
static void
record_put_report(Sink *sink, const SinkSession *session)
{
	static const char final[] = "Final-Recipient: rfc822;";
	g_auto(GStrv) lines = g_strsplit(session->content->str, "\r\n", -1);
	const char *recipient = NULL;

	for (guint i = 0; lines[i] != NULL; i++) {
		if (lines[i][0] == '\0')
			recipient = NULL;
		else if (g_str_has_prefix(lines[i], final))
			recipient = lines[i] + strlen(final);
		else if (recipient != NULL && strcmp(lines[i], "Action: failed") == 0)
			fprintf(sink->record, "failed 0 %s %" G_GINT64_FORMAT "\n", recipient, bench_now_ns());
	}
}

void
sink_record_message(Sink *sink, const SinkSession *session, bool is_accepted)
{
	if (sink->record == NULL)
		return;
	if (session->is_report) {
		if (is_accepted)
			record_put_report(sink, session);
		return;
	}
	for (guint i = 0; i < session->recipients->len; i++)
		record_put(sink, session, is_accepted ? "accepted" : "left", session->recipients->pdata[i]);
}
