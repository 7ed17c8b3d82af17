/* directory.c - entries of the directory as records of a store: "name=value" lines under "directory/KIND/NAME". */
#include "service/directory-private.h"

#include <string.h>

#include "base/keyed-hash.h"
#include "proto/idn.h"

enum {
	DIRECTORY_NAME_MAX = 400 /* an address has at most 320 octets, a key of the store 500 */
};

struct DirectoryEntry {
	PtnKind kind;
	char *name;
	uint64_t version; /* 0: not saved */
	GHashTable *values;
	GHashTable *lists; /* split values, made when asked for */
	char **names;      /* the same */
	bool states_customer;
};

const char *
directory_kind_name(PtnKind kind)
{
	static const char *const names[] = { "", "customer", "domain", "account", "recipient" };

	return names[kind];
}

const char *
directory_kind_phrase(PtnKind kind)
{
	static const char *const phrases[] = { [PTN_CUSTOMER] = "a customer",
		[PTN_DOMAIN] = "a domain",
		[PTN_ACCOUNT] = "an account",
		[PTN_RECIPIENT] = "a recipient" };

	return phrases[kind];
}

/* What no entry can be named is surely not there: a login of a thousand octets is a wrong login, not a failure. */
static bool
directory_name_is_possible(const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return *name != '\0' && strlen(name) <= DIRECTORY_NAME_MAX;
}

char *
directory_prefix(PtnKind kind)
{
	return g_strdup_printf("directory/%s/", directory_kind_name(kind));
}

/* The name under which an entry stands: in lower case, its domain in A-labels.  New. */
static char *
directory_name(PtnKind kind, const char *name)
{
	g_autofree char *ascii = kind == PTN_CUSTOMER ? g_strdup(name) : idn_address_to_ascii(name);

	return g_ascii_strdown(ascii, -1);
}

char *
directory_key(PtnKind kind, const char *name)
{
	g_autofree char *canonical = directory_name(kind, name);

	return g_strdup_printf("directory/%s/%s", directory_kind_name(kind), canonical);
}

Directory *
directory_new(Store *store)
{
	Directory *directory = g_new0(Directory, 1);

	directory->store = store;
	directory->clock = clock_system();
	g_mutex_init(&directory->lock);
	directory->secrets = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	for (PtnKind kind = PTN_CUSTOMER; kind <= PTN_RECIPIENT; kind++) {
		g_autofree char *prefix = directory_prefix(kind);

		store_watch(store, prefix);
	}
	if (!store_is_local(store))
		directory->cache = directory_cache_new(store);
	return directory;
}

void
directory_set_clock(Directory *directory, const Clock *clock)
{
	directory->clock = clock;
}

void
directory_set_cached(Directory *directory, size_t most)
{
	if (directory->cache != NULL)
		directory_cache_set_most(directory->cache, most);
}

size_t
directory_cached(Directory *directory)
{
	return directory->cache != NULL ? directory_cache_size(directory->cache) : 0;
}

void
directory_free(Directory *directory)
{
	if (directory == NULL)
		return;
	directory_cache_free(directory->cache);
	g_hash_table_unref(directory->secrets);
	g_mutex_clear(&directory->lock);
	g_free(directory);
}

/* ---- entries ---- */

DirectoryEntry *
directory_entry_new(PtnKind kind, const char *name)
{
	DirectoryEntry *entry = g_new0(DirectoryEntry, 1);

	entry->kind = kind;
	entry->name = directory_name(kind, name);
	entry->values = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	entry->lists = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
	return entry;
}

void
directory_entry_free(DirectoryEntry *entry)
{
	if (entry == NULL)
		return;
	g_free(entry->name);
	g_hash_table_unref(entry->values);
	g_hash_table_unref(entry->lists);
	g_strfreev(entry->names);
	g_free(entry);
}

PtnKind
directory_entry_kind(const DirectoryEntry *entry)
{
	return entry->kind;
}

const char *
directory_entry_name(const DirectoryEntry *entry)
{
	return entry->name;
}

uint64_t
directory_entry_version(const DirectoryEntry *entry)
{
	return entry->version;
}

const char *
directory_entry_get(const DirectoryEntry *entry, const char *name)
{
	return g_hash_table_lookup(entry->values, name);
}

