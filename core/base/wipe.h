/* wipe.h - buffers that credentials may have been in, and that leave no copy behind. */
#pragma once

#include <glib.h>

/* Appends; what is grown out of is wiped, which g_byte_array_append() does not do.  `*array` NULL: a new one. */
void wipe_append(GByteArray **array, const void *data, size_t size);
/* Takes the first `size` octets away, and wipes what is vacated. */
void wipe_remove_front(GByteArray *array, size_t size);
/* Wipes and frees; NULL is fine. */
void wipe_free_array(GByteArray *array);
void wipe_free_text(char *text);
