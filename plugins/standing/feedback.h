/* feedback.h - what a report of a feedback loop says (ARF, RFC 5965): of what kind, by whom, about which message of ours. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct {
	bool is_report;      /* it has the part that machines read */
	char type[32];       /* "abuse", "not-spam": lower case; "" where it was not said */
	char recipient[300]; /* who complained, "" where it was not said; printable, as all texts here */
	char source[64];     /* the address that the message came from */
	char submit[80];     /* Submit ID of the message; "" where there is none */
	char tag[40];        /* value of the header that is ours */
} Feedback;

/* `content` with `size` octets, a whole message; hostile.  `prefix`: of the headers that this service adds.  Sets all of
 * `feedback`. */
void feedback_read(const char *prefix, const char *content, size_t size, Feedback *feedback);
