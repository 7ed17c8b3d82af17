/* forward.c - rewritten senders: "domain=local" where that fits, else a tag that the directory knows. */
#include "engine/forward.h"

#include <string.h>

#include "proto/path.h"
#include "proto/srs.h"

#define FORWARD_DAY (86400 * CLOCK_SECOND)
#define FORWARD_KEPT_US (30 * FORWARD_DAY) /* a tag; longer than any bounce takes */
#define FORWARD_SECRET "forward"

static int64_t
forward_today(const Engine *engine)
{
	return clock_wall(engine->clock) / FORWARD_DAY;
}

/* What has no room in a local part is remembered under a tag. */
static char *
forward_seal_tag(const Engine *engine, const char *secret, const char *sender, const char *domain)
{
	g_autofree char *tag = srs_tag(secret, sender);
	g_autofree char *text = g_strconcat("=", tag, NULL);

	if (!directory_remember(engine->directory, tag, sender, FORWARD_KEPT_US))
		return NULL;
	return srs_seal(secret, forward_today(engine), text, domain);
}

char *
forward_sender(const Engine *engine, const char *sender, const char *domain)
{
	const char *host = mailbox_domain(sender);
	g_autofree char *secret = NULL;
	g_autofree char *text = NULL;
	char *sealed;

	if (sender[0] == '\0')
		return g_strdup("");
	secret = directory_secret(engine->directory, FORWARD_SECRET);
	if (secret == NULL)
		return NULL;
	text = g_strdup_printf("%s=%.*s", host, (int)(host - sender - 1), sender);
	sealed = srs_seal(secret, forward_today(engine), text, domain);
	return sealed != NULL ? sealed : forward_seal_tag(engine, secret, sender, domain);
}

ForwardAnswer
forward_origin(const Engine *engine, int valid_days, const char *address, char **sender)
{
	g_autofree char *secret = NULL;
	g_autofree char *text = NULL;
	const char *equals;

	if (!srs_is(address))
		return FORWARD_NOT;
	secret = directory_secret(engine->directory, FORWARD_SECRET);
	if (secret == NULL)
		return FORWARD_UNSURE;
	switch (srs_open(secret, forward_today(engine), valid_days, address, &text)) {
	case SRS_OK:
		break;
	case SRS_EXPIRED:
		return FORWARD_EXPIRED;
	case SRS_FORGED:
		return FORWARD_FORGED;
	}
	equals = strchr(text, '=');
	if (equals == text)
		switch (directory_recall(engine->directory, text + 1, sender)) {
		case PTN_OK:
			return FORWARD_BACK;
		case PTN_NONE:
			return FORWARD_EXPIRED;
		default:
			return FORWARD_UNSURE;
		}
	if (equals == NULL || equals[1] == '\0')
		return FORWARD_FORGED;
	*sender = g_strdup_printf("%s@%.*s", equals + 1, (int)(equals - text), text);
	return FORWARD_BACK;
}
