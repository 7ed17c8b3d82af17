/* control-queue.c - posternctl queue: looking at what waits.  Changing it is control-queue-verb.c. */
#include "daemon/control-queue.h"

#include <string.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "daemon/control-select.h"
#include "daemon/control.h"
#include "proto/path.h"

enum { QUEUE_SHOWN = 3, QUEUE_OCTETS = 48 * 1024 };

/* ---- the summary ---- */

typedef struct {
	char *domain;
	QueueState state;
	unsigned messages;
	uint64_t octets;
	int64_t oldest_us, next_us;
	QueueId counted; /* the last message, which may have several recipients there */
} Group;

typedef struct {
	GHashTable *groups; /* "STATE DOMAIN" -> Group* */
} Summary;

static void
queue_free_group(void *data)
{
	Group *group = data;

	g_free(group->domain);
	g_free(group);
}

static void
queue_count(Summary *summary, const Selected *selected, QueueState state, int64_t next_us, const char *domain)
{
	g_autofree char *lower = g_ascii_strdown(domain, -1);
	g_autofree char *key = g_strdup_printf("%d %s", (int)state, lower);
	Group *group = g_hash_table_lookup(summary->groups, key);

	if (group == NULL) {
		group = g_new0(Group, 1);
		group->domain = g_steal_pointer(&lower);
		group->state = state;
		group->oldest_us = group->next_us = CLOCK_NEVER;
		g_hash_table_insert(summary->groups, g_steal_pointer(&key), group);
	}
	group->next_us = MIN(group->next_us, next_us);
	if (group->counted == selected->summary.id)
		return;
	group->counted = selected->summary.id;
	group->messages++;
	group->octets += selected->summary.size;
	group->oldest_us = MIN(group->oldest_us, selected->summary.arrived_us);
}

/* A recipient counts as what it is, not as what its message is: its domain may hold it, or its next attempt may be
 * later. */
static void
queue_count_recipient(
	Summary *summary, const Selected *selected, const RecipientState *recipient, const char *domain)
{
	QueueState state = selected->state;
	int64_t next_us = selected->summary.next_us;

	if (!selected->message->state->is_held && recipient_state_is_held(recipient)) {
		state = QUEUE_IS_HELD;
		next_us = recipient->next_us;
	} else if (state == QUEUE_IS_DEFERRED && !selected->message->state->tries_all) {
		next_us = MAX(next_us, recipient->next_us);
	}
	queue_count(summary, selected, state, next_us, domain);
}

static void
queue_count_message(void *data, const Selected *selected)
{
	const SpoolMessage *message = selected->message;

	if (message == NULL) {
		queue_count(data, selected, selected->state, selected->summary.next_us, "?");
		return;
	}
	for (unsigned i = 0; i < message->state->n_recipients; i++) {
		const Recipient *recipient = g_ptr_array_index(message->envelope->recipients, i);

		if (recipient_state_is_open(&message->state->recipients[i]))
			queue_count_recipient(
				data, selected, &message->state->recipients[i], mailbox_domain(recipient->address));
	}
}

static int
queue_compare_groups(const void *a, const void *b)
{
	const Group *one = *(Group *const *)a, *two = *(Group *const *)b;

	if (one->oldest_us != two->oldest_us)
		return one->oldest_us < two->oldest_us ? -1 : 1;
	return strcmp(one->domain, two->domain);
}

static void
queue_summarise(Daemon *daemon, const Selector *selector, Answer *answer)
{
	g_autoptr(GHashTable) groups = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, queue_free_group);
	g_autoptr(GPtrArray) sorted = g_ptr_array_new();
	Summary summary = { groups };
	GHashTableIter iter;
	void *group;

	(void)selector_each(selector, daemon, queue_count_message, &summary);
	g_hash_table_iter_init(&iter, groups);
	while (g_hash_table_iter_next(&iter, NULL, &group))
		g_ptr_array_add(sorted, group);
	g_ptr_array_sort(sorted, queue_compare_groups);
	answer_columns(answer, "state", "destination", "messages:number", "size:octets", "oldest:time", "next:time",
		NULL);
	for (guint i = 0; i < sorted->len; i++) {
		const Group *at = g_ptr_array_index(sorted, i);
		g_autofree char *messages = g_strdup_printf("%u", at->messages);
		g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, at->octets);
		g_autofree char *oldest = cell_time(at->oldest_us);
		g_autofree char *next = cell_time(at->next_us);

		answer_row(answer, queue_state_name(at->state), at->domain, messages, size, oldest, next, NULL);
	}
}

/* ---- the list ---- */

