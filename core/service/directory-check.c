/* directory-check.c - the rules of the directory that hold whoever writes to it. */
#include <string.h>

#include "base/error.h"
#include "base/escape.h"
#include "base/ip.h"
#include "base/region.h"
#include "proto/command.h"
#include "service/directory-private.h"
#include "service/option.h"

enum { CHECK_NAME_MAX = 64, CHECK_PORT_MAX = 65535 };

#define CHECK_PATIENCE (5 * CLOCK_SECOND)

int64_t
directory_deadline(void)
{
	return clock_monotonic(clock_system()) + CHECK_PATIENCE;
}

static bool
directory_is_mailbox(const char *text)
{
	g_autoptr(Region) region = region_new();

	return mailbox_parse(region, text, true) != NULL;
}

static bool
directory_is_domain(const char *text)
{
	IpAddress address;

	return strchr(text, '.') != NULL && !ip_parse(text, &address) && domain_is_valid(text);
}

static bool
directory_check_booleans(DirectoryEntry *entry, GError **error)
{
	for (const char *const *name = directory_entry_names(entry); *name != NULL; name++) {
		const char *value = directory_entry_get(entry, *name);

		if (directory_is_boolean(*name) && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
			return error_set(error, POSTERN_ERROR_INVALID, "%s is yes or no, not \"%s\"", *name, value);
	}
	return true;
}

bool
directory_check_value(const char *name, const char *value, GError **error)
{
	const size_t most = strcmp(name, "reason") == 0 ? DIRECTORY_REASON_MAX : DIRECTORY_VALUE_MAX;

	if (!escape_is_plain(value))
		return error_set(error, POSTERN_ERROR_INVALID,
			"%s: a value is one line of UTF-8, without control characters and marks of direction", name);
	if (strlen(value) > most)
		return error_set(error, POSTERN_ERROR_INVALID, "%s: the value has %zu octets, at most %zu are allowed",
			name, strlen(value), most);
	return true;
}

static bool
directory_check_since(const DirectoryEntry *entry, GError **error)
{
	const char *text = directory_entry_get(entry, "enabled-since");
	int64_t since_us;

	return text == NULL || directory_enabled_since(entry, &since_us) ||
		   error_set(error, POSTERN_ERROR_INVALID, "enabled-since: \"%s\" is no time of RFC 3339", text);
}

static bool
directory_check_values(DirectoryEntry *entry, GError **error)
{
	for (const char *const *name = directory_entry_names(entry); *name != NULL; name++)
		if (!directory_check_value(*name, directory_entry_get(entry, *name), error))
			return false;
	return true;
}

static bool
directory_check_choice(const char *name, const char *value, GError **error)
{
	const char *const *choices = directory_choices(name);
	const PtnOption option = { .name = name, .type = PTN_CHOICE, .choices = choices };
	g_autoptr(GError) why = NULL;
	g_autoptr(OptionValue) parsed = option_parse(&option, value, &why);

	/* The choice is kept as it was written, so it has to be written in lower case. */
	if (parsed != NULL && strcmp(choices[parsed->number], value) == 0)
		return true;
	if (parsed != NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "%s: write \"%s\"", name, choices[parsed->number]);
	return error_set(error, POSTERN_ERROR_INVALID, "%s: %s", name, why->message);
}

/* ---- customers ---- */

static bool
directory_check_customer(Directory *directory, DirectoryEntry *entry, GError **error)
{
	static const char *const addresses[] = { "primary", "postmaster", "alert" };
	const char *name = directory_entry_name(entry);

	(void)directory;
	if (strlen(name) > CHECK_NAME_MAX || !g_ascii_isalnum(*name) ||
		name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] != '\0')
		return error_set(error, POSTERN_ERROR_INVALID,
			"\"%s\" cannot name a customer: letters, digits, \"-\", \"_\" and \".\", at most %d", name,
			CHECK_NAME_MAX);
	for (size_t i = 0; i < G_N_ELEMENTS(addresses); i++) {
		const char *value = directory_entry_get(entry, addresses[i]);

		if (value != NULL && *value != '\0' && !directory_is_mailbox(value))
			return error_set(error, POSTERN_ERROR_INVALID, "%s: \"%s\" is not a mail address (local-part@domain)",
				addresses[i], value);
	}
	return true;
}

/* ---- domains ---- */

