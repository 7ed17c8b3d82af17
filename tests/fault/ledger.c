/* ledger.c - a client with a good memory. */
#include "fault/ledger.h"

#include <stdio.h>
#include <string.h>

enum { LEDGER_SEGMENT = 32 << 10, LEDGER_LARGE = 6 << 10, LEDGER_MOST = 10 << 10, LEDGER_MANY = 20 };

#define NEVER G_MAXUINT

/* The messages of one transaction. */
typedef struct {
	QueueId first; /* copies have the ids behind it */
	unsigned n;
	size_t size;
	guint sent, answered;
	SpoolResult result;
} Sent;

/* One message. */
typedef struct {
	const Sent *sent;
	unsigned put, durable; /* attempts of the state put last, and of the last one known to be durable */
	guint durable_at;
	GArray *puts;    /* steps, one for each state put */
	MessageState *state; /* as it was put last, carried on from put to put; NULL: it was not */
	guint ended, end_durable;
	bool is_unsure; /* its last state was under way when the daemon was killed: no later flush vouches for it */
} Told;

struct Ledger {
	SimDisk *sim;
	GRand *rand;
	QueueId next;
	GPtrArray *sent;
	GHashTable *told; /* id → Told */
	GPtrArray *live;  /* of Told*, those that may be changed */
};

static void
told_free(void *data)
{
	Told *told = data;

	g_array_unref(told->puts);
	message_state_free(told->state);
	g_free(told);
}

Ledger *
ledger_new(SimDisk *sim, uint32_t seed)
{
	Ledger *ledger = g_new0(Ledger, 1);

	ledger->sim = sim;
	ledger->rand = g_rand_new_with_seed(seed);
	ledger->next = 1000;
	ledger->sent = g_ptr_array_new_with_free_func(g_free);
	ledger->told = g_hash_table_new_full(NULL, NULL, NULL, told_free);
	ledger->live = g_ptr_array_new();
	return ledger;
}

void
ledger_free(Ledger *ledger)
{
	g_rand_free(ledger->rand);
	g_ptr_array_unref(ledger->sent);
	g_ptr_array_unref(ledger->live);
	g_hash_table_unref(ledger->told);
	g_free(ledger);
}

static guint
ledger_step(const Ledger *ledger)
{
	return ledger->sim != NULL ? sim_disk_step(ledger->sim) : 0;
}

static void
ledger_fill(char *body, size_t size, QueueId id)
{
	uint32_t state = (uint32_t)id * 2654435761u + 1;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		body[i] = (char)('a' + (state >> 24) % 26);
	}
}

/* Every third message has so many that what changed in its state is written instead of the whole. */
static unsigned
ledger_recipients(QueueId id)
{
	return id % 3 == 0 ? LEDGER_MANY : 1;
}

static Envelope *
ledger_envelope(QueueId id, unsigned copy)
{
	Envelope *envelope = envelope_new(id);
	g_autofree char *recipient = g_strdup_printf("r%u-%u@example.net", (unsigned)id, copy);

	envelope->arrived_us = (int64_t)id;
	envelope_add_recipient(envelope, recipient, copy > 0 ? "rfc822;x@example.org" : NULL, copy);
	for (unsigned i = 1; i < ledger_recipients(id); i++)
		envelope_add_recipient(envelope, recipient, NULL, 0);
	g_free(envelope->top);
	envelope->top = g_strdup_printf("Received: copy %u\r\n", copy);
	envelope_set_note(envelope, "account", "user@example.org");
	return envelope;
}

static Content *
ledger_content(Ledger *ledger, Spool *spool, size_t size)
{
	g_autoptr(Content) content = content_new(spool);
	g_autofree char *body = g_malloc(size + 1);

	ledger_fill(body, size, ledger->next);
	content_append(content, body, size);
	if (content_wants_flush(content) && !content_flush(content, NULL))
		return NULL;
	return content_finish(content, NULL) ? g_steal_pointer(&content) : NULL;
}

static void
ledger_note(Ledger *ledger, const Sent *sent)
{
	for (unsigned i = 0; i < sent->n; i++) {
		Told *told = g_new0(Told, 1);

		told->sent = sent;
		told->puts = g_array_new(FALSE, FALSE, sizeof(guint));
		told->ended = told->end_durable = NEVER;
		g_hash_table_insert(ledger->told, GSIZE_TO_POINTER(sent->first + i), told);
	}
}

