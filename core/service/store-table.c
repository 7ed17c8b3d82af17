/* store-table.c - items in memory: a hash table to find them, a balanced tree to list them.
 *
 * Items are counted by owner: a plugin, or whatever a key names first.  Who has the most gives when there are too many: keys
 * that strangers make a cache remember do not push out the counters of another plugin. */
#include "service/store-table.h"

#include <string.h>

#include "base/keyed-hash.h"
#include "service/store-private.h"

#define TABLE_CLOCK_SLACK_US (60 * CLOCK_SECOND) /* a clock that is set back by less prolongs claims by that */

enum {
	TABLE_LOOK = 4, /* items looked at per sweep: the expired go faster than new ones come */
	TABLE_SAMPLE = 16
}; /* and for the one to evict */

typedef struct {
	char *prefix; /* "plugin/blocking/", "block/"; "" of keys without one */
	size_t n;
	GSequenceIter *sweep; /* where its next eviction looks, an item of its own; NULL: at its first item */
} Owner;

typedef struct {
	TableItem shown; /* first, so that one is the other */
	GSequenceIter *place;
	Owner *owner;
} Item;

struct StoreTable {
	const Clock *clock;
	GHashTable *items;    /* of their keys, Item* */
	GSequence *order;     /* Item* by key, which it owns */
	GHashTable *owners;   /* of their prefixes, Owner* */
	GSequenceIter *sweep; /* where the next sweep looks; NULL: at the start */
};

static void
store_table_item_free(void *data)
{
	Item *item = data;

	g_free(item->shown.key);
	g_free(item->shown.value);
	g_free(item);
}

static void
store_table_owner_free(void *data)
{
	Owner *owner = data;

	g_free(owner->prefix);
	g_free(owner);
}

static Owner *
store_table_owner_of(StoreTable *table, const char *key)
{
	const char *slash = strchr(g_str_has_prefix(key, "plugin/") ? key + strlen("plugin/") : key, '/');
	g_autofree char *prefix = slash != NULL ? g_strndup(key, (size_t)(slash - key) + 1) : g_strdup("");
	Owner *owner = g_hash_table_lookup(table->owners, prefix);

	if (owner != NULL)
		return owner;
	owner = g_new0(Owner, 1);
	owner->prefix = g_steal_pointer(&prefix);
	g_hash_table_insert(table->owners, owner->prefix, owner);
	return owner;
}

static int
store_table_compare(const void *a, const void *b, void *data)
{
	(void)data;
	return strcmp(((const TableItem *)a)->key, ((const TableItem *)b)->key);
}

StoreTable *
store_table_new(const Clock *clock)
{
	StoreTable *table = g_new0(StoreTable, 1);

	table->clock = clock;
	table->items = g_hash_table_new(keyed_hash_text, g_str_equal);
	table->order = g_sequence_new(store_table_item_free);
	table->owners = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, store_table_owner_free);
	return table;
}

void
store_table_free(StoreTable *table)
{
	g_hash_table_unref(table->items);
	g_hash_table_unref(table->owners);
	g_sequence_free(table->order);
	g_free(table);
}

const TableItem *
store_table_find_any(const StoreTable *table, const char *key)
{
	const Item *item = g_hash_table_lookup(table->items, key);

	return item != NULL ? &item->shown : NULL;
}

const TableItem *
store_table_find(const StoreTable *table, const char *key)
{
	const TableItem *item = store_table_find_any(table, key);

	return item != NULL && item->expires_us > clock_wall(table->clock) ? item : NULL;
}

bool
store_table_is_free(const StoreTable *table, const char *key, int64_t expires_us)
{
	const TableItem *item = store_table_find(table, key);

	return item == NULL || (item->expires_us != CLOCK_NEVER && expires_us != CLOCK_NEVER &&
							   item->expires_us - TABLE_CLOCK_SLACK_US > expires_us);
}

/* The item behind one of the owner's, or NULL where the owner's end: forgetting an item corrects the sweep of its own owner
 * only, so no owner may keep the place of another's. */
static GSequenceIter *
store_table_next_own(const Item *item)
{
	GSequenceIter *next = g_sequence_iter_next(item->place);

	if (g_sequence_iter_is_end(next) || ((const Item *)g_sequence_get(next))->owner != item->owner)
		return NULL;
	return next;
}

static void
store_table_forget(StoreTable *table, Item *item)
{
	if (table->sweep == item->place)
		table->sweep = g_sequence_iter_next(item->place);
	if (item->owner->sweep == item->place)
		item->owner->sweep = store_table_next_own(item);
	if (--item->owner->n == 0)
		g_hash_table_remove(table->owners, item->owner->prefix);
	g_hash_table_remove(table->items, item->shown.key);
	g_sequence_remove(item->place);
}

static Item *
store_table_add(StoreTable *table, const char *key)
{
	Item *item = g_new0(Item, 1);

	item->shown.key = g_strdup(key);
	item->owner = store_table_owner_of(table, key);
	item->owner->n++;
	item->place = g_sequence_insert_sorted(table->order, item, store_table_compare, NULL);
	g_hash_table_insert(table->items, item->shown.key, item);
	return item;
}

