/* content-cost.h - what is measured: the extraction of a plugin. */
#pragma once

#include <glib.h>

void content_start(void);
/* Looks into the message as the plugin does. */
void content_look(const char *content, size_t size);
/* Messages that only this plugin finds hard; the worst of them, in milliseconds. */
double content_more(void);

/* Prints and returns the median. */
double content_cost(const char *name, const char *content, size_t size);
