/* api-directory.c - customers, domains and accounts as plugins see them. */
#include <string.h>

#include "engine/chain.h"
#include "host/host-private.h"

enum { WALK_PAGE = 1000 }; /* entries */

static Directory *
api_directory(PtnHook *h)
{
	const Engine *engine = h->instance->services->engine;

	if (engine == NULL || engine->directory == NULL)
		return NULL;
	return engine->directory;
}

static PtnEntry *
api_wrap(PtnHook *h, DirectoryEntry *entry, bool is_shared)
{
	PtnEntry *wrapped = region_alloc(h->call->region, sizeof *wrapped);

	wrapped->h = h;
	wrapped->entry = entry;
	wrapped->is_shared = is_shared;
	if (!is_shared) {
		if (h->entries == NULL)
			h->entries = g_ptr_array_new_with_free_func((GDestroyNotify)directory_entry_free);
		g_ptr_array_add(h->entries, entry);
	}
	return wrapped;
}

PtnStatus
ptn_find(PtnHook *h, PtnKind kind, const char *name, PtnEntry **entry)
{
	Directory *directory = api_directory(h);
	DirectoryEntry *found = NULL;
	PtnStatus status = PTN_UNSURE;

	/* A password is computed by what holds now: while the directory is away, 454 is better than a wrong 535. */
	if (directory != NULL && h->call->stage == PTN_AUTH && !h->is_inline)
		status = directory_find_now(directory, kind, name, h->call->deadline_us, &found);
	else if (directory != NULL)
		status = directory_find(directory, kind, name, h->call->deadline_us, &found);
	if (status == PTN_OK)
		*entry = api_wrap(h, found, false);
	if (status == PTN_UNSURE && !h->call->may_wait)
		h->call->would_have_waited = true;
	call_note(h, "%s %s: %s", directory_kind_name(kind), name, call_status_name(status));
	return status;
}

PtnEntry *
ptn_account(PtnHook *h)
{
	const SessionFacts *facts = h->call->facts;
	PtnEntry *entry = NULL;

	if (h->is_check)
		return h->places.account != NULL ? api_wrap(h, h->places.account, true) : NULL;
	if (facts != NULL && facts->account != NULL)
		return api_wrap(h, facts->account, true);
	if (h->call->stage == PTN_AUTH || ptn_login(h) == NULL)
		return NULL;
	return ptn_find(h, PTN_ACCOUNT, ptn_login(h), &entry) == PTN_OK ? entry : NULL;
}

PtnEntry *
ptn_customer(PtnHook *h)
{
	const SessionFacts *facts = h->call->facts;
	PtnEntry *account, *entry = NULL;
	const char *name;

	if (h->is_check)
		return h->places.customer != NULL ? api_wrap(h, h->places.customer, true) : NULL;
	if (facts != NULL && facts->customer != NULL)
		return api_wrap(h, facts->customer, true);
	account = ptn_account(h);
	name = account != NULL ? ptn_get(account, "customer") : NULL;
	return name != NULL && ptn_find(h, PTN_CUSTOMER, name, &entry) == PTN_OK ? entry : NULL;
}

PtnEntry *
ptn_domain(PtnHook *h)
{
	DirectoryEntry *domain = h->is_check ? h->places.domain : places_at_hand(h, PTN_IN_DOMAIN)->domain;

	return domain != NULL ? api_wrap(h, domain, true) : NULL;
}

/* Entries that a walk will come to are kept, a page of them: each step of its own would read the directory again. */
struct Walk {
	PtnKind kind;
	char *with_option;
	PtnEntry *last;  /* that was handed out; a walk that is at another one is another walk */
	GPtrArray *page; /* of DirectoryEntry* */
	guint at;
	bool is_last_page;
};

void
api_end_walk(PtnHook *h)
{
	if (h->walk == NULL)
		return;
	for (guint i = h->walk->at; i < h->walk->page->len; i++)
		directory_entry_free(g_ptr_array_index(h->walk->page, i));
	g_ptr_array_unref(h->walk->page);
	g_free(h->walk->with_option);
	g_clear_pointer(&h->walk, g_free);
}

static PtnStatus
api_read_page(PtnHook *h, PtnKind kind, const char *with_option, PtnEntry *after)
{
	const char *name = after != NULL ? directory_entry_name(after->entry) : NULL;
	GPtrArray *page;
	const PtnStatus status =
		directory_list(api_directory(h), kind, with_option, name, WALK_PAGE, h->call->deadline_us, &page);

	if (status != PTN_OK)
		return status;
	api_end_walk(h);
	g_ptr_array_set_free_func(page, NULL);
	h->walk = g_new0(Walk, 1);
	*h->walk = (Walk){ kind, g_strdup(with_option), after, page, 0, page->len < WALK_PAGE };
	return PTN_OK;
}

static bool
api_walks_on(const Walk *walk, PtnKind kind, const char *with_option, const PtnEntry *after)
{
	return walk != NULL && after != NULL && walk->last == after && walk->kind == kind &&
		   g_strcmp0(walk->with_option, with_option) == 0 && (walk->at < walk->page->len || walk->is_last_page);
}

