/* control-select.c - selectors: what the index knows is tested first, only then is an envelope read. */
#include "daemon/control-select.h"

#include <string.h>

#include "base/error.h"
#include "proto/idn.h"
#include "proto/path.h"

typedef enum {
	BY_ACCOUNT,
	BY_CUSTOMER,
	BY_SENDER,
	BY_RECIPIENT,
	BY_DOMAIN,
	BY_STATE,
	BY_AGE,
	BY_SIZE,
} SelectBy;

typedef struct {
	SelectBy by;
	char how;       /* '=', '<' or '>' */
	char *text;     /* of '=' */
	bool is_exact;  /* "*" stands for itself */
	int64_t number; /* age in µs, size in octets, a QueueState */
} Test;

struct Selector {
	GArray *ids;   /* of QueueId */
	GArray *tests; /* of Test    */
	bool takes_partly_held;
};

static const struct {
	const char *name, *how;
	unsigned type; /* of '<' and '>' */
} selector_names[] = {
	[BY_ACCOUNT] = { "account", "=", 0 },
	[BY_CUSTOMER] = { "customer", "=", 0 },
	[BY_SENDER] = { "sender", "=", 0 },
	[BY_RECIPIENT] = { "recipient", "=", 0 },
	[BY_DOMAIN] = { "domain", "=", 0 },
	[BY_STATE] = { "state", "=", 0 },
	[BY_AGE] = { "age", "<>", PTN_TIME },
	[BY_SIZE] = { "size", "<>", PTN_SIZE },
};

static const char *const queue_state_names[] = {
	[QUEUE_IS_ACTIVE] = "active", [QUEUE_IS_DEFERRED] = "deferred", [QUEUE_IS_HELD] = "held", NULL
};

const char *
queue_state_name(QueueState state)
{
	return queue_state_names[state];
}

QueueState
queue_state_of(const SpoolSummary *summary, int64_t now_us)
{
	if (summary->is_held)
		return QUEUE_IS_HELD;
	return summary->attempts > 0 && summary->next_us > now_us ? QUEUE_IS_DEFERRED : QUEUE_IS_ACTIVE;
}

/* ---- reading ---- */

static void
selector_clear_test(void *data)
{
	g_free(((Test *)data)->text);
}

static Selector *
selector_new(void)
{
	Selector *selector = g_new0(Selector, 1);

	selector->ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	selector->tests = g_array_new(FALSE, FALSE, sizeof(Test));
	g_array_set_clear_func(selector->tests, selector_clear_test);
	return selector;
}

void
selector_free(Selector *selector)
{
	g_array_unref(selector->ids);
	g_array_unref(selector->tests);
	g_free(selector);
}

static bool
selector_find_name(const char *name, SelectBy *by)
{
	for (size_t i = 0; i < G_N_ELEMENTS(selector_names); i++) {
		if (strcmp(selector_names[i].name, name) != 0)
			continue;
		*by = (SelectBy)i;
		return true;
	}
	return false;
}

static bool
selector_refuse(const char *word, const char *name, GError **error)
{
	const char *known[G_N_ELEMENTS(selector_names) + 1] = { NULL };
	const char *nearest;

	for (size_t i = 0; i < G_N_ELEMENTS(selector_names); i++)
		known[i] = selector_names[i].name;
	nearest = option_nearest(name, known);
	if (nearest != NULL)
		return error_set(
			error, POSTERN_ERROR_INVALID, "\"%s\": no such selector (did you mean \"%s\"?)", word, nearest);
	return error_set(error, POSTERN_ERROR_INVALID,
		"\"%s\" is neither an id nor a selector "
		"(account= customer= sender= recipient= domain= state= age> age< size> size<)",
		word);
}

static bool
selector_read_value(Test *test, const char *value, GError **error)
{
	const PtnOption option = { .name = selector_names[test->by].name,
		.type = test->by == BY_STATE ? PTN_CHOICE : selector_names[test->by].type,
		.choices = queue_state_names };
	g_autoptr(OptionValue) parsed = NULL;

	if (test->how == '=' && test->by != BY_STATE) {
		test->text = strcmp(value, "<>") == 0 ? g_strdup("") : idn_address_to_ascii(value);
		return true;
	}
	parsed = option_parse(&option, value, error);
	if (parsed == NULL) {
		g_prefix_error(error, "%s: ", option.name);
		return false;
	}
	test->number = parsed->number;
	return true;
}

static bool
selector_read_word(Selector *selector, const char *word, GError **error)
{
	const size_t size = strcspn(word, "=<>");
	g_autofree char *name = g_strndup(word, size);
	Test test = { .how = word[size] };
	QueueId id;

	if (test.how == '\0' && id_parse(word, &id)) {
		g_array_append_val(selector->ids, id);
		return true;
	}
	if (test.how == '\0' || !selector_find_name(name, &test.by))
		return selector_refuse(word, name, error);
	if (strchr(selector_names[test.by].how, test.how) == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\": write %s%s", word, name,
			selector_names[test.by].how[0] == '=' ? "=VALUE" : ">VALUE or <VALUE");
	if (!selector_read_value(&test, word + size + 1, error))
		return false;
	g_array_append_val(selector->tests, test);
	return true;
}

Selector *
selector_parse(char *const *words, GError **error)
{
	g_autoptr(Selector) selector = selector_new();

	for (; *words != NULL; words++)
		if (!selector_read_word(selector, *words, error))
			return NULL;
	return g_steal_pointer(&selector);
}