static SpoolTransaction *
ledger_send(Ledger *ledger, Spool *spool, size_t size, unsigned n_copies, Sent **sent)
{
	Content *content = ledger_content(ledger, spool, size);
	SpoolTransaction *transaction;

	if (content == NULL)
		return NULL;
	*sent = g_new0(Sent, 1);
	transaction = spool_transaction_new();
	**sent = (Sent){ .first = ledger->next, .n = 1 + n_copies, .size = size, .sent = ledger_step(ledger),
		.answered = NEVER };
	spool_transaction_set_content(transaction, content);
	for (unsigned i = 0; i <= n_copies; i++)
		spool_transaction_add(transaction, ledger_envelope(ledger->next + i, i), NULL);
	ledger->next += 1 + n_copies;
	g_ptr_array_add(ledger->sent, *sent);
	ledger_note(ledger, *sent);
	return transaction;
}

static void
ledger_answer(Ledger *ledger, Sent *sent, SpoolResult result)
{
	sent->result = result;
	sent->answered = ledger_step(ledger);
	for (unsigned i = 0; result == SPOOL_COMMITTED && i < sent->n; i++)
		g_ptr_array_add(ledger->live, g_hash_table_lookup(ledger->told, GSIZE_TO_POINTER(sent->first + i)));
}

SpoolResult
ledger_commit(Ledger *ledger, Spool *spool, size_t size, unsigned n_copies)
{
	Sent *sent;
	SpoolTransaction *transaction = ledger_send(ledger, spool, size, n_copies, &sent);
	SpoolResult result;

	if (transaction == NULL)
		return SPOOL_FAILED;
	result = spool_commit_wait(spool, transaction);
	ledger_answer(ledger, sent, result);
	return result;
}

typedef struct {
	Ledger *ledger;
	Sent *sent;
	SpoolResult result;
	guint answered;
	gint *left;
} Flight;

static void
ledger_landed(void *data, SpoolResult result)
{
	Flight *flight = data;

	flight->result = result;
	flight->answered = ledger_step(flight->ledger);
	g_atomic_int_add(flight->left, -1);
}

/* Several at once: they share batches. */
static void
ledger_commit_many(Ledger *ledger, Spool *spool, unsigned n)
{
	Flight flights[8];
	gint left = 0;
	unsigned flown = 0;

	for (unsigned i = 0; i < n; i++) {
		const size_t size = (size_t)g_rand_int_range(ledger->rand, 0, LEDGER_MOST);
		SpoolTransaction *transaction = ledger_send(ledger, spool, size,
			(unsigned)g_rand_int_range(ledger->rand, 0, 3), &flights[flown].sent);

		if (transaction == NULL)
			continue;
		flights[flown].ledger = ledger;
		flights[flown].left = &left;
		g_atomic_int_inc(&left);
		spool_commit(spool, transaction, ledger_landed, &flights[flown++]);
	}
	while (g_atomic_int_get(&left) > 0)
		g_thread_yield();
	for (unsigned i = 0; i < flown; i++) {
		ledger_answer(ledger, flights[i].sent, flights[i].result);
		flights[i].sent->answered = flights[i].answered;
	}
}

static QueueId
ledger_id(const Told *told, Ledger *ledger)
{
	for (unsigned i = 0; i < told->sent->n; i++)
		if (g_hash_table_lookup(ledger->told, GSIZE_TO_POINTER(told->sent->first + i)) == told)
			return told->sent->first + i;
	return 0;
}

static void
ledger_put(Ledger *ledger, Spool *spool, guint at, bool is_end)
{
	Told *told = ledger->live->pdata[at];
	const QueueId id = ledger_id(told, ledger);
	const guint step = ledger_step(ledger);
	g_autofree char *reply = g_strdup_printf("450 4.2.0 later, %u", told->put + 1);
	MessageState *state;

	if (told->state == NULL)
		told->state = message_state_new(id, ledger_recipients(id));
	state = told->state;
	told->is_unsure = false;
	state->attempts = ++told->put;
	state->next_us = told->put * CLOCK_SECOND;
	g_array_append_val(told->puts, step);
	if (is_end) {
		for (unsigned i = 0; i < state->n_recipients; i++)
			message_state_set_recipient(state, i, RECIPIENT_DELIVERED, "250 2.0.0 Ok");
		told->ended = step;
		g_ptr_array_remove_index_fast(ledger->live, at);
	} else {
		message_state_set_recipient(state, told->put % state->n_recipients, RECIPIENT_PENDING, reply);
	}
	spool_put_changes(spool, state);
}

