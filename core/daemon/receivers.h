/* receivers.h - addresses of ours that get mail from outside, and whether a listener takes it.
 *
 * Without a [listener] with inbound = yes, mail for them gets 530: bounces of copies, complaints, held domains are lost. */
#pragma once

#include <glib.h>

#include "engine/settings.h"
#include "host/host.h"
#include "service/config.h"
#include "service/directory.h"

/* Adds a sentence to `warnings` for each option that names an address or domain of ours while no listener takes mail without a
 * login.  Does not block. */
void receivers_check(const Config *config, const EngineSettings *engine, GPtrArray *warnings);
/* The same for the mail domains of the directory: a sentence about those whose mode takes mail from outside; new.  NULL: there
 * is none, or a listener takes it.  Waits for the directory until `deadline_us`; what it cannot read is not reported. */
char *receivers_check_domains(const EngineSettings *engine, Directory *directory, int64_t deadline_us);
