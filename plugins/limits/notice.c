/* notice.c - telling a customer that a limit is nearly reached, or is. */
#include <stdio.h>

#include "plugins/limits/limits.h"

#define NOTICE_AGAIN (86400 * PTN_SECOND)

typedef struct {
	char to[330], who[330], words[100];
	int percent;
	int64_t used;
} Notice;

/* Without its session; the session's memory is gone by now. */
static PtnVerdict
notice_send(PtnHook *h)
{
	const Notice *notice = ptn_work_data(h);

	(void)ptn_notify(h, notice->to[0] != '\0' ? notice->to : NULL, "limit", "who", notice->who, "limit",
		notice->words, "percent", ptn_format(h, "%d", notice->percent), "used",
		ptn_format(h, "%lld", (long long)notice->used), NULL);
	return PTN_NEXT;
}

void
notice_tell(PtnHook *h, const Share *share, const Limit *limit, int percent)
{
	Notice notice = { .percent = percent, .used = limit->total };
	const char *key = ptn_format(h, "told/%s/%s/%d", scope_name(share->scope), share->who, percent);

	if ((share->scope != SCOPE_ACCOUNT && share->scope != SCOPE_CUSTOMER) ||
		ptn_store_claim(h, key, "1", NOTICE_AGAIN) != PTN_OK)
		return;
	if (ptn_notice_address(ptn_customer(h)) != NULL)
		(void)g_strlcpy(notice.to, ptn_notice_address(ptn_customer(h)), sizeof notice.to);
	(void)snprintf(notice.who, sizeof notice.who, "%s %s", scope_name(share->scope), share->who);
	(void)g_strlcpy(notice.words, limit->words, sizeof notice.words);
	if (!ptn_background(h, notice_send, &notice, sizeof notice))
		(void)ptn_store_remove(h, key);
}
