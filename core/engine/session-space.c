/* session-space.c - what an unfinished message takes: of its client's budget until its end, and of the volume until it is
 * written.  Taken in steps, so that a message costs a few atomic operations. */
#include "engine/session-private.h"

enum { SPACE_STEP = 64 * 1024 };

void
session_release_space(Session *session)
{
	if (session->data_counted > 0)
		client_budget_shrink(session->facts.client_budget, session->data_counted);
	if (session->data_reserved > 0)
		spool_unreserve(session->engine->spool, session->data_reserved);
	session->data_counted = session->data_reserved = 0;
}

static uint64_t
session_space_step(uint64_t missing)
{
	return (missing + SPACE_STEP - 1) / SPACE_STEP * SPACE_STEP;
}

const BudgetRefusal *
session_take_space(Session *session)
{
	static const BudgetRefusal full = { "spool-space", 452, "4.3.1", "Insufficient system storage" };
	const uint64_t unwritten = session->data_size - session->data_written;
	const BudgetRefusal *refusal;
	uint64_t step;

	if (session->data_size > session->data_counted) {
		step = session_space_step(session->data_size - session->data_counted);
		refusal = client_budget_grow(session->facts.client_budget, session->facts.client_limits, step);
		if (refusal != NULL)
			return refusal;
		session->data_counted += step;
	}
	if (unwritten <= session->data_reserved)
		return NULL;
	step = session_space_step(unwritten - session->data_reserved);
	if (!spool_reserve(session->engine->spool, step))
		return &full;
	session->data_reserved += step;
	return NULL;
}

void
session_note_written(Session *session)
{
	if (session->data_reserved > 0)
		spool_unreserve(session->engine->spool, session->data_reserved);
	session->data_reserved = 0;
	session->data_written = session->data_size;
}
