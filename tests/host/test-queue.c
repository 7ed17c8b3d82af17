/* test-queue.c - what was queued in a test host, what was counted, what commands say, and what goes on behind. */
#include "test-host-private.h"

#include <string.h>

/* ---- the queue ---- */

static bool
test_collect(void *data, const SpoolSummary *summary)
{
	g_array_append_val((GArray *)data, summary->id);
	return true;
}

SpoolMessage *
test_message(PtnTest *test, size_t i)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	g_autoptr(GError) error = NULL;
	SpoolMessage *message;

	spool_each(test->engine.spool, test_collect, ids);
	if (i >= ids->len)
		test_die("queue", "there is no such message");
	message = spool_read(test->engine.spool, g_array_index(ids, QueueId, i), &error);
	if (message == NULL)
		test_die("queue", error->message);
	return message;
}

size_t
ptn_test_queued(PtnTest *test)
{
	return spool_count(test->engine.spool);
}

const char *
ptn_test_queued_sender(PtnTest *test, size_t i)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);

	return test_hand_out(test, g_strdup(message->envelope->sender));
}

const char *
ptn_test_queued_recipient(PtnTest *test, size_t i, size_t recipient)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);

	if (recipient >= message->envelope->recipients->len)
		return NULL;
	return test_hand_out(
		test, g_strdup(((const Recipient *)message->envelope->recipients->pdata[recipient])->address));
}

static bool
test_add_piece(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
	return true;
}

const char *
ptn_test_queued_text(PtnTest *test, size_t i)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);
	GString *text = g_string_new(NULL);

	if (!spool_read_content(message, NULL) || !spool_message_pieces(message, test_add_piece, text, NULL))
		test_die("queue", "the content cannot be read");
	return test_hand_out(test, g_string_free(text, FALSE));
}

const char *
ptn_test_queued_note(PtnTest *test, size_t i, const char *name)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);

	return test_hand_out(test, g_strdup(envelope_note(message->envelope, name)));
}

const char *
test_host_queued_envelope(PtnTest *test, size_t i)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);
	const Envelope *envelope = message->envelope;
	GString *text = g_string_new(NULL);

	g_string_printf(text, "from=%s envid=%s ret=%d body=%d utf8=%d", envelope->sender,
		envelope->envid != NULL ? envelope->envid : "", (int)envelope->ret, (int)envelope->body, envelope->is_smtputf8);
	for (guint k = 0; k < envelope->recipients->len; k++) {
		const Recipient *recipient = envelope->recipients->pdata[k];

		g_string_append_printf(text, " to=%s,%s,%u", recipient->address,
			recipient->original != NULL ? recipient->original : "", recipient->notify);
	}
	g_string_append(text, " notes=");
	for (guint k = 0; k < envelope->notes->len; k++)
		g_string_append_printf(text, "%s%s", k > 0 ? "," : "", ((const Note *)envelope->notes->pdata[k])->name);
	return test_hand_out(test, g_string_free(text, FALSE));
}

bool
ptn_test_queued_is_held(PtnTest *test, size_t i)
{
	g_autoptr(SpoolMessage) message = test_message(test, i);

	return message->state->is_held;
}

void
test_host_store(PtnTest *test, const char *key, const char *value)
{
	if (store_set(test->engine.store, key, value, 0, CLOCK_NEVER) != PTN_OK)
		test_die("store", "it cannot be written");
}

int64_t
ptn_test_count(PtnTest *test, const char *metric)
{
	return metrics_get(test->engine.metrics, metric);
}

/* ---- commands and work ---- */

static void
test_add_row(void *data, const char *const *cells)
{
	GString *text = data;

	for (; cells[0] != NULL && cells[1] != NULL; cells += 2) {
		const char *colon = g_str_has_suffix(cells[0], ":value") ? strchr(cells[1], ':') : NULL;

		g_string_append_printf(text, "%.*s=%s%s", (int)strcspn(cells[0], ":"), cells[0],
			colon != NULL ? colon + 1 : cells[1], cells[2] != NULL ? " " : "\n");
	}
}

const char *
ptn_test_command(PtnTest *test, const char *plugin, ...)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(GError) error = NULL;
	GString *text = g_string_new(NULL);
	const char *word;
	va_list more;

	va_start(more, plugin);
	while ((word = va_arg(more, const char *)) != NULL)
		g_ptr_array_add(words, (void *)(uintptr_t)word);
	va_end(more);
	g_ptr_array_add(words, NULL);
	if (!host_command(test->set, plugin, (const char *const *)words->pdata, NULL, test_add_row, text, &error))
		g_string_append_printf(text, "error: %s\n", error->message);
	return test_hand_out(test, g_string_free(text, FALSE));
}

void
ptn_test_finish_work(PtnTest *test)
{
	WorkersFigures figures;

	for (workers_figures(test->engine.waiters, &figures); figures.queued > 0 || figures.idle < figures.threads;
		 workers_figures(test->engine.waiters, &figures))
		g_usleep(1000);
}
