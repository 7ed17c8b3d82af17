/* error.c - the one GError domain of the core. */
#include "base/error.h"

#include <errno.h>

G_DEFINE_QUARK(postern - error - quark, postern_error)

bool
error_set(GError **error, PosternError code, const char *format, ...)
{
	va_list arguments;

	if (error != NULL) {
		va_start(arguments, format);
		*error = g_error_new_valist(POSTERN_ERROR, (int)code, format, arguments);
		va_end(arguments);
	}
	return false;
}

bool
error_set_errno(GError **error, const char *format, ...)
{
	const int number = errno;
	const PosternError code = number == ENOSPC || number == EDQUOT ? POSTERN_ERROR_FULL : POSTERN_ERROR_IO;
	g_autofree char *what = NULL;
	va_list arguments;

	va_start(arguments, format);
	what = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	return error_set(error, code, "%s: %s", what, g_strerror(number));
}
