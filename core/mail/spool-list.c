/* spool-list.c - the start: the names in log/, and what the headers of the segments say. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "mail/spool-private.h"

static int
spool_found_compare(const void *a, const void *b)
{
	const uint64_t left = ((const Found *)a)->segment->number,
				   right = ((const Found *)b)->segment->number;

	return left < right ? -1 : left > right;
}

bool
spool_parse_name(const char *name, const char *prefix, uint64_t *number)
{
	if (!g_str_has_prefix(name, prefix) || strlen(name) != strlen(prefix) + 16)
		return false;
	name += strlen(prefix);
	if (strspn(name, "0123456789abcdef") != 16)
		return false;
	*number = g_ascii_strtoull(name, NULL, 16);
	return true;
}

/* False: its header is of another version. */
static bool
spool_read_header(Spool *spool, Found *found, const char *path, GError **error)
{
	SpoolSegment *segment = found->segment;
	SpoolHeaderResult result = SPOOL_HEADER_BAD;
	uint8_t block[SPOOL_BLOCK];

	if (spool_pread_again(spool, segment->fd, block, sizeof block, 0))
		result = spool_segment_header_decode(block, &found->header);
	else if (errno != ENODATA)
		found->header_errno = errno;
	if (result == SPOOL_HEADER_OTHER_VERSION)
		return error_set(error, POSTERN_ERROR_INVALID,
			"%s is of a format version that this Postern does not know", path);
	found->has_header = result == SPOOL_HEADER_GOOD && found->header.number == segment->number &&
						memcmp(found->header.spool, spool->id, SPOOL_ID_SIZE) == 0;
	return true;
}

/* One that was set aside and cannot be opened is left alone; of any other one it must be known what it holds. */
static bool
spool_find_segment(Spool *spool, Recovery *recovery, const char *path, uint64_t number,
	bool is_aside, GError **error)
{
	const int flags = spool->is_read_only || is_aside ? O_RDONLY : O_RDWR;
	const int fd = spool->disk->open(spool->disk, path, flags, 0);
	Found found = { 0 };
	uint64_t size;

	if (fd < 0 || spool->disk->size(spool->disk, fd, &size) != 0) {
		const int failure = errno;

		if (fd >= 0)
			(void)spool->disk->close(spool->disk, fd);
		if (is_aside) {
			spool_note_damage(
				spool, "%s cannot be opened: %s; nothing in it counts", path, g_strerror(failure));
			return true;
		}
		return error_set(error, POSTERN_ERROR_IO,
			"cannot open the segment %s: %s. If it stays so, start without it: posternctl spool set-aside "
			"%" G_GUINT64_FORMAT " %s",
			path, g_strerror(failure), number, spool->directory);
	}
	found.segment = spool_segment_new(number, size / SPOOL_BLOCK * SPOOL_BLOCK, fd);
	found.segment->is_aside = found.segment->has_damage = is_aside;
	if (!spool_read_header(spool, &found, path, error)) {
		spool_segment_close(spool, found.segment);
		return false;
	}
	spool_scan_init(&found.scan);
	g_array_append_val(recovery->found, found);
	return true;
}

/* The numbers of spares count, too: no number is given twice. */
static bool
spool_list_name(Spool *spool, Recovery *recovery, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(spool->log_directory, name, NULL);
	const bool is_aside = g_str_has_prefix(name, "aside-");
	uint64_t number;

	if (spool_parse_name(name, is_aside ? "aside-" : "", &number)) {
		if (!spool_find_segment(spool, recovery, path, number, is_aside, error))
			return false;
	} else if (spool_parse_name(name, "spare-", &number)) {
		g_queue_push_tail(&spool->spares, g_memdup2(&number, sizeof number));
	} else if (spool_parse_name(name, "new-", &number)) {
		g_ptr_array_add(recovery->unfinished, g_steal_pointer(&path));
	} else {
		return true;
	}
	spool->next_segment = MAX(spool->next_segment, number + 1);
	return true;
}

/* "Segment N ends at batch B." */
static void
spool_apply_ends(Recovery *recovery)
{
	for (guint i = 0; i < recovery->found->len; i++) {
		const Found *says = &g_array_index(recovery->found, Found, i);

		for (guint k = 0; says->has_header && says->header.ended_segment != 0 && k < i; k++) {
			Found *ended = &g_array_index(recovery->found, Found, k);

			if (ended->segment->number == says->header.ended_segment) {
				ended->limit = says->header.ended_batch;
				ended->is_ended = true;
			}
		}
	}
}

bool
spool_list_log(Spool *spool, Recovery *recovery, GError **error)
{
	g_autoptr(GPtrArray) names = spool->disk->list(spool->disk, spool->log_directory);

	for (int i = 1; names == NULL && i < 3; i++)
		names = spool->disk->list(spool->disk, spool->log_directory);
	if (names == NULL)
		return error_set_errno(error, "cannot list the segments in %s", spool->log_directory);
	for (guint i = 0; i < names->len; i++)
		if (!spool_list_name(spool, recovery, names->pdata[i], error))
			return false;
	g_array_sort(recovery->found, spool_found_compare);
	spool_apply_ends(recovery);
	return true;
}
