/* region.h - memory that is freed all at once, with the transaction or session it serves.
 *
 * A region belongs to one thread at a time.  Nothing in it is freed alone. */
#pragma once

#include <glib.h>
#include <stdarg.h>
#include <stddef.h>

typedef struct Region Region;

Region *region_new(void);
void region_free(Region *region);   /* NULL is allowed */
void region_clear(Region *region);  /* frees what is in it, not itself */

void *region_alloc(Region *region, size_t size);                     /* zeroed, aligned for any type */
void *region_copy(Region *region, const void *data, size_t size);
char *region_strdup(Region *region, const char *text);               /* NULL stays NULL */
char *region_strndup(Region *region, const char *text, size_t size); /* adds the final NUL */
char *region_printf(Region *region, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *region_vprintf(Region *region, const char *format, va_list arguments) G_GNUC_PRINTF(2, 0);
size_t region_size(const Region *region);                            /* octets taken from the heap */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Region, region_free)
