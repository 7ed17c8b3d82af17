/* wipe.c - buffers that leave no copy behind. */
#include "base/wipe.h"

#include <string.h>

enum { WIPE_LEAST = 256 };

/* Never more than was reserved: by how much GLib rounds up is not known here. */
static size_t
wipe_room(size_t size)
{
	size_t room = WIPE_LEAST;

	while (room < size)
		room *= 2;
	return room;
}

void
wipe_append(GByteArray **array, const void *data, size_t size)
{
	const size_t had = *array != NULL ? (*array)->len : 0;

	if (*array == NULL || had + size > wipe_room(had)) {
		GByteArray *larger = g_byte_array_sized_new((guint)wipe_room(had + size));

		if (had > 0)
			g_byte_array_append(larger, (*array)->data, (guint)had);
		wipe_free_array(*array);
		*array = larger;
	}
	g_byte_array_append(*array, data, (guint)size);
}

void
wipe_remove_front(GByteArray *array, size_t size)
{
	const size_t had = array->len;

	g_byte_array_remove_range(array, 0, (guint)size);
	explicit_bzero(array->data + array->len, had - array->len);
}

void
wipe_free_array(GByteArray *array)
{
	if (array == NULL)
		return;
	if (array->len > 0)
		explicit_bzero(array->data, array->len);
	g_byte_array_unref(array);
}

void
wipe_free_text(char *text)
{
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	g_free(text);
}
