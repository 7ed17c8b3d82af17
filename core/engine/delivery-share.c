/* delivery-share.c - shares of the connections, so that no account and no server holds all of them.
 *
 * An account has [accounts] deliveries, and with [accounts] destinations its mail is not all that is active; next hops
 * found by MX leave a quarter of max-deliveries to those that the administrator or the directory names; one address has
 * per-destination connections, whatever names lead to it. */
#include "engine/delivery-private.h"

enum { SHARE_RESERVE = 4, SHARE_LOOKS = 64 }; /* a quarter; waiting next hops that are looked at in one go */

/* ---- accounts ---- */

/* A new reference; NULL: the mail is nobody's. */
static AccountBudget *
share_account(const Delivery *delivery, const Envelope *envelope)
{
	const char *login = envelope_note(envelope, "account");

	return login != NULL ? account_budget_take(delivery->engine->accounts, login) : NULL;
}

static AccountBudget *
share_account_of(const Delivery *delivery, const Job *job)
{
	return share_account(delivery, job->active->message->envelope);
}

void
delivery_begin_share(DeliveryThread *thread, const Job *job)
{
	const AccountLimits *limits = &job->active->snapshot->settings->accounts;
	AccountBudget *account = share_account_of(thread->delivery, job);

	if (account == thread->account) { /* it has its share already */
		account_budget_drop(account);
		return;
	}
	delivery_end_share(thread);
	/* beyond its share only where the thread is there anyway */
	thread->counts_for_account = account_budget_begin(account, limits, ACCOUNT_DELIVERIES);
	thread->account = account;
}

void
delivery_end_share(DeliveryThread *thread)
{
	if (thread->counts_for_account)
		account_budget_end(thread->account, ACCOUNT_DELIVERIES);
	thread->counts_for_account = false;
	g_clear_pointer(&thread->account, account_budget_drop);
}

static bool
share_is_left_for(const Delivery *delivery, const Job *job)
{
	const uint64_t most = job->active->snapshot->settings->accounts.most[ACCOUNT_DELIVERIES];
	AccountBudget *account = share_account_of(delivery, job);
	const bool is_left = account == NULL || most == 0 || account_budget_used(account, ACCOUNT_DELIVERIES) < most;

	account_budget_drop(account);
	return is_left;
}

/* A job whose account has something left comes first, so that one account does not hold up what others have here. */
static bool
share_has_account_left(const Delivery *delivery, Destination *destination)
{
	GQueue *jobs = &destination->jobs;

	for (GList *link = jobs->head; link != NULL; link = link->next)
		if (share_is_left_for(delivery, link->data)) {
			g_queue_unlink(jobs, link);
			g_queue_push_head_link(jobs, link);
			return true;
		}
	return jobs->length == 0;
}

void
delivery_begin_destination(const Delivery *delivery, Job *job)
{
	job->account = share_account_of(delivery, job);
	account_budget_add(job->account, ACCOUNT_DESTINATIONS);
}

void
delivery_end_destination(Job *job)
{
	account_budget_end(job->account, ACCOUNT_DESTINATIONS);
	g_clear_pointer(&job->account, account_budget_drop);
}

bool
delivery_may_spread(Delivery *delivery, const Envelope *envelope)
{
	AccountBudget *account = share_account(delivery, envelope);
	uint64_t most;
	bool may;

	g_mutex_lock(&delivery->lock);
	most = delivery->snapshot->settings->accounts.most[ACCOUNT_DESTINATIONS];
	g_mutex_unlock(&delivery->lock);
	may = most == 0 || account_budget_used(account, ACCOUNT_DESTINATIONS) < most;
	account_budget_drop(account);
	return may;
}

/* ---- next hops ---- */

bool
delivery_may_start(const Delivery *delivery, Destination *destination)
{
	const unsigned most = delivery->snapshot->delivery->max_deliveries;
	const bool is_mx = destination->hop->kind == HOP_MX;

	return delivery->threads < most && (!is_mx || delivery->mx_threads < most - most / SHARE_RESERVE) &&
		   g_get_monotonic_time() >= destination->crowded_until_us &&
		   share_has_account_left(delivery, destination);
}

Destination *
delivery_next_to_start(Delivery *delivery)
{
	const guint n = MIN(delivery->waiting.length, SHARE_LOOKS);

	for (guint i = 0; i < n; i++) {
		Destination *destination = g_queue_pop_head(&delivery->waiting);

		if (delivery_may_start(delivery, destination)) {
			destination->is_waiting = false;
			return destination;
		}
		g_queue_push_tail(&delivery->waiting, destination);
	}
	return NULL;
}

/* ---- addresses ---- */

bool
delivery_enter_address(DeliveryThread *thread, const HopAddress *to, unsigned most)
{
	Delivery *delivery = thread->delivery;
	g_autofree char *key = NULL;
	unsigned used;

	if (thread->destination->hop->path != NULL) /* of a Unix socket there is one */
		return true;
	key = hop_address_text(thread->destination->hop, to);
	g_mutex_lock(&delivery->lock);
	used = GPOINTER_TO_UINT(g_hash_table_lookup(delivery->addresses, key));
	if (used < most) {
		g_free(thread->address);
		thread->address = g_strdup(key);
		g_hash_table_insert(delivery->addresses, g_steal_pointer(&key), GUINT_TO_POINTER(used + 1));
	}
	g_mutex_unlock(&delivery->lock);
	return used < most;
}

void
delivery_leave_address(DeliveryThread *thread)
{
	Delivery *delivery = thread->delivery;
	unsigned used;

	if (thread->address == NULL)
		return;
	g_mutex_lock(&delivery->lock);
	used = GPOINTER_TO_UINT(g_hash_table_lookup(delivery->addresses, thread->address));
	if (used > 1)
		g_hash_table_insert(delivery->addresses, g_strdup(thread->address), GUINT_TO_POINTER(used - 1));
	else
		g_hash_table_remove(delivery->addresses, thread->address);
	g_mutex_unlock(&delivery->lock);
	g_clear_pointer(&thread->address, g_free);
}
