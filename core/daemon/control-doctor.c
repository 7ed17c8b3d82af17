/* control-doctor.c - posternctl doctor: what others will think of this node, and whether its ground is firm. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/receivers.h"
#include "engine/route.h"
#include "io/tls-inspect.h"
#include "sandbox/filter.h"
#include "service/config-read.h"
#include "service/spf.h"

enum {
	DOCTOR_SYNCS = 20,
	DOCTOR_SLOW_MS = 20,
	DOCTOR_DAYS = 14,
	DOCTOR_MOST_ADDRESSES = 20,
	DOCTOR_FILES_APART = 200
};

#define DOCTOR_PATIENCE (15 * CLOCK_SECOND)

typedef enum { IS_WELL, IS_DOUBTFUL, IS_BAD } Health;

typedef struct {
	Daemon *daemon;
	Snapshot *snapshot;
	Answer *answer;
	GArray *addresses; /* of IpAddress: those we send from */
	int64_t deadline_us;
	unsigned n_bad, n_doubtful;
} Doctor;

static void doctor_say(Doctor *doctor, Health health, const char *check, const char *format, ...)
	G_GNUC_PRINTF(4, 5);

static void
doctor_say(Doctor *doctor, Health health, const char *check, const char *format, ...)
{
	static const char *const words[] = { "ok", "look", "BAD" };
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	doctor->n_bad += health == IS_BAD;
	doctor->n_doubtful += health == IS_DOUBTFUL;
	answer_row(doctor->answer, words[health], check, text, NULL);
}

/* The answer lives as long as the query, which the caller unreferences. */
static const PtnAnswer *
doctor_ask(const Doctor *doctor, const char *name, PtnRecord type, DnsQuery **query)
{
	*query = dns_start(doctor->snapshot->dns, name, type);
	return dns_wait(*query, doctor->deadline_us);
}

/* ---- names and addresses ---- */

/* False: not all could be found out. */
static bool
doctor_add_addresses(Doctor *doctor, const char *name)
{
	static const PtnRecord families[] = { PTN_A, PTN_AAAA };
	bool is_sure = true;

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		g_autoptr(DnsQuery) query = NULL;
		const PtnAnswer *answer = doctor_ask(doctor, name, families[i], &query);

		is_sure &= answer->status != PTN_UNSURE;
		for (size_t k = 0; answer->status == PTN_OK && k < answer->count; k++) {
			IpAddress address;

			if (ip_parse(answer->values[k], &address) && doctor->addresses->len < DOCTOR_MOST_ADDRESSES)
				g_array_append_val(doctor->addresses, address);
		}
	}
	return is_sure;
}

/* Addresses that are set; else those of our name, from which the system will choose one. */
static void
doctor_find_addresses(Doctor *doctor)
{
	const DeliverySettings *delivery = doctor->snapshot->delivery;
	const char *helo = delivery->helo;

	if (strchr(helo, '.') == NULL || g_str_has_suffix(helo, ".localdomain"))
		doctor_say(doctor, IS_BAD, "helo",
			"%s is no name that others know: set [server] hostname, or [delivery] helo", helo);
	g_array_append_vals(doctor->addresses, delivery->from->data, MIN(delivery->from->len, DOCTOR_MOST_ADDRESSES));
	if (doctor->addresses->len == 0 && !doctor_add_addresses(doctor, helo) && doctor->addresses->len == 0) {
		doctor_say(doctor, IS_DOUBTFUL, "helo", "%s: the DNS does not answer", helo);
		return;
	}
	if (doctor->addresses->len == 0)
		doctor_say(doctor, IS_BAD, "helo",
			"%s has no address in the DNS, and [delivery] from-addresses is not set: servers refuse who greets so",
			helo);
}

