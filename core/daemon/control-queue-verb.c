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
	const char *word, *done;
	QueueVerb verb;
	const char *reason; /* unless one is given */
} Verb;

static const Verb queue_verbs[] = {
	{ "hold", "held", QUEUE_HOLD, "by the administrator" },
	{ "release", "released", QUEUE_RELEASE, NULL },
	{ "retry", "due now", QUEUE_RETRY, NULL },
	{ "bounce", "bounced", QUEUE_RETRY, NULL },
	{ "remove", "removed", QUEUE_REMOVE, "by the administrator" },
};

typedef struct {
	GArray *ids;          /* of QueueId */
	GHashTable *accounts; /* a set */
} Meant;

static void
queue_mean(void *data, const Selected *selected)
{
	const Meant *meant = data;
	const char *account = selected->message != NULL ? envelope_note(selected->message->envelope, "account") : NULL;

	g_array_append_val(meant->ids, selected->summary.id);
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

static bool
queue_do_one(Daemon *daemon, const Verb *verb, QueueId id, const char *reason)
{
	char text[ID_TEXT_SIZE];
	const bool is_done = strcmp(verb->word, "bounce") == 0
							 ? queue_expire(daemon->engine.queue, id)
							 : queue_do(daemon->engine.queue, id, verb->verb, reason);

	if (is_done) {
		g_autofree char *event = g_strdup_printf("%s by the administrator", verb->done);

		if (verb->verb == QUEUE_REMOVE)
			stay_forget(daemon->engine.stay, id);
		log_event(LOG_LEVEL_INFO, event, "queue", id_format(id, text), "cause", reason, NULL);
	}
	return is_done;
}

static guint
queue_do_all(Daemon *daemon, const Verb *verb, const GArray *ids, const char *reason)
{
	guint done = 0;

	for (guint i = 0; i < ids->len; i++)
		done += queue_do_one(daemon, verb, g_array_index(ids, QueueId, i), reason);
	/* What was said to be done must not come undone by a crash a moment later. */
	(void)spool_flush(daemon->engine.spool);
	if (verb->verb != QUEUE_HOLD)
		delivery_wake(daemon->delivery);
	return done;
}

static bool
queue_change_one(Daemon *daemon, const Verb *verb, const Request *request, QueueId id, Answer *answer)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	SpoolSummary summary;
	char text[ID_TEXT_SIZE];

	id_format(id, text);
	if (request->is_dry && spool_summary(daemon->engine.spool, id, &summary)) {
		answer_text(answer, "would %s %s.", verb->word, text);
		return true;
	}
	g_array_append_val(ids, id);
	if (request->is_dry || queue_do_all(daemon, verb, ids, verb->reason) == 0) {
		answer_fail(answer, "there is no message %s in the queue", text);
		return true;
	}
	answer_text(answer, "%s: %s.", text, verb->done);
	return true;
}

static void
queue_change_many(
	Daemon *daemon, const Verb *verb, const Request *request, const Selector *selector, Answer *answer)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	g_autoptr(GHashTable) accounts = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	Meant meant = { ids, accounts };
	g_autofree char *text = NULL;

	(void)selector_each(selector, daemon, queue_mean, &meant);
	text = queue_describe(&meant);
	if (ids->len == 0)
		answer_text(answer, "no message is meant by that.");
	else if (request->is_dry)
		answer_text(answer, "would %s %s.", verb->word, text);
	else if (!request->says_yes)
		answer_fail(answer, "would %s %s; nothing was done: say --yes", verb->word, text);
	else
		answer_text(answer, "%s: %u %s.", text, queue_do_all(daemon, verb, ids, verb->reason), verb->done);
}

static const Verb *
queue_find_verb(const char *word)
{
	const Verb *verb = queue_verbs;

	while (strcmp(verb->word, word) != 0)
		verb++;
	return verb;
}

/* "reason=TEXT" of hold is no selector. */
static Selector *
queue_read_words(const Request *request, Verb *verb, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	for (char *const *word = request->words + 2; *word != NULL; word++) {
		if (verb->verb == QUEUE_HOLD && g_str_has_prefix(*word, "reason="))
			verb->reason = *word + strlen("reason=");
		else
			g_ptr_array_add(words, *word);
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

size_t
queue_hold_all(Daemon *daemon, const char *name, const char *value, const char *reason)
{
	g_autoptr(Selector) selector = selector_new_exact(name, value);
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	g_autoptr(GHashTable) accounts = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	Meant meant = { ids, accounts };

	(void)selector_each(selector, daemon, queue_mean, &meant);
	return queue_do_all(daemon, queue_find_verb("hold"), ids, reason);
}
