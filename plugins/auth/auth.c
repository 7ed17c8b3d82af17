/* auth - passwords of outbound accounts: crypt(3) hashes of the directory, and who may relay.
 *
 * A password costs some 24 ms of computing, so one that was right is remembered for a while: as a
 * keyed digest, in memory only, over everything that could change.  Unknown logins take as long as
 * known ones, and get the same words. */
#include "plugin-api.h"

#include <crypt.h>
#include <glib.h>
#include <string.h>
#include <sys/random.h>

enum { MOST_REMEMBERED = 100000, KEY_SIZE = 32, DUMMY_SIZE = 18, MOST_DUMMIES = 8, MOST_LOOKED_AT = 10000 };

#define WRONG "Error: authentication failed: wrong login or password"

typedef struct {
	GMutex lock;            /* guards `remembered` */
	GHashTable *remembered; /* digest -> int64_t*: until when */
	GPtrArray *dummies;     /* of Dummy*, at most MOST_DUMMIES; only added to; guarded by `lock` */
	guint8 key[KEY_SIZE];
} Auth;

/* A hash that no password has, by one of the methods that accounts have: a login that does not exist takes as long as one
 * that does, whatever their hashes were imported from. */
typedef struct {
	char *method; /* "$y$j9T$", "$6$", "$2b$12$": what decides how long it takes */
	char *hash;
} Dummy;

/* ---- hashes ---- */

static char *
hash_of(const char *password, const char *setting)
{
	struct crypt_data *work = g_new0(struct crypt_data, 1);
	const char *hash = crypt_r(password, setting, work);
	char *copy = hash != NULL && hash[0] != '*' ? g_strdup(hash) : NULL;

	explicit_bzero(work, sizeof *work);
	g_free(work);
	return copy;
}

/* Compares in a time that does not tell where the difference is. */
static bool
is_password_of(const char *password, const char *hash)
{
	g_autofree char *made = hash_of(password, hash);
	const size_t size = strlen(hash);

	return made != NULL && strlen(made) == size && ptn_is_same(made, hash, size);
}

/* ---- hashes of nobody ---- */

static void
dummy_free(void *data)
{
	Dummy *dummy = data;

	g_free(dummy->method);
	g_free(dummy->hash);
	g_free(dummy);
}

static bool
has_cost_field(const char *id, const char *field)
{
	static const char *const ids[] = { "y", "gy", "2a", "2b", "2x", "2y", "sha1", NULL };

	return g_strv_contains(ids, id) || g_str_has_prefix(field, "rounds=");
}

/* New; NULL: no password can have this hash ("*", "!"). */
static char *
method_of(const char *hash)
{
	g_auto(GStrv) fields = g_strsplit(hash, "$", -1);

	if (hash[0] == '*' || hash[0] == '!' || hash[0] == '\0')
		return NULL;
	if (fields[0][0] != '\0' || fields[1] == NULL || fields[2] == NULL)
		return g_strdup("des");
	return has_cost_field(fields[1], fields[2]) ? g_strdup_printf("$%s$%s$", fields[1], fields[2])
												 : g_strdup_printf("$%s$", fields[1]);
}

/* Lock held. */
static bool
knows_method(const Auth *auth, const char *method)
{
	for (guint i = 0; i < auth->dummies->len; i++)
		if (strcmp(((const Dummy *)g_ptr_array_index(auth->dummies, i))->method, method) == 0)
			return true;
	return auth->dummies->len >= MOST_DUMMIES;
}

/* `setting`: a hash whose method, cost and salt are taken. */
static bool
add_dummy(Auth *auth, const char *setting)
{
	g_autofree char *method = method_of(setting);
	guint8 octets[DUMMY_SIZE];
	g_autofree char *password = NULL;
	bool is_known;
	Dummy *dummy;

	if (method == NULL)
		return true;
	g_mutex_lock(&auth->lock);
	is_known = knows_method(auth, method);
	g_mutex_unlock(&auth->lock);
	if (is_known)
		return true;
	if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
		return false;
	password = g_base64_encode(octets, sizeof octets);
	dummy = g_new0(Dummy, 1);
	dummy->hash = hash_of(password, setting);
	dummy->method = g_steal_pointer(&method);
	g_mutex_lock(&auth->lock);
	is_known = dummy->hash == NULL || knows_method(auth, dummy->method);
	if (!is_known)
		g_ptr_array_add(auth->dummies, g_steal_pointer(&dummy));
	g_mutex_unlock(&auth->lock);
	if (dummy != NULL)
		dummy_free(dummy);
	return true;
}

/* Of one login always the same, as an account has always the same. */
static void
compute_for_nobody(PtnHook *h)
{
	Auth *auth = ptn_instance(h);
	g_autofree char *login = g_ascii_strdown(ptn_login(h), -1);
	g_autofree char *digest =
		g_compute_hmac_for_string(G_CHECKSUM_SHA256, auth->key, sizeof auth->key, login, -1);
	const guint number = (guint)g_ascii_xdigit_value(digest[0]) << 4 | (guint)g_ascii_xdigit_value(digest[1]);
	const Dummy *dummy;

	g_mutex_lock(&auth->lock);
	dummy = g_ptr_array_index(auth->dummies, number % auth->dummies->len);
	g_mutex_unlock(&auth->lock);
	(void)is_password_of(ptn_password(h), dummy->hash);
}