static const char *
queue_or_empty(const char *text)
{
	return text != NULL ? text : "";
}

static const char *
queue_sender(const Envelope *envelope)
{
	return *envelope->sender != '\0' ? envelope->sender : "<>";
}

/* The open recipients: the first few by name, and how many more there are, "": none.  New. */
static char *
queue_pending(const SpoolMessage *message, char **more)
{
	GString *text = g_string_new(NULL);
	unsigned n = 0;

	for (unsigned i = 0; i < message->state->n_recipients; i++) {
		const Recipient *recipient = g_ptr_array_index(message->envelope->recipients, i);

		if (recipient_state_is_open(&message->state->recipients[i]) && n++ < QUEUE_SHOWN)
			g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", recipient->address);
	}
	*more = n > QUEUE_SHOWN ? g_strdup_printf("%u", n - QUEUE_SHOWN) : g_strdup("");
	return g_string_free(text, FALSE);
}

/* Why it is held, or what was said last of an open recipient. */
static const char *
queue_reason(const SpoolMessage *message)
{
	if (message->state->is_held)
		return queue_or_empty(message->state->hold_reason);
	for (unsigned i = 0; i < message->state->n_recipients; i++)
		if (recipient_state_is_open(&message->state->recipients[i]) &&
			message->state->recipients[i].reply != NULL)
			return message->state->recipients[i].reply;
	return "";
}

static void
queue_list_one(void *data, const Selected *selected)
{
	const SpoolMessage *message = selected->message;
	g_autofree char *arrived = cell_time(selected->summary.arrived_us);
	g_autofree char *next = cell_time(selected->summary.next_us);
	g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, selected->summary.size);
	g_autofree char *attempts = g_strdup_printf("%u", selected->summary.attempts);
	g_autofree char *more = NULL;
	g_autofree char *pending = message != NULL ? queue_pending(message, &more) : NULL;
	char id[ID_TEXT_SIZE];

	answer_row(data, id_format(selected->summary.id, id), queue_state_name(selected->state), arrived, size,
		message != NULL ? queue_or_empty(envelope_note(message->envelope, "account")) : "",
		message != NULL ? queue_sender(message->envelope) : "", queue_or_empty(pending),
		queue_or_empty(more), attempts, next, message != NULL ? queue_reason(message) : "it cannot be read", NULL);
}

static bool
queue_list(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(Selector) selector = selector_parse(request->words + 2, error);

	if (selector == NULL)
		return false;
	selector_take_partly_held(selector);
	answer_columns(answer, "id", "state", "arrived:time", "size:octets", "account", "sender", "recipients:list",
		"more:number", "attempts:number", "next:time", "reason", NULL);
	(void)selector_each(selector, daemon, queue_list_one, answer);
	return true;
}

/* ---- one message ---- */

static SpoolMessage *
queue_need(Daemon *daemon, const Request *request, GError **error)
{
	g_autoptr(GError) failure = NULL;
	SpoolMessage *message;
	QueueId id;

	if (request->words[2] == NULL || request->words[3] != NULL || !id_parse(request->words[2], &id)) {
		error_set(error, POSTERN_ERROR_INVALID, "queue %s wants the id of one message", request->words[1]);
		return NULL;
	}
	message = spool_read(daemon->engine.spool, id, &failure);
	if (g_error_matches(failure, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND))
		error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no message %s in the queue", request->words[2]);
	else if (failure != NULL)
		g_propagate_error(error, g_steal_pointer(&failure));
	return message;
}

static void
queue_put_typed(Answer *answer, const char *name, CellType type, const char *value)
{
	g_autofree char *cell = value != NULL && value[0] != '\0' ? cell_of(type, value) : NULL;

	if (cell != NULL)
		answer_row(answer, name, cell, NULL);
}

static void
queue_put_fact(Answer *answer, const char *name, const char *value)
{
	queue_put_typed(answer, name, CELL_TEXT, value);
}

static void
queue_put_number(Answer *answer, const char *name, CellType type, uint64_t number)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

	queue_put_typed(answer, name, type, text);
}

static void
queue_put_time(Answer *answer, const char *name, int64_t us)
{
	g_autofree char *text = us > 0 ? cell_time(us) : NULL;

	queue_put_typed(answer, name, CELL_TIME, text);
}

static void
queue_show_state(const MessageState *state, Answer *answer)
{
	queue_put_number(answer, "attempts", CELL_NUMBER, state->attempts);
	if (!state->is_held) {
		queue_put_time(answer, "next", state->next_us);
		return;
	}
	queue_put_fact(answer, "held-because", state->hold_reason);
	queue_put_time(answer, "held-since", state->held_since_us);
	queue_put_time(answer, "released-at", state->release_at_us);
}

