/* stage.c - the table of stages. */
#include "engine/stage.h"

#include <glib.h>

#define LATER 451, "4.3.0", "Error: temporary problem, try again later"
#define NO_REPLY 0, NULL, NULL

const StageRow stages_all[STAGES] = {
	{ PTN_CONNECT, "connect", STAGE_BEFORE_MAIL | STAGE_REFUSES_LATE, LATER, "engine/cmd-hello.c" },
	{ PTN_TLS, "tls", STAGE_BEFORE_MAIL | STAGE_REFUSES_LATE, LATER, "engine/cmd-starttls.c" },
	{ PTN_HELO, "helo", STAGE_BEFORE_MAIL | STAGE_REFUSES_LATE, LATER, "engine/session-cmd.c" },
	{ PTN_AUTH, "auth", STAGE_BEFORE_MAIL | STAGE_SETTLES, 454, "4.7.0", "Temporary authentication failure",
		"engine/cmd-auth.c" },
	{ PTN_AUTHENTICATED, "authenticated", STAGE_BEFORE_MAIL, LATER, "engine/cmd-auth.c" },
	{ PTN_MAIL, "mail", STAGE_OF_MESSAGE | STAGE_REFUSES_LATE, LATER, "engine/session-cmd.c" },
	{ PTN_RCPT, "rcpt", STAGE_OF_MESSAGE | STAGE_HAS_RECIPIENT, LATER, "engine/session-cmd.c" },
	{ PTN_DATA, "data", STAGE_OF_MESSAGE, LATER, "engine/session-cmd.c" },
	{ PTN_MESSAGE, "message", STAGE_OF_MESSAGE, LATER, "engine/session-data.c" },
	{ PTN_ROUTE, "route", STAGE_SETTLES | STAGE_HAS_RECIPIENT, LATER, "engine/route.c" },
	{ PTN_DELIVER, "deliver", STAGE_SETTLES | STAGE_HAS_RECIPIENT, LATER, "engine/delivery-thread.c" },
	{ PTN_QUEUED, "queued", STAGE_OBSERVES, NO_REPLY, "engine/session.c" },
	{ PTN_REPLY, "reply", STAGE_OBSERVES, NO_REPLY, "engine/session-refusal.c" },
	{ PTN_RESET, "reset", STAGE_OBSERVES, NO_REPLY, "engine/session-data.c" },
	{ PTN_DISCONNECT, "disconnect", STAGE_OBSERVES, NO_REPLY, "engine/session.c" },
	{ PTN_DELIVERED, "delivered", STAGE_OBSERVES | STAGE_HAS_RECIPIENT, NO_REPLY, "engine/delivery-settle.c" },
	{ PTN_DEFERRED, "deferred", STAGE_OBSERVES | STAGE_HAS_RECIPIENT, NO_REPLY, "engine/delivery-settle.c" },
	{ PTN_BOUNCED, "bounced", STAGE_OBSERVES | STAGE_HAS_RECIPIENT, NO_REPLY, "engine/delivery-settle.c" },
	{ PTN_EVENT, "event", STAGE_OBSERVES, NO_REPLY, "engine/session-reply.c" },
	{ PTN_TICK, "tick", STAGE_OBSERVES | STAGE_TICKS, NO_REPLY, "host/host.c" },
};

const StageRow *
stage_row(PtnStage stage)
{
	for (size_t i = 0; i < G_N_ELEMENTS(stages_all); i++)
		if (stages_all[i].stage == stage)
			return &stages_all[i];
	return NULL;
}

bool
stage_is(PtnStage stage, unsigned flags)
{
	const StageRow *row = stage_row(stage);

	return row != NULL && (row->flags & flags) != 0;
}

const char *
stage_name(PtnStage stage)
{
	const StageRow *row = stage_row(stage);

	return row != NULL ? row->name : "?";
}
