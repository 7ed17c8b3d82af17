/* control-queue-verb.c - posternctl queue hold, release, retry, bounce, remove.
 *
 * One id is what was meant; more than that is said first, and done with --yes. */
#include <string.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "base/log.h"
#include "daemon/control-queue.h"
#include "engine/stay.h"

typedef struct {
	const char *word;
	const char *done;  /* "ID: …", "2 messages: 2 …" */
	const char *event; /* in the log: "… by the administrator", "to be … by the administrator" */
	const char *later; /* of a message that is being delivered: what is left of it "will be …" */
	QueueVerb verb;
	const char *reason; /* unless one is given */
	const char *nothing; /* "it is …" explains why nothing was done; NULL: the verb always applies */
} Verb;

static const Verb queue_verbs[] = {
	{ "hold", "held", "held", "held", QUEUE_HOLD, "by the administrator", NULL },
	{ "release", "released", "released", "released", QUEUE_RELEASE, NULL,
		"not held: there is nothing to release" },
	{ "retry", "due now", "made due", "tried at once", QUEUE_RETRY, NULL,
		"held, and a retry does not end a hold: use \"queue release\"" },
	{ "bounce", "to be returned to the sender now", "returned to the sender", "returned to the sender",
		QUEUE_BOUNCE, NULL, NULL },
	{ "remove", "removed", "removed", "removed", QUEUE_REMOVE, "by the administrator", NULL },
};

#define QUEUE_FLUSH_US (30 * CLOCK_SECOND) /* so long a command waits for the disk */

/* Of several messages. */
typedef struct {
	guint n[QUEUE_UNREADABLE + 1]; /* by QueueResult */
	bool is_durable;               /* those that are done */
} QueueOutcome;

typedef struct {
	GArray *ids;          /* of QueueId */
	GHashTable *accounts; /* a set */
	const Verb *verb;
	guint nothing;        /* with so many there is nothing to do */
} Meant;

static bool
queue_has_nothing(const Verb *verb, const SpoolSummary *summary)
{
	return verb->verb == QUEUE_RETRY ? summary->is_held
									 : verb->verb == QUEUE_RELEASE && !summary->is_held && !summary->has_held;
}

static void
queue_mean(void *data, const Selected *selected)
{
	Meant *meant = data;
	const char *account = selected->message != NULL ? envelope_note(selected->message->envelope, "account") : NULL;

	g_array_append_val(meant->ids, selected->summary.id);
	meant->nothing += queue_has_nothing(meant->verb, &selected->summary);
	if (account != NULL)
		g_hash_table_add(meant->accounts, g_ascii_strdown(account, -1));
}

/* "214 messages of 3 accounts" */
static char *
queue_describe(const Meant *meant)
{
	const guint n = meant->ids->len, accounts = g_hash_table_size(meant->accounts);
	g_autofree char *of =
		accounts > 0 ? g_strdup_printf(" of %u account%s", accounts, accounts == 1 ? "" : "s") : g_strdup("");

	return g_strdup_printf("%u message%s%s", n, n == 1 ? "" : "s", of);
}

/* "2 messages", new. */
static char *
queue_count_text(guint n)
{
	return g_strdup_printf("%u message%s", n, n == 1 ? "" : "s");
}

static void
queue_do_one(Daemon *daemon, const Verb *verb, QueueId id, const char *reason, QueueOutcome *outcome)
{
	const QueueResult result =
		queue_do(daemon->engine.queue, id, verb->verb, verb->verb == QUEUE_BOUNCE ? NULL : reason);
	g_autofree char *event = NULL;
	char text[ID_TEXT_SIZE];

	outcome->n[result]++;
	if (result != QUEUE_DONE && result != QUEUE_WHEN_BACK)
		return;
	if (verb->verb == QUEUE_REMOVE && result == QUEUE_DONE)
		stay_forget(daemon->engine.stay, id);
	event = g_strdup_printf("%s%s by the administrator", result == QUEUE_DONE ? "" : "to be ", verb->event);
	log_event(LOG_LEVEL_INFO, event, "queue", id_format(id, text), "cause", reason, NULL);
}

static void
queue_do_all(
	Daemon *daemon, const Verb *verb, const GArray *ids, const char *reason, QueueOutcome *outcome)
{
	*outcome = (QueueOutcome){ 0 };
	for (guint i = 0; i < ids->len; i++)
		queue_do_one(daemon, verb, g_array_index(ids, QueueId, i), reason, outcome);
	/* what was said to be done must not come undone by a crash a moment later */
	outcome->is_durable = outcome->n[QUEUE_DONE] == 0 ||
						  spool_flush(daemon->engine.spool, g_get_monotonic_time() + QUEUE_FLUSH_US);
	if (verb->verb != QUEUE_HOLD)
		delivery_wake(daemon->delivery);
}

/* "2 messages are …" */
static void
queue_explain_nothing(const Verb *verb, guint n, Answer *answer)
{
	g_autofree char *count = queue_count_text(n);

	if (n > 0)
		answer_text(answer, "%s %s %s.", count, n == 1 ? "is" : "are", verb->nothing);
}

/* Of a message that was given by its id.  Only a retry that is not made is a failure. */
static void
queue_explain_one_nothing(const Verb *verb, const char *id, Answer *answer)
{
	if (verb->verb == QUEUE_RETRY)
		answer_fail(answer, "%s is %s", id, verb->nothing);
	else
		answer_text(answer, "%s is %s.", id, verb->nothing);
}

