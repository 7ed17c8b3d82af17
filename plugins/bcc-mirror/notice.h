/* notice.h - what the customer is told by mail. */
#pragma once

#include "plugin-api.h"

/* An address that bounced, or a mirror that failed. */
typedef struct {
	const char *login;
	const char *option; /* where it stands: "bcc-mirror.bcc", "bcc-mirror.mirror" */
	const char *address;
	const char *why;
} Removal;

void notice_removed(PtnHook *h, const Removal *removal);
void notice_mirror_failed(PtnHook *h, const Removal *removal);
