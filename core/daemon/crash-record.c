/* crash-record.c - lines of words:
 *
 *     crash|held SECONDS SIGNAL THREAD PLUGIN STAGE SESSION QUEUE
 *
 * with "-" for what there is none of.  A message that is held because of its crashes has one line
 * "held" instead of those of the crashes, until it is released or gone. */
#include "daemon/crash-record.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/crash.h"

enum {
	CRASH_FIELDS = 8,
	CRASH_MOST = 200, /* the latest are kept */
	CRASH_TIMES = 2,  /* so many crashes hold a message */
	CRASH_ROOM = 64 * 1024, /* octets, taken beforehand: a full disk does not lose a crash */
	CRASH_AGAIN = 10, /* looks between two attempts at a message that could not be held */
};

#define CRASH_DAY_S (24 * 3600)
#define CRASH_FLUSH_US (10 * CLOCK_SECOND)
#define CRASH_LOOK_FLUSH_US (CLOCK_SECOND / 2) /* the main thread has other things to do */

typedef struct {
	bool is_held;
	bool is_asked; /* to be held as soon as the thread that has the message gives it back */
	int64_t time_s;                                   /* wall clock */
	char *signal, *thread, *plugin, *stage, *session; /* "-": none */
	QueueId queue;                                    /* 0: none, or it is gone */
} Crash;

struct CrashRecord {
	char *path;
	GPtrArray *crashes; /* of Crash*, oldest first */
	bool has_left;      /* a message is to be held, and could not be yet */
	unsigned looks;     /* since that was tried last */
};

/* ---- the file ---- */

static void
crash_free(void *data)
{
	Crash *crash = data;

	g_free(crash->signal);
	g_free(crash->thread);
	g_free(crash->plugin);
	g_free(crash->stage);
	g_free(crash->session);
	g_free(crash);
}

/* NULL: the line was cut off, or is none of ours. */
static Crash *
crash_parse(const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	gint64 time_s;
	Crash *crash;

	if (g_strv_length(words) != CRASH_FIELDS ||
		(strcmp(words[0], "crash") != 0 && strcmp(words[0], "held") != 0) ||
		!g_ascii_string_to_signed(words[1], 10, 0, G_MAXINT64, &time_s, NULL))
		return NULL;
	crash = g_new0(Crash, 1);
	crash->is_held = words[0][0] == 'h';
	crash->time_s = time_s;
	crash->signal = g_strdup(words[2]);
	crash->thread = g_strdup(words[3]);
	crash->plugin = g_strdup(words[4]);
	crash->stage = g_strdup(words[5]);
	crash->session = g_strdup(words[6]);
	(void)id_parse(words[7], &crash->queue);
	return crash;
}

static void
crash_record_read(CrashRecord *record)
{
	g_autofree char *content = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(record->path, &content, NULL, NULL))
		return;
	lines = g_strsplit(content, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		Crash *crash = crash_parse(*line);

		if (crash != NULL)
			g_ptr_array_add(record->crashes, crash);
	}
	if (record->crashes->len > CRASH_MOST)
		g_ptr_array_remove_range(record->crashes, 0, record->crashes->len - CRASH_MOST);
}

static void
crash_print(GString *text, const Crash *crash)
{
	char id[ID_TEXT_SIZE];

	g_string_append_printf(text, "%s %" G_GINT64_FORMAT " %s %s %s %s %s %s\n",
		crash->is_held ? "held" : "crash", crash->time_s, crash->signal, crash->thread,
		crash->plugin, crash->stage, crash->session,
		crash->queue != 0 ? id_format(crash->queue, id) : "-");
}

static bool
crash_record_make_file(const CrashRecord *record, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (guint i = 0; i < record->crashes->len; i++)
		crash_print(text, record->crashes->pdata[i]);
	return g_file_set_contents_full(record->path, text->str, (gssize)text->len,
		G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);
}

/* What was appended to the old file meanwhile would be a crash of this process, of which nothing is
 * left to write. */
