/* @name@ - refuses mail from senders that a list names.  (Say here in a few lines what yours does, and why.) */
#include "plugin-api.h"

#include <strings.h>

static PtnVerdict
refuse_listed_sender(PtnHook *h)
{
	const char *const *listed = ptn_option_list(h, "senders");

	for (; *listed != NULL; listed++)
		if (strcasecmp(*listed, ptn_sender(h)) == 0)
			return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "<%s>: Sender address rejected: listed here", ptn_sender(h));
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "senders", PTN_MAILBOX | PTN_LIST, PTN_IN_SERVER, NULL, "addresses that may not send" },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MAIL, refuse_listed_sender, PTN_INLINE },
	{ 0 },
};

PTN_PLUGIN(@symbol@) = {
	PTN_HEAD("@name@"),
	.version = "1",
	.summary = "refuses mail from listed senders",
	.options = options,
	.hooks = hooks,
};
