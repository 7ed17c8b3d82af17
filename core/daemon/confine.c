/* confine.c - [sandbox]: read, put into force, watched. */
#include "daemon/confine.h"

#include "base/log.h"
#include "sandbox/filter.h"

static ParsersLimits
confine_limits(const Config *config)
{
	const ConfigSection *section = config_section(config, "sandbox", NULL);

	return (ParsersLimits){ .most = (unsigned)config_number(section, "parsers"),
		.most_uses = (unsigned)config_number(section, "parser-uses"),
		.memory = (uint64_t)config_number(section, "parser-memory"),
		.answer = (size_t)config_number(section, "parser-answer") };
}

bool
confine_open_parsers(Daemon *daemon, GError **error)
{
	const ParsersLimits limits = confine_limits(daemon->config);

	daemon->services.parsers = parsers_open(NULL, &limits, error);
	return daemon->services.parsers != NULL;
}

void
confine_set_limits(Daemon *daemon)
{
	const ParsersLimits limits = confine_limits(daemon->config);

	parsers_set_limits(daemon->services.parsers, &limits);
}

void
confine_daemon(Daemon *daemon)
{
	g_autoptr(GError) error = NULL;

	if (config_number(config_section(daemon->config, "sandbox", NULL), "filter") == 0)
		return;
	daemon->is_filtered = filter_install(FILTER_DAEMON, &error);
	if (daemon->is_filtered)
		return;
	log_event(LOG_LEVEL_WARNING, "not filtered", "error", error->message, NULL);
	metrics_alarm(daemon->engine.metrics, "sandbox.filter", error->message);
}

void
confine_tick(Daemon *daemon)
{
	metrics_alarm(daemon->engine.metrics, "sandbox.keeper", parsers_trouble(daemon->services.parsers));
}