static void
queue_show_envelope(const SpoolMessage *message, Answer *answer)
{
	static const char *const bodies[] = { "7BIT", "8BITMIME", "BINARYMIME" };
	static const char *const returns[] = { "", "FULL", "HDRS" };
	const Envelope *envelope = message->envelope;

	queue_put_fact(answer, "sender", queue_sender(envelope));
	queue_put_number(answer, "size", CELL_OCTETS, message->size);
	queue_put_fact(answer, "body", bodies[envelope->body]);
	queue_put_typed(answer, "smtputf8", CELL_BOOLEAN, envelope->is_smtputf8 ? "yes" : NULL);
	queue_put_fact(answer, "envid", envelope->envid);
	queue_put_fact(answer, "ret", returns[envelope->ret]);
	for (guint i = 0; i < envelope->notes->len; i++) {
		const Note *note = g_ptr_array_index(envelope->notes, i);

		queue_put_fact(answer, note->name, note->value);
	}
}

static void
queue_show_recipients(const SpoolMessage *message, Answer *answer)
{
	static const char *const statuses[] = { "pending", "delivered", "bounced", "removed", "failed" };

	answer_columns(answer, "recipient", "status", "reply", NULL);
	for (unsigned i = 0; i < message->state->n_recipients; i++) {
		const Recipient *recipient = g_ptr_array_index(message->envelope->recipients, i);
		const RecipientState *at = &message->state->recipients[i];

		answer_row(answer, recipient->address, recipient_state_is_held(at) ? "held" : statuses[at->status],
			queue_or_empty(at->reply), NULL);
	}
}

static bool
queue_show(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(SpoolMessage) message = queue_need(daemon, request, error);
	SpoolSummary summary;
	char id[ID_TEXT_SIZE];

	if (message == NULL)
		return false;
	answer_columns(answer, "what", "value:value", NULL);
	queue_put_fact(answer, "id", id_format(message->envelope->id, id));
	if (spool_summary(daemon->engine.spool, message->envelope->id, &summary))
		queue_put_fact(
			answer, "state", queue_state_name(queue_state_of(&summary, clock_wall(daemon->engine.clock))));
	queue_put_time(answer, "arrived", message->envelope->arrived_us);
	queue_show_state(message->state, answer);
	queue_show_envelope(message, answer);
	queue_show_recipients(message, answer);
	return true;
}

static bool
queue_put_piece(void *data, const char *octets, size_t size)
{
	for (size_t at = 0; at < size; at += QUEUE_OCTETS)
		answer_octets(data, octets + at, MIN(QUEUE_OCTETS, size - at));
	return true;
}

static bool
queue_cat(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	g_autoptr(SpoolMessage) message = queue_need(daemon, request, error);

	return message != NULL && spool_read_content(message, error) &&
		   spool_message_pieces(message, queue_put_piece, answer, error);
}

/* ---- the command ---- */

typedef bool QueueFunction(Daemon *daemon, const Request *request, Answer *answer, GError **error);

static const struct {
	const char *word;
	bool changes; /* and so takes --yes and --dry-run */
	QueueFunction *run;
} queue_words[] = {
	{ "list", false, queue_list },
	{ "show", false, queue_show },
	{ "cat", false, queue_cat },
	{ "hold", true, queue_change },
	{ "release", true, queue_change },
	{ "retry", true, queue_change },
	{ "bounce", true, queue_change },
	{ "remove", true, queue_change },
};

static bool
queue_run(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	const char *word = request->words[1];

	for (size_t i = 0; i < G_N_ELEMENTS(queue_words); i++) {
		if (strcmp(queue_words[i].word, word) != 0)
			continue;
		if (!queue_words[i].changes && (request->says_yes || request->is_dry))
			return error_set(
				error, POSTERN_ERROR_INVALID, "queue %s only looks: it takes no --yes and no --dry-run", word);
		return queue_words[i].run(daemon, request, answer, error);
	}
	return error_set(error, POSTERN_ERROR_INVALID, "queue knows: list show cat hold release retry bounce remove");
}

void
control_queue(Daemon *daemon, const Request *request, Answer *answer)
{
	static char *const nothing[] = { NULL };
	g_autoptr(GError) error = NULL;

	if (request->words[1] == NULL) {
		g_autoptr(Selector) all = selector_parse(nothing, NULL);

		queue_summarise(daemon, all, answer);
	} else if (!queue_run(daemon, request, answer, &error)) {
		answer_fail(answer, "%s", error->message);
	}
}
