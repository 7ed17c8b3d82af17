/* report.h - what a bounce says: RFC 3464 reports, and the few other forms that can only mean failure. */
#pragma once

#include <stddef.h>

typedef enum {
	REPORT_NONE,   /* no report: an automatic answer, say */
	REPORT_OTHER,  /* a report of something else than failure: delayed, delivered */
	REPORT_FAILED, /* given up */
} ReportResult;

typedef struct {
	ReportResult result;
	char status[16]; /* "5.1.1"; "" where it was not said */
	char text[300];  /* printable; what the other server said, "" where it was not said */
} Report;

/* `content` with `size` octets, whose body begins at `body`; hostile.  Sets all of `report`. */
void report_read(const char *content, size_t size, size_t body, Report *report);
