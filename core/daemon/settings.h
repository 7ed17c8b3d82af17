/* settings.h - from the checked configuration to the plain values that the floors below want. */
#pragma once

#include <glib.h>

#include "engine/route.h"
#include "engine/settings.h"
#include "service/config.h"

/* Adds a sentence with the file and line of the option before it, or of the section (NULL: none); what an option read from a file
 * is not repeated. */
void settings_complain(GPtrArray *sentences, const ConfigSection *section, const char *option, const char *format,
	...) G_GNUC_PRINTF(4, 5);
/* New.  What the rows alone cannot check (an address that is none, a port taken twice, a password without a
 * user) adds a sentence to `mistakes`. */
EngineSettings *settings_engine(const Config *config, GPtrArray *mistakes);
DeliverySettings *settings_delivery(const Config *config, const EngineSettings *engine, GPtrArray *mistakes);
/* Logins that could be sent in clear are mistakes: those of [route]s, and those of [directory] and [store] in a Redis.
 * What is protected, but not from whoever answers in the server's place, adds a sentence to `warnings`. */
void settings_check_logins(
	const Config *config, const DeliverySettings *delivery, GPtrArray *mistakes, GPtrArray *warnings);
void settings_log_warnings(const GPtrArray *warnings);
/* The certificates of the configuration; without any, one of our own making in `state_directory` if a listener wants
 * TLS.  NULL without error: no TLS is asked for. */
TlsServer *settings_tls(const Config *config, const EngineSettings *engine, const char *state_directory,
	GError **error);
/* Our name: that of [server], else the machine's.  New. */
char *settings_hostname(const Config *config);
/* The directory of a "sqlite:PATH", to be made; NULL if it is none.  New. */
char *settings_parent_of(const char *url);
