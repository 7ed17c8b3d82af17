/* world.c - an engine, a queue and deliveries over a disk that fails on demand. */
#include "fault/world.h"

#include <string.h>

#include "proto/path.h"

enum { WORLD_SEGMENT = 256 << 10 };

#define WORLD_SENDER "sender@fast.example"

static int64_t
world_monotonic(const Clock *clock)
{
	const World *world = (const World *)(uintptr_t)clock;

	return clock_monotonic(clock_system()) + atomic_load(&world->ahead_us);
}

static int64_t
world_wall(const Clock *clock)
{
	const World *world = (const World *)(uintptr_t)clock;

	return clock_wall(clock_system()) + atomic_load(&world->ahead_us) + atomic_load(&world->wall_ahead_us);
}

/* ---- the hops ---- */

static void
world_count(GHashTable *table, const char *key)
{
	g_hash_table_insert(
		table, g_strdup(key), GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(table, key)) + 1));
}

static PtnVerdict
world_refuse(HookCall *call, int code, const char *enhanced)
{
	call->code = code;
	call->enhanced = enhanced;
	call->cause = PTN_POLICY;
	call->text = "says the hop";
	return PTN_REFUSED;
}

/* Lock held. */
static void
world_wait_at_gate(World *world)
{
	world->begun++;
	while (!world->is_open)
		g_cond_wait(&world->changed, &world->lock);
}

static PtnVerdict
world_deliver(const HookRow *row, HookCall *call)
{
	World *world = row->data;
	const Recipient *recipient = g_ptr_array_index(call->envelope->recipients, call->recipient);
	g_autofree char *key = g_strdup_printf("%s#%" G_GUINT64_FORMAT, recipient->address, call->envelope->id);
	const char *name = row->plugin->name;
	bool refuses;

	g_mutex_lock(&world->lock);
	world_count(world->tried, key);
	if (call->envelope->sender[0] == '\0') {
		world_count(world->tried, "reports");
		g_free(world->report);
		world->report = g_strndup(call->content, call->content_size);
	}
	if (g_str_has_prefix(name, "slow"))
		world_wait_at_gate(world);
	while (g_str_has_prefix(name, "step") && !world->is_open && world->steps < strtoul(name + 4, NULL, 10))
		g_cond_wait(&world->changed, &world->lock);
	refuses = g_str_has_prefix(name, "no") || g_str_has_suffix(name, "-no");
	if (!refuses && !g_str_has_prefix(name, "later"))
		world_count(world->taken, key);
	g_mutex_unlock(&world->lock);
	if (refuses)
		return world_refuse(call, 550, "5.1.1");
	return g_str_has_prefix(name, "later") ? world_refuse(call, 450, "4.2.1") : PTN_DONE;
}

/* The snapshot has a hook of that plugin, and a route to it. */
static void
world_set_hop(World *world, Snapshot *snapshot, HookPlugin *plugin, const char *to)
{
	const HookRow row = { .plugin = plugin, .stage = PTN_DELIVER, .run = world_deliver, .data = world };
	g_autofree char *domain = g_strdup_printf("%s.example", plugin->name);
	g_autofree char *hop = g_strdup_printf("plugin:%s", to);
	const char *const domains[] = { domain, NULL };

	chain_add(snapshot->chain, &row);
	g_ptr_array_add(snapshot->delivery->routes, route_new(plugin->name, g_strdupv((char **)(uintptr_t)domains), NULL,
													next_hop_parse(hop, TLS_MAY, NULL)));
}

void
world_add_hop(World *world, const char *name)
{
	HookPlugin *plugin = g_new0(HookPlugin, 1);

	*plugin = (HookPlugin){ .name = g_strdup(name), .deadline_us = 600 * CLOCK_SECOND, .at_once = 1000 };
	g_ptr_array_add(world->plugins, plugin);
	world_set_hop(world, world->snapshot, plugin, name);
}

static Snapshot *
world_new_snapshot(void)
{
	DeliverySettings *settings = delivery_settings_new();
	EngineSettings *engine_settings = engine_settings_new();

	settings->hostname = g_strdup("mail.example.net");
	settings->retry_least_us = 300 * CLOCK_SECOND;
	settings->retry_most_us = 4000 * CLOCK_SECOND;
	settings->expire_us = 5 * 86400 * CLOCK_SECOND;
	settings->max_deliveries = 200;
	settings->per_destination = 20;
	engine_settings->chain_us = 600 * CLOCK_SECOND;
	return snapshot_new(engine_settings, settings, chain_new(), NULL, NULL);
}