void
store_table_apply(StoreTable *table, const StoreRow *row)
{
	Item *item = g_hash_table_lookup(table->items, row->key);

	if (row->value == NULL) {
		if (item != NULL)
			store_table_forget(table, item);
		return;
	}
	if (item == NULL)
		item = store_table_add(table, row->key);
	g_free(item->shown.value);
	item->shown.value = g_strdup(row->value);
	item->shown.version = row->version;
	item->shown.expires_us = row->expires_us;
}

/* The next item of a walk around the table that never ends; NULL: it is empty. */
static Item *
store_table_walk(StoreTable *table)
{
	Item *item;

	if (table->sweep == NULL || g_sequence_iter_is_end(table->sweep))
		table->sweep = g_sequence_get_begin_iter(table->order);
	if (g_sequence_iter_is_end(table->sweep))
		return NULL;
	item = g_sequence_get(table->sweep);
	table->sweep = g_sequence_iter_next(table->sweep);
	return item;
}

static char *
store_table_take_out(StoreTable *table, Item *item)
{
	char *key = g_strdup(item->shown.key);

	store_table_forget(table, item);
	return key;
}

/* Expired items cost memory only where somebody writes, so there they are looked for. */
char *
store_table_sweep(StoreTable *table)
{
	const int64_t now = clock_wall(table->clock);

	for (int i = 0; i < TABLE_LOOK; i++) {
		Item *item = store_table_walk(table);

		if (item == NULL)
			return NULL;
		if (item->shown.expires_us <= now)
			return store_table_take_out(table, item);
	}
	return NULL;
}

/* The first item that has `prefix` and comes after `after` (NULL: any). */
static GSequenceIter *
store_table_first(const StoreTable *table, const char *prefix, const char *after)
{
	const bool is_behind = after != NULL && strcmp(after, prefix) >= 0;
	const TableItem bound = { .key = (char *)(uintptr_t)(is_behind ? after : prefix) };
	GSequenceIter *iter = g_sequence_search(table->order, (void *)(uintptr_t)&bound, store_table_compare, NULL);
	GSequenceIter *before = g_sequence_iter_prev(iter);

	/* The search stops behind an equal key, which `after` means to leave out and `prefix` does not. */
	if (!is_behind && before != iter && store_table_compare(g_sequence_get(before), &bound, NULL) == 0)
		return before;
	return iter;
}

/* The next item of a walk around those of an owner, which has some. */
static Item *
store_table_walk_owner(StoreTable *table, Owner *owner)
{
	Item *item = g_sequence_get(
		owner->sweep != NULL ? owner->sweep : store_table_first(table, owner->prefix, NULL));

	if (item->owner != owner)
		return NULL; /* keys without a prefix lie among others */
	owner->sweep = store_table_next_own(item);
	return item;
}

static Owner *
store_table_largest(const StoreTable *table)
{
	Owner *largest = NULL;
	GHashTableIter iter;
	void *owner;

	g_hash_table_iter_init(&iter, table->owners);
	while (g_hash_table_iter_next(&iter, NULL, &owner))
		if (largest == NULL || ((Owner *)owner)->n > largest->n)
			largest = owner;
	return largest;
}

static Item *
store_table_sooner(Item *a, Item *b)
{
	return b != NULL && (a == NULL || b->shown.expires_us < a->shown.expires_us) ? b : a;
}

char *
store_table_evict(StoreTable *table)
{
	Owner *owner = store_table_largest(table);
	Item *first = NULL;

	for (int i = 0; i < TABLE_SAMPLE && owner != NULL; i++)
		first = store_table_sooner(first, store_table_walk_owner(table, owner));
	for (int i = 0; i < TABLE_SAMPLE && (first == NULL || first->shown.expires_us == CLOCK_NEVER); i++)
		first = store_table_sooner(first, store_table_walk(table)); /* that owner keeps its items for ever */
	return first != NULL && first->shown.expires_us != CLOCK_NEVER ? store_table_take_out(table, first) : NULL;
}

size_t
store_table_size(const StoreTable *table)
{
	return g_hash_table_size(table->items);
}

GPtrArray *
store_table_list(const StoreTable *table, const char *prefix, const char *after, size_t limit)
{
	GPtrArray *found = g_ptr_array_new_with_free_func(store_item_free);
	const int64_t now = clock_wall(table->clock);
	GSequenceIter *iter = store_table_first(table, prefix, after);

	for (; !g_sequence_iter_is_end(iter) && found->len < limit; iter = g_sequence_iter_next(iter)) {
		const TableItem *item = g_sequence_get(iter);

		if (!g_str_has_prefix(item->key, prefix))
			break;
		if (item->expires_us > now) {
			StoreItem *copy = store_item_new(g_strdup(item->key), g_strdup(item->value), item->version);

			copy->expires_us = item->expires_us;
			g_ptr_array_add(found, copy);
		}
	}
	return found;
}
