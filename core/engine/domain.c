/* domain.c - what the mode of a domain means for its mail. */
#include "engine/domain.h"

#include <string.h>

#include "engine/forward.h"
#include "engine/stay.h"
#include "proto/path.h"

const char *
domain_mode(const Engine *engine, const char *domain, PtnStatus *status, DirectoryEntry **entry)
{
	*entry = NULL;
	*status = directory_find(engine->directory, PTN_DOMAIN, domain, CLOCK_NEVER, entry);
	return *status == PTN_OK ? directory_entry_get(*entry, "mode") : NULL;
}

static bool
domain_is(const char *mode, DomainMode number)
{
	return g_strcmp0(mode, directory_modes[number]) == 0;
}

/* ---- taking mail ---- */

/* RFC 5321 4.5.1 and RFC 2142: who runs a domain can always be written to. */
static bool
domain_is_role(const char *address)
{
	return g_ascii_strncasecmp(address, "postmaster@", strlen("postmaster@")) == 0 ||
		   g_ascii_strncasecmp(address, "abuse@", strlen("abuse@")) == 0;
}

static DomainAnswer
domain_judge_user(const Engine *engine, const DirectoryEntry *domain, const char *address)
{
	g_autoptr(DirectoryEntry) recipient = NULL;

	if (g_strcmp0(directory_entry_get(domain, "valid-recipients"), "yes") != 0 || domain_is_role(address))
		return DOMAIN_TAKES;
	switch (directory_find(engine->directory, PTN_RECIPIENT, address, CLOCK_NEVER, &recipient)) {
	case PTN_OK:
		return DOMAIN_TAKES;
	case PTN_NONE:
		return DOMAIN_NO_USER;
	default:
		return DOMAIN_UNSURE;
	}
}

/* Mail that is forwarded is held where the way ends, and counts there. */
static DomainAnswer
domain_judge_room(const Engine *engine, uint64_t most_held, const DirectoryEntry *domain)
{
	g_autoptr(DirectoryEntry) last = NULL;
	const char *to;

	for (unsigned steps = 0; (to = domain_forwards_to(domain)) != NULL && steps < DOMAIN_FORWARDS; steps++) {
		g_autofree char *name = g_ascii_strdown(mailbox_domain(to), -1);
		DirectoryEntry *next = NULL;
		PtnStatus status;

		(void)domain_mode(engine, name, &status, &next);
		if (next == NULL)
			return status == PTN_UNSURE ? DOMAIN_UNSURE : DOMAIN_TAKES;
		g_clear_pointer(&last, directory_entry_free);
		domain = last = next;
	}
	return domain_is(directory_entry_get(domain, "mode"), MODE_HOLD) &&
				   stay_octets(engine->stay, directory_entry_name(domain)) >= most_held
			   ? DOMAIN_IS_FULL
			   : DOMAIN_TAKES;
}

DomainAnswer
domain_judge(const Engine *engine, uint64_t most_held, const char *address)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	const char *domain = mailbox_domain(address);
	DomainAnswer user;
	PtnStatus status;
	const char *mode = domain_mode(engine, domain, &status, &entry);

	if (status == PTN_UNSURE)
		return DOMAIN_UNSURE;
	if (mode == NULL || domain_is(mode, MODE_OUTBOUND_ONLY))
		return DOMAIN_FOREIGN;
	user = domain_judge_user(engine, entry, address);
	return user == DOMAIN_TAKES && most_held > 0 ? domain_judge_room(engine, most_held, entry) : user;
}

/* ---- passing it on ---- */

const char *
domain_forwards_to(const DirectoryEntry *entry)
{
	const char *mode = directory_entry_get(entry, "mode");

	return domain_is(mode, MODE_FORWARD) || domain_is(mode, MODE_FORWARD_MAILBOX)
			   ? directory_entry_get(entry, "forward-to")
			   : NULL;
}

static void
domain_redirect(const DeliverySettings *settings, const DirectoryEntry *entry, RouteAnswer *answer)
{
	static const char *const words[] = { [MISSING_DEFERS] = "defer", "bounce", "hold" };
	const char *destination = directory_entry_get(entry, "destination");
	const char *port = directory_entry_get(entry, "port");
	const char *missing = directory_entry_get(entry, "on-missing-host");
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	IpAddress address;

	text = g_strdup_printf(
		ip_parse(destination, &address) ? "smtp:[%s]:%s" : "smtp:%s:%s", destination, port != NULL ? port : "25");
	answer->hop = next_hop_parse(text, settings->tls, &error);
	answer->result = answer->hop != NULL ? ROUTE_FOUND : ROUTE_DEFERRED;
	answer->reply = error != NULL ? g_strdup_printf("4.3.5 %s", error->message) : NULL;
	for (size_t i = 0; answer->hop != NULL && missing != NULL && i < G_N_ELEMENTS(words); i++)
		if (strcmp(missing, words[i]) == 0)
			answer->hop->on_missing = (HopMissing)i;
}

/* A sender once rewritten stays so on the rest of a chain of forwards. */
static void
domain_forward(const Engine *engine, const char *sender, const DirectoryEntry *entry, RouteAnswer *answer)
{
	const char *domain = directory_entry_name(entry);

	if (answer->sender == NULL)
		answer->sender = forward_sender(engine, sender, domain);
	answer->result = answer->sender != NULL ? ROUTE_FORWARDED : ROUTE_DEFERRED;
	if (answer->sender == NULL)
		answer->reply = g_strdup("4.3.0 the directory cannot be reached");
	else
		answer->recipient = g_strdup(directory_entry_get(entry, "forward-to"));
}

bool
domain_route(const Engine *engine, const DeliverySettings *settings, const char *sender,
	const DirectoryEntry *entry, RouteAnswer *answer)
{
	const char *domain = directory_entry_name(entry), *mode = directory_entry_get(entry, "mode");

	if (domain_is(mode, MODE_HOLD)) {
		answer->result = ROUTE_HELD;
		answer->reply = stay_reason(domain);
	} else if (domain_is(mode, MODE_REDIRECT) && directory_entry_get(entry, "destination") != NULL) {
		domain_redirect(settings, entry, answer);
	} else if (domain_is(mode, MODE_HOSTED)) {
		answer->result = ROUTE_DEFERRED;
		answer->reply = g_strdup("4.3.5 no [route] is for hosted domains (for-mode = hosted)");
	} else if (domain_is(mode, MODE_FORWARD)) {
		domain_forward(engine, sender, entry, answer);
	} else if (domain_is(mode, MODE_FORWARD_MAILBOX)) {
		answer->result = ROUTE_FORWARDED;
		answer->recipient = g_strdup(directory_entry_get(entry, "forward-to"));
	} else {
		return false;
	}
	return true;
}
