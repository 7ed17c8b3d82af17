/* session-data.c - the octets of a message, from DATA or BDAT to the hand-over to the spool. */
#include "base/log.h"
#include "engine/session-private.h"
#include "proto/header.h"

enum { DATA_STEP = 256 * 1024 };

void
session_drop_transaction(Session *session)
{
	if (session->transaction != NULL)
		session_observe(session, (Observation){ .stage = PTN_RESET });
	g_clear_pointer(&session->transaction, transaction_free);
	g_clear_pointer(&session->queue_text, g_free);
	g_clear_pointer(&session->kept_of_mail, kept_refusal_free);
	lookups_end(session->lookups, LOOKUPS_OF_MESSAGE);
	session->pending = NULL;
	session->failed_recipient = session->data_failed = session->data_ended = false;
	session_release_space(session);
	session->data_size = session->data_written = 0;
	session->data_refusal = NULL;
	if (session->state > STATE_READY)
		session->state = STATE_READY;
	if (session->input == INPUT_DATA)
		session->input = INPUT_COMMANDS; /* a chunk being skipped goes on being skipped */
}

static void
session_start_content(Session *session, InputMode input)
{
	if (session->transaction->content == NULL && !session->data_failed) {
		session->transaction->content = content_new(session->engine->spool);
		session->decoder =
			(DataDecoder){ .is_lenient = session->listener->is_lenient, .is_chunk = input == INPUT_CHUNK };
		session->mbox = (MboxFilter){ 0 };
	}
	session->input = input;
}

void
session_start_data(Session *session)
{
	session_start_content(session, INPUT_DATA);
}

static bool
session_refuse_endless(Session *session)
{
	if (session->in != NULL)
		session->in_taken = session->in->len;
	session_close_with(session, PTN_POLICY, 552, "5.3.4", "Error: message file too big");
	session_drop_transaction(session);
	session->input = INPUT_COMMANDS;
	return true;
}

/* A chunk that is refused, too, is read to its end, but not for ever. */
static bool
session_is_endless(const Session *session, uint64_t size)
{
	return size > 2 * (uint64_t)session->snapshot->settings->max_message;
}

void
session_start_chunk(Session *session, uint64_t size, bool is_last)
{
	if (session_is_endless(session, size)) {
		(void)session_refuse_endless(session);
		return;
	}
	session->chunk_left = size;
	session->chunk_is_last = is_last;
	session->state = STATE_CHUNK;
	session_start_content(session, INPUT_CHUNK);
}

void
session_skip_chunk(Session *session, uint64_t size)
{
	if (session_is_endless(session, size)) {
		session->is_closing = true; /* it has its reply */
		return;
	}
	session->chunk_left = size;
	session->skips_chunk = size > 0;
	session->input = size > 0 ? INPUT_CHUNK : INPUT_COMMANDS;
}

/* ---- the end of the data ---- */

static void
session_log_write_error(const Session *session, const GError *error)
{
	if (error != NULL)
		log_event(LOG_LEVEL_ERROR, "message cannot be written", "session", session->facts.id, "queue",
			session->queue_text, "error", error->message, NULL);
}

static void
session_offer_to_hooks(Session *session)
{
	switch (session_trace(session)) {
	case TRACE_GOOD:
		session_begin_stage(session, &session_message_row);
		return;
	case TRACE_LOOP:
		session_reject(session, PTN_POLICY, 554, "5.4.6", "Error: too many hops");
		break;
	case TRACE_TOO_LONG:
		session_reject(session, PTN_POLICY, 554, "5.6.0", "Error: more than %d header fields", HEADER_FIELDS_MAX);
		break;
	case TRACE_UNREADABLE:
		session_reject(session, PTN_LOCAL, 451, "4.3.0", "Error: queue file read error");
		break;
	}
	session_drop_transaction(session);
}

static void
session_reject_data(Session *session)
{
	if (session->data_size > (uint64_t)session->snapshot->settings->max_message)
		session_reject(session, PTN_POLICY, 552, "5.3.4", "Error: message file too big");
	else if (session->data_refusal != NULL)
		session_reject(session, PTN_LOCAL, session->data_refusal->code, session->data_refusal->enhanced, "%s",
			session->data_refusal->text);
	else
		session_reject(session, PTN_LOCAL, 451, "4.3.0", "Error: queue file write error");
	session_drop_transaction(session);
	session->failed_mail = true; /* further chunks may have been pipelined */
}

static void
session_append(void *data, const char *octets, size_t size)
{
	Session *session = data;

	content_append(session->transaction->content, octets, size);
}