PtnStatus
ptn_each(PtnHook *h, PtnKind kind, const char *with_option, PtnEntry **entry)
{
	PtnStatus status = PTN_OK;

	if (api_directory(h) == NULL)
		return PTN_UNSURE;
	if (!api_walks_on(h->walk, kind, with_option, *entry))
		status = api_read_page(h, kind, with_option, *entry);
	if (status == PTN_UNSURE && !h->call->may_wait)
		h->call->would_have_waited = true;
	if (status != PTN_OK)
		return status;
	if (h->walk->at == h->walk->page->len)
		return PTN_NONE;
	*entry = h->walk->last = api_wrap(h, g_ptr_array_index(h->walk->page, h->walk->at++), false);
	return PTN_OK;
}

PtnStatus
ptn_changes(PtnHook *h, PtnKind kind, uint64_t *number)
{
	Directory *directory = api_directory(h);

	return directory != NULL ? directory_changes(directory, kind, h->call->deadline_us, number) : PTN_UNSURE;
}

const char *
ptn_get(PtnEntry *entry, const char *name)
{
	return strcmp(name, "name") == 0 ? directory_entry_name(entry->entry)
									 : directory_entry_get(entry->entry, name);
}

const char *const *
ptn_get_list(PtnEntry *entry, const char *name)
{
	return directory_entry_get_list(entry->entry, name);
}

/* The session's entry is what its hooks and replies go by: a plugin changes a copy. */
static bool
api_unshare(PtnEntry *entry)
{
	PtnHook *h = entry->h;
	Directory *directory = api_directory(h);
	DirectoryEntry *found = NULL;
	PtnStatus status = PTN_UNSURE;

	if (!entry->is_shared)
		return true;
	if (directory != NULL)
		status = directory_find_now(directory, directory_entry_kind(entry->entry),
			directory_entry_name(entry->entry), h->call->deadline_us, &found);
	if (status == PTN_UNSURE && !h->call->may_wait)
		h->call->would_have_waited = true;
	if (status != PTN_OK)
		return false;
	entry->entry = api_wrap(h, found, false)->entry;
	entry->is_shared = false;
	return true;
}

/* The plugin's own option by its row, any other by what holds for all; an own yes or no, or choice, gets its one word.  New; NULL:
 * `error` says why it cannot be set. */
static char *
api_checked_value(PtnEntry *entry, const char *name, const char *value, GError **error)
{
	const Instance *instance = entry->h->instance;
	const size_t length = strlen(instance->plugin->name);
	const PtnOption *option = NULL;
	g_autoptr(OptionValue) parsed = NULL;

	if (!directory_check_value(name, value, error))
		return NULL;
	if (strncmp(name, instance->plugin->name, length) == 0 && name[length] == '.')
		option = instance_option(instance, name + length + 1, false);
	if (option == NULL)
		return g_strdup(value);
	parsed = option_parse(option, value, error);
	if (parsed == NULL) {
		g_prefix_error(error, "%s: ", name);
		return NULL;
	}
	return option->type == PTN_BOOL     ? g_strdup(parsed->number != 0 ? "yes" : "no")
		   : option->type == PTN_CHOICE ? g_strdup(option->choices[parsed->number])
										: g_strdup(value);
}

void
ptn_set(PtnEntry *entry, const char *name, const char *value)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *checked = value != NULL ? api_checked_value(entry, name, value, &error) : NULL;

	if (error != NULL && entry->complaint == NULL)
		entry->complaint = region_strdup(entry->h->call->region, error->message);
	if (error == NULL && api_unshare(entry))
		directory_entry_set(entry->entry, name, checked);
}

/* The person whose command it is changes the entry, else the plugin. */
static PtnStatus
api_save(PtnHook *h, Directory *directory, DirectoryEntry *entry)
{
	g_autofree char *who = g_strconcat("plugin ", h->instance->plugin->name, NULL);
	Actor plugin = { .who = who, .command = h->purpose != NULL ? h->purpose : stage_name(h->call->stage) };

	return directory_save(directory, entry, h->actor != NULL ? h->actor : &plugin, h->call->deadline_us);
}

PtnStatus
ptn_save(PtnHook *h, PtnEntry *entry)
{
	Directory *directory = api_directory(h);
	g_autoptr(GError) error = NULL;

	if (directory == NULL || entry->is_shared)
		return PTN_UNSURE;
	if (!h->call->may_wait) {
		h->call->would_have_waited = true;
		return PTN_UNSURE;
	}
	if (entry->complaint != NULL || !directory_check(directory, entry->entry, &error)) {
		ptn_log(h, PTN_WARNING, "ptn_save(): %s", entry->complaint != NULL ? entry->complaint : error->message);
		return PTN_UNSURE;
	}
	if (call_is_rehearsed(h))
		return PTN_OK;
	return api_save(h, directory, entry->entry);
}
