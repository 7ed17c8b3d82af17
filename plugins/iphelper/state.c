/* state.c - what is known of helpers, in the store: it survives restarts, and another node goes on from there.
 *
 * "state/DOMAIN" is "LAST NEXT FINDING HOST:PORT".  "requests" counts what posternctl asked for, "request/N" is the domain of
 * the Nth: so that the node with the lease, which may be another one, need not read 10,000 states to find it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iphelper.h"

#define STATE_KEPT (40 * 86400 * PTN_SECOND) /* longer than any TTL that counts */
#define REQUEST_KEPT (3600 * PTN_SECOND)
#define FOR_EVER (INT64_C(1) << 50) /* microseconds; a window ends in 2041 */

enum { REQUESTS_MOST = 1000 }; /* that are looked for after a node took over */

void
state_clear(State *state)
{
	g_free(state->target);
	*state = (State){ 0 };
}

static const char *
state_key(PtnHook *h, const char *domain)
{
	return ptn_format(h, "state/%s", domain);
}

PtnStatus
state_read(PtnHook *h, const char *domain, State *state)
{
	const char *text;
	const PtnStatus status = ptn_store_get(h, state_key(h, domain), &text);
	int finding, at = 0;

	if (status != PTN_OK)
		return status;
	*state = (State){ 0 };
	if (sscanf(text, "%" SCNd64 " %" SCNd64 " %d %n", &state->last, &state->next, &finding, &at) < 3 || at == 0)
		return PTN_NONE;
	state->finding = finding >= 0 && finding <= FOUND_INVALID ? (Finding)finding : FOUND_NOTHING_YET;
	state->target = g_strdup(text + at);
	return PTN_OK;
}

/* One that is lost is checked once more than it would have been. */
void
state_write(PtnHook *h, const char *domain, const State *state)
{
	const char *text = ptn_format(h, "%" PRId64 " %" PRId64 " %d %s", state->last, state->next,
		(int)state->finding, state->target != NULL ? state->target : "");

	(void)ptn_store_set(h, state_key(h, domain), text, STATE_KEPT);
}

void
state_remove(PtnHook *h, const char *domain)
{
	(void)ptn_store_remove(h, state_key(h, domain));
}

const char *
state_finding_text(Finding finding)
{
	static const char *const texts[] = { "not checked yet", "address", "no answer", "no address",
		"no public address" };

	return texts[finding];
}

PtnStatus
state_request(PtnHook *h, const char *domain)
{
	int64_t number;
	const PtnStatus status = ptn_store_add(h, "requests", 1, FOR_EVER, &number);

	if (status != PTN_OK)
		return status;
	return ptn_store_set(h, ptn_format(h, "request/%" PRId64, number), domain, REQUEST_KEPT);
}

const char *
state_next_request(PtnHook *h, int64_t *taken)
{
	int64_t total;

	if (ptn_store_add(h, "requests", 0, FOR_EVER, &total) != PTN_OK)
		return NULL;
	if (*taken > total || *taken < total - REQUESTS_MOST) /* the count was lost, or ours is old */
		*taken = MAX(total - REQUESTS_MOST, 0);
	while (*taken < total) {
		const char *key = ptn_format(h, "request/%" PRId64, *taken + 1), *domain;
		const PtnStatus status = ptn_store_get(h, key, &domain);

		if (status == PTN_UNSURE)
			return NULL;
		++*taken;
		if (status != PTN_OK)
			continue;
		(void)ptn_store_remove(h, key);
		return domain;
	}
	return NULL;
}
