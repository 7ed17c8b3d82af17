/* stay.c - a table of domains, each with the messages that wait for it.
 *
 * A message may wait for several domains; it is tried again when the first of them changes. */
#include "engine/stay.h"

#include <string.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "base/log.h"
#include "engine/domain.h"
#include "engine/stay-private.h"

static void
stay_free_domain(void *data)
{
	StayDomain *domain = data;

	g_free(domain->way.domain);
	g_free(domain->way.way);
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
	stay->noted = g_array_new(FALSE, FALSE, sizeof(QueueId));
	stay->deferred = g_array_new(FALSE, FALSE, sizeof(QueueId));
	stay->unread = g_array_new(FALSE, FALSE, sizeof(QueueId));
	return stay;
}

void
stay_free(Stay *stay)
{
	if (stay == NULL)
		return;
	g_hash_table_unref(stay->domains);
	g_hash_table_unref(stay->of);
	g_array_unref(stay->noted);
	g_array_unref(stay->deferred);
	g_array_unref(stay->unread);
	g_mutex_clear(&stay->lock);
	g_free(stay);
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
	const StayMessage *before;
	StayDomain *domain;
	GSList *of;

	message->id = summary->id;
	message->octets = summary->size;
	message->arrived_us = summary->arrived_us;
	g_mutex_lock(&stay->lock);
	domain = stay_domain(stay, way);
	/* another recipient of the message may be held there */
	before = g_hash_table_lookup(domain->messages, &summary->id);
	is_held |= before != NULL && before->is_held;
	message->is_held = is_held;
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

void
stay_note(Stay *stay, QueueId id)
{
	g_mutex_lock(&stay->lock);
	g_array_append_val(stay->noted, id);
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

void
stay_let_go(Engine *engine, QueueId id)
{
	if (queue_let_go(engine->queue, id, stay_is_ours) == QUEUE_UNREADABLE)
		stay_keep_unread(engine->stay, id);
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
		stay_let_go(engine, g_array_index(messages, StayMessage, i).id);
}

/* The number is read before the entries: what changes in between is seen the next time. */
void
stay_look(Engine *engine)
{
	Stay *stay = engine->stay;
	g_autoptr(GPtrArray) names = NULL;
	uint64_t changes;
	bool is_all;

	if (directory_changes(engine->directory, PTN_DOMAIN, CLOCK_NEVER, &changes) != PTN_OK)
		return;
	stay_fill_more(engine);
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
