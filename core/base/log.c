/* log.c - one line per event; the only writable state of the floors below the daemon. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/signal-text.h"

#define LOG_NAME "posternd"

typedef enum { SINK_FILE, SINK_JOURNAL, SINK_SYSLOG } LogSink;

/* Guards the descriptor against being replaced while a line is written. */
static GRWLock log_lock;
static struct {
	int fd;
	LogSink sink;
	LogFormat format;
	LogLevel least;
	int facility;
	int syslog; /* an unconnected socket, for log_from_signal(): syslog() takes locks; -1: none yet */
} log_target = { STDERR_FILENO, SINK_FILE, LOG_TEXT, LOG_LEVEL_INFO, LOG_MAIL, -1 };

/* Seconds east of Greenwich: a signal handler cannot ask the zone. */
static atomic_long log_zone;

static const struct {
	const char *name;
	int priority;
} log_levels[] = { { "debug", LOG_DEBUG }, { "info", LOG_INFO }, { "warning", LOG_WARNING },
	{ "error", LOG_ERR } };

static bool
log_find_facility(const char *name, int *facility)
{
	static const struct {
		const char *name;
		int facility;
	} known[] = { { "mail", LOG_MAIL }, { "daemon", LOG_DAEMON }, { "local0", LOG_LOCAL0 },
		{ "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
		{ "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 } };

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		if (strcmp(known[i].name, name) == 0) {
			*facility = known[i].facility;
			return true;
		}
	}
	return false;
}

char *
log_complaint(const char *to)
{
	int facility;

	if (strcmp(to, "journal") == 0 || strcmp(to, "stderr") == 0 || g_path_is_absolute(to))
		return NULL;
	if (!g_str_has_prefix(to, "syslog:"))
		return g_strdup_printf("\"%s\" is none of stderr, journal, syslog:FACILITY and the path of a file", to);
	return log_find_facility(to + strlen("syslog:"), &facility)
			   ? NULL
			   : g_strdup_printf("\"%s\": no such syslog facility", to);
}

static void
log_note_zone(void)
{
	const time_t now = time(NULL);
	struct tm parts;

	if (localtime_r(&now, &parts) != NULL)
		atomic_store(&log_zone, parts.tm_gmtoff);
}

bool
log_open(const char *to, LogFormat format, LogLevel least, GError **error)
{
	g_autofree char *why = log_complaint(to);
	int facility = LOG_MAIL, fd = STDERR_FILENO, old;
	LogSink sink = SINK_FILE;

	if (why != NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "%s", why);
	if (strcmp(to, "journal") == 0) {
		sink = SINK_JOURNAL;
	} else if (g_str_has_prefix(to, "syslog:")) {
		sink = SINK_SYSLOG;
		(void)log_find_facility(to + strlen("syslog:"), &facility);
	} else if (strcmp(to, "stderr") != 0) {
		fd = open(to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
		if (fd < 0)
			return error_set_errno(error, "cannot open the log %s", to);
	}
	g_rw_lock_writer_lock(&log_lock);
	old = log_target.fd;
	log_target.fd = fd;
	log_target.sink = sink;
	log_target.format = format;
	log_target.least = least;
	log_target.facility = facility;
	if (sink == SINK_SYSLOG) {
		openlog(LOG_NAME, LOG_PID | LOG_NDELAY, facility);
		if (log_target.syslog < 0)
			log_target.syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		log_note_zone();
	}
	g_rw_lock_writer_unlock(&log_lock);
	if (old != STDERR_FILENO)
		(void)close(old);
	return true;
}

static void
log_put_quoted(GString *line, const char *value)
{
	g_string_append_c(line, '"');
	escape_append(line, value, ESCAPE_JSON);
	g_string_append_c(line, '"');
}

static void
log_put_text_value(GString *line, const char *value)
{
	static const char plain[] =
		"!#$%&'()*+,-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

	if (*value != '\0' && value[strspn(value, plain)] == '\0')
		g_string_append(line, value);
	else
		log_put_quoted(line, value);
}

static void
log_put_time(GString *line)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	g_string_append_printf(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", parts.tm_year + 1900, parts.tm_mon + 1,
		parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, now.tv_nsec / 1000000);
}

static void
log_put_line(GString *line, LogLevel level, const char *event, va_list pairs)
{
	const bool is_json = log_target.format == LOG_JSON;
	const char *name;

	if (is_json)
		g_string_append(line, "{\"time\":\"");
	if (is_json || log_target.sink == SINK_FILE)
		log_put_time(line);
	if (is_json)
		g_string_append_printf(line, "\",\"level\":\"%s\",\"event\":\"%s\"", log_levels[level].name, event);
	else
		g_string_append_printf(line, "%s%s: %s", line->len > 0 ? " " : "", log_levels[level].name, event);
	while ((name = va_arg(pairs, const char *)) != NULL) {
		const char *value = va_arg(pairs, const char *);

		if (value == NULL)
			continue;
		g_string_append_c(line, is_json ? ',' : ' ');
		g_string_append_printf(line, "%s%s%s", is_json ? "\"" : "", name, is_json ? "\":" : "=");
		if (is_json)
			log_put_quoted(line, value);
		else
			log_put_text_value(line, value);
	}
	if (is_json)
		g_string_append_c(line, '}');
}

/* A log that cannot be written must not stop the mail: the loss is all there is to it. */
static void
log_write(LogLevel level, GString *line)
{
	if (log_target.sink == SINK_SYSLOG) {
		log_note_zone();
		syslog(log_levels[level].priority | log_target.facility, "%s", line->str);
		return;
	}
	if (log_target.sink == SINK_JOURNAL)
		g_string_prepend_c(
			g_string_prepend_c(g_string_prepend_c(line, '>'), (char)('0' + log_levels[level].priority)), '<');
	g_string_append_c(line, '\n');
	(void)!write(log_target.fd, line->str, line->len);
}

void
log_event(LogLevel level, const char *event, ...)
{
	g_autoptr(GString) line = NULL;
	va_list pairs;

	g_rw_lock_reader_lock(&log_lock);
	if (level >= log_target.least) {
		line = g_string_sized_new(250);
		va_start(pairs, event);
		log_put_line(line, level, event, pairs);
		va_end(pairs);
		log_write(level, line);
	}
	g_rw_lock_reader_unlock(&log_lock);
}

/* ---- in a signal handler ---- */

static void
log_put_signal_line(SignalText *line, LogFormat format, bool has_time, const char *event, const char *const *pairs)
{
	const bool is_json = format == LOG_JSON;

	if (is_json)
		signal_text_add(line, "{\"time\":\"");
	if (is_json || has_time)
		signal_text_add_now(line);
	signal_text_add(line, is_json ? "\",\"level\":\"error\",\"event\":\"" : has_time ? " error: " : "error: ");
	signal_text_add(line, event);
	signal_text_add(line, is_json ? "\"" : "");
	for (; pairs[0] != NULL && pairs[1] != NULL; pairs += 2) {
		const bool is_quoted = is_json || strchr(pairs[1], ' ') != NULL;

		signal_text_add(line, is_json ? ",\"" : " ");
		signal_text_add(line, pairs[0]);
		signal_text_add(line, is_json ? "\":" : "=");
		signal_text_add(line, is_quoted ? "\"" : "");
		signal_text_add(line, pairs[1]);
		signal_text_add(line, is_quoted ? "\"" : "");
	}
	signal_text_add(line, is_json ? "}\n" : "\n");
}

/* As syslog(3) does, but without a connection, so that a syslog server that was restarted gets it, too. */
static void
log_send_signal_line(const char *line)
{
	const struct sockaddr_un server = { .sun_family = AF_UNIX, .sun_path = _PATH_LOG };
	SignalText text = { .length = 0 };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	signal_text_add(&text, "<");
	signal_text_add_number(&text, (uint64_t)(LOG_ERR | log_target.facility));
	signal_text_add(&text, ">");
	signal_text_add_stamp(&text, (uint64_t)(now.tv_sec + atomic_load(&log_zone)));
	signal_text_add(&text, " " LOG_NAME "[");
	signal_text_add_number(&text, (uint64_t)getpid());
	signal_text_add(&text, "]: ");
	signal_text_add(&text, line);
	if (text.text[text.length - 1] == '\n')
		text.length--;
	(void)!sendto(log_target.syslog, text.text, text.length, MSG_NOSIGNAL, (const struct sockaddr *)&server,
		sizeof server);
}

/* The lock may be held by the thread that was interrupted; a descriptor that is replaced at this very moment is bad luck. */
void
log_from_signal(const char *event, const char *const *pairs)
{
	const bool is_file = log_target.sink == SINK_FILE;
	SignalText line = { .length = 0 };

	if (log_target.sink == SINK_JOURNAL)
		signal_text_add(&line, "<3>");
	log_put_signal_line(&line, log_target.format, is_file, event, pairs);
	if (log_target.sink == SINK_SYSLOG)
		log_send_signal_line(line.text);
	(void)!write(log_target.sink == SINK_SYSLOG ? STDERR_FILENO : log_target.fd, line.text, line.length);
	if (is_file && log_target.fd != STDERR_FILENO)
		(void)!write(STDERR_FILENO, line.text, line.length);
}