Selector *
selector_new_exact(const char *name, const char *value)
{
	Selector *selector = selector_new();
	Test test = { .how = '=', .text = g_strdup(value), .is_exact = true };

	(void)selector_find_name(name, &test.by);
	g_array_append_val(selector->tests, test);
	return selector;
}

void
selector_take_partly_held(Selector *selector)
{
	selector->takes_partly_held = true;
}

bool
selector_is_empty(const Selector *selector)
{
	return selector->ids->len == 0 && selector->tests->len == 0;
}

bool
selector_is_one_id(const Selector *selector, QueueId *id)
{
	if (selector->ids->len != 1 || selector->tests->len != 0)
		return false;
	*id = g_array_index(selector->ids, QueueId, 0);
	return true;
}

/* ---- testing ---- */

/* "*" stands for any octets; letters of ASCII compare without case. */
static bool
selector_matches_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			from = text;
		} else if (g_ascii_tolower(*pattern) == g_ascii_tolower(*text)) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++from;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool
selector_matches_text(const Test *test, const char *text)
{
	if (text == NULL)
		return false;
	return test->is_exact ? g_ascii_strcasecmp(test->text, text) == 0 : selector_matches_glob(test->text, text);
}

static bool
selector_matches_recipient(const Test *test, const SpoolMessage *message)
{
	for (unsigned i = 0; i < message->state->n_recipients; i++) {
		const Recipient *recipient = g_ptr_array_index(message->envelope->recipients, i);

		if (recipient_state_is_open(&message->state->recipients[i]) &&
			selector_matches_text(
				test, test->by == BY_DOMAIN ? mailbox_domain(recipient->address) : recipient->address))
			return true;
	}
	return false;
}

static bool
selector_compares(const Test *test, int64_t number)
{
	return test->how == '>' ? number > test->number : number < test->number;
}

/* What needs the envelope passes here. */
static bool
selector_passes_summary(const Selector *selector, const Test *test, const SpoolSummary *summary, int64_t now_us)
{
	switch (test->by) {
	case BY_STATE:
		return (int64_t)queue_state_of(summary, now_us) == test->number ||
			   (selector->takes_partly_held && summary->has_held && test->number == QUEUE_IS_HELD);
	case BY_AGE:
		return selector_compares(test, now_us - summary->arrived_us);
	case BY_SIZE:
		return selector_compares(test, (int64_t)summary->size);
	default:
		return true;
	}
}

/* Of the customer that the account belongs to now; the note is of the time when the message came, and counts for an account that is
 * gone. */
static bool
selector_matches_customer(const Test *test, const SpoolMessage *message, Directory *directory)
{
	const char *login = envelope_note(message->envelope, "account");
	const char *customer = envelope_note(message->envelope, "customer");
	g_autoptr(DirectoryEntry) account = NULL;

	if (customer != NULL && login != NULL &&
		directory_find(directory, PTN_ACCOUNT, login, CLOCK_NEVER, &account) == PTN_OK)
		customer = directory_entry_get(account, "customer");
	return selector_matches_text(test, customer);
}

static bool
selector_passes_message(const Test *test, const SpoolMessage *message, Directory *directory)
{
	if (test->by >= BY_STATE)
		return true;
	if (message == NULL)
		return false;
	switch (test->by) {
	case BY_ACCOUNT:
		return selector_matches_text(test, envelope_note(message->envelope, "account"));
	case BY_CUSTOMER:
		return selector_matches_customer(test, message, directory);
	case BY_SENDER:
		return selector_matches_text(test, message->envelope->sender);
	default:
		return selector_matches_recipient(test, message);
	}
}

/* ---- the queue ---- */

typedef struct {
	const Selector *selector;
	int64_t now_us;
	GArray *found; /* of SpoolSummary */
} Search;

static bool
selector_has_id(const Selector *selector, QueueId id)
{
	for (guint i = 0; i < selector->ids->len; i++)
		if (g_array_index(selector->ids, QueueId, i) == id)
			return true;
	return selector->ids->len == 0;
}

static bool
selector_collect(void *data, const SpoolSummary *summary)
{
	const Search *search = data;
	const GArray *tests = search->selector->tests;

	if (!selector_has_id(search->selector, summary->id))
		return true;
	for (guint i = 0; i < tests->len; i++)
		if (!selector_passes_summary(search->selector, &g_array_index(tests, Test, i), summary, search->now_us))
			return true;
	g_array_append_val(search->found, *summary);
	return true;
}

static bool
selector_passes_all(const Selector *selector, const SpoolMessage *message, Directory *directory)
{
	for (guint i = 0; i < selector->tests->len; i++)
		if (!selector_passes_message(&g_array_index(selector->tests, Test, i), message, directory))
			return false;
	return true;
}

size_t
selector_each(
	const Selector *selector, Daemon *daemon, void (*each)(void *data, const Selected *selected), void *data)
{
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));
	Search search = { selector, clock_wall(daemon->engine.clock), found };
	size_t n = 0;

	spool_each(daemon->engine.spool, selector_collect, &search);
	for (guint i = 0; i < found->len; i++) {
		const SpoolSummary *summary = &g_array_index(found, SpoolSummary, i);
		g_autoptr(GError) error = NULL;
		g_autoptr(SpoolMessage) message = spool_read(daemon->engine.spool, summary->id, &error);
		const Selected selected = { *summary, message, queue_state_of(summary, search.now_us) };

		/* Gone since the index was read: delivered. */
		if (g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND) ||
			!selector_passes_all(selector, message, daemon->engine.directory))
			continue;
		each(data, &selected);
		n++;
	}
	return n;
}
