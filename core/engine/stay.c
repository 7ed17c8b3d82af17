/* stay.c - a table of domains, each with the messages that wait for it.
 *
 * A message may wait for several domains; it is tried again when the first of them changes. */
#include "engine/stay.h"

#include <string.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "base/log.h"
#include "engine/domain.h"
#include "proto/path.h"

#define STAY_READ_AGAIN_US (60 * CLOCK_SECOND)
#define STAY_REASON_START "mail for "
#define STAY_REASON_END " is accepted and held"

typedef struct {
	QueueId id;
	uint64_t octets;
	int64_t arrived_us;
	bool is_held;
} StayMessage;

typedef struct {
	StayWay way;
	GHashTable *messages;  /* id -> StayMessage* */
	uint64_t held, octets; /* of those that are held */
	bool is_new;           /* its way may have changed before it was noted */
	bool differs;          /* some that wait were routed by another way than `way` */
} StayDomain;

struct Stay {
	GMutex lock;         /* guards what follows */
	GHashTable *domains; /* name -> StayDomain* */
	GHashTable *of;      /* id -> GSList* of StayDomain* */
	uint64_t changes;    /* of the directory's domains, when they were looked at */
	bool has_new, looks_again;
	GArray *unread;      /* of SpoolSummary: held messages that the disk could not read yet */
	int64_t unread_us;   /* when that is tried again; monotonic */
};

static void
stay_free_domain(void *data)
{
	StayDomain *domain = data;

	stay_way_clear(&domain->way);
	g_hash_table_unref(domain->messages);
	g_free(domain);
}

static void
stay_free_list(void *data)
{
	g_slist_free(data);
}

Stay *
stay_new(void)
{
	Stay *stay = g_new0(Stay, 1);

	g_mutex_init(&stay->lock);
	stay->domains = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, stay_free_domain);
	stay->of = g_hash_table_new_full(spool_id_hash, g_int64_equal, g_free, stay_free_list);
	stay->unread = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));
	return stay;
}

void
stay_free(Stay *stay)
{
	if (stay == NULL)
		return;
	g_hash_table_unref(stay->domains);
	g_hash_table_unref(stay->of);
	g_array_unref(stay->unread);
	g_mutex_clear(&stay->lock);
	g_free(stay);
}

char *
stay_reason(const char *domain)
{
	return g_strconcat(STAY_REASON_START, domain, STAY_REASON_END, NULL);
}

bool
stay_is_ours(const char *hold_reason)
{
	return hold_reason != NULL && g_str_has_suffix(hold_reason, STAY_REASON_END) &&
		   strstr(hold_reason, STAY_REASON_START) != NULL;
}

/* ---- ways ---- */

char *
stay_way(const DirectoryEntry *domain)
{
	static const char *const names[] = { "mode", "destination", "port", "forward-to", "on-missing-host" };
	GString *way = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *value = directory_entry_get(domain, names[i]);

		g_string_append_printf(way, "%s\n", value != NULL ? value : "");
	}
	return g_string_free(way, FALSE);
}

void
stay_way_clear(StayWay *way)
{
	g_clear_pointer(&way->domain, g_free);
	g_clear_pointer(&way->way, g_free);
}

/* ---- the table ---- */

/* Lock held. */
static StayDomain *
stay_domain(Stay *stay, const StayWay *way)
{
	StayDomain *domain = g_hash_table_lookup(stay->domains, way->domain);

	if (domain == NULL) {
		domain = g_new0(StayDomain, 1);
		domain->way.domain = g_strdup(way->domain);
		domain->messages = g_hash_table_new_full(spool_id_hash, g_int64_equal, NULL, g_free);
		g_hash_table_insert(stay->domains, domain->way.domain, domain);
		domain->is_new = stay->has_new = true;
	}
	if (g_strcmp0(domain->way.way, way->way) != 0) {
		domain->differs |= g_hash_table_size(domain->messages) > 0;
		g_free(domain->way.way);
		domain->way.way = g_strdup(way->way);
		domain->is_new = stay->has_new = true;
	}
	return domain;
}

/* Lock held. */
static void
stay_take_out(StayDomain *domain, QueueId id)
{
	const StayMessage *message = g_hash_table_lookup(domain->messages, &id);

	if (message != NULL && message->is_held) {
		domain->held--;
		domain->octets -= message->octets;
	}
	g_hash_table_remove(domain->messages, &id);
}

void
stay_add(Stay *stay, const StayWay *way, const SpoolSummary *summary, bool is_held)
{
	StayMessage *message = g_new0(StayMessage, 1);
	StayDomain *domain;
	GSList *of;

	message->id = summary->id;
	message->octets = summary->size;
	message->arrived_us = summary->arrived_us;
	message->is_held = is_held;
	g_mutex_lock(&stay->lock);
	domain = stay_domain(stay, way);
	stay_take_out(domain, summary->id);
	g_hash_table_insert(domain->messages, &message->id, message);
	domain->held += is_held;
	domain->octets += is_held ? summary->size : 0;
	of = g_hash_table_lookup(stay->of, &summary->id);
	if (of == NULL)
		g_hash_table_insert(stay->of, g_memdup2(&summary->id, sizeof summary->id), g_slist_prepend(NULL, domain));
	else if (g_slist_find(of, domain) == NULL)
		of->next = g_slist_prepend(of->next, domain);
	g_mutex_unlock(&stay->lock);
}

