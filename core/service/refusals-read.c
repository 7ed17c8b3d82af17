/* refusals-read.c - reading a file from its end. */
#include "service/refusals-read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

enum { READ_BLOCK = 64 * 1024, READ_LINE_MOST = 1 << 20 };

typedef struct {
	int fd;
	off_t at;       /* start of what was read */
	GString *text;  /* from there to the first line that was handed out */
	bool is_passed_over; /* the line that `text` ends with is too long */
} Backwards;

/* One block more, in front of what is there. */
static bool
backwards_read_block(Backwards *file)
{
	char block[READ_BLOCK];
	const size_t size = (size_t)MIN(file->at, (off_t)sizeof block);
	const ssize_t n = pread(file->fd, block, size, file->at - (off_t)size);

	if (n != (ssize_t)size) {
		errno = n < 0 ? errno : EIO;
		return false;
	}
	file->at -= (off_t)size;
	g_string_prepend_len(file->text, block, n);
	return true;
}

/* The last line of the text, which must begin in it; false: `each` has enough. */
static bool
backwards_take_line(Backwards *file, size_t start, bool (*each)(void *data, char *line), void *data)
{
	const bool goes_on = file->is_passed_over || each(data, file->text->str + start);

	file->is_passed_over = false;
	g_string_truncate(file->text, start > 0 ? start - 1 : 0);
	return goes_on;
}

static bool
backwards_take_lines(Backwards *file, bool (*each)(void *data, char *line), void *data)
{
	const char *newline;

	while ((newline = memrchr(file->text->str, '\n', file->text->len)) != NULL)
		if (!backwards_take_line(file, (size_t)(newline + 1 - file->text->str), each, data))
			return false;
	if (file->text->len > READ_LINE_MOST) {
		g_string_truncate(file->text, 0);
		file->is_passed_over = true;
	}
	return file->at > 0 || file->text->len == 0 || backwards_take_line(file, 0, each, data);
}

bool
refusals_read_backwards(const char *path, bool (*each)(void *data, char *line), void *data, GError **error)
{
	Backwards file = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	bool is_read = true;

	if (file.fd < 0)
		return errno == ENOENT || error_set_errno(error, "cannot read %s", path);
	file.at = lseek(file.fd, 0, SEEK_END);
	file.text = g_string_sized_new(2 * READ_BLOCK);
	while (is_read && file.at > 0) {
		is_read = backwards_read_block(&file);
		if (!is_read)
			(void)error_set_errno(error, "cannot read %s", path);
		else if (!backwards_take_lines(&file, each, data))
			break;
	}
	g_string_free(file.text, TRUE);
	(void)close(file.fd);
	return is_read;
}