static bool
directory_check_exists(
	Directory *directory, PtnKind kind, const char *name, DirectoryEntry **entry, GError **error)
{
	const char *word = directory_kind_name(kind);

	switch (directory_find_now(directory, kind, name, directory_deadline(), entry)) {
	case PTN_OK:
		return true;
	case PTN_NONE:
		return error_set(error, POSTERN_ERROR_NOT_FOUND,
			"there is no %s \"%s\"; add it first: posternctl %s add %s", word, name, word, name);
	default:
		return error_set(error, POSTERN_ERROR_UNAVAILABLE,
			"the directory cannot tell now whether there is %s \"%s\"", directory_kind_phrase(kind), name);
	}
}

/* "HOST:PORT", "[IP]:PORT", "HOST", "[IP]", "IP": destination and port become values of their own. */
static bool
directory_split_destination(DirectoryEntry *entry, GError **error)
{
	const char *given = directory_entry_get(entry, "destination");
	const bool is_bracketed = *given == '[';
	const char *end = is_bracketed ? strchr(given, ']') : given + strcspn(given, ":");
	g_autofree char *host = NULL, *port = NULL;
	IpAddress address;

	if (ip_parse(given, &address))
		return true;
	if (end == NULL || (is_bracketed && end[1] != '\0' && end[1] != ':'))
		return error_set(error, POSTERN_ERROR_INVALID, "destination: \"%s\" is neither HOST nor HOST:PORT", given);
	host = g_strndup(given + is_bracketed, (size_t)(end - given) - is_bracketed);
	end += is_bracketed;
	port = *end == ':' ? g_strdup(end + 1) : NULL;
	if (!ip_parse(host, &address) && (is_bracketed || !domain_is_valid(host)))
		return error_set(
			error, POSTERN_ERROR_INVALID, "destination: \"%s\" is neither a host name nor an IP address", host);
	directory_entry_set(entry, "destination", host);
	if (port != NULL)
		directory_entry_set(entry, "port", port);
	return true;
}

static bool
directory_check_destination(DirectoryEntry *entry, DomainMode mode, GError **error)
{
	const char *destination = directory_entry_get(entry, "destination"), *port;
	guint64 number;

	if (destination == NULL && mode == MODE_REDIRECT)
		return error_set(error, POSTERN_ERROR_INVALID, "mode redirect needs a destination (HOST:PORT)");
	if (destination != NULL && !directory_split_destination(entry, error))
		return false;
	port = directory_entry_get(entry, "port");
	if (port != NULL && !g_ascii_string_to_unsigned(port, 10, 1, CHECK_PORT_MAX, &number, NULL))
		return error_set(
			error, POSTERN_ERROR_INVALID, "port: \"%s\" is not a number from 1 to %d", port, CHECK_PORT_MAX);
	return true;
}

/* A mailbox is one of a hosted domain of the same customer: it is reached by the routes of that domain. */
static bool
directory_check_mailbox(Directory *directory, DirectoryEntry *entry, const char *address, GError **error)
{
	const char *host = strrchr(address, '@') + 1;
	g_autoptr(DirectoryEntry) hosted = NULL;

	if (!directory_check_exists(directory, PTN_DOMAIN, host, &hosted, error))
		return false;
	if (g_strcmp0(directory_entry_get(hosted, "mode"), directory_modes[MODE_HOSTED]) != 0)
		return error_set(error, POSTERN_ERROR_INVALID, "forward-to: %s is no hosted domain", host);
	if (g_strcmp0(directory_entry_get(hosted, "customer"), directory_entry_get(entry, "customer")) != 0)
		return error_set(error, POSTERN_ERROR_INVALID, "forward-to: %s is not a domain of customer %s", host,
			directory_entry_get(entry, "customer"));
	return true;
}

static bool
directory_check_forward(Directory *directory, DirectoryEntry *entry, DomainMode mode, GError **error)
{
	const char *address = directory_entry_get(entry, "forward-to");

	if (address == NULL && (mode == MODE_FORWARD || mode == MODE_FORWARD_MAILBOX))
		return error_set(
			error, POSTERN_ERROR_INVALID, "mode %s needs forward-to (a mail address)", directory_modes[mode]);
	if (address != NULL && !directory_is_mailbox(address))
		return error_set(error, POSTERN_ERROR_INVALID, "forward-to: \"%s\" is not a mail address", address);
	if (mode == MODE_FORWARD && g_ascii_strcasecmp(strrchr(address, '@') + 1, directory_entry_name(entry)) == 0)
		return error_set(error, POSTERN_ERROR_INVALID, "forward-to: %s would be forwarded to itself",
			directory_entry_name(entry));
	return mode != MODE_FORWARD_MAILBOX || directory_check_mailbox(directory, entry, address, error);
}

