/* kept-alarms.c - lines of four fields between tabs:
 *
 *     SINCE UNTIL NAME TEXT
 *
 * times in seconds since 1970; NAME and TEXT as g_strescape() writes them. */
#include "daemon/kept-alarms.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { KEPT_FIELDS = 4 };

struct KeptAlarms {
	char *path;
	Metrics *metrics;
	GMutex lock; /* of the file: the last change is the one that it has */
};

/* UTF-8 stays legible. */
static char *
kept_escape(const char *text)
{
	char high[129];

	for (int i = 0; i < 128; i++)
		high[i] = (char)(128 + i);
	high[128] = '\0';
	return g_strescape(text, high);
}

static void
kept_print(void *data, const char *name, const char *text, int64_t since_us, int64_t until_us)
{
	g_autofree char *plain_name = kept_escape(name);
	g_autofree char *plain_text = kept_escape(text);

	g_string_append_printf(data, "%" G_GINT64_FORMAT "\t%" G_GINT64_FORMAT "\t%s\t%s\n", since_us / CLOCK_SECOND,
		until_us / CLOCK_SECOND, plain_name, plain_text);
}

static void
kept_write(void *data)
{
	KeptAlarms *kept = data;
	g_autoptr(GString) lines = g_string_new(NULL);
	g_autoptr(GError) error = NULL;

	g_mutex_lock(&kept->lock);
	metrics_each_ending_alarm(kept->metrics, kept_print, lines);
	if (!g_file_set_contents_full(kept->path, lines->str, (gssize)lines->len,
			G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &error))
		log_event(LOG_LEVEL_WARNING, "alarms cannot be kept", "error", error->message, NULL);
	g_mutex_unlock(&kept->lock);
}

static void
kept_restore(KeptAlarms *kept, const char *line, int64_t now_us)
{
	g_auto(GStrv) fields = g_strsplit(line, "\t", -1);
	gint64 since, until;

	if (g_strv_length(fields) == KEPT_FIELDS &&
		g_ascii_string_to_signed(fields[0], 10, 0, G_MAXINT64 / CLOCK_SECOND, &since, NULL) &&
		g_ascii_string_to_signed(fields[1], 10, 0, G_MAXINT64 / CLOCK_SECOND, &until, NULL) &&
		until * CLOCK_SECOND > now_us) {
		g_autofree char *name = g_strcompress(fields[2]);
		g_autofree char *text = g_strcompress(fields[3]);

		metrics_restore_alarm(kept->metrics, name, text, since * CLOCK_SECOND, until * CLOCK_SECOND);
	}
}

KeptAlarms *
kept_alarms_open(const char *directory, Metrics *metrics, int64_t now_us)
{
	KeptAlarms *kept = g_new0(KeptAlarms, 1);
	g_autofree char *content = NULL;
	g_auto(GStrv) lines = NULL;

	kept->path = g_build_filename(directory, "alarms", NULL);
	kept->metrics = metrics;
	g_mutex_init(&kept->lock);
	if (g_file_get_contents(kept->path, &content, NULL, NULL))
		lines = g_strsplit(content, "\n", -1);
	for (char **line = lines; line != NULL && *line != NULL; line++)
		kept_restore(kept, *line, now_us);
	metrics_observe_alarms(metrics, kept_write, kept);
	return kept;
}

void
kept_alarms_close(KeptAlarms *kept)
{
	if (kept == NULL)
		return;
	metrics_observe_alarms(kept->metrics, NULL, NULL);
	g_mutex_clear(&kept->lock);
	g_free(kept->path);
	g_free(kept);
}
