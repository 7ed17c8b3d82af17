/* api-work.c - work behind a hook, and the words and rows of commands. */
#include <string.h>

#include "base/log.h"
#include "host/host-private.h"

enum { WORK_MOST = 1000 }; /* of one plugin, waiting or under way */

#define WORK_TIME_US (60 * CLOCK_SECOND) /* at least: nobody waits for it, and other servers may be slow */

typedef struct {
	Work work;
	PluginSet *set;
	Instance *instance;
	PtnFunction *function;
	void *data;
	ClientBudget *client; /* of the session that it began in: its lines are on this budget; a reference, NULL: none */
	ClientLimits limits;
} Background;

static void
background_free(Background *background)
{
	host_unref(background->set);
	client_budget_drop(background->client);
	g_free(background->data);
	g_free(background);
}

static void
api_run_background(void *data)
{
	Background *background = data;
	g_autoptr(Region) region = region_new();
	HookCall call = { .region = region,
		.may_wait = true,
		.client_budget = background->client,
		.client_limits = &background->limits,
		.deadline_us = g_get_monotonic_time() + MAX(background->instance->core.deadline_us, WORK_TIME_US) };
	PtnHook h = {
		.call = &call, .instance = background->instance, .set = background->set, .work_data = background->data,
		.purpose = "background"
	};

	if (call_prepared(&h, background->function) == PTN_FAILED)
		log_event(LOG_LEVEL_WARNING, "plugin failed", "plugin", background->instance->plugin->name, "stage",
			"background", "error", call.failure, NULL);
	g_clear_pointer(&call.acts, g_array_unref);
	atomic_fetch_sub(&background->instance->core.background, 1);
	background_free(background);
}

static void
background_take_client(Background *background, const HookCall *call)
{
	const SessionFacts *facts = call->facts;
	ClientBudget *client = facts != NULL ? facts->client_budget : call->client_budget;

	if (client == NULL)
		return;
	background->client = client_budget_ref(client);
	background->limits = facts != NULL ? *facts->client_limits : *call->client_limits;
}

bool
ptn_background(PtnHook *h, PtnFunction *function, const void *data, size_t size)
{
	Background *background;

	if (call_is_rehearsed(h)) {
		call_note(h, "would go on in the background");
		return true;
	}
	if (h->set == NULL || atomic_fetch_add(&h->instance->core.background, 1) >= WORK_MOST) {
		if (h->set != NULL)
			atomic_fetch_sub(&h->instance->core.background, 1);
		return false;
	}
	background = g_new0(Background, 1);
	background->set = host_ref(h->set);
	background->instance = h->instance;
	background->function = function;
	background_take_client(background, h->call);
	background->data = g_malloc0(size + 1);
	if (size > 0)
		memcpy(background->data, data, size);
	background->work.run = api_run_background;
	background->work.data = background;
	if (workers_run(h->set->services.engine->waiters, &background->work))
		return true;
	atomic_fetch_sub(&h->instance->core.background, 1);
	background_free(background);
	return false;
}

const void *
ptn_work_data(PtnHook *h)
{
	return h->work_data;
}

const char *const *
ptn_arguments(PtnHook *h)
{
	static const char *const none[] = { NULL };

	return h->arguments != NULL ? h->arguments : none;
}

void
ptn_row(PtnHook *h, const char *column, ...)
{
	g_autoptr(GPtrArray) cells = g_ptr_array_new();
	va_list arguments;

	va_start(arguments, column);
	for (const char *cell = column; cell != NULL; cell = va_arg(arguments, const char *))
		g_ptr_array_add(cells, (void *)(uintptr_t)cell);
	va_end(arguments);
	g_ptr_array_add(cells, NULL);
	if (h->row != NULL)
		h->row(h->row_data, (const char *const *)cells->pdata);
}