static char **
directory_split(const char *text)
{
	GPtrArray *words = g_ptr_array_new();

	while (*text != '\0') {
		const size_t length = strcspn(text, " \t\n,");

		if (length > 0)
			g_ptr_array_add(words, g_strndup(text, length));
		text += length + (text[length] != '\0');
	}
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

const char *const *
directory_entry_get_list(DirectoryEntry *entry, const char *name)
{
	char **words = g_hash_table_lookup(entry->lists, name);
	const char *value = directory_entry_get(entry, name);

	if (words == NULL) {
		words = directory_split(value != NULL ? value : "");
		g_hash_table_insert(entry->lists, g_strdup(name), words);
	}
	return (const char *const *)words;
}

void
directory_entry_set(DirectoryEntry *entry, const char *name, const char *value)
{
	g_clear_pointer(&entry->names, g_strfreev);
	g_hash_table_remove(entry->lists, name);
	if (value != NULL)
		g_hash_table_replace(entry->values, g_strdup(name), directory_form(name, value));
	else
		g_hash_table_remove(entry->values, name);
	if (strcmp(name, "customer") == 0)
		entry->states_customer = value != NULL;
}

bool
directory_entry_states_customer(const DirectoryEntry *entry)
{
	return entry->states_customer;
}

static int
directory_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *
directory_entry_names(DirectoryEntry *entry)
{
	GPtrArray *names;
	GHashTableIter iter;
	void *name;

	if (entry->names == NULL) {
		names = g_ptr_array_new();
		g_hash_table_iter_init(&iter, entry->values);
		while (g_hash_table_iter_next(&iter, &name, NULL))
			g_ptr_array_add(names, g_strdup(name));
		g_ptr_array_sort(names, directory_compare_names);
		g_ptr_array_add(names, NULL);
		entry->names = (char **)g_ptr_array_free(names, FALSE);
	}
	return (const char *const *)entry->names;
}

/* ---- records ---- */

/* A line ends at "\n", a name at "=": both, and the escape, are written "\n", "\e", "\\". */
void
directory_put_escaped(GString *text, const char *value)
{
	for (; *value != '\0'; value++) {
		switch (*value) {
		case '\n':
			g_string_append(text, "\\n");
			break;
		case '=':
			g_string_append(text, "\\e");
			break;
		case '\\':
			g_string_append(text, "\\\\");
			break;
		default:
			g_string_append_c(text, *value);
			break;
		}
	}
}

static char *
directory_unescape(const char *from, size_t size)
{
	char *text = g_malloc(size + 1), *to = text;

	for (const char *end = from + size; from < end; from++) {
		if (*from == '\\' && from + 1 < end) {
			from++;
			*to++ = *from == 'n' ? '\n' : *from == 'e' ? '=' : *from;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return text;
}

static char *
directory_format_record(DirectoryEntry *entry)
{
	GString *text = g_string_new(NULL);

	for (const char *const *name = directory_entry_names(entry); *name != NULL; name++) {
		directory_put_escaped(text, *name);
		g_string_append_c(text, '=');
		directory_put_escaped(text, directory_entry_get(entry, *name));
		g_string_append_c(text, '\n');
	}
	return g_string_free(text, FALSE);
}

DirectoryEntry *
directory_parse_record(PtnKind kind, const char *name, const char *text, uint64_t version)
{
	g_autoptr(DirectoryEntry) entry = directory_entry_new(kind, name);

	entry->version = version;
	while (*text != '\0') {
		const size_t length = strcspn(text, "\n"), left = strcspn(text, "=\n");
		g_autofree char *key = directory_unescape(text, left);
		g_autofree char *value = NULL;
		g_autofree char *repaired = NULL;

		if (text[left] != '=')
			return NULL;
		value = directory_unescape(text + left + 1, length - left - 1);
		repaired = directory_repair(key, value);
		g_hash_table_replace(entry->values, g_steal_pointer(&key), g_steal_pointer(&repaired));
		text += length + (text[length] != '\0');
	}
	return g_steal_pointer(&entry);
}

/* ---- the store ---- */

typedef PtnStatus DirectoryRead(
	Directory *directory, PtnKind kind, const char *key, int64_t deadline_us, char **text, uint64_t *version);

static PtnStatus
directory_read_now(
	Directory *directory, PtnKind kind, const char *key, int64_t deadline_us, char **text, uint64_t *version)
{
	if (directory->cache != NULL)
		return directory_cache_ask(directory->cache, kind, key, deadline_us, text, version);
	return store_get(directory->store, key, deadline_us, text, version);
}

static PtnStatus
directory_read_kept(
	Directory *directory, PtnKind kind, const char *key, int64_t deadline_us, char **text, uint64_t *version)
{
	if (directory->cache != NULL)
		return directory_cache_get(directory->cache, kind, key, deadline_us, text, version);
	return store_get(directory->store, key, deadline_us, text, version);
}

static PtnStatus
directory_find_record(Directory *directory, DirectoryRead *read, PtnKind kind, const char *name,
	int64_t deadline_us, DirectoryEntry **entry)
{
	g_autofree char *key = directory_key(kind, name);
	g_autofree char *text = NULL;
	DirectoryEntry *found;
	PtnStatus status;
	uint64_t version;

	if (!directory_name_is_possible(name))
		return PTN_NONE;
	status = read(directory, kind, key, deadline_us, &text, &version);
	if (status != PTN_OK)
		return status;
	found = directory_parse_record(kind, name, text, version);
	if (found == NULL)
		return PTN_UNSURE;
	*entry = found;
	return PTN_OK;
}

/* ---- owners ---- */

const char *
directory_domain_of(const char *name)
{
	const char *at = strrchr(name, '@');

	return at != NULL ? at + 1 : name;
}

bool
directory_has_owner(PtnKind kind)
{
	return kind == PTN_ACCOUNT || kind == PTN_RECIPIENT;
}

void
directory_take_owner(DirectoryEntry *entry, const char *customer)
{
	directory_entry_set(entry, "domain", directory_domain_of(entry->name));
	if (customer != NULL)
		directory_entry_set(entry, "customer", customer);
	entry->states_customer = false;
}

/* Of an account or a recipient, from the entry of its domain; without one the copy in the record is all there is. */
static PtnStatus
directory_read_owner(Directory *directory, DirectoryRead *read, DirectoryEntry *entry, int64_t deadline_us)
{
	g_autoptr(DirectoryEntry) domain = NULL;
	PtnStatus status;

	if (!directory_has_owner(entry->kind))
		return PTN_OK;
	status = directory_find_record(
		directory, read, PTN_DOMAIN, directory_domain_of(entry->name), deadline_us, &domain);
	if (status == PTN_UNSURE)
		return PTN_UNSURE;
	directory_take_owner(entry, domain != NULL ? directory_entry_get(domain, "customer") : NULL);
	return PTN_OK;
}

static PtnStatus
directory_find_by(Directory *directory, DirectoryRead *read, PtnKind kind, const char *name, int64_t deadline_us,
	DirectoryEntry **entry)
{
	g_autoptr(DirectoryEntry) found = NULL;
	PtnStatus status = directory_find_record(directory, read, kind, name, deadline_us, &found);

	if (status == PTN_OK)
		status = directory_read_owner(directory, read, found, deadline_us);
	if (status == PTN_OK)
		*entry = g_steal_pointer(&found);
	return status;
}

PtnStatus
directory_find(Directory *directory, PtnKind kind, const char *name, int64_t deadline_us, DirectoryEntry **entry)
{
	return directory_find_by(directory, directory_read_kept, kind, name, deadline_us, entry);
}

PtnStatus
directory_find_now(
	Directory *directory, PtnKind kind, const char *name, int64_t deadline_us, DirectoryEntry **entry)
{
	return directory_find_by(directory, directory_read_now, kind, name, deadline_us, entry);
}

/* We changed it ourselves, or tried to. */
static void
directory_forget(Directory *directory, PtnKind kind, const char *key)
{
	if (directory->cache != NULL)
		directory_cache_forget(directory->cache, kind, key);
}

PtnStatus
directory_save(Directory *directory, DirectoryEntry *entry, Actor *actor, int64_t deadline_us)
{
	g_autofree char *key = directory_key(entry->kind, entry->name);
	g_autofree char *text = NULL;
	g_autoptr(DirectoryEntry) before = NULL;
	PtnStatus status;

	if (!directory_name_is_possible(entry->name))
		return PTN_UNSURE;
	/* If somebody else saves in between, this save is TAKEN: so it is what was replaced. */
	if (entry->version != 0)
		before = directory_before(directory, entry->kind, entry->name, deadline_us);
	directory_note_enabled(directory, before, entry);
	text = directory_format_record(entry);
	status = store_replace(directory->store, key, text, 0, &entry->version, deadline_us);
	directory_forget(directory, entry->kind, key);
	if (status == PTN_OK)
		directory_audit(directory, actor, entry->kind, entry->name, before, entry);
	return status;
}

PtnStatus
directory_remove(Directory *directory, PtnKind kind, const char *name, Actor *actor, int64_t deadline_us)
{
	g_autofree char *key = directory_key(kind, name);
	g_autoptr(DirectoryEntry) before = NULL;
	PtnStatus status;

	if (!directory_name_is_possible(name))
		return PTN_NONE;
	if (directory->audit != NULL)
		before = directory_before(directory, kind, name, deadline_us);
	status = store_remove(directory->store, key, deadline_us);
	directory_forget(directory, kind, key);
	if (status == PTN_OK)
		directory_audit(directory, actor, kind, before != NULL ? before->name : name, before, NULL);
	return status;
}

PtnStatus
directory_changes(Directory *directory, PtnKind kind, int64_t deadline_us, uint64_t *number)
{
	g_autofree char *prefix = NULL;

	if (directory->cache != NULL)
		return directory_cache_changes(directory->cache, kind, number) ? PTN_OK : PTN_UNSURE;
	prefix = directory_prefix(kind);
	return store_changes(directory->store, prefix, deadline_us, number);
}

static bool
directory_says_no(const DirectoryEntry *entry, const char *name)
{
	return g_strcmp0(directory_entry_get(entry, name), "no") == 0;
}

const char *
directory_account_barred(const DirectoryEntry *account, const DirectoryEntry *customer)
{
	const DirectoryEntry *barred = NULL;
	const char *reason;

	if (directory_says_no(account, "enabled"))
		barred = account;
	else if (customer != NULL &&
			 (directory_says_no(customer, "enabled") || directory_says_no(customer, "outbound")))
		barred = customer;
	if (barred == NULL)
		return NULL;
	reason = directory_entry_get(barred, "reason");
	return reason != NULL && *reason != '\0' ? reason : "disabled";
}
