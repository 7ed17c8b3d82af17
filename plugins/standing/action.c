/* action.c - what happens to an account whose share passes a threshold: it is disabled, its mail is held, or an alarm is
 * raised; its owner and the postmaster get a notice, once. */
#include <string.h>

#include "plugins/standing/standing.h"

enum { MOST_TRIES = 10 };

enum { ACTION_DISABLE, ACTION_ALARM, ACTION_HOLD };

#define LAST_KEPT (90 * DAY)

/* ---- words ---- */

const char *
action_time(PtnHook *h)
{
	g_autoptr(GDateTime) now = g_date_time_new_from_unix_utc(ptn_now(h) / PTN_SECOND);
	g_autofree char *time = g_date_time_format(now, "%Y-%m-%d %H:%M");

	return ptn_format(h, "%s", time);
}

static const char *
last_key(PtnHook *h, const char *login)
{
	return ptn_format(h, "last/%s", login);
}

const char *
action_last(PtnHook *h, const char *login)
{
	const char *last = NULL;

	return ptn_store_get(h, last_key(h, login), &last) == PTN_OK ? last : NULL;
}

/* ---- notices ---- */

static void
action_tell(PtnHook *h, const char *login, const char *reason, const char *detail)
{
	PtnEntry *account, *customer = NULL;
	const char *owner = ptn_find(h, PTN_ACCOUNT, login, &account) == PTN_OK ? ptn_get(account, "customer") : NULL;
	const bool is_off = owner != NULL && g_strcmp0(ptn_get(account, "enabled"), "no") == 0;
	const bool is_held = owner != NULL && ptn_get(account, "standing.hold") != NULL;
	const bool is_disabled = is_off || is_held;
	const char *what = is_off    ? "It may not send any more, until it is enabled again."
					   : is_held ? "What it sends is held, until the operator has looked at it."
								 : "It may still send: this service only raises an alarm.";
	const char *to[2] = { ptn_fact(h, "postmaster"), NULL };

	if (owner != NULL && ptn_find(h, PTN_CUSTOMER, owner, &customer) == PTN_OK && is_disabled)
		to[1] = ptn_notice_address(customer);
	for (size_t i = 0; i < (is_disabled ? 2 : 1); i++)
		if ((i == 0 || to[1] == NULL || g_strcmp0(to[0], to[1]) != 0) &&
			!ptn_notify(h, to[i], "standing", "account", login, "customer", owner != NULL ? owner : "?", "reason",
				reason, "what", what, "detail", detail[0] != '\0' ? detail : "none", NULL))
			ptn_log(
				h, PTN_WARNING, "%s could not be told of %s: %s", to[i] != NULL ? to[i] : "nobody", login, reason);
}

/* ---- alarms ---- */

static const char *
alarm_name(PtnHook *h, const char *login)
{
	return ptn_format(h, "account/%s", login);
}

GHashTable *
action_alarms_new(void)
{
	return g_hash_table_new_full(ptn_hash, g_str_equal, g_free, g_free);
}

/* Until the account may send again. */
static void
action_alarm(PtnHook *h, const char *login, const char *text)
{
	Standing *own = ptn_instance(h);

	g_mutex_lock(&own->lock);
	g_hash_table_replace(own->alarms, g_strdup(login), g_strdup(text));
	g_mutex_unlock(&own->lock);
	ptn_alarm(h, alarm_name(h, login), text);
}

static bool
alarm_is_over(PtnHook *h, const char *login)
{
	PtnEntry *entry;

	switch (ptn_find(h, PTN_ACCOUNT, login, &entry)) {
	case PTN_OK:
		return g_strcmp0(ptn_get(entry, "enabled"), "no") != 0 && ptn_get(entry, "standing.hold") == NULL;
	case PTN_NONE:
		return true;
	default:
		return false;
	}
}

static const char *
disabled_text(PtnHook *h, const char *login, const char *state, const char *reason)
{
	return ptn_format(h, "%s is %s: %s", login, state, reason);
}

/* What it was disabled for stands in the directory; that it was this plugin's doing is what the store remembers.  An
 * operator's reason is no alarm.  False: the store does not answer. */
static bool
restore_disabled(PtnHook *h, const char *login, const char *reason)
{
	const char *last = NULL;
	const PtnStatus status = ptn_store_get(h, last_key(h, login), &last);

	if (status == PTN_OK && g_str_has_suffix(last, reason))
		action_alarm(h, login, disabled_text(h, login, "disabled", reason));
	return status != PTN_UNSURE;
}

/* False: it is not known whether there is an alarm. */
static bool
restore_alarm(PtnHook *h, PtnEntry *entry)
{
	const char *login = ptn_get(entry, "name"), *reason = ptn_get(entry, "reason");
	const char *held = ptn_get(entry, "standing.hold");

	if (held != NULL)
		action_alarm(h, login, disabled_text(h, login, "held", held));
	else if (g_strcmp0(ptn_get(entry, "enabled"), "no") == 0 && reason != NULL)
		return restore_disabled(h, login, reason);
	return true;
}

/* Alarms without an end are in memory alone.  Where the directory or the store does not answer the next tick tries again. */
static void
restore_alarms(PtnHook *h)
{
	static const char *const options[] = { "enabled", "standing.hold" };
	Standing *own = ptn_instance(h);

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
		PtnEntry *entry = NULL;
		PtnStatus status;

		while ((status = ptn_each(h, PTN_ACCOUNT, options[i], &entry)) == PTN_OK)
			if (!restore_alarm(h, entry))
				return;
		if (status != PTN_NONE)
			return;
	}
	own->has_restored = true;
}