/* Accounts that nobody logged in to since the start have methods, too. */
static void
learn_methods(PtnHook *h)
{
	PtnEntry *account = NULL;

	for (unsigned i = 0; i < MOST_LOOKED_AT && ptn_each(h, PTN_ACCOUNT, "password", &account) == PTN_OK; i++)
		if (!add_dummy(ptn_instance(h), ptn_get(account, "password")))
			return;
}

static PtnVerdict
start(PtnHook *h)
{
	Auth *auth = ptn_instance(h);
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	g_mutex_init(&auth->lock);
	auth->remembered = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, g_free);
	auth->dummies = g_ptr_array_new_with_free_func(dummy_free);
	if (getrandom(auth->key, sizeof auth->key, 0) != (ssize_t)sizeof auth->key)
		return ptn_fail(h, "the system gives no random numbers");
	if (crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting) == NULL)
		return ptn_fail(h, "crypt(3) makes no salt");
	if (!add_dummy(auth, setting) || auth->dummies->len == 0)
		return ptn_fail(h, "crypt(3) makes no yescrypt hash");
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Auth *auth = ptn_instance(h);

	explicit_bzero(auth->key, sizeof auth->key);
	g_hash_table_unref(auth->remembered);
	g_ptr_array_unref(auth->dummies);
	g_mutex_clear(&auth->lock);
	return PTN_NEXT;
}

/* ---- what was right a moment ago ---- */

/* A changed password changes the hash, and so the digest. */
static char *
digest_of(const Auth *auth, const char *login, const char *password, const char *hash)
{
	static const guchar blank[128];
	GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, auth->key, sizeof auth->key);
	char *digest;

	g_hmac_update(hmac, (const guchar *)login, (gssize)strlen(login) + 1);
	g_hmac_update(hmac, (const guchar *)password, (gssize)strlen(password) + 1);
	g_hmac_update(hmac, (const guchar *)hash, (gssize)strlen(hash) + 1);
	g_hmac_update(hmac, blank, sizeof blank); /* over the password in the buffer of the digest, which is freed as it is */
	digest = g_strdup(g_hmac_get_string(hmac));
	g_hmac_unref(hmac);
	return digest;
}

static bool
is_remembered(PtnHook *h, const char *login, const char *hash)
{
	Auth *auth = ptn_instance(h);
	g_autofree char *digest = digest_of(auth, login, ptn_password(h), hash);
	const gint64 *until;
	const gint64 now = ptn_now(h); /* what is remembered for longer than that was so before the clock was set back */
	bool is_fresh;

	g_mutex_lock(&auth->lock);
	until = g_hash_table_lookup(auth->remembered, digest);
	is_fresh = until != NULL && *until > now && *until <= now + ptn_option_number(h, "remember");
	g_mutex_unlock(&auth->lock);
	return is_fresh;
}

static gboolean
is_over(gpointer digest, gpointer until, gpointer now)
{
	(void)digest;
	return *(const gint64 *)until <= *(const gint64 *)now;
}

static void
remember(PtnHook *h, const char *login, const char *hash)
{
	Auth *auth = ptn_instance(h);
	const gint64 now = ptn_now(h), until = now + ptn_option_number(h, "remember");

	g_mutex_lock(&auth->lock);
	if (g_hash_table_size(auth->remembered) >= MOST_REMEMBERED)
		g_hash_table_foreach_remove(auth->remembered, is_over, (gpointer)&now);
	if (g_hash_table_size(auth->remembered) < MOST_REMEMBERED)
		g_hash_table_insert(
			auth->remembered, digest_of(auth, login, ptn_password(h), hash), g_memdup2(&until, sizeof until));
	g_mutex_unlock(&auth->lock);
}

static PtnVerdict
forget_old(PtnHook *h)
{
	Auth *auth = ptn_instance(h);
	gint64 now = ptn_now(h);

	g_mutex_lock(&auth->lock);
	g_hash_table_foreach_remove(auth->remembered, is_over, &now);
	g_mutex_unlock(&auth->lock);
	learn_methods(h);
	return PTN_NEXT;
}

/* ---- the verdict ---- */

static bool
says_no(PtnEntry *entry, const char *name)
{
	const char *value = entry != NULL ? ptn_get(entry, name) : NULL;

	return value != NULL && strcmp(value, "no") == 0;
}

/* It goes into a reply, which is one line of ASCII. */
static const char *
reason_of(PtnHook *h, PtnEntry *entry)
{
	const char *reason = ptn_get(entry, "reason");
	char *line;

	if (reason == NULL || reason[0] == '\0')
		return "disabled";
	line = ptn_keep(h, PTN_FOR_HOOK, reason, strlen(reason) + 1);
	for (char *c = line; *c != '\0'; c++)
		if (!g_ascii_isprint(*c))
			*c = '?';
	return line;
}

