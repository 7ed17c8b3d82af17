/* levels.c - customers whose level is not configured have the presets, which may be less or more than they pay for. */
#include "daemon/levels.h"

PtnStatus
levels_each_missing(
	const Config *config, Directory *directory, LevelsMissing *each, void *data)
{
	enum { PAGE = 1000 };
	g_autofree char *after = NULL;
	bool has_more = true;

	while (has_more) {
		g_autoptr(GPtrArray) entries = NULL;

		if (directory_list(directory, PTN_CUSTOMER, "level", after, PAGE, CLOCK_NEVER, &entries) != PTN_OK)
			return PTN_UNSURE;
		for (guint i = 0; i < entries->len; i++) {
			const DirectoryEntry *entry = g_ptr_array_index(entries, i);
			const char *level = directory_entry_get(entry, "level");

			if (level != NULL && *level != '\0' && config_section(config, "level", level) == NULL)
				each(data, directory_entry_name(entry), level);
			g_free(after);
			after = g_strdup(directory_entry_name(entry));
		}
		has_more = entries->len == PAGE;
	}
	return PTN_OK;
}

typedef struct {
	char *text; /* of the first */
	unsigned n;
} Missing;

static void
levels_note(void *data, const char *customer, const char *level)
{
	Missing *missing = data;

	if (missing->n++ == 0)
		missing->text = g_strdup_printf("there is no [level %s], which customer %s has", level, customer);
}

static void
levels_show(Metrics *metrics, const Missing *missing)
{
	g_autofree char *text = NULL;

	if (missing->n == 1)
		text = g_strdup_printf("%s: the presets hold instead", missing->text);
	else if (missing->n > 1)
		text = g_strdup_printf("%s (and %u more): the presets hold instead", missing->text, missing->n - 1);
	metrics_alarm(metrics, "level.missing", text);
}

/* The number of changes is read before the entries: what changes in between is seen the next time. */
void
levels_look(Daemon *daemon)
{
	g_autoptr(Config) config = NULL;
	Missing missing = { 0 };
	uint64_t changes;

	if (directory_changes(daemon->engine.directory, PTN_CUSTOMER, CLOCK_NEVER, &changes) != PTN_OK)
		return;
	g_mutex_lock(&daemon->lock);
	config = config_ref(daemon->config);
	g_mutex_unlock(&daemon->lock);
	if (config == daemon->levels_config && changes == daemon->levels_changes)
		return;
	if (levels_each_missing(config, daemon->engine.directory, levels_note, &missing) == PTN_OK) {
		levels_show(daemon->engine.metrics, &missing);
		config_unref(daemon->levels_config);
		daemon->levels_config = g_steal_pointer(&config);
		daemon->levels_changes = changes;
	}
	g_free(missing.text);
}
