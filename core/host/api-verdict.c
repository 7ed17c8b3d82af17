/* api-verdict.c - ptn_refuse(), ptn_close(), ptn_fail(): what a hook says. */
#include "host/host-private.h"

static void
api_set_reply(PtnHook *h, PtnCause cause, int code, const char *enhanced, char *text)
{
	HookCall *call = h->call;

	call->cause = cause;
	call->code = code;
	call->enhanced = region_strdup(call->region, enhanced);
	call->text = text;
}

PtnVerdict
ptn_refuse(PtnHook *h, PtnCause cause, int code, const char *enhanced, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	api_set_reply(h, cause, code, enhanced, region_vprintf(h->call->region, format, arguments));
	va_end(arguments);
	if (code < 400)
		return ptn_fail(h, "it refused with code %d", code);
	return PTN_REFUSED;
}

PtnVerdict
ptn_close(PtnHook *h, PtnCause cause, int code, const char *enhanced, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	api_set_reply(h, cause, code, enhanced, region_vprintf(h->call->region, format, arguments));
	va_end(arguments);
	if (code != 421 && code != 221 && code != 554)
		return ptn_fail(h, "it closed with code %d", code);
	return PTN_CLOSED;
}

void
ptn_blame(PtnHook *h, const char *item)
{
	h->call->item = region_strdup(h->call->region, item);
}

PtnVerdict
ptn_fail(PtnHook *h, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	h->call->failure = region_vprintf(h->call->region, format, arguments);
	va_end(arguments);
	return PTN_FAILED;
}