/* Why the account may not submit, NULL: it may.  UNSURE is told by `status`. */
static const char *
why_barred(PtnHook *h, PtnEntry *account, PtnStatus *status)
{
	const char *owner = ptn_get(account, "customer");
	PtnEntry *customer = NULL;

	*status = owner != NULL ? ptn_find(h, PTN_CUSTOMER, owner, &customer) : PTN_NONE;
	if (says_no(account, "enabled"))
		return reason_of(h, account);
	if (*status == PTN_OK && (says_no(customer, "enabled") || says_no(customer, "outbound")))
		return reason_of(h, customer);
	return NULL;
}

/* The password was right. */
static PtnVerdict
admit(PtnHook *h, PtnEntry *account)
{
	PtnStatus status;
	const char *reason = why_barred(h, account, &status);

	if (status == PTN_UNSURE)
		return ptn_refuse(
			h, PTN_LOCAL, 454, "4.7.0", "Temporary authentication failure: the directory cannot be reached");
	if (reason == NULL)
		return ptn_identify(h, ptn_get(account, "name"));
	if (ptn_option_number(h, "hide-disabled"))
		return ptn_refuse(h, PTN_CREDENTIALS, 535, "5.7.8", WRONG);
	return ptn_refuse(
		h, PTN_CREDENTIALS, 535, "5.7.13", "Error: authentication failed: this account may not send: %s", reason);
}

static PtnStatus
find_account(PtnHook *h, PtnEntry **account, const char **hash)
{
	const PtnStatus status = ptn_find(h, PTN_ACCOUNT, ptn_login(h), account);

	*hash = status == PTN_OK ? ptn_get(*account, "password") : NULL;
	return status;
}

/* Computing takes a while, in which the password may be changed: the session would be one of the new password.  `account` is as
 * it is now. */
static bool
is_still(PtnHook *h, const char *hash, PtnEntry **account)
{
	const char *now;

	return find_account(h, account, &now) == PTN_OK && now != NULL && strcmp(now, hash) == 0;
}

static PtnVerdict
recall(PtnHook *h)
{
	PtnEntry *account = NULL;
	const char *hash;

	if (find_account(h, &account, &hash) == PTN_OK && hash != NULL &&
		is_remembered(h, ptn_get(account, "name"), hash))
		return admit(h, account);
	return PTN_NEXT;
}

static PtnVerdict
verify(PtnHook *h)
{
	PtnEntry *account = NULL;
	const char *hash;
	const PtnStatus status = find_account(h, &account, &hash);

	if (status == PTN_UNSURE)
		return ptn_refuse(
			h, PTN_LOCAL, 454, "4.7.0", "Temporary authentication failure: the directory cannot be reached");
	if (hash == NULL || hash[0] == '*' || hash[0] == '!') {
		compute_for_nobody(h);
		return PTN_NEXT; /* another plugin may know the login */
	}
	(void)add_dummy(ptn_instance(h), hash);
	if (is_remembered(
			h, ptn_get(account, "name"), hash)) /* by another session, while this one waited for a core */
		return admit(h, account);
	if (!is_password_of(ptn_password(h), hash))
		return PTN_NEXT;
	if (!is_still(h, hash, &account))
		return ptn_refuse(
			h, PTN_LOCAL, 454, "4.7.0", "Temporary authentication failure: the account was changed meanwhile");
	remember(h, ptn_get(account, "name"), hash);
	return admit(h, account);
}

static PtnVerdict
permit(PtnHook *h)
{
	if (ptn_login(h) != NULL)
		ptn_permit(h);
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "least-password", PTN_NUMBER, PTN_IN_SERVER, "5", "characters that a new password has at least", 1, 1000 },
	{ "remember", PTN_TIME, PTN_IN_SERVER, "10m", "how long a password that was right is not computed again", 0,
		24 * 3600 * PTN_SECOND },
	{ "hide-disabled", PTN_BOOL, PTN_IN_SERVER, "no", "answer a disabled account as if its password were wrong" },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_AUTH, recall, PTN_INLINE },
	{ PTN_AUTH, verify, PTN_HEAVY },
	{ PTN_RCPT, permit, PTN_INLINE },
	{ PTN_TICK, forget_old, 0 },
	{ 0 },
};

static const PtnMeaningRow meanings[] = { { "least-password", PTN_MEANS_LEAST_PASSWORD }, { 0 } };

PTN_PLUGIN(auth) = {
	PTN_HEAD("auth"),
	.version = "1",
	.summary = "passwords of outbound accounts, kept in the directory",
	.options = options,
	.meanings = meanings,
	.hooks = hooks,
	.instance_size = sizeof(Auth),
	.tick = 60 * PTN_SECOND,
	.start = start,
	.stop = stop,
};