/* A content with a file is synced before it may be named by a commit: never on the loop. */
static bool
session_finish_data(Session *session, Place place, SessionNeed *need)
{
	Content *content = session->transaction->content;
	g_autoptr(GError) error = NULL;

	session->data_failed |= content == NULL;
	if (content != NULL)
		mbox_finish(&session->mbox, session_append, session);
	if (!session->data_failed && content_has_file(content)) {
		if (place == ON_LOOP) {
			*need = SESSION_WANTS_WORKER;
			return false;
		}
		session->data_failed = !content_finish(content, &error);
		session_log_write_error(session, error);
	}
	session->input = INPUT_COMMANDS;
	session->data_ended = false;
	session->junk = 0;
	if (session->data_failed)
		session_reject_data(session);
	else
		session_offer_to_hooks(session);
	return true;
}

static bool
session_finish_chunk(Session *session, Place place, SessionNeed *need)
{
	const uint64_t size = session->data_size;

	if (session->chunk_is_last)
		return session_finish_data(session, place, need);
	session->input = INPUT_COMMANDS;
	session->data_ended = false;
	if (session->data_failed)
		session_reject_data(session);
	else
		session_reply(session, 250, "2.0.0", "%" G_GUINT64_FORMAT " octets", size);
	return true;
}

static void
session_queue_message(Session *session)
{
	session->sealed = transaction_seal(session->transaction);
	session->wants = SESSION_WANTS_COMMIT;
}

const CommandRow session_message_row = { "", STATE_ANY, PTN_MESSAGE, NULL, session_queue_message,
	session_drop_transaction };

/* ---- taking octets ---- */

/* Too large a message is read to its end, so that the client hears why, but not kept. */
static void
session_keep(void *data, const char *octets, size_t size)
{
	Session *session = data;

	session->data_size += size;
	if (session->data_size > (uint64_t)session->snapshot->settings->max_message)
		session->data_failed = true;
	if (!session->data_failed)
		session->data_refusal = session_take_space(session);
	if (session->data_refusal != NULL && !session->data_failed)
		budget_count_refusal(session->data_refusal, session->engine->metrics);
	session->data_failed |= session->data_refusal != NULL;
	if (session->data_failed) {
		g_clear_pointer(&session->transaction->content, content_free);
		session_release_space(session);
	} else {
		mbox_filter(&session->mbox, octets, size, session_append, session);
	}
}

static bool
session_refuse_bare(Session *session)
{
	session_event(session, "bare-newline");
	session->in_taken = session->in->len;
	session_close_with(session, PTN_PROTOCOL, 550, "5.5.2", "Error: bare <CR> or <LF> received");
	session_drop_transaction(session);
	session->input = INPUT_COMMANDS;
	return true;
}

static bool
session_take_dotted(Session *session, const char *octets, size_t size)
{
	size_t used;
	const DataResult result = data_decode(&session->decoder, octets, size, &used, session_keep, session);

	session->in_taken += used;
	if (session->decoder.has_bare)
		return session_refuse_bare(session);
	if (session_is_endless(session, session->data_size))
		return session_refuse_endless(session);
	session->data_ended = result == DATA_END;
	return true;
}

static bool
session_take_chunk(Session *session, const char *octets, size_t size)
{
	const size_t taken = (size_t)MIN(session->chunk_left, size);
	size_t used;

	session->in_taken += taken;
	session->chunk_left -= taken;
	if (session->skips_chunk) {
		if (session->chunk_left == 0) {
			session->skips_chunk = false;
			session->input = INPUT_COMMANDS;
		}
		return true;
	}
	(void)data_decode(&session->decoder, octets, taken, &used, session_keep, session);
	session->data_ended = session->chunk_left == 0;
	if (session->data_ended && session->chunk_is_last)
		data_decode_finish(&session->decoder, session_keep, session);
	return session->decoder.has_bare ? session_refuse_bare(session) : true;
}

static bool
session_flush_content(Session *session, Place place, SessionNeed *need)
{
	g_autoptr(GError) error = NULL;

	if (place == ON_LOOP) {
		*need = SESSION_WANTS_WORKER;
		return false;
	}
	session->data_failed = !content_flush(session->transaction->content, &error);
	session_log_write_error(session, error);
	if (session->data_failed)
		g_clear_pointer(&session->transaction->content, content_free);
	else
		session_note_written(session);
	return true;
}

bool
session_take_data(Session *session, Place place, SessionNeed *need)
{
	const size_t waiting = MIN(session_input_waiting(session), DATA_STEP);
	const char *octets = waiting > 0 ? (const char *)session->in->data + session->in_taken : NULL;

	if (session->data_ended)
		return session->input == INPUT_DATA ? session_finish_data(session, place, need)
											: session_finish_chunk(session, place, need);
	if (!session->skips_chunk && session->transaction->content != NULL &&
		content_wants_flush(session->transaction->content))
		return session_flush_content(session, place, need);
	*need = SESSION_WANTS_INPUT;
	if (waiting == 0 &&
		(session->input == INPUT_DATA || session->chunk_left > 0)) /* "BDAT 0 LAST" ends without octets */
		return false;
	return session->input == INPUT_DATA ? session_take_dotted(session, octets, waiting)
										: session_take_chunk(session, octets, waiting);
}