void
world_reroute(World *world, const char *name, const char *to)
{
	g_autoptr(Snapshot) old = world->snapshot;

	world->snapshot = world_new_snapshot();
	for (guint i = 0; i < world->plugins->len; i++) {
		HookPlugin *plugin = world->plugins->pdata[i];

		world_set_hop(world, world->snapshot, plugin, strcmp(plugin->name, name) == 0 ? to : plugin->name);
	}
	delivery_set_snapshot(world->delivery, world->snapshot);
}

/* ---- the whole ---- */

static void
world_free_plugin(void *data)
{
	HookPlugin *plugin = data;

	g_free((char *)(uintptr_t)plugin->name);
	g_free(plugin);
}

static void
world_open_spool(World *world)
{
	g_autoptr(GError) error = NULL;

	world->engine.spool = spool_open(&world->spool_settings, &error);
	if (world->engine.spool == NULL)
		g_error("%s", error->message);
}

static void
world_wake(void *data)
{
	World *world = data;

	if (world->delivery != NULL)
		delivery_wake(world->delivery);
}

World *
world_new(void)
{
	World *world = g_new0(World, 1);

	world->clock = (Clock){ world_wall, world_monotonic };
	world->directory = unit_new_directory();
	world->sim = sim_disk_new(world->directory);
	world->spool_settings = (SpoolSettings){ .directory = world->directory, .clock = &world->clock,
		.disk = sim_disk_table(world->sim), .segment_size = WORLD_SEGMENT };
	g_mutex_init(&world->lock);
	g_cond_init(&world->changed);
	world->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	world->tried = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	world->plugins = g_ptr_array_new_with_free_func(world_free_plugin);
	world->snapshot = world_new_snapshot();
	world->engine.clock = &world->clock;
	world->engine.metrics = metrics_new();
	world->engine.ids = id_source_new(&world->clock, 0);
	world->engine.store = store_open("memory:", true, &world->clock, NULL);
	world->engine.directory = directory_new(world->engine.store);
	world->engine.stay = stay_new();
	world->engine.accounts = account_budgets_new();
	world_open_spool(world);
	world_add_hop(world, "fast");
	return world;
}

void
world_start(World *world)
{
	world->engine.queue = queue_new(world->engine.spool, &world->clock, world_wake, world);
	world->delivery = delivery_new(&world->engine, world->snapshot);
	delivery_start(world->delivery);
}

bool
world_stop(World *world, int64_t wait_us)
{
	return delivery_stop(world->delivery, g_get_monotonic_time() + wait_us);
}

static void
world_end_deliveries(World *world)
{
	world_open_gate(world);
	CU_ASSERT(world_stop(world, 10 * CLOCK_SECOND));
	g_clear_pointer(&world->delivery, delivery_free);
	g_clear_pointer(&world->engine.queue, queue_free);
}

/* What the old process still writes must not reach the new one's disk: that starts from a copy of the files. */
void
world_cut_power(World *world)
{
	g_autofree char *old = world->directory;
	SimDisk *old_disk = world->sim;
	SimCut *cut = sim_cut_new(world->sim);
	GRand *rand = g_rand_new_with_seed(1);
	static const char *const parts[] = { "log", "content", "lost" };

	sim_cut_advance(cut, sim_disk_step(world->sim));
	world->directory = unit_new_directory();
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *path = g_build_filename(world->directory, parts[i], NULL);

		CU_ASSERT_EQUAL(g_mkdir_with_parents(path, 0700), 0);
	}
	sim_cut_write(cut, world->directory, rand);
	sim_cut_free(cut);
	g_rand_free(rand);
	sim_disk_heal(world->sim);
	world_end_deliveries(world);
	spool_close(world->engine.spool);
	sim_disk_free(old_disk);
	unit_remove_directory(old);
	world->is_open = false;
	world->begun = 0;
	g_hash_table_remove_all(world->taken);
	g_hash_table_remove_all(world->tried);
	world->sim = sim_disk_new(world->directory);
	world->spool_settings.disk = sim_disk_table(world->sim);
	world->spool_settings.directory = world->directory;
	world_open_spool(world);
}

void
world_free(World *world)
{
	sim_disk_heal(world->sim);
	if (world->delivery != NULL)
		world_end_deliveries(world);
	spool_close(world->engine.spool);
	stay_free(world->engine.stay);
	directory_free(world->engine.directory);
	store_close(world->engine.store);
	id_source_free(world->engine.ids);
	metrics_free(world->engine.metrics);
	account_budgets_free(world->engine.accounts);
	snapshot_unref(world->snapshot);
	g_ptr_array_unref(world->plugins);
	g_hash_table_unref(world->taken);
	g_hash_table_unref(world->tried);
	g_free(world->report);
	sim_disk_free(world->sim);
	unit_remove_directory(world->directory);
	g_free(world->directory);
	g_mutex_clear(&world->lock);
	g_cond_clear(&world->changed);
	g_free(world);
}