/* What the administrator must know beside the number of those that are done. */
static void
queue_explain_rest(const Verb *verb, const QueueOutcome *outcome, Answer *answer)
{
	if (outcome->n[QUEUE_WHEN_BACK] > 0) {
		g_autofree char *count = queue_count_text(outcome->n[QUEUE_WHEN_BACK]);

		answer_text(answer, "%s %s being delivered at this moment: what is left when that ends will be %s.",
			count, outcome->n[QUEUE_WHEN_BACK] == 1 ? "is" : "are", verb->later);
	}
	if (outcome->n[QUEUE_UNREADABLE] > 0) {
		g_autofree char *count = queue_count_text(outcome->n[QUEUE_UNREADABLE]);

		answer_fail(answer, "%s cannot be read from the disk now, and nothing was changed: see the log", count);
	}
	if (!outcome->is_durable)
		answer_fail(answer,
			"the disk did not take the change yet: it holds while the daemon runs, and is lost if that "
			"stops before the disk works again");
}

static bool
queue_change_one(Daemon *daemon, const Verb *verb, const Request *request, QueueId id, Answer *answer)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	QueueOutcome outcome;
	SpoolSummary summary;
	char text[ID_TEXT_SIZE];

	id_format(id, text);
	if (request->is_dry && spool_summary(daemon->engine.spool, id, &summary)) {
		if (queue_has_nothing(verb, &summary))
			queue_explain_one_nothing(verb, text, answer);
		else
			answer_text(answer, "would %s %s.", verb->word, text);
		return true;
	}
	g_array_append_val(ids, id);
	if (!request->is_dry)
		queue_do_all(daemon, verb, ids, verb->reason, &outcome);
	if (request->is_dry || outcome.n[QUEUE_NOT_THERE] > 0) {
		answer_fail(answer, "there is no message %s in the queue", text);
		return true;
	}
	if (outcome.n[QUEUE_DONE] > 0)
		answer_text(answer, "%s: %s.", text, verb->done);
	if (outcome.n[QUEUE_NOTHING] > 0)
		queue_explain_one_nothing(verb, text, answer);
	queue_explain_rest(verb, &outcome, answer);
	return true;
}

static void
queue_change_many(
	Daemon *daemon, const Verb *verb, const Request *request, const Selector *selector, Answer *answer)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	g_autoptr(GHashTable) accounts = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	Meant meant = { ids, accounts, verb, 0 };
	g_autofree char *text = NULL;
	QueueOutcome outcome;

	(void)selector_each(selector, daemon, queue_mean, &meant);
	text = queue_describe(&meant);
	if (ids->len == 0) {
		answer_text(answer, "no message matches.");
	} else if (request->is_dry) {
		answer_text(answer, "would %s %s.", verb->word, text);
		queue_explain_nothing(verb, meant.nothing, answer);
	} else if (!request->says_yes) {
		answer_fail(answer, "would %s %s; nothing was done: say --yes", verb->word, text);
	} else {
		queue_do_all(daemon, verb, ids, verb->reason, &outcome);
		answer_text(answer, "%s: %u %s.", text, outcome.n[QUEUE_DONE], verb->done);
		queue_explain_nothing(verb, outcome.n[QUEUE_NOTHING], answer);
		queue_explain_rest(verb, &outcome, answer);
	}
}

static const Verb *
queue_find_verb(const char *word)
{
	const Verb *verb = queue_verbs;

	while (strcmp(verb->word, word) != 0)
		verb++;
	return verb;
}

static bool
queue_check_reason(const char *reason, GError **error)
{
	if (!directory_check_value("reason", reason, error))
		return false;
	return !stay_reason_is_reserved(reason) ||
		   error_set(error, POSTERN_ERROR_INVALID,
			   "reason: these are the words of postern's own holds, which end by themselves; give others");
}

/* "reason=TEXT" of hold is no selector. */
static Selector *
queue_read_words(const Request *request, Verb *verb, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	for (char *const *word = request->words + 2; *word != NULL; word++) {
		if (verb->verb != QUEUE_HOLD || !g_str_has_prefix(*word, "reason="))
			g_ptr_array_add(words, *word);
		else if (queue_check_reason(*word + strlen("reason="), error))
			verb->reason = *word + strlen("reason=");
		else
			return NULL;
	}
	g_ptr_array_add(words, NULL);
	return selector_parse((char *const *)words->pdata, error);
}

bool
queue_change(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	Verb verb = *queue_find_verb(request->words[1]);
	g_autoptr(Selector) selector = queue_read_words(request, &verb, error);
	QueueId id;

	if (selector == NULL)
		return false;
	if (selector_is_empty(selector))
		return error_set(
			error, POSTERN_ERROR_INVALID, "which messages?  Give an id, or selectors (\"age>0s\" means all)");
	if (selector_is_one_id(selector, &id))
		return queue_change_one(daemon, &verb, request, id, answer);
	queue_change_many(daemon, &verb, request, selector, answer);
	return true;
}

void
queue_hold_all(Daemon *daemon, const char *name, const char *value, const char *reason, Answer *answer)
{
	g_autoptr(Selector) selector = selector_new_exact(name, value);
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	g_autoptr(GHashTable) accounts = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	const Verb *hold = queue_find_verb("hold");
	Meant meant = { ids, accounts, hold, 0 };
	QueueOutcome outcome;
	guint n;

	(void)selector_each(selector, daemon, queue_mean, &meant);
	queue_do_all(daemon, hold, ids, reason, &outcome);
	n = outcome.n[QUEUE_DONE];
	answer_text(answer, "%u message%s that it sent %s held.", n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
	queue_explain_rest(hold, &outcome, answer);
}
