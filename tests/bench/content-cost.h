/* content-cost.h - what is measured: the extraction of a plugin. */
#pragma once

#include <glib.h>

void content_start(void);
/* Looks into the message as the plugin does. */
void content_look(const char *content, size_t size);
/* Messages that only this plugin finds hard; the worst of them, in milliseconds; files are of the
 * command line. */
double content_more(int n_files, char **files);

/* Prints and returns the median. */
double content_cost(const char *name, const char *content, size_t size);