/* Lock held. */
static void
stay_forget_locked(Stay *stay, QueueId id)
{
	for (GSList *of = g_hash_table_lookup(stay->of, &id); of != NULL; of = of->next) {
		StayDomain *domain = of->data;

		stay_take_out(domain, id);
		if (g_hash_table_size(domain->messages) == 0)
			g_hash_table_remove(stay->domains, domain->way.domain);
	}
	g_hash_table_remove(stay->of, &id);
}

void
stay_forget(Stay *stay, QueueId id)
{
	g_mutex_lock(&stay->lock);
	stay_forget_locked(stay, id);
	g_mutex_unlock(&stay->lock);
}

/* ---- figures ---- */

void
stay_figures(Stay *stay, const char *name, StayFigures *figures)
{
	const StayDomain *domain;
	GHashTableIter each;
	gpointer message;

	*figures = (StayFigures){ 0 };
	g_mutex_lock(&stay->lock);
	domain = g_hash_table_lookup(stay->domains, name);
	if (domain != NULL) {
		figures->messages = domain->held;
		figures->octets = domain->octets;
		g_hash_table_iter_init(&each, domain->messages);
		while (g_hash_table_iter_next(&each, NULL, &message)) {
			const StayMessage *one = message;

			if (one->is_held && (figures->oldest_us == 0 || one->arrived_us < figures->oldest_us))
				figures->oldest_us = one->arrived_us;
		}
	}
	g_mutex_unlock(&stay->lock);
}

uint64_t
stay_octets(Stay *stay, const char *name)
{
	const StayDomain *domain;
	uint64_t octets;

	g_mutex_lock(&stay->lock);
	domain = g_hash_table_lookup(stay->domains, name);
	octets = domain != NULL ? domain->octets : 0;
	g_mutex_unlock(&stay->lock);
	return octets;
}

GPtrArray *
stay_held_domains(Stay *stay)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter each;
	gpointer domain;

	g_mutex_lock(&stay->lock);
	g_hash_table_iter_init(&each, stay->domains);
	while (g_hash_table_iter_next(&each, NULL, &domain))
		if (((StayDomain *)domain)->held > 0)
			g_ptr_array_add(names, g_strdup(((StayDomain *)domain)->way.domain));
	g_mutex_unlock(&stay->lock);
	return names;
}

/* ---- at start ---- */

static bool
stay_collect_held(void *data, const SpoolSummary *summary)
{
	if (summary->is_held)
		g_array_append_val((GArray *)data, *summary);
	return true;
}

/* The domain that a hold of ours names; new. */
static char *
stay_reason_domain(const char *reason)
{
	const char *start = g_strrstr(reason, STAY_REASON_START) + strlen(STAY_REASON_START);

	return g_strndup(start, strlen(start) - strlen(STAY_REASON_END));
}

/* A domain that holds still is known by its way; of any other it is not, and stay_look() then tries the message again. */
static void
stay_fill_domain(Engine *engine, const SpoolSummary *summary, const char *name)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	PtnStatus status;
	const char *mode = domain_mode(engine, name, &status, &entry);
	const bool holds = g_strcmp0(mode, directory_modes[MODE_HOLD]) == 0;
	g_autofree char *now = holds ? stay_way(entry) : NULL;
	const StayWay way = { (char *)(uintptr_t)name, now };

	stay_add(engine->stay, &way, summary, true);
}

static bool
stay_is_of_directory(const Engine *engine, const char *name)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	PtnStatus status;

	return domain_mode(engine, name, &status, &entry) != NULL;
}

/* It waits for the domain that its hold names, which may be that of a forward, and for those of its recipients. */
static void
stay_fill_one(Engine *engine, const SpoolSummary *summary)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(SpoolMessage) message = spool_read(engine->spool, summary->id, &error);
	g_autofree char *named = NULL;

	if (g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_IO))
		g_array_append_val(engine->stay->unread, *summary);
	if (message == NULL || !stay_is_ours(message->state->hold_reason))
		return;
	named = stay_reason_domain(message->state->hold_reason);
	stay_fill_domain(engine, summary, named);
	for (unsigned i = 0; i < message->state->n_recipients; i++) {
		const Recipient *recipient = g_ptr_array_index(message->envelope->recipients, i);
		g_autofree char *name = g_ascii_strdown(mailbox_domain(recipient->address), -1);

		if (message->state->recipients[i].status == RECIPIENT_PENDING && strcmp(name, named) != 0 &&
			stay_is_of_directory(engine, name))
			stay_fill_domain(engine, summary, name);
	}
}

