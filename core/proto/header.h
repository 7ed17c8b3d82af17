/* header.h - the header section of a message as a list of fields (RFC 5322 2.2, 4.5).
 *
 *	field = 1*ftext *WSP ":" value CRLF      ftext = %d33-57 / %d59-126
 *
 * and the value goes on over lines that begin with a blank or tab.  Only CRLF ends a line; the last field may
 * lack it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { HEADER_FIELDS_MAX = 10000 }; /* beyond it the rest counts as body; a session refuses such a message */

typedef struct {
	const char *name;    /* points into the message, not terminated */
	size_t name_size;
	const char *value;   /* behind the colon, raw, folds and all, without the last CRLF */
	size_t value_size;
	size_t offset, size; /* of the whole field with its CRLF */
} HeaderField;

typedef struct {
	const char *content;
	size_t size, at;
	unsigned n_fields;
	bool has_more; /* it ended at HEADER_FIELDS_MAX, and one more field follows */
} HeaderScan;

void header_scan_start(HeaderScan *scan, const char *content, size_t size);
/* False: the header ended; scan->at is then where the header section ends (the empty line, or the first
 * line that is no header field, or the end). */
bool header_scan_next(HeaderScan *scan, HeaderField *field);
/* Where the header section ends: scan->at after the last field. */
size_t header_end(const char *content, size_t size);
/* Whether that is certain of a message of which these are the first octets, whatever follows.  `end` is set then. */
bool header_is_within(const char *content, size_t size, size_t *end);
/* Offset of the body: behind the empty line; the first line that is no field; or the size. */
size_t header_body(const char *content, size_t size);
bool header_is(const HeaderField *field, const char *name); /* without case */
/* Valid field name: 1 … 77 printable ASCII without colon. */
bool header_name_is_valid(const char *name);