static PtnStatus
doctor_name_has(const Doctor *doctor, const char *name, const IpAddress *wanted)
{
	g_autoptr(DnsQuery) query = NULL;
	const PtnAnswer *answer = doctor_ask(doctor, name, ip_is_v4(wanted) ? PTN_A : PTN_AAAA, &query);
	IpAddress address;

	for (size_t i = 0; answer->status == PTN_OK && i < answer->count; i++)
		if (ip_parse(answer->values[i], &address) && ip_equal(&address, wanted))
			return PTN_OK;
	return answer->status == PTN_UNSURE ? PTN_UNSURE : PTN_NONE;
}

static void
doctor_look_at_reverse(Doctor *doctor, const IpAddress *address, const char *text)
{
	char reversed[IP_REVERSED_SIZE];
	g_autofree char *name =
		g_strdup_printf("%s.%s", ip_reversed(address, reversed), ip_is_v4(address) ? "in-addr.arpa" : "ip6.arpa");
	g_autofree char *host = NULL;
	g_autoptr(DnsQuery) query = NULL;
	const PtnAnswer *answer = doctor_ask(doctor, name, PTN_PTR, &query);

	if (answer->status == PTN_UNSURE)
		doctor_say(doctor, IS_DOUBTFUL, "reverse dns", "%s: the DNS does not answer", text);
	else if (answer->count == 0)
		doctor_say(doctor, IS_BAD, "reverse dns", "%s has no name: many servers refuse mail from it", text);
	else {
		PtnStatus leads_back;

		host = g_strndup(answer->values[0], strlen(answer->values[0]) - g_str_has_suffix(answer->values[0], "."));
		leads_back = doctor_name_has(doctor, host, address);
		if (leads_back == PTN_UNSURE)
			doctor_say(doctor, IS_DOUBTFUL, "reverse dns", "%s is named %s: the DNS does not answer for that name",
				text, host);
		else if (leads_back != PTN_OK)
			doctor_say(
				doctor, IS_BAD, "reverse dns", "%s is named %s, which does not lead back to it", text, host);
		else if (g_ascii_strcasecmp(host, doctor->snapshot->delivery->helo) != 0)
			doctor_say(doctor, IS_DOUBTFUL, "reverse dns", "%s is named %s, but greets as %s", text, host,
				doctor->snapshot->delivery->helo);
		else
			doctor_say(doctor, IS_WELL, "reverse dns", "%s is %s", text, host);
	}
}

static void
doctor_look_at_spf(Doctor *doctor, const char *record, const IpAddress *address, const char *text)
{
	switch (spf_check(doctor->snapshot->dns, record, address, doctor->deadline_us)) {
	case SPF_PASS:
		doctor_say(doctor, IS_WELL, "spf", "%s may send by include:%s", text, record);
		break;
	case SPF_FAIL:
		doctor_say(doctor, IS_BAD, "spf", "%s may not send by include:%s: mail of our customers will fail SPF",
			text, record);
		break;
	case SPF_NONE:
		doctor_say(doctor, IS_BAD, "spf", "%s has no SPF record", record);
		break;
	case SPF_UNSURE:
		doctor_say(doctor, IS_DOUBTFUL, "spf", "%s cannot be read now, or needs too many lookups", record);
		break;
	}
}

static void
doctor_look_at_addresses(Doctor *doctor)
{
	const char *record = doctor->snapshot->delivery->spf_record;

	doctor_find_addresses(doctor);
	for (guint i = 0; i < doctor->addresses->len; i++) {
		const IpAddress *address = &g_array_index(doctor->addresses, IpAddress, i);
		char text[IP_TEXT_SIZE];

		ip_format(address, text);
		if (!ip_is_public(address)) {
			doctor_say(doctor, IS_DOUBTFUL, "address", "%s is not a public address: others see another one", text);
			continue;
		}
		doctor_look_at_reverse(doctor, address, text);
		if (record != NULL)
			doctor_look_at_spf(doctor, record, address, text);
	}
	if (record == NULL)
		doctor_say(doctor, IS_DOUBTFUL, "spf", "[delivery] spf-record is not set: nothing was compared");
}

/* ---- certificates ---- */

