/* control.h - the control socket: each request runs in a thread of its own. */
#pragma once

#include <glib.h>

#include "daemon/answer.h"
#include "daemon/cell.h"
#include "daemon/daemon.h"

typedef struct Control Control;

/* `loop` is ended by `posternctl stop`. */
Control *control_start(Daemon *daemon, GMainLoop *loop, GError **error);
/* Waits ten seconds for requests that run; false: one goes on. */
bool control_stop(Control *control);

/* `words` begin behind the command's own: of "queue list age>1h", "list". */
typedef void ControlFunction(Daemon *daemon, const Request *request, Answer *answer);

/* A file per group of commands. */
ControlFunction control_status, control_reload, control_alarms, control_plugins, control_hooks,
	control_metrics, control_customer, control_domain, control_account, control_recipient, control_block,
	control_clients, control_listeners, control_backup, control_export, control_import,
	control_queue, control_spool, control_why,
	control_explain, control_doctor, control_audit;

/* References to the plugins, and to all of the configuration, in use. */
PluginSet *control_take_set(Daemon *daemon);
Snapshot *control_take_snapshot(Daemon *daemon);

/* "2026-11-22 09:14:02", local time; "" for CLOCK_NEVER.  New. */
char *control_format_time(int64_t us);
