/* claim.c - claims that know who began them. */
#include "plugins/standing/claim.h"

#include <string.h>

/* Of this report, however often it is delivered; the operator's commands are one. */
static const char *
claim_value(PtnHook *h)
{
	const char *id = ptn_fact(h, "queue-id");

	return ptn_format(h, "begun by %s", id != NULL ? id : "the operator");
}

PtnStatus
claim_begin(PtnHook *h, const char *key, int64_t time)
{
	const char *found = NULL;
	PtnStatus status = ptn_store_claim(h, key, claim_value(h), time);

	if (status != PTN_TAKEN)
		return status;
	status = ptn_store_get(h, key, &found);
	if (status == PTN_OK)
		return strcmp(found, claim_value(h)) == 0 ? PTN_OK : PTN_TAKEN;
	return status == PTN_UNSURE ? PTN_UNSURE : PTN_TAKEN;
}

void
claim_end(PtnHook *h, const char *key, int64_t time)
{
	(void)ptn_store_set(h, key, "1", time);
}

bool
claim_is_known(PtnHook *h, const char *key)
{
	const char *found = NULL;

	return ptn_store_get(h, key, &found) == PTN_OK && strcmp(found, claim_value(h)) != 0;
}