static void
doctor_look_at_certificate(Doctor *doctor, const ConfigSection *section)
{
	const char *name = config_section_name(section);
	const char *path = config_text(section, "certificate");
	g_autoptr(GError) error = NULL;
	int64_t days;
	TlsFacts facts;

	if (name == NULL || name[0] == '\0')
		name = doctor->snapshot->settings->hostname;
	if (path == NULL)
		return;
	if (!tls_inspect(path, name, &facts, &error)) {
		doctor_say(doctor, IS_BAD, "certificate", "%s", error->message);
		return;
	}
	days = (facts.ends_us - clock_wall(doctor->daemon->engine.clock)) / (24 * 3600 * CLOCK_SECOND);
	if (!facts.is_for_name)
		doctor_say(doctor, IS_BAD, "certificate", "%s is not for %s: clients will refuse it", path, name);
	else if (facts.ends_us <= clock_wall(doctor->daemon->engine.clock))
		doctor_say(doctor, IS_BAD, "certificate", "%s, for %s, has expired", path, name);
	else if (facts.is_self_signed)
		doctor_say(doctor, IS_DOUBTFUL, "certificate", "%s, for %s, is signed by itself: no client trusts it",
			path, name);
	else if (days < DOCTOR_DAYS)
		doctor_say(doctor, IS_DOUBTFUL, "certificate", "%s, for %s, ends in %d days", path, name, (int)days);
	else
		doctor_say(doctor, IS_WELL, "certificate", "%s, for %s, lasts %d days", path, name, (int)days);
}

static void
doctor_look_at_certificates(Doctor *doctor)
{
	const GPtrArray *sections;
	guint n;

	g_mutex_lock(&doctor->daemon->lock);
	sections = config_sections(doctor->daemon->config, "tls");
	n = sections->len;
	for (guint i = 0; i < n; i++)
		doctor_look_at_certificate(doctor, g_ptr_array_index(sections, i));
	g_mutex_unlock(&doctor->daemon->lock);
	if (n == 0)
		doctor_say(doctor, IS_DOUBTFUL, "certificate",
			"no [tls] section: a certificate of our own making is used, which no client trusts");
}

/* ---- the machine ---- */

static void
doctor_look_at_clock(Doctor *doctor)
{
	struct timex state = { 0 };
	const int known = adjtimex(&state);

	if (known < 0)
		doctor_say(doctor, IS_DOUBTFUL, "clock", "the kernel does not say how right its clock is: %s",
			g_strerror(errno));
	else if (known == TIME_ERROR)
		doctor_say(doctor, IS_DOUBTFUL, "clock",
			"the kernel does not know its clock to be right: is there an NTP client?");
	else
		doctor_say(doctor, IS_WELL, "clock", "synchronised, at most %.3f s off", (double)state.maxerror / 1e6);
}

static int
doctor_compare(const void *one, const void *other)
{
	const int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

	return (a > b) - (a < b);
}

/* -1: it cannot be written. */
static double
doctor_time_sync(const char *directory)
{
	g_autofree char *path = g_build_filename(directory, "doctor", NULL);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	static const char block[4096];
	int64_t times[DOCTOR_SYNCS];
	int n = 0;

	if (fd < 0)
		return -1;
	for (; n < DOCTOR_SYNCS; n++) {
		const int64_t begun_us = g_get_monotonic_time();

		if (write(fd, block, sizeof block) != (ssize_t)sizeof block || fdatasync(fd) != 0)
			break;
		times[n] = g_get_monotonic_time() - begun_us;
	}
	(void)close(fd);
	(void)unlink(path);
	qsort(times, (size_t)n, sizeof *times, doctor_compare);
	return n == DOCTOR_SYNCS ? (double)times[n / 2] / 1e3 : -1;
}

