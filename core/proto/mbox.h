/* mbox.h - leaving out the "From " lines of a mailbox file at the start of a message (RFC 4155).
 *
 * Programs that pipe a mailbox into a client submit them.  Such a line is no header field, so that it would end the header
 * before it began: Bcc would be sent to everybody as text. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MBOX_START_MAX = 64 };

/* Zero it at the start of a message. */
typedef struct {
	uint8_t state;
	uint8_t size;
	char octets[MBOX_START_MAX]; /* of a line of which it is not known yet what it is */
} MboxFilter;

/* Hands to `sink` what is not part of a line that begins with "From ", whatever number of ">" stands before it and of lines
 * follows that begin with a blank; only lines before the first other one are left out.  "From :" is a header field (RFC 5322
 * 4.5).  Lines end with CRLF.  Pure; runs are as long as may be. */
void mbox_filter(MboxFilter *filter, const char *octets, size_t size,
	void (*sink)(void *data, const char *octets, size_t size), void *data);
/* At the end of the message: hands on what waited. */
void mbox_finish(MboxFilter *filter, void (*sink)(void *data, const char *octets, size_t size), void *data);