static bool
ledger_flush(Ledger *ledger, Spool *spool)
{
	const bool is_flushed = spool_flush(spool, CLOCK_NEVER);
	const guint step = ledger_step(ledger);
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, ledger->told);
	while (is_flushed && g_hash_table_iter_next(&iter, NULL, &value)) {
		Told *told = value;

		if (told->is_unsure)
			continue;
		if (told->durable != told->put) {
			told->durable = told->put;
			told->durable_at = step;
		}
		if (told->ended != NEVER && told->end_durable == NEVER)
			told->end_durable = step;
	}
	return is_flushed;
}

void
ledger_work(Ledger *ledger, Spool *spool, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const int what = g_rand_int_range(ledger->rand, 0, 100);

		if (what < 40 || ledger->live->len == 0)
			(void)ledger_commit(ledger, spool, (size_t)g_rand_int_range(ledger->rand, 0, LEDGER_MOST),
				(unsigned)g_rand_int_range(ledger->rand, 0, 3));
		else if (what < 50)
			ledger_commit_many(ledger, spool, 1 + (unsigned)what % 8);
		else if (what < 90)
			ledger_put(ledger, spool, (guint)g_rand_int_range(ledger->rand, 0, (gint32)ledger->live->len),
				what >= 60);
		else
			(void)ledger_flush(ledger, spool);
	}
}

void
ledger_kill(Ledger *ledger)
{
	GHashTableIter iter;
	void *value;

	g_hash_table_iter_init(&iter, ledger->told);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Told *told = value;

		told->is_unsure = told->durable != told->put || (told->ended != NEVER && told->end_durable == NEVER);
	}
}

void
ledger_set_next(Ledger *ledger, QueueId id)
{
	ledger->next = id;
}

QueueId
ledger_last(const Ledger *ledger)
{
	return ledger->next - 1;
}

bool
ledger_finish_all(Ledger *ledger, Spool *spool)
{
	while (ledger->live->len > 0)
		ledger_put(ledger, spool, ledger->live->len - 1, true);
	return ledger_flush(ledger, spool);
}

unsigned
ledger_answers(const Ledger *ledger, SpoolResult result)
{
	unsigned n = 0;

	for (guint i = 0; i < ledger->sent->len; i++) {
		const Sent *sent = ledger->sent->pdata[i];

		n += sent->answered != NEVER && sent->result == result;
	}
	return n;
}

/* ---- comparing ---- */

static bool
ledger_complain(QueueId id, guint step, const char *what)
{
	fprintf(stderr, "\nmessage %u, step %u: %s\n", (unsigned)id, step, what);
	return false;
}

typedef struct {
	const char *at;
	bool is_other;
} Comparison;

static bool
ledger_compare_piece(void *data, const char *octets, size_t size)
{
	Comparison *comparison = data;

	comparison->is_other |= memcmp(comparison->at, octets, size) != 0;
	comparison->at += size;
	return true;
}

static bool
ledger_content_is(const SpoolMessage *message, const char *body)
{
	Comparison comparison = { .at = body };

	return spool_content_pieces(message, ledger_compare_piece, &comparison, NULL) && !comparison.is_other;
}

static bool
ledger_content_is_right(SpoolMessage *message, const Sent *sent)
{
	g_autofree char *body = g_malloc(sent->size + 1);
	g_autoptr(GError) error = NULL;

	if (!spool_read_content(message, &error)) {
		fprintf(stderr, "\n%s\n", error->message);
		return false;
	}
	ledger_fill(body, sent->size, sent->first);
	return message->size == sent->size && ledger_content_is(message, body);
}

/* A state that is there is one that was put before, and not older than the last one known to be durable. */
static bool
ledger_state_is_possible(const Told *told, unsigned attempts, guint step)
{
	if (attempts > told->puts->len || (attempts > 0 && g_array_index(told->puts, guint, attempts - 1) > step))
		return false;
	return told->durable_at > step || attempts >= told->durable;
}

/* Each recipient has the reply of the last put that was about it. */
static bool
ledger_recipients_are_right(const MessageState *state)
{
	const unsigned n = state->n_recipients;

	for (unsigned i = 0; i < n; i++) {
		const unsigned back = (state->attempts % n + n - i) % n;
		const char *reply = state->recipients[i].reply;
		g_autofree char *wanted = g_strdup_printf("450 4.2.0 later, %u", state->attempts - back);

		if (back >= state->attempts ? reply != NULL : g_strcmp0(reply, wanted) != 0)
			return false;
	}
	return true;
}

