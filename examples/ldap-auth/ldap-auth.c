/* ldap-auth.c - logins and passwords of an LDAP server.
 *
 * libldap blocks, and may: the hook runs on a worker, and every call of the library gets what is left of the hook's
 * deadline.  A server that is dead or slow is no wrong password: the hook fails, and the client is put off (454).  A
 * bind without a password succeeds in LDAP and proves nothing (RFC 4513 5.1.2), so none is ever sent. */
#include "plugin-api.h"

#include <lber.h>
#include <ldap.h>
#include <string.h>
#include <sys/time.h>

#include "escape.h"

enum { LOGIN_MOST = 320 };

/* ---- the server ---- */

static struct timeval
time_left(PtnHook *h)
{
	const int64_t left = ptn_time_left(h) + 1; /* LDAP takes a time of zero for "for ever" */

	return (struct timeval){ .tv_sec = left / PTN_SECOND, .tv_usec = left % PTN_SECOND };
}

static bool
set_times(PtnHook *h, LDAP *ldap)
{
	const struct timeval left = time_left(h);

	return ldap_set_option(ldap, LDAP_OPT_NETWORK_TIMEOUT, &left) == LDAP_OPT_SUCCESS &&
		   ldap_set_option(ldap, LDAP_OPT_TIMEOUT, &left) == LDAP_OPT_SUCCESS;
}

/* A referral would hand the password to another server. */
static bool
set_options(PtnHook *h, LDAP *ldap)
{
	const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, is_server = 0;
	const char *file = ptn_option(h, "ca-file");

	if (ldap_set_option(ldap, LDAP_OPT_PROTOCOL_VERSION, &version) != LDAP_OPT_SUCCESS ||
		ldap_set_option(ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) != LDAP_OPT_SUCCESS ||
		ldap_set_option(ldap, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) != LDAP_OPT_SUCCESS)
		return false;
	if (file != NULL && ldap_set_option(ldap, LDAP_OPT_X_TLS_CACERTFILE, file) != LDAP_OPT_SUCCESS)
		return false;
	return ldap_set_option(ldap, LDAP_OPT_X_TLS_NEWCTX, &is_server) == LDAP_OPT_SUCCESS && set_times(h, ldap);
}

static void
disconnect(LDAP *ldap)
{
	if (ldap != NULL)
		(void)ldap_unbind_ext(ldap, NULL, NULL);
}

/* LDAP_SUCCESS, or why not; `ldap` is to be disconnected either way. */
static int
connect_to(PtnHook *h, LDAP **ldap)
{
	const int result = ldap_initialize(ldap, ptn_option(h, "url"));

	if (result != LDAP_SUCCESS)
		return result;
	if (!set_options(h, *ldap))
		return LDAP_LOCAL_ERROR;
	return ptn_option_number(h, "starttls") ? ldap_start_tls_s(*ldap, NULL, NULL) : LDAP_SUCCESS;
}