const char *const directory_modes[] = { [MODE_REDIRECT] = "redirect",
	[MODE_HOLD] = "hold",
	[MODE_SECONDARY] = "secondary",
	[MODE_HOSTED] = "hosted",
	[MODE_FORWARD] = "forward",
	[MODE_FORWARD_MAILBOX] = "forward-mailbox",
	[MODE_OUTBOUND_ONLY] = "outbound-only",
	NULL };

const char *
directory_mode_title(const char *mode)
{
	static const char *const titles[] = { [MODE_REDIRECT] = "SMTP Redirection (Direct Delivery)",
		[MODE_HOLD] = "Accept and Hold Messages",
		[MODE_SECONDARY] = "Secondary MX",
		[MODE_HOSTED] = "Hosted Mail Domain",
		[MODE_FORWARD] = "Forward All to Email Address",
		[MODE_FORWARD_MAILBOX] = "Forward All to Mail Box",
		[MODE_OUTBOUND_ONLY] = "Outbound only" };

	for (size_t i = 0; mode != NULL && i < G_N_ELEMENTS(titles); i++)
		if (strcmp(mode, directory_modes[i]) == 0)
			return titles[i];
	return "";
}

static DomainMode
directory_mode_number(const char *mode)
{
	DomainMode number = MODE_REDIRECT;

	while (strcmp(directory_modes[number], mode) != 0)
		number++;
	return number;
}

static bool
directory_check_domain(Directory *directory, DirectoryEntry *entry, GError **error)
{
	const char *on_missing = directory_entry_get(entry, "on-missing-host");
	const char *name = directory_entry_name(entry);
	const char *customer = directory_entry_get(entry, "customer"), *mode = directory_entry_get(entry, "mode");
	g_autoptr(DirectoryEntry) owner = NULL;

	if (!directory_is_domain(name))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not a domain name", name);
	if (customer == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "whose is %s?  Give customer=NAME", name);
	if (mode == NULL)
		return error_set(error, POSTERN_ERROR_INVALID,
			"how is mail for %s handled?  Give mode=redirect, hold, hosted, …", name);
	return directory_check_choice("mode", mode, error) &&
		   (on_missing == NULL || directory_check_choice("on-missing-host", on_missing, error)) &&
		   directory_check_destination(entry, directory_mode_number(mode), error) &&
		   directory_check_exists(directory, PTN_CUSTOMER, customer, &owner, error) &&
		   directory_check_forward(directory, entry, directory_mode_number(mode), error);
}

/* ---- accounts ---- */

typedef enum { LOGIN_SINGLE, LOGIN_ANY, LOGIN_SERVER } LoginForm;

static const char *const directory_form_texts[] = { "user@DOMAIN", "@DOMAIN", "DOMAIN, without \"@\"" };

static LoginForm
directory_login_form(const char *login)
{
	return *login == '@' ? LOGIN_ANY : strchr(login, '@') != NULL ? LOGIN_SINGLE : LOGIN_SERVER;
}

static bool
directory_check_login(const char *login, LoginForm form, const char *domain, GError **error)
{
	if (!escape_is_plain(login))
		return error_set(error, POSTERN_ERROR_INVALID,
			"a login must be UTF-8, without control characters and marks of direction");
	if (!directory_is_domain(domain))
		return error_set(error, POSTERN_ERROR_INVALID, "login \"%s\": \"%s\" is not a domain name", login, domain);
	if (form == LOGIN_SINGLE && !directory_is_mailbox(login))
		return error_set(error, POSTERN_ERROR_INVALID, "login \"%s\" is not a mail address", login);
	return true;
}