/* ---- mail ---- */

QueueId
world_try_to_send(World *world, const char *const *recipients)
{
	static const char text[] = "Subject: a message\r\n\r\nbody\r\n";
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(world->engine.spool);
	Envelope *envelope = envelope_new(id_next(world->engine.ids));
	const QueueId id = envelope->id;
	g_autoptr(MessageState) state = message_state_new(id, g_strv_length((char **)(uintptr_t)recipients));

	content_append(content, text, sizeof text - 1);
	envelope->arrived_us = clock_wall(&world->clock);
	g_free(envelope->sender);
	envelope->sender = g_strdup(WORLD_SENDER);
	envelope_set_note(envelope, "account", world->account);
	for (size_t i = 0; recipients[i] != NULL; i++)
		envelope_add_recipient(envelope, recipients[i], NULL, 0);
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, envelope, NULL);
	if (spool_commit_wait(world->engine.spool, transaction) != SPOOL_COMMITTED)
		return 0;
	if (world->engine.queue != NULL)
		queue_enter(world->engine.queue, state);
	return id;
}

QueueId
world_send(World *world, ...)
{
	g_autoptr(GPtrArray) recipients = g_ptr_array_new();
	const char *recipient;
	va_list more;
	QueueId id;

	va_start(more, world);
	while ((recipient = va_arg(more, const char *)) != NULL)
		g_ptr_array_add(recipients, (void *)(uintptr_t)recipient);
	va_end(more);
	g_ptr_array_add(recipients, NULL);
	id = world_try_to_send(world, (const char *const *)recipients->pdata);
	CU_ASSERT_NOT_EQUAL_FATAL(id, 0);
	return id;
}

void
world_open_gate(World *world)
{
	g_mutex_lock(&world->lock);
	world->is_open = true;
	g_cond_broadcast(&world->changed);
	g_mutex_unlock(&world->lock);
}

void
world_next_step(World *world)
{
	g_mutex_lock(&world->lock);
	world->steps++;
	g_cond_broadcast(&world->changed);
	g_mutex_unlock(&world->lock);
}

void
world_pass_time(World *world, int64_t us)
{
	atomic_fetch_add(&world->ahead_us, us);
	world_wake(world);
}

/* ---- what was seen ---- */

static unsigned
world_look_up(World *world, GHashTable *table, QueueId id, const char *recipient)
{
	g_autofree char *key =
		id != 0 ? g_strdup_printf("%s#%" G_GUINT64_FORMAT, recipient, id) : g_strdup(recipient);
	unsigned n;

	g_mutex_lock(&world->lock);
	n = GPOINTER_TO_UINT(g_hash_table_lookup(table, key));
	g_mutex_unlock(&world->lock);
	return n;
}

unsigned
world_taken(World *world, QueueId id, const char *recipient)
{
	return world_look_up(world, world->taken, id, recipient);
}

unsigned
world_tried(World *world, QueueId id, const char *recipient)
{
	return world_look_up(world, world->tried, id, recipient);
}

unsigned
world_taken_in_all(World *world)
{
	GHashTableIter each;
	gpointer count;
	unsigned n = 0;

	g_mutex_lock(&world->lock);
	g_hash_table_iter_init(&each, world->taken);
	while (g_hash_table_iter_next(&each, NULL, &count))
		n += GPOINTER_TO_UINT(count);
	g_mutex_unlock(&world->lock);
	return n;
}

unsigned
world_begun(World *world)
{
	unsigned n;

	g_mutex_lock(&world->lock);
	n = world->begun;
	g_mutex_unlock(&world->lock);
	return n;
}

unsigned
world_waiting(World *world)
{
	DeliveryFigures figures;

	delivery_figures(world->delivery, &figures);
	return (unsigned)figures.waiting;
}

unsigned
world_reports(World *world)
{
	return world_look_up(world, world->tried, 0, "reports");
}

char *
world_last_report(World *world)
{
	char *report;

	g_mutex_lock(&world->lock);
	report = g_strdup(world->report);
	g_mutex_unlock(&world->lock);
	return report;
}

uint64_t
world_octets_written(World *world)
{
	return sim_disk_written(world->sim);
}

RecipientStatus
world_status(World *world, QueueId id, unsigned place)
{
	g_autoptr(SpoolMessage) message = spool_read(world->engine.spool, id, NULL);

	return message != NULL ? message->state->recipients[place].status : RECIPIENT_DELIVERED;
}
