/* control-block.c - posternctl block list, show, add, lift. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/control.h"
#include "service/option.h"

static void
block_put_row(const Block *block, Answer *answer)
{
	g_autofree char *network = ip_network_format(&block->network);
	g_autofree char *since = cell_time(block->since_us);
	g_autofree char *until = block->until_us != 0 ? cell_time(block->until_us) : g_strdup("forever");

	answer_row(answer, network, since, until, block->by, block->reason, NULL);
}

static bool
block_list(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	const bool is_of_one = strcmp(request->words[1], "show") == 0;
	const char *text = is_of_one ? request->words[2] : NULL;
	g_autoptr(GPtrArray) blocks = NULL;
	IpAddress client;

	if (request->words[2] != NULL && (!is_of_one || request->words[3] != NULL))
		return error_set(error, POSTERN_ERROR_INVALID,
			"\"%s\": block list takes no word, and block show takes one", request->words[is_of_one ? 3 : 2]);
	if (is_of_one && (text == NULL || !ip_parse(text, &client)))
		return error_set(error, POSTERN_ERROR_INVALID, "which address?  \"%s\" is none", text != NULL ? text : "");
	blocks = blocks_list(daemon->engine.blocks, is_of_one ? &client : NULL);
	if (is_of_one && blocks->len == 0 && !store_is_away(daemon->engine.store)) {
		answer_text(answer, "%s is not blocked.", text);
		return true;
	}
	answer_columns(answer, "network", "since:time", "until:time", "by", "reason", NULL);
	for (guint i = 0; i < blocks->len; i++)
		block_put_row(g_ptr_array_index(blocks, i), answer);
	return store_is_away(daemon->engine.store)
			   ? error_set(error, POSTERN_ERROR_UNAVAILABLE,
					 "the store cannot be read now: these are the blocks that this node knows of")
			   : true;
}

static bool
block_overlaps(const IpNetwork *network, const IpNetwork *never)
{
	return ip_network_contains(network, &never->base) || ip_network_contains(never, &network->base);
}

/* A block of these would not be heeded: see engine_settings_is_monitor(). */
static bool
block_may_networks(const IpNetwork *network, const GArray *never, const char *option, GError **error)
{
	for (guint i = 0; i < never->len; i++) {
		g_autofree char *text = NULL;

		if (!block_overlaps(network, &g_array_index(never, IpNetwork, i)))
			continue;
		text = ip_network_format(&g_array_index(never, IpNetwork, i));
		return error_set(error, POSTERN_ERROR_INVALID, "%s names %s; nothing was done", option, text);
	}
	return true;
}

static bool
block_may_monitors(Daemon *daemon, const IpNetwork *network, GError **error)
{
	g_autoptr(Snapshot) snapshot = control_take_snapshot(daemon);
	const EngineSettings *settings = snapshot->settings;

	for (guint i = 0; i < settings->listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(settings->listeners, i);
		g_autofree char *option = g_strdup_printf("[listener %s] proxies", listener->name);

		if (!block_may_networks(network, listener->proxies, option, error))
			return false;
	}
	return block_may_networks(network, settings->monitors, "[server] monitors", error);
}

/* A list of networks that plugins never block. */
static bool
block_may_option(PluginSet *set, const char *name, const IpNetwork *network, GError **error)
{
	const OptionPlaces nobody = { 0 };
	g_autofree char *list = NULL;
	g_autofree char *from = NULL;
	g_auto(GStrv) words = NULL;

	if (!host_option_of(set, name, &nobody, &list, &from) || list == NULL)
		return true;
	words = g_strsplit_set(list, " ,\t", -1);
	for (char **word = words; *word != NULL; word++) {
		const char *dot = strchr(name, '.');
		IpNetwork never;

		if (ip_network_parse(*word, &never, NULL) && block_overlaps(network, &never))
			return error_set(error, POSTERN_ERROR_INVALID, "[plugin %.*s] %s names %s; nothing was done",
				(int)(dot - name), name, dot + 1, *word);
	}
	return true;
}

