/* iphelper - mail domains whose servers have changing addresses: a host name is looked up in place of delivery, and the
 * domain is redirected to its address, or its mail held while there is none. */
#include <string.h>

#include "iphelper.h"

#define MINUTE (60 * PTN_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static PtnVerdict
stop(PtnHook *h)
{
	Instance *instance = ptn_instance(h);

	g_clear_pointer(&instance->helpers, g_hash_table_unref);
	return PTN_NEXT;
}

/* The same rules as posternctl iphelper add has, for "domain set" and import. */
static const char *
check(PtnHook *h, const char *option, const char *value)
{
	PtnEntry *domain = ptn_domain(h);
	const char *mode = domain != NULL ? ptn_get(domain, "mode") : NULL;

	if (strcmp(option, "port") == 0)
		return ptn_option(h, "host") != NULL ? NULL : "a helper needs iphelper.host, too";
	if (strcmp(option, "host") != 0)
		return NULL;
	if (mode != NULL && !check_is_mode_supported(mode))
		return ptn_format(h, "mode %s has no IP address helper: redirect and hold have", mode);
	if (ptn_option(h, "port") == NULL)
		return "a helper needs iphelper.port, too";
	return command_host_complaint(h, value);
}

static const PtnOption options[] = {
	{ "host", PTN_DOMAIN_NAME, PTN_IN_DOMAIN, NULL, "host name whose address the domain's mail goes to" },
	{ "port", PTN_NUMBER, PTN_IN_DOMAIN, NULL, "port of that address", 1, 65535, NULL },
	{ "alert", PTN_BOOL, PTN_IN_DOMAIN, "no", "tell the customer's alert address when the mode is switched" },
	{ "scan", PTN_TIME, PTN_IN_SERVER, "60s", "how often helpers are looked through for those that are due",
		PTN_SECOND, HOUR, NULL },
	{ "retry-failed", PTN_TIME, PTN_IN_SERVER, "5m", "next check if the DNS gave no answer", PTN_SECOND, DAY,
		NULL },
	{ "retry-none", PTN_TIME, PTN_IN_SERVER, "5m", "next check if there is no address", PTN_SECOND, DAY, NULL },
	{ "retry-invalid", PTN_TIME, PTN_IN_SERVER, "60m", "next check if no address is a public one", PTN_SECOND, DAY,
		NULL },
	{ "keep-address", PTN_BOOL, PTN_IN_SERVER, "no",
		"stay with the present address while it is among the answers; else one is chosen anew" },
	{ "ipv6", PTN_BOOL, PTN_IN_SERVER, "no", "use AAAA records, too" },
	{ 0 },
};

static const PtnHookRow hooks[] = { { PTN_TICK, scan_tick, 0 }, { 0 } };

static const PtnCommand commands[] = {
	{ "add", "DOMAIN host=NAME port=NUMBER [alert=yes]", "a helper for a domain of mode redirect or hold",
		command_add },
	{ "set", "DOMAIN [host=NAME] [port=NUMBER] [alert=yes|no]", "change it; it is checked at the next scan",
		command_set },
	{ "list", "", "all helpers, when they were checked last and when they are next", command_list,
		.reads_only = true },
	{ "show", "DOMAIN", "one of them, with what the last check found", command_show, .reads_only = true },
	{ "check", "DOMAIN", "check it at the next scan", command_check },
	{ "remove", "DOMAIN", "the domain stays as it is by now", command_remove },
	{ 0 },
};

PTN_PLUGIN(iphelper) = {
	PTN_HEAD("iphelper"),
	.version = "1",
	.summary = "domains follow the address of a host, or hold their mail",
	.options = options,
	.hooks = hooks,
	.commands = commands,
	.instance_size = sizeof(Instance),
	.tick = PTN_SECOND,
	.stop = stop,
	.check = check,
};
