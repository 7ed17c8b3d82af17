/* servers.h - the clamds of the configuration: which one is asked, and how they do. */
#pragma once

#include <glib.h>

#include "plugins/clamav/clamd.h"

typedef struct Servers Servers; /* has its own lock */

/* NULL: `why` says which one is no address. */
Servers *servers_new(const char *const *names, const char **why);
/* Lowers the alarm. */
void servers_free(PtnHook *h, Servers *servers);
/* Asks one after the other until one has scanned.  Of those that failed the last one's text is told. */
ClamdAnswer servers_scan(PtnHook *h, Servers *servers, const char *content, size_t size);
/* Has one of those that are due scan a line of ours, and shows the alarm.  To be called now and then. */
void servers_test(PtnHook *h, Servers *servers);

/* All of them, those without trouble first; ends with NULL. */
const ClamdAddress *const *servers_addresses(PtnHook *h, Servers *servers);
/* What is wrong with it; NULL: nothing. */
const char *servers_trouble(PtnHook *h, Servers *servers, const ClamdAddress *address);