static void
stay_fill_all(Engine *engine, const GArray *held)
{
	for (guint i = 0; i < held->len; i++)
		stay_fill_one(engine, &g_array_index(held, SpoolSummary, i));
	engine->stay->unread_us = clock_monotonic(engine->clock) + STAY_READ_AGAIN_US;
}

void
stay_fill(Engine *engine)
{
	g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));

	spool_each(engine->spool, stay_collect_held, held);
	stay_fill_all(engine, held);
}

/* Held messages that the disk could not read at start are found as soon as it can. */
static void
stay_read_again(Engine *engine)
{
	g_autoptr(GArray) unread = NULL;

	if (engine->stay->unread->len == 0 || clock_monotonic(engine->clock) < engine->stay->unread_us)
		return;
	unread = g_steal_pointer(&engine->stay->unread);
	engine->stay->unread = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));
	stay_fill_all(engine, unread);
}

/* ---- when a domain changes ---- */

static GPtrArray *
stay_suspects(Stay *stay, bool is_all)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter each;
	gpointer data;

	g_mutex_lock(&stay->lock);
	stay->has_new = false;
	g_hash_table_iter_init(&each, stay->domains);
	while (g_hash_table_iter_next(&each, NULL, &data)) {
		StayDomain *domain = data;

		if (is_all || domain->is_new)
			g_ptr_array_add(names, g_strdup(domain->way.domain));
		domain->is_new = false;
	}
	g_mutex_unlock(&stay->lock);
	return names;
}

/* Those that wait for the domain if its way is not `way` any more, and forgets them; new array of StayMessage. */
static GArray *
stay_take_changed(Stay *stay, const char *name, const char *way)
{
	GArray *messages = g_array_new(FALSE, FALSE, sizeof(StayMessage));
	const StayDomain *domain;
	GHashTableIter each;
	gpointer message;

	g_mutex_lock(&stay->lock);
	domain = g_hash_table_lookup(stay->domains, name);
	if (domain != NULL && (domain->differs || g_strcmp0(domain->way.way, way) != 0)) {
		g_hash_table_iter_init(&each, domain->messages);
		while (g_hash_table_iter_next(&each, NULL, &message))
			g_array_append_vals(messages, message, 1);
	}
	for (guint i = 0; i < messages->len; i++)
		stay_forget_locked(stay, g_array_index(messages, StayMessage, i).id);
	g_mutex_unlock(&stay->lock);
	return messages;
}

/* What the disk cannot read now is tried again with what it could not read at start. */
static void
stay_let_go(Engine *engine, const StayMessage *message)
{
	const SpoolSummary summary = { .id = message->id, .size = message->octets, .arrived_us = message->arrived_us };

	if (queue_let_go(engine->queue, message->id, stay_is_ours) == QUEUE_UNREADABLE)
		g_array_append_val(engine->stay->unread, summary);
}

static void
stay_look_at(Engine *engine, const char *name)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	g_autofree char *way = NULL;
	g_autoptr(GArray) messages = NULL;
	g_autofree char *count = NULL;
	PtnStatus status;

	(void)domain_mode(engine, name, &status, &entry);
	if (status == PTN_UNSURE) {
		g_mutex_lock(&engine->stay->lock);
		engine->stay->looks_again = true;
		g_mutex_unlock(&engine->stay->lock);
		return;
	}
	way = entry != NULL ? stay_way(entry) : g_strdup("");
	messages = stay_take_changed(engine->stay, name, way);
	if (messages->len == 0)
		return;
	count = g_strdup_printf("%u", messages->len);
	log_event(LOG_LEVEL_INFO, "domain changed, its mail goes on", "domain", name, "messages", count, NULL);
	/* what the administrator or a plugin holds is theirs to release */
	for (guint i = 0; i < messages->len; i++)
		stay_let_go(engine, &g_array_index(messages, StayMessage, i));
}

/* The number is read before the entries: what changes in between is seen the next time. */
void
stay_look(Engine *engine)
{
	Stay *stay = engine->stay;
	g_autoptr(GPtrArray) names = NULL;
	uint64_t changes;
	bool is_all;

	stay_read_again(engine);
	if (directory_changes(engine->directory, PTN_DOMAIN, CLOCK_NEVER, &changes) != PTN_OK)
		return;
	g_mutex_lock(&stay->lock);
	is_all = changes != stay->changes || stay->looks_again;
	stay->changes = changes;
	stay->looks_again = false;
	if (!is_all && !stay->has_new) {
		g_mutex_unlock(&stay->lock);
		return;
	}
	g_mutex_unlock(&stay->lock);
	names = stay_suspects(stay, is_all);
	for (guint i = 0; i < names->len; i++)
		stay_look_at(engine, g_ptr_array_index(names, i));
}