static int
bind_as(PtnHook *h, LDAP *ldap, const char *dn, const char *password)
{
	char *copy = ptn_keep(h, PTN_FOR_HOOK, password, strlen(password) + 1);
	struct berval secret = { strlen(password), copy };
	int result;

	if (ptn_time_left(h) == 0 || !set_times(h, ldap))
		return LDAP_TIMEOUT;
	result = ldap_sasl_bind_s(ldap, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
	explicit_bzero(copy, secret.bv_len);
	return result;
}

/* ---- whose DN? ---- */

static const char *
escaped(PtnHook *h, const char *text, size_t size)
{
	char *out = ptn_keep(h, PTN_FOR_HOOK, NULL, 3 * size + 1);

	escape(out, text, size);
	return out;
}

/* %s is the login, %u what is before its last "@", %d what is behind it (nothing, if there is none). */
static const char *
expand(PtnHook *h, const char *pattern)
{
	const char *login = ptn_login(h), *at = strrchr(login, '@'), *text = "";
	const size_t size = strlen(login), before = at != NULL ? (size_t)(at - login) : size;

	for (const char *c = pattern; *c != '\0'; c++) {
		if (c[0] != '%' || c[1] == '\0') {
			text = ptn_format(h, "%s%c", text, *c);
			continue;
		}
		c++;
		if (*c == 's')
			text = ptn_format(h, "%s%s", text, escaped(h, login, size));
		else if (*c == 'u')
			text = ptn_format(h, "%s%s", text, escaped(h, login, before));
		else if (*c == 'd')
			text = ptn_format(h, "%s%s", text, at != NULL ? escaped(h, at + 1, size - before - 1) : "");
		else
			text = ptn_format(h, "%s%c", text, *c);
	}
	return text;
}

/* The DN of the only entry that was found; NULL: none, or several. */
static const char *
only_dn(PtnHook *h, LDAP *ldap, LDAPMessage *found)
{
	const int n = ldap_count_entries(ldap, found);
	char *dn = n == 1 ? ldap_get_dn(ldap, ldap_first_entry(ldap, found)) : NULL;
	const char *kept = dn != NULL ? ptn_keep(h, PTN_FOR_HOOK, dn, strlen(dn) + 1) : NULL;

	if (n > 1)
		ptn_log(h, PTN_WARNING, "the filter finds several entries for %s: nobody gets in", ptn_login(h));
	ldap_memfree(dn);
	return kept;
}

static int
search_dn(PtnHook *h, LDAP *ldap, const char **dn)
{
	const char *searcher = ptn_option(h, "search-dn"), *filter = expand(h, ptn_option(h, "filter"));
	char none[] = LDAP_NO_ATTRS, *attributes[] = { none, NULL };
	int result = searcher != NULL ? bind_as(h, ldap, searcher, ptn_option(h, "search-password")) : LDAP_SUCCESS;
	LDAPMessage *found = NULL;
	struct timeval left;

	if (result != LDAP_SUCCESS) /* that is our mistake, not the client's */
		return result == LDAP_INVALID_CREDENTIALS ? LDAP_INSUFFICIENT_ACCESS : result;
	left = time_left(h);
	result = ldap_search_ext_s(
		ldap, ptn_option(h, "base"), LDAP_SCOPE_SUBTREE, filter, attributes, 1, NULL, NULL, &left, 2, &found);
	if (result == LDAP_SUCCESS || result == LDAP_SIZELIMIT_EXCEEDED)
		*dn = only_dn(h, ldap, found);
	(void)ldap_msgfree(found);
	return result == LDAP_SIZELIMIT_EXCEEDED ? LDAP_SUCCESS : result;
}

/* ---- the verdict ---- */

/* LDAP_SUCCESS, LDAP_INVALID_CREDENTIALS, or what went wrong. */
static int
ask(PtnHook *h, LDAP *ldap)
{
	const char *pattern = ptn_option(h, "bind-dn"), *dn = NULL;
	int result = LDAP_SUCCESS;

	if (pattern != NULL)
		dn = expand(h, pattern);
	else
		result = search_dn(h, ldap, &dn);
	if (result != LDAP_SUCCESS)
		return result;
	if (dn == NULL || dn[0] == '\0') /* an empty DN would bind anonymously */
		return LDAP_INVALID_CREDENTIALS;
	return bind_as(h, ldap, dn, ptn_password(h));
}

static PtnVerdict
verify(PtnHook *h)
{
	const char *login = ptn_login(h), *password = ptn_password(h);
	LDAP *ldap = NULL;
	int result;

	if (login[0] == '\0' || strlen(login) > LOGIN_MOST || password[0] == '\0')
		return PTN_NEXT;
	result = connect_to(h, &ldap);
	if (result == LDAP_SUCCESS)
		result = ask(h, ldap);
	disconnect(ldap);
	if (result == LDAP_SUCCESS)
		return ptn_identify(h, login);
	if (result == LDAP_INVALID_CREDENTIALS || result == LDAP_INVALID_DN_SYNTAX || result == LDAP_NO_SUCH_OBJECT)
		return PTN_NEXT; /* another plugin may know the login; else it is a wrong password */
	return ptn_fail(h, "%s: %s", ptn_option(h, "url"), ldap_err2string(result));
}

static PtnVerdict
permit(PtnHook *h)
{
	if (ptn_login(h) != NULL)
		ptn_permit(h);
	return PTN_NEXT;
}

/* ---- the configuration ---- */

static PtnVerdict
start(PtnHook *h)
{
	const char *base = ptn_option(h, "base"), *url = ptn_option(h, "url");
	LDAPURLDesc *parsed = NULL;

	if (ldap_url_parse(url, &parsed) != LDAP_URL_SUCCESS)
		return ptn_fail(h, "url: \"%s\" is no LDAP URL", url);
	ldap_free_urldesc(parsed);
	if ((ptn_option(h, "bind-dn") != NULL) == (base != NULL))
		return ptn_fail(h, "either bind-dn or base must be set");
	if (ptn_option(h, "search-dn") != NULL && ptn_option(h, "search-password") == NULL)
		return ptn_fail(h, "search-dn needs search-password: a bind without password proves nothing");
	if (strncmp(url, "ldap:", 5) != 0 && ptn_option_number(h, "starttls"))
		return ptn_fail(h, "starttls belongs to ldap://; say starttls = no");
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "url", PTN_URL, PTN_IN_SERVER, NULL, "the server: ldap://, ldaps:// or ldapi://", .is_required = true },
	{ "starttls", PTN_BOOL, PTN_IN_SERVER, "yes", "STARTTLS on ldap://" },
	{ "ca-file", PTN_FILE, PTN_IN_SERVER, NULL, "who vouches for the server; not set: the system's" },
	{ "bind-dn", PTN_TEXT, PTN_IN_SERVER, NULL, "DN of a login: %s all of it, %u local part, %d domain" },
	{ "base", PTN_TEXT, PTN_IN_SERVER, NULL, "where the entry of a login is searched" },
	{ "filter", PTN_TEXT, PTN_IN_SERVER, "(mail=%s)", "which entry it is" },
	{ "search-dn", PTN_TEXT, PTN_IN_SERVER, NULL, "who searches; not set: anybody may" },
	{ "search-password", PTN_SECRET, PTN_IN_SERVER, NULL, "and with what password" },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_AUTH, verify, 0 },
	{ PTN_RCPT, permit, PTN_INLINE },
	{ 0 },
};

PTN_PLUGIN(ldap_auth) = {
	PTN_HEAD("ldap-auth"),
	.version = "1",
	.summary = "logins and passwords of an LDAP server",
	.options = options,
	.hooks = hooks,
	.start = start,
};
