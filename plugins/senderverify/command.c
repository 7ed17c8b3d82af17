/* command.c - posternctl senderverify: what is known of an address or a domain, to be seen, forgotten, found out. */
#include "senderverify.h"

#include <string.h>

/* For a column of times. */
static const char *
format_time(PtnHook *h, int64_t time)
{
	return ptn_format(h, "%lld", (long long)(time / PTN_SECOND));
}

/* Domains in lower case, as sessions know them. */
static const char *
normalize(PtnHook *h, const char *name)
{
	const char *at = strrchr(name, '@');
	char *copy = ptn_keep(h, PTN_FOR_HOOK, name, strlen(name) + 1);

	for (char *c = copy + (at != NULL ? at - name : 0); *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return copy;
}

/* The one argument, or NULL. */
static const char *
argument(PtnHook *h)
{
	const char *const *arguments = ptn_arguments(h);

	return arguments[0] != NULL && arguments[1] == NULL ? normalize(h, arguments[0]) : NULL;
}

static bool
is_address(const char *name)
{
	return strchr(name, '@') != NULL;
}

static bool
show(PtnHook *h, const char *name, const char *key)
{
	Record record;

	if (verify_record_read(h, key, &record) != PTN_OK)
		return false;
	ptn_row(h, "name", name, "state", verify_verdict_name(record.verdict), "since:time",
		format_time(h, record.since), "probed:time", format_time(h, record.asked), "again:time",
		format_time(h, verify_record_refresh_at(h, &record)), "until:time",
		format_time(h, verify_record_expires_at(h, &record)), "by", record.by, "text", record.text, NULL);
	return true;
}

PtnVerdict
verify_command_show(PtnHook *h)
{
	const char *name = argument(h), *domain;
	bool is_known = false;

	if (name == NULL)
		return ptn_fail(h, "say: show ADDRESS, or show DOMAIN");
	domain = is_address(name) ? ptn_domain_of(name) : name;
	if (is_address(name))
		is_known = show(h, name, verify_address_key(h, name));
	is_known |= show(h, domain, verify_domain_key(h, domain));
	return is_known ? PTN_NEXT : ptn_fail(h, "nothing is known of %s", name);
}

PtnVerdict
verify_command_forget(PtnHook *h)
{
	const char *name = argument(h);
	PtnStatus status;

	if (name == NULL)
		return ptn_fail(h, "say: forget ADDRESS, or forget DOMAIN");
	status = ptn_store_remove(h, is_address(name) ? verify_address_key(h, name) : verify_domain_key(h, name));
	if (status == PTN_NONE)
		return ptn_fail(h, "nothing was known of %s", name);
	if (status != PTN_OK)
		return ptn_fail(h, "the store cannot be reached now");
	ptn_row(h, "name", name, "state", "forgotten", NULL);
	return PTN_NEXT;
}

PtnVerdict
verify_command_probe(PtnHook *h)
{
	const char *name = argument(h);
	Record record;

	if (name == NULL || !is_address(name) || ptn_domain_of(name)[0] == '\0' ||
		name[strcspn(name, "<> \t\r\n")] != '\0')
		return ptn_fail(h, "say: probe ADDRESS");
	if (!verify_probe_run(h, name, &record))
		return ptn_fail(h, "a probe of it, or as many as may be, are under way: ask again");
	return show(h, name, verify_address_key(h, name)) ? PTN_NEXT
													  : ptn_fail(h, "%s has a null MX: nobody can be asked", name);
}