static void
doctor_look_at_disk(Doctor *doctor)
{
	g_autofree char *directory = NULL, *free_octets = NULL;
	SpoolFigures figures;
	double took_ms;
	SpoolResult reason;

	directory = g_strdup(config_text(config_section(doctor->daemon->started_with, "spool", NULL), "directory"));
	took_ms = doctor_time_sync(directory);
	if (took_ms < 0)
		doctor_say(doctor, IS_BAD, "disk", "%s cannot be written", directory);
	else
		doctor_say(doctor, took_ms > DOCTOR_SLOW_MS ? IS_DOUBTFUL : IS_WELL, "disk",
			"%s: a sync takes %.1f ms (median of %d)", directory, took_ms, DOCTOR_SYNCS);
	spool_figures(doctor->daemon->engine.spool, &figures);
	free_octets = g_format_size_full(figures.free_octets, G_FORMAT_SIZE_IEC_UNITS);
	if (!spool_has_room(doctor->daemon->engine.spool, &reason))
		doctor_say(doctor, IS_BAD, "spool", "%s, %s free: no mail is taken",
			reason == SPOOL_FULL ? "the volume is short of space" : "closed", free_octets);
	else
		doctor_say(doctor, figures.has_damage ? IS_DOUBTFUL : IS_WELL, "spool", "%s free%s", free_octets,
			figures.has_damage ? "; there is damage: posternctl spool" : "");
}

static void
doctor_look_at_limits(Doctor *doctor)
{
	const unsigned wanted = doctor->snapshot->settings->max_connections + DOCTOR_FILES_APART;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
		doctor_say(doctor, IS_DOUBTFUL, "limits", "%llu open files are allowed, max-connections needs %u",
			(unsigned long long)limit.rlim_cur, wanted);
	else
		doctor_say(doctor, IS_WELL, "limits", "open files suffice for max-connections");
}

/* ---- the sandbox ---- */

static void
doctor_look_at_filter(Doctor *doctor)
{
	bool is_wanted;

	g_mutex_lock(&doctor->daemon->lock);
	is_wanted = config_number(config_section(doctor->daemon->config, "sandbox", NULL), "filter") != 0;
	g_mutex_unlock(&doctor->daemon->lock);
	if (doctor->daemon->is_filtered)
		doctor_say(doctor, IS_WELL, "filter",
			"system calls that the gateway does not need are refused (seccomp, EPERM)%s",
			is_wanted ? "" : "; [sandbox] filter = no holds from the next start");
	else
		doctor_say(doctor, is_wanted ? IS_BAD : IS_DOUBTFUL, "filter", "no system call is refused: %s",
			is_wanted ? "this system has no seccomp, or Postern was not restarted" : "[sandbox] filter = no");
}

/* One that cannot be filtered does not run; where /proc may be read, it is asked all the same (ProtectProc= hides it). */
static void
doctor_put_parser(void *data, const ParsersFigures *figures)
{
	Doctor *doctor = data;
	const bool is_bare = figures->idle > 0 && filter_count(figures->idle) == 0;

	doctor_say(doctor, is_bare ? IS_BAD : figures->died > 0 ? IS_DOUBTFUL : IS_WELL, "parser",
		"%s: %u running (%s), %u started, %u died", figures->plugin, figures->running,
		is_bare ? "NOT filtered" : "filtered", figures->started, figures->died);
}

static void
doctor_look_at_sandbox(Doctor *doctor)
{
	Parsers *parsers = doctor->daemon->services.parsers;
	const char *trouble = parsers_trouble(parsers);

	doctor_look_at_filter(doctor);
	if (trouble != NULL)
		doctor_say(doctor, IS_BAD, "parser", "%s", trouble);
	parsers_each(parsers, doctor_put_parser, doctor);
}

/* ---- services and plugins ---- */

/* "sqlite ok", "redis mymaster ok (1.1 ms)" */
static Health
doctor_judge_store(const char *described)
{
	return g_str_has_suffix(described, " ok") || strstr(described, " ok (") != NULL ? IS_WELL : IS_BAD;
}

