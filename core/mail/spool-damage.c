/* spool-damage.c - what was found damaged or could not be read, in sentences for the administrator. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "mail/spool-private.h"

enum { DAMAGE_MOST = 1000 }; /* sentences kept: a disk that fails has no end of them */

/* False: it was said before. */
static bool
spool_keep_damage(Spool *spool, char *sentence /* takes */)
{
	spool->figures.has_damage = true;
	for (guint i = 0; i < spool->damage->len; i++) {
		if (strcmp(spool->damage->pdata[i], sentence) == 0) {
			g_free(sentence);
			return false;
		}
	}
	if (spool->damage->len == DAMAGE_MOST)
		g_ptr_array_remove_index(spool->damage, DAMAGE_MOST / 2);
	g_ptr_array_add(spool->damage, sentence);
	spool->figures.damage++;
	return true;
}

void
spool_note_damage(Spool *spool, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)spool_keep_damage(spool, g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

void
spool_report_damage(Spool *spool, const char *format, ...)
{
	g_autofree char *sentence = NULL;
	va_list arguments;
	bool is_new;

	va_start(arguments, format);
	sentence = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_mutex_lock(&spool->lock);
	is_new = spool_keep_damage(spool, g_strdup(sentence));
	g_mutex_unlock(&spool->lock);
	if (is_new)
		log_event(LOG_LEVEL_ERROR, "spool damaged", "error", sentence, NULL);
}

void
spool_report_unread(Spool *spool, SpoolSegment *segment, uint64_t offset)
{
	const int number = errno;

	g_mutex_lock(&spool->lock);
	segment->has_damage = true;
	g_mutex_unlock(&spool->lock);
	spool_report_damage(spool,
		"segment %" G_GUINT64_FORMAT ", octet %" G_GUINT64_FORMAT
		" cannot be read: %s; its messages are deferred",
		segment->number, offset, g_strerror(number));
}

GPtrArray *
spool_damage(Spool *spool)
{
	GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);

	g_mutex_lock(&spool->lock);
	for (guint i = 0; i < spool->damage->len; i++)
		g_ptr_array_add(copy, g_strdup(spool->damage->pdata[i]));
	g_mutex_unlock(&spool->lock);
	return copy;
}
