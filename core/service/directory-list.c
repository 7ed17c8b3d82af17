/* directory-list.c - entries of the directory by name, in pages of the store. */
#include <string.h>

#include "base/keyed-hash.h"
#include "service/directory-private.h"

enum { DIRECTORY_PAGE = 200 };

static void
directory_free_element(void *entry)
{
	directory_entry_free(entry);
}

/* Whether a record may have the option: most have not, and need not be read for that.  Values have their line ends
 * escaped, so only a name begins a line. */
static bool
directory_has_line(const char *text, const char *start)
{
	const size_t length = strlen(start);

	for (; text != NULL; text = strchr(text, '\n')) {
		text += *text == '\n';
		if (strncmp(text, start, length) == 0)
			return true;
	}
	return false;
}

typedef struct {
	Directory *directory;
	PtnKind kind;
	const char *with_option; /* NULL: all entries                                             */
	size_t limit;
	int64_t deadline_us;
	GHashTable *owners;      /* domain -> customer, NULL: it has none; domains of one list are read once */
	GPtrArray *found;
} DirectoryListing;

/* As directory_read_owner(). */
static PtnStatus
directory_list_owner(const DirectoryListing *list, DirectoryEntry *entry)
{
	const char *name = directory_domain_of(directory_entry_name(entry));
	g_autoptr(DirectoryEntry) domain = NULL;
	void *customer;

	if (!directory_has_owner(list->kind))
		return PTN_OK;
	if (!g_hash_table_lookup_extended(list->owners, name, NULL, &customer)) {
		if (directory_find(list->directory, PTN_DOMAIN, name, list->deadline_us, &domain) == PTN_UNSURE)
			return PTN_UNSURE;
		customer = g_strdup(domain != NULL ? directory_entry_get(domain, "customer") : NULL);
		g_hash_table_insert(list->owners, g_strdup(name), customer);
	}
	directory_take_owner(entry, customer);
	return PTN_OK;
}

/* Owners are read with the entry; whether the record has them says nothing. */
static bool
directory_list_wants(const DirectoryListing *list, const char *record, const char *start)
{
	const bool is_of_owner = directory_has_owner(list->kind) && (g_strcmp0(list->with_option, "customer") == 0 ||
																	g_strcmp0(list->with_option, "domain") == 0);

	return list->with_option == NULL || is_of_owner || directory_has_line(record, start);
}

/* Appends what a page of the store has and `with_option` wants. */
static PtnStatus
directory_take_page(const DirectoryListing *list, const GPtrArray *page)
{
	g_autofree char *prefix = directory_prefix(list->kind);
	g_autoptr(GString) start = g_string_new(NULL);

	if (list->with_option != NULL) {
		directory_put_escaped(start, list->with_option);
		g_string_append_c(start, '=');
	}
	for (guint i = 0; i < page->len && list->found->len < list->limit; i++) {
		const StoreItem *item = g_ptr_array_index(page, i);
		g_autoptr(DirectoryEntry) entry = NULL;

		if (directory_list_wants(list, item->value, start->str))
			entry = directory_parse_record(list->kind, item->key + strlen(prefix), item->value, item->version);
		if (entry == NULL)
			continue;
		if (directory_list_owner(list, entry) == PTN_UNSURE)
			return PTN_UNSURE;
		if (list->with_option == NULL || directory_entry_get(entry, list->with_option) != NULL)
			g_ptr_array_add(list->found, g_steal_pointer(&entry));
	}
	return PTN_OK;
}

PtnStatus
directory_list(Directory *directory, PtnKind kind, const char *with_option, const char *after, size_t limit,
	int64_t deadline_us, GPtrArray **entries)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(directory_free_element);
	g_autoptr(GHashTable) owners = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	const DirectoryListing list = { directory, kind, with_option, limit, deadline_us, owners, found };
	g_autofree char *prefix = directory_prefix(kind);
	g_autofree char *last = after != NULL ? directory_key(kind, after) : NULL;
	guint read;

	do {
		g_autoptr(GPtrArray) page = NULL;
		PtnStatus status = store_list(directory->store, prefix, last, DIRECTORY_PAGE, deadline_us, &page);

		if (status == PTN_OK)
			status = directory_take_page(&list, page);
		if (status != PTN_OK)
			return status;
		read = page->len;
		if (read > 0) {
			g_free(last);
			last = g_strdup(((const StoreItem *)g_ptr_array_index(page, read - 1))->key);
		}
	} while (read == DIRECTORY_PAGE && found->len < limit);
	*entries = g_steal_pointer(&found);
	return PTN_OK;
}