/* A forgotten "@" makes a login of another type, one that may send as anybody: so that type has to be said. */
static bool
directory_check_type(DirectoryEntry *entry, LoginForm form, GError **error)
{
	const char *login = directory_entry_name(entry), *type = directory_entry_get(entry, "type");
	const char *const *types = directory_choices("type");

	if (type == NULL && form == LOGIN_SERVER)
		return error_set(error, POSTERN_ERROR_INVALID,
			"\"%s\" has the form of a mail server's login, which needs type=server; "
			"any address of the domain: \"@%s\"; "
			"a single one: \"user@%s\"",
			login, login, login);
	if (type == NULL) {
		directory_entry_set(entry, "type", types[form]);
		return true;
	}
	if (!directory_check_choice("type", type, error))
		return false;
	for (LoginForm other = LOGIN_SINGLE; other <= LOGIN_SERVER; other++)
		if (strcmp(type, types[other]) == 0 && other != form)
			return error_set(error, POSTERN_ERROR_INVALID,
				"login \"%s\" has the form of type %s; the login of type %s is %s", login, types[form],
				type, directory_form_texts[other]);
	return true;
}

static bool
directory_check_password(const DirectoryEntry *entry, GError **error)
{
	const char *hash = directory_entry_get(entry, "password");

	if (hash != NULL && *hash != '$' && *hash != '*' && *hash != '!')
		return error_set(
			error, POSTERN_ERROR_INVALID, "password: not a crypt(3) hash; posternctl account passwd makes one");
	return true;
}

/* "Action on submission errors". */
static bool
directory_check_action(DirectoryEntry *entry, GError **error)
{
	const char *action = directory_entry_get(entry, "on-refusal");

	return action == NULL || directory_check_choice("on-refusal", action, error);
}

/* Of an account or a recipient: what it says itself must agree with its domain. */
static bool
directory_check_owner(DirectoryEntry *entry, const DirectoryEntry *domain, GError **error)
{
	const char *name = directory_entry_name(domain), *owner = directory_entry_get(domain, "customer");
	const char *given = directory_entry_get(entry, "domain"), *customer = directory_entry_get(entry, "customer");

	if (given != NULL && g_ascii_strcasecmp(given, name) != 0)
		return error_set(error, POSTERN_ERROR_INVALID, "domain: \"%s\" is not the domain of %s \"%s\"", given,
			directory_entry_kind(entry) == PTN_ACCOUNT ? "login" : "recipient", directory_entry_name(entry));
	if (owner == NULL)
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "domain %s has no customer", name);
	if (directory_entry_states_customer(entry) && g_strcmp0(customer, owner) != 0)
		return error_set(
			error, POSTERN_ERROR_INVALID, "%s is a domain of customer %s, not of %s", name, owner, customer);
	directory_entry_set(entry, "domain", name);
	directory_entry_set(entry, "customer", owner);
	return true;
}

static bool
directory_check_account(Directory *directory, DirectoryEntry *entry, GError **error)
{
	const char *login = directory_entry_name(entry);
	const LoginForm form = directory_login_form(login);
	const char *domain = form == LOGIN_SERVER ? login : strrchr(login, '@') + 1;
	g_autoptr(DirectoryEntry) served = NULL;

	return directory_check_login(login, form, domain, error) && directory_check_type(entry, form, error) &&
		   directory_check_password(entry, error) && directory_check_action(entry, error) &&
		   directory_check_exists(directory, PTN_DOMAIN, domain, &served, error) &&
		   directory_check_owner(entry, served, error);
}

/* ---- recipients ---- */

static bool
directory_check_recipient(Directory *directory, DirectoryEntry *entry, GError **error)
{
	const char *address = directory_entry_name(entry);
	g_autoptr(DirectoryEntry) domain = NULL;

	if (!directory_is_mailbox(address))
		return error_set(
			error, POSTERN_ERROR_INVALID, "\"%s\" is not a mail address (local-part@domain)", address);
	return directory_check_exists(directory, PTN_DOMAIN, strrchr(address, '@') + 1, &domain, error) &&
		   directory_check_owner(entry, domain, error);
}

bool
directory_check(Directory *directory, DirectoryEntry *entry, GError **error)
{
	if (!directory_check_values(entry, error) || !directory_check_booleans(entry, error) ||
		!directory_check_since(entry, error))
		return false;
	switch (directory_entry_kind(entry)) {
	case PTN_CUSTOMER:
		return directory_check_customer(directory, entry, error);
	case PTN_DOMAIN:
		return directory_check_domain(directory, entry, error);
	case PTN_RECIPIENT:
		return directory_check_recipient(directory, entry, error);
	default:
		return directory_check_account(directory, entry, error);
	}
}