static void
crash_record_write(const CrashRecord *record)
{
	g_autoptr(GError) error = NULL;
	int fd, old;

	if (!crash_record_make_file(record, &error)) {
		log_event(LOG_LEVEL_WARNING, "crashes cannot be recorded", "error", error->message, NULL);
		return;
	}
	fd = open(record->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, CRASH_ROOM); /* where the file system can */
	old = crash_set_file(fd);
	if (old >= 0)
		(void)close(old);
}

CrashRecord *
crash_record_open(const char *directory)
{
	CrashRecord *record = g_new0(CrashRecord, 1);

	record->path = g_build_filename(directory, "crashes", NULL);
	record->crashes = g_ptr_array_new_with_free_func(crash_free);
	crash_record_read(record);
	crash_record_write(record);
	return record;
}

void
crash_record_close(CrashRecord *record)
{
	const int fd = crash_set_file(-1);

	if (fd >= 0)
		(void)close(fd);
	g_ptr_array_unref(record->crashes);
	g_free(record->path);
	g_free(record);
}

/* ---- messages ---- */

/* "plugin X at stage route", "posternd itself"; new. */
static char *
crash_describe(const Crash *crash)
{
	if (strcmp(crash->plugin, "-") == 0)
		return g_strdup_printf("posternd itself (thread %s)", crash->thread);
	return g_strdup_printf("plugin %s at stage %s", crash->plugin, crash->stage);
}

static unsigned
crash_record_count(const CrashRecord *record, QueueId id)
{
	unsigned n = 0;

	for (guint i = 0; i < record->crashes->len; i++) {
		const Crash *crash = record->crashes->pdata[i];

		n += crash->queue == id && !crash->is_held;
	}
	return n;
}

/* The lines of the message besides `kept` count no longer against it; they are still part of the
 * alarm. */
static void
crash_record_forget(CrashRecord *record, QueueId id, const Crash *kept)
{
	for (guint i = 0; i < record->crashes->len; i++) {
		Crash *crash = record->crashes->pdata[i];

		if (crash != kept && crash->queue == id)
			crash->queue = 0;
	}
}

/* New. */
static char *
crash_hold_reason(const Crash *crash)
{
	g_autofree char *what = crash_describe(crash);

	return g_strdup_printf("it was being processed at two crashes: %s", what);
}

static void
crash_record_note_hold(CrashRecord *record, Crash *crash)
{
	g_autofree char *reason = crash_hold_reason(crash);
	char text[ID_TEXT_SIZE];

	log_event(LOG_LEVEL_ERROR, "message held", "queue", id_format(crash->queue, text), "plugin",
		strcmp(crash->plugin, "-") != 0 ? crash->plugin : NULL, "stage",
		strcmp(crash->stage, "-") != 0 ? crash->stage : NULL, "reason", reason, NULL);
	crash_record_forget(record, crash->queue, crash);
	crash->is_held = true;
}

/* `crash`: the latest of the message.  One that is active, or cannot be read now, is left for later. */
static void
crash_record_hold_one(CrashRecord *record, Crash *crash, Queue *queue)
{
	g_autofree char *reason = crash_hold_reason(crash);

	switch (queue_do(queue, crash->queue, QUEUE_HOLD, reason)) {
	case QUEUE_DONE:
		crash_record_note_hold(record, crash);
		return;
	case QUEUE_WHEN_BACK:
		crash->is_asked = true;
		record->has_left = true;
		return;
	case QUEUE_NOT_THERE:
		crash_record_forget(record, crash->queue, NULL);
		return;
	default:
		record->has_left = true;
	}
}

/* The latest line of a message says last what it was about.  True: one is held now. */
static bool
crash_record_hold_all(CrashRecord *record, Spool *spool, Queue *queue)
{
	bool has_held = false;

	record->has_left = false;
	record->looks = 0;
	for (guint i = record->crashes->len; i-- > 0;) {
		Crash *crash = record->crashes->pdata[i];
		SpoolSummary summary;

		if (crash->queue == 0 || crash->is_held)
			continue;
		if (!spool_summary(spool, crash->queue, &summary) || (summary.is_held && !crash->is_asked))
			crash_record_forget(record, crash->queue, NULL);
		else if (summary.is_held)
			crash_record_note_hold(record, crash);
		else if (crash_record_count(record, crash->queue) >= CRASH_TIMES)
			crash_record_hold_one(record, crash, queue);
		has_held |= crash->is_held;
	}
	return has_held;
}