static bool
ledger_present_is_right(Spool *spool, QueueId id, const Told *told, guint step)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(SpoolMessage) message = spool_read(spool, id, &error);
	g_autoptr(Envelope) wanted = ledger_envelope(id, (unsigned)(id - told->sent->first));

	if (message == NULL)
		return ledger_complain(id, step, error->message);
	if (!ledger_content_is_right(message, told->sent))
		return ledger_complain(id, step, "its content is another one");
	if (strcmp(message->envelope->top, wanted->top) != 0 ||
		strcmp(((Recipient *)message->envelope->recipients->pdata[0])->address,
			((Recipient *)wanted->recipients->pdata[0])->address) != 0)
		return ledger_complain(id, step, "its envelope is another one");
	if (told->end_durable <= step)
		return ledger_complain(id, step, "it had ended, durably");
	if (!ledger_state_is_possible(told, message->state->attempts, step))
		return ledger_complain(id, step, "its state cannot be this one");
	if (!ledger_recipients_are_right(message->state))
		return ledger_complain(id, step, "its recipients are those of different states");
	return true;
}

static bool
ledger_absent_is_right(QueueId id, const Told *told, guint step)
{
	const bool was_acknowledged = told->sent->answered <= step && told->sent->result == SPOOL_COMMITTED;

	if (was_acknowledged && told->ended > step)
		return ledger_complain(id, step, "acknowledged, and lost");
	return true;
}

/* All copies or none, as far as none has ended. */
static bool
ledger_is_whole(Ledger *ledger, Spool *spool, const Sent *sent, guint step)
{
	unsigned n_here = 0, n_ended = 0;
	SpoolSummary summary;

	for (unsigned i = 0; i < sent->n; i++) {
		const Told *told = g_hash_table_lookup(ledger->told, GSIZE_TO_POINTER(sent->first + i));

		n_here += spool_summary(spool, sent->first + i, &summary);
		n_ended += told->ended <= step;
	}
	if (n_here > 0 && n_here + n_ended < sent->n)
		return ledger_complain(sent->first, step, "B-13: some copies are there, and some are not");
	if (n_here > 0 && sent->sent > step)
		return ledger_complain(sent->first, step, "it was not even sent");
	if (n_here > 0 && sent->answered <= step && (sent->result == SPOOL_FAILED || sent->result == SPOOL_FULL))
		return ledger_complain(sent->first, step, "refused, and there all the same");
	return true;
}

unsigned
ledger_compare(Ledger *ledger, Spool *spool, guint step)
{
	unsigned n_bad = 0;
	size_t n_here = 0;
	GHashTableIter iter;
	void *key, *value;

	g_hash_table_iter_init(&iter, ledger->told);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const QueueId id = GPOINTER_TO_SIZE(key);
		SpoolSummary summary;

		if (spool_summary(spool, id, &summary)) {
			n_here++;
			n_bad += !ledger_present_is_right(spool, id, value, step);
		} else {
			n_bad += !ledger_absent_is_right(id, value, step);
		}
	}
	for (guint i = 0; i < ledger->sent->len; i++)
		n_bad += !ledger_is_whole(ledger, spool, ledger->sent->pdata[i], step);
	if (n_here != spool_count(spool)) {
		fprintf(stderr, "\nstep %u: %zu messages are known, %zu are there\n", step, n_here, spool_count(spool));
		n_bad++;
	}
	return n_bad;
}

static bool
ledger_digest_one(void *data, const SpoolSummary *summary)
{
	g_string_append_printf(data, "%u %u %d %u %u %u\n", (unsigned)summary->id, (unsigned)summary->size,
		(int)summary->next_us, summary->n_pending, summary->attempts, (unsigned)summary->version);
	return true;
}

char *
ledger_digest(Spool *spool)
{
	GString *digest = g_string_new(NULL);

	spool_each(spool, ledger_digest_one, digest);
	return g_string_free(digest, FALSE);
}

Spool *
ledger_open(const char *directory, const Disk *disk)
{
	const SpoolSettings settings = { .directory = directory, .clock = clock_system(), .disk = disk,
		.segment_size = LEDGER_SEGMENT, .large = LEDGER_LARGE };
	g_autoptr(GError) error = NULL;
	Spool *spool = spool_open(&settings, &error);

	if (spool == NULL)
		fprintf(stderr, "\n%s\n", error->message);
	return spool;
}

static int
ledger_no_sync(const Disk *disk, int fd)
{
	(void)disk, (void)fd;
	return 0;
}

const Disk *
ledger_fast_disk(void)
{
	static Disk fast;
	static gsize is_made;

	if (g_once_init_enter(&is_made)) {
		fast = *disk_system();
		fast.fdatasync = fast.fsync = ledger_no_sync;
		g_once_init_leave(&is_made, 1);
	}
	return &fast;
}