static void
doctor_look_at_services(Doctor *doctor)
{
	g_autofree char *directory = store_describe(doctor->daemon->directory_store);
	g_autofree char *store = store_describe(doctor->daemon->engine.store);
	const int64_t begun_us = g_get_monotonic_time();
	g_autoptr(DnsQuery) query = NULL;
	const PtnAnswer *answer = doctor_ask(doctor, doctor->snapshot->settings->hostname, PTN_A, &query);

	if (answer->status == PTN_UNSURE)
		doctor_say(doctor, IS_BAD, "dns", "no resolver answers: mail by MX is deferred");
	else
		doctor_say(
			doctor, IS_WELL, "dns", "answers in %.1f ms", (double)(g_get_monotonic_time() - begun_us) / 1e3);
	doctor_say(doctor, doctor_judge_store(directory), "directory", "%s", directory);
	doctor_say(doctor, doctor_judge_store(store), "store", "%s", store);
}

static void
doctor_put_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	g_autofree char *since = control_format_time(since_us);

	doctor_say(data, IS_BAD, name, "%s (since %s)", text, since);
}

/* A plugin's row is "result", "ok" or not, and a "detail". */
static void
doctor_put_plugin_row(void *data, const char *const *cells)
{
	const char *check = "plugin", *result = "", *detail = "";

	for (; cells[0] != NULL && cells[1] != NULL; cells += 2) {
		if (strcmp(cells[0], "result") == 0)
			result = cells[1];
		else if (strcmp(cells[0], "check") == 0)
			check = cells[1];
		else if (strcmp(cells[0], "detail") == 0)
			detail = cells[1];
	}
	doctor_say(data, strcmp(result, "ok") == 0 ? IS_WELL : IS_DOUBTFUL, check, "%s", detail);
}

/* Addresses of ours whose mail no listener takes. */
static void
doctor_look_at_receivers(Doctor *doctor)
{
	const EngineSettings *settings = doctor->snapshot->settings;
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *domains =
		receivers_check_domains(settings, doctor->daemon->engine.directory, doctor->deadline_us);

	g_mutex_lock(&doctor->daemon->lock);
	receivers_check(doctor->daemon->config, settings, warnings);
	g_mutex_unlock(&doctor->daemon->lock);
	for (guint i = 0; i < warnings->len; i++)
		doctor_say(doctor, IS_DOUBTFUL, "inbound", "%s", (const char *)g_ptr_array_index(warnings, i));
	if (domains != NULL)
		doctor_say(doctor, IS_DOUBTFUL, "inbound", "%s", domains);
}

static void
doctor_put_plugin_failure(void *data, const char *plugin, const char *why)
{
	doctor_say(data, IS_BAD, plugin, "%s", why);
}

static void
doctor_look_at_plugins(Doctor *doctor)
{
	g_autoptr(PluginSet) set = control_take_set(doctor->daemon);

	host_examine(set, doctor_put_plugin_row, doctor_put_plugin_failure, doctor);
	metrics_each_alarm(doctor->daemon->engine.metrics, doctor_put_alarm, doctor);
}

void
control_doctor(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(Snapshot) snapshot = control_take_snapshot(daemon);
	g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(IpAddress));
	Doctor doctor = { .daemon = daemon,
		.snapshot = snapshot,
		.answer = answer,
		.addresses = addresses,
		.deadline_us = g_get_monotonic_time() + DOCTOR_PATIENCE };

	(void)request;
	answer_columns(answer, "result", "check", "detail", NULL);
	doctor_look_at_services(&doctor);
	doctor_look_at_addresses(&doctor);
	doctor_look_at_certificates(&doctor);
	doctor_look_at_receivers(&doctor);
	doctor_look_at_clock(&doctor);
	doctor_look_at_disk(&doctor);
	doctor_look_at_limits(&doctor);
	doctor_look_at_sandbox(&doctor);
	doctor_look_at_plugins(&doctor);
	if (doctor.n_bad > 0)
		answer_fail(answer, "%u bad, %u to look at", doctor.n_bad, doctor.n_doubtful);
	else
		answer_text(answer, "Nothing is bad, %u to look at.", doctor.n_doubtful);
}