void
crash_record_hold(CrashRecord *record, Spool *spool, Queue *queue)
{
	if (crash_record_hold_all(record, spool, queue) &&
		!spool_flush(spool, g_get_monotonic_time() + CRASH_FLUSH_US))
		return; /* the lines that are there hold it again */
	crash_record_write(record);
}

static void
crash_record_hold_left(CrashRecord *record, Spool *spool, Queue *queue)
{
	if (!record->has_left || ++record->looks < CRASH_AGAIN)
		return;
	if (crash_record_hold_all(record, spool, queue) &&
		spool_flush(spool, g_get_monotonic_time() + CRASH_LOOK_FLUSH_US))
		crash_record_write(record);
}

/* ---- alarms ---- */

/* Lines that say nothing any more are left out.  True: something changed. */
static bool
crash_record_tidy(CrashRecord *record, Spool *spool, int64_t now_us)
{
	bool is_changed = false;

	for (guint i = record->crashes->len; i-- > 0;) {
		Crash *crash = record->crashes->pdata[i];
		SpoolSummary summary;

		if (crash->is_held && (!spool_summary(spool, crash->queue, &summary) || !summary.is_held)) {
			crash->is_held = false;
			crash->queue = 0;
			is_changed = true;
		}
		if (crash->queue == 0 && crash->time_s < now_us / CLOCK_SECOND - CRASH_DAY_S) {
			g_ptr_array_remove_index(record->crashes, i);
			is_changed = true;
		}
	}
	return is_changed;
}

/* "plugin X at stage mail (SIGSEGV), plugin Y at stage route (SIGABRT)", each once, the latest
 * first; NULL: nothing crashed. New. */
static char *
crash_record_describe(const CrashRecord *record, int64_t now_us)
{
	g_autoptr(GPtrArray) told = g_ptr_array_new_with_free_func(g_free);

	for (guint i = record->crashes->len; i-- > 0;) {
		const Crash *crash = record->crashes->pdata[i];
		g_autofree char *what = crash_describe(crash);
		g_autofree char *text = g_strdup_printf("%s (%s)", what, crash->signal);

		if (crash->time_s >= now_us / CLOCK_SECOND - CRASH_DAY_S &&
			!g_ptr_array_find_with_equal_func(told, text, g_str_equal, NULL))
			g_ptr_array_add(told, g_steal_pointer(&text));
	}
	g_ptr_array_add(told, NULL);
	return told->len > 1 ? g_strjoinv(", ", (char **)told->pdata) : NULL;
}

/* The latest message that is held, and how many more; NULL: none is.  New. */
static char *
crash_record_describe_held(const CrashRecord *record)
{
	const Crash *latest = NULL;
	g_autofree char *what = NULL;
	g_autofree char *more = NULL;
	char id[ID_TEXT_SIZE];
	unsigned n = 0;

	for (guint i = 0; i < record->crashes->len; i++) {
		const Crash *crash = record->crashes->pdata[i];

		if (crash->is_held) {
			latest = crash;
			n++;
		}
	}
	if (latest == NULL)
		return NULL;
	what = crash_describe(latest);
	more = n > 1 ? g_strdup_printf(" (and %u more)", n - 1) : g_strdup("");
	(void)id_format(latest->queue, id);
	return g_strdup_printf("message %s%s is held, as it was being processed at two crashes: %s; "
						   "\"posternctl queue release %s\" tries it again",
		id, more, what, id);
}

void
crash_record_look(CrashRecord *record, Spool *spool, Queue *queue, Metrics *metrics, int64_t now_us)
{
	g_autofree char *crashed = NULL;
	g_autofree char *held = NULL;
	g_autofree char *text = NULL;

	crash_record_hold_left(record, spool, queue);
	if (crash_record_tidy(record, spool, now_us))
		crash_record_write(record);
	crashed = crash_record_describe(record, now_us);
	if (crashed != NULL)
		text = g_strdup_printf(
			"crashed within the last day: %s; see \"crashed\" in the log", crashed);
	metrics_alarm(metrics, "crash", text);
	held = crash_record_describe_held(record);
	metrics_alarm(metrics, "crash.held", held);
}