/* What is never blocked is not blocked by mistake, either. */
static bool
block_may(Daemon *daemon, const IpNetwork *network, GError **error)
{
	g_autoptr(PluginSet) set = control_take_set(daemon);
	g_autoptr(GPtrArray) names = host_options_that_mean(set, PTN_MEANS_NEVER_BLOCKED);

	if (!block_may_monitors(daemon, network, error))
		return false;
	for (guint i = 0; i < names->len; i++)
		if (!block_may_option(set, g_ptr_array_index(names, i), network, error))
			return false;
	return true;
}

typedef struct {
	int64_t time_us; /* 0: forever */
	const char *reason;
} BlockWords;

static bool
block_read_words(char *const *words, BlockWords *read, GError **error)
{
	static const PtnOption time = { .name = "for", .type = PTN_TIME, .least = CLOCK_SECOND };

	*read = (BlockWords){ .reason = "by the operator" };
	for (; *words != NULL; words++) {
		if (strcmp(*words, "for=forever") == 0) {
			read->time_us = 0;
		} else if (g_str_has_prefix(*words, "for=")) {
			g_autoptr(OptionValue) value = option_parse(&time, *words + strlen("for="), error);

			if (value == NULL)
				return false;
			read->time_us = value->number;
		} else if (g_str_has_prefix(*words, "reason=") && (*words)[strlen("reason=")] != '\0') {
			read->reason = *words + strlen("reason=");
			if (!directory_check_value("reason", read->reason, error))
				return false;
		} else {
			return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is neither for=TIME nor reason=TEXT", *words);
		}
	}
	return true;
}

static bool
block_add(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	g_autofree char *text = NULL;
	BlockWords words;
	IpNetwork network;

	if (request->words[2] == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "which address or network?");
	if (!ip_network_parse(request->words[2], &network, error) ||
		!block_read_words(request->words + 3, &words, error) || !block_may(daemon, &network, error))
		return false;
	text = ip_network_format(&network);
	log_event(LOG_LEVEL_INFO, "blocked by the operator", "network", text, "cause", words.reason, NULL);
	if (blocks_add(daemon->engine.blocks, &network, words.time_us, "operator", words.reason) == PTN_OK)
		answer_text(answer, "%s is blocked.", text);
	else
		answer_text(
			answer, "%s is blocked on this node; the others learn of it when the store can be written.", text);
	return true;
}

static bool
block_lift(Daemon *daemon, const Request *request, Answer *answer, GError **error)
{
	g_autofree char *text = NULL;
	IpNetwork network;

	if (request->words[2] == NULL || request->words[3] != NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "which address or network?  One at a time");
	if (!ip_network_parse(request->words[2], &network, error))
		return false;
	text = ip_network_format(&network);
	switch (blocks_lift(daemon->engine.blocks, &network)) {
	case PTN_OK:
		log_event(LOG_LEVEL_INFO, "block lifted by the operator", "network", text, NULL);
		answer_text(answer, "%s may connect again.", text);
		return true;
	case PTN_NONE:
		if (store_is_away(daemon->engine.store))
			return error_set(error, POSTERN_ERROR_UNAVAILABLE,
				"the store cannot be read now, and this node knows of no block of %s", text);
		return error_set(error, POSTERN_ERROR_NOT_FOUND,
			"%s is not blocked as such: posternctl block show tells the network", text);
	default:
		return error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "the store cannot be written now: %s stays blocked", text);
	}
}

void
control_block(Daemon *daemon, const Request *request, Answer *answer)
{
	static const struct {
		const char *word;
		bool (*run)(Daemon *daemon, const Request *request, Answer *answer, GError **error);
	} verbs[] = { { "list", block_list }, { "show", block_list }, { "add", block_add }, { "lift", block_lift } };
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; request->words[1] != NULL && i < G_N_ELEMENTS(verbs); i++) {
		if (strcmp(verbs[i].word, request->words[1]) != 0)
			continue;
		if (!verbs[i].run(daemon, request, answer, &error))
			answer_fail(answer, "%s", error->message);
		return;
	}
	answer_fail(answer, "block knows: list, show IP, add NETWORK, lift NETWORK");
}