static GHashTable *
alarms_copy(Standing *own)
{
	GHashTable *all = action_alarms_new();
	GHashTableIter iter;
	void *login, *text;

	g_mutex_lock(&own->lock);
	g_hash_table_iter_init(&iter, own->alarms);
	while (g_hash_table_iter_next(&iter, &login, &text))
		g_hash_table_insert(all, g_strdup(login), g_strdup(text));
	g_mutex_unlock(&own->lock);
	return all;
}

/* Those that hold are raised again: an older instance may have lowered them when it ended. */
void
action_tick(PtnHook *h)
{
	Standing *own = ptn_instance(h);
	g_autoptr(GHashTable) all = NULL;
	GHashTableIter iter;
	void *login, *text;

	if (!own->has_restored)
		restore_alarms(h);
	all = alarms_copy(own);
	g_hash_table_iter_init(&iter, all);
	while (g_hash_table_iter_next(&iter, &login, &text)) {
		const bool is_over = alarm_is_over(h, login);

		ptn_alarm(h, alarm_name(h, login), is_over ? NULL : text);
		if (!is_over)
			continue;
		g_mutex_lock(&own->lock);
		g_hash_table_remove(own->alarms, login);
		g_mutex_unlock(&own->lock);
	}
}

void
action_stop(PtnHook *h)
{
	Standing *own = ptn_instance(h);
	g_autoptr(GHashTable) all = alarms_copy(own);
	GHashTableIter iter;
	void *login;

	g_hash_table_iter_init(&iter, all);
	while (g_hash_table_iter_next(&iter, &login, NULL))
		ptn_alarm(h, alarm_name(h, login), NULL);
}

/* ---- the account ---- */

/* What was accepted until now counts no more.  Each is later than the one before, whatever the clock does. */
static const char *
next_beginning(PtnHook *h, PtnEntry *entry)
{
	return place_time_text(h, MAX(ptn_now(h), place_time(ptn_get(entry, "standing.since")) + 1));
}

/* Enabled since, on another node perhaps, of which this one learns with a save that is TAKEN. */
static bool
is_of_before(PtnHook *h, PtnEntry *account, const Place *place)
{
	PtnEntry *customer = NULL;

	if (ptn_get(account, "customer") != NULL)
		(void)ptn_find(h, PTN_CUSTOMER, ptn_get(account, "customer"), &customer);
	return place_at(h, account, customer, ptn_now(h)).beginning > place->beginning;
}

/* TAKEN: somebody else did it first, and tells, or the account has begun anew. */
static PtnStatus
action_change(PtnHook *h, const char *login, const Place *place, bool is_hold, const char *reason)
{
	PtnStatus status = PTN_TAKEN;

	for (unsigned i = 0; i < MOST_TRIES && status == PTN_TAKEN; i++) {
		PtnEntry *entry;

		status = ptn_find(h, PTN_ACCOUNT, login, &entry);
		if (status != PTN_OK)
			return status;
		if (g_strcmp0(ptn_get(entry, "enabled"), "no") == 0 || is_of_before(h, entry, place) ||
			(is_hold && ptn_get(entry, "standing.hold") != NULL))
			return PTN_TAKEN;
		if (!is_hold)
			ptn_set(entry, "enabled", "no");
		else
			ptn_set(entry, "standing.since", next_beginning(h, entry));
		ptn_set(entry, is_hold ? "standing.hold" : "reason", reason);
		status = ptn_save(h, entry);
	}
	return status == PTN_TAKEN ? PTN_UNSURE : status;
}

static void
action_done(PtnHook *h, const char *login, const char *reason, const char *detail)
{
	(void)ptn_store_set(
		h, last_key(h, login), ptn_format(h, "%s %s", action_time(h), reason), LAST_KEPT);
	action_tell(h, login, reason, detail);
}

/* Of accounts that are to go on, and of those that the directory does not have. */
static PtnStatus
action_warn(PtnHook *h, const char *login, const char *reason, const char *detail)
{
	const int64_t window = ptn_option_number(h, "window");
	const PtnStatus status = ptn_store_claim(h, ptn_format(h, "told/%s", login), "1", window);

	if (status != PTN_OK)
		return status == PTN_TAKEN ? PTN_OK : status;
	ptn_log(h, PTN_WARNING, "%s: %s", login, reason);
	ptn_count(h, "alarms", 1);
	ptn_alarm_until(h, alarm_name(h, login), ptn_format(h, "%s: %s", login, reason), ptn_now(h) + window);
	action_done(h, login, reason, detail);
	return PTN_OK;
}

PtnStatus
action_take(PtnHook *h, const char *login, const Place *place, const char *option, const char *reason,
	const char *detail)
{
	const int64_t action = ptn_option_number(h, option);
	const char *state = action == ACTION_HOLD ? "held" : "disabled";
	const char *what = ptn_format(h, "is %s", state);
	PtnStatus status = PTN_NONE;

	if (action != ACTION_ALARM)
		status = action_change(h, login, place, action == ACTION_HOLD, reason);
	if (status == PTN_NONE)
		return action_warn(h, login, reason, detail);
	if (status == PTN_UNSURE)
		ptn_log(h, PTN_WARNING, "%s should be %s, and the directory cannot be changed now: %s", login, state,
			reason);
	if (status != PTN_OK)
		return status == PTN_TAKEN ? PTN_OK : status;
	counters_forget(h, login, place);
	ptn_log(h, PTN_WARNING, "%s %s: %s", login, what, reason);
	ptn_count(h, state, 1);
	action_alarm(h, login, disabled_text(h, login, state, reason));
	action_done(h, login, reason, detail);
	return PTN_OK;
}
