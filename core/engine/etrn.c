/* etrn.c - domains whose mail is to be tried at once, one pass after the other. */
#include "engine/etrn.h"

#include "base/keyed-hash.h"

enum { ETRN_KNOWN = 10 }; /* for each that may wait */

struct Etrn {
	EtrnSettings settings;
	Work work;
	GMutex lock;         /* guards what follows */
	GQueue waiting;      /* of char*, the keys of `asked` */
	GHashTable *asked;   /* domain in lower case -> int64_t*: when it was asked for */
	int64_t next_us;     /* monotonic: no pass before */
	bool is_running;
};

static void etrn_run(void *data);

Etrn *
etrn_new(const EtrnSettings *settings)
{
	Etrn *etrn = g_new0(Etrn, 1);

	etrn->settings = *settings;
	etrn->work.run = etrn_run;
	etrn->work.data = etrn;
	g_mutex_init(&etrn->lock);
	g_queue_init(&etrn->waiting);
	etrn->asked = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	return etrn;
}

void
etrn_free(Etrn *etrn)
{
	if (etrn == NULL)
		return;
	g_queue_clear(&etrn->waiting);
	g_hash_table_unref(etrn->asked);
	g_mutex_clear(&etrn->lock);
	g_free(etrn);
}

/* ---- a pass ---- */

/* New; NULL: none waits. */
static char *
etrn_take(Etrn *etrn)
{
	char *domain;

	g_mutex_lock(&etrn->lock);
	domain = g_strdup(g_queue_pop_head(&etrn->waiting));
	g_mutex_unlock(&etrn->lock);
	return domain;
}

/* False: it is none of ours, which costs no pass.  If the directory cannot tell, the domain may be asked for again. */
static bool
etrn_pass(Etrn *etrn, const char *domain)
{
	g_autoptr(DirectoryEntry) entry = NULL;

	if (directory_find(etrn->settings.directory, PTN_DOMAIN, domain, CLOCK_NEVER, &entry) != PTN_OK)
		return false;
	etrn->settings.retry(etrn->settings.data, domain);
	return true;
}

/* By a worker: the first domain that is one of ours. */
static void
etrn_run(void *data)
{
	Etrn *etrn = data;
	bool has_passed = false;
	char *domain;

	while (!has_passed && (domain = etrn_take(etrn)) != NULL) {
		has_passed = etrn_pass(etrn, domain);
		g_free(domain);
	}
	g_mutex_lock(&etrn->lock);
	etrn->is_running = false;
	g_mutex_unlock(&etrn->lock);
}

static void
etrn_begin(Etrn *etrn)
{
	const int64_t now_us = clock_monotonic(etrn->settings.clock);
	bool begins;

	g_mutex_lock(&etrn->lock);
	begins = !etrn->is_running && now_us >= etrn->next_us && !g_queue_is_empty(&etrn->waiting);
	if (begins) {
		etrn->is_running = true;
		etrn->next_us = now_us + etrn->settings.distance_us;
	}
	g_mutex_unlock(&etrn->lock);
	if (!begins)
		return;
	if (etrn->settings.workers == NULL) {
		etrn_run(etrn);
	} else if (!workers_run(etrn->settings.workers, &etrn->work)) {
		g_mutex_lock(&etrn->lock);
		etrn->is_running = false; /* the next tick tries again */
		g_mutex_unlock(&etrn->lock);
	}
}

/* ---- requests ---- */

static gboolean
etrn_is_old(gpointer key, gpointer value, gpointer before_us)
{
	(void)key;
	return *(const int64_t *)value <= *(const int64_t *)before_us;
}

/* Lock held: those that were asked for a while ago are forgotten, but for those that wait. */
static void
etrn_forget_locked(Etrn *etrn, int64_t now_us)
{
	const int64_t before_us = now_us - etrn->settings.again_us;

	if (g_queue_is_empty(&etrn->waiting))
		(void)g_hash_table_foreach_remove(etrn->asked, etrn_is_old, (gpointer)&before_us);
}

/* Lock held. */
static void
etrn_add_locked(Etrn *etrn, char *domain /* takes */, int64_t now_us)
{
	const guint most_known = ETRN_KNOWN * etrn->settings.most;
	const int64_t *asked_us;

	if (g_hash_table_size(etrn->asked) >= most_known)
		etrn_forget_locked(etrn, now_us);
	asked_us = g_hash_table_lookup(etrn->asked, domain); /* what is forgotten is freed */
	if ((asked_us != NULL && now_us - *asked_us < etrn->settings.again_us) ||
		g_queue_get_length(&etrn->waiting) >= etrn->settings.most ||
		g_hash_table_size(etrn->asked) >= most_known ||
		g_queue_find_custom(&etrn->waiting, domain, (GCompareFunc)g_strcmp0) != NULL) {
		g_free(domain);
		return;
	}
	g_hash_table_replace(etrn->asked, domain, g_memdup2(&now_us, sizeof now_us));
	g_queue_push_tail(&etrn->waiting, domain);
}

void
etrn_ask(Etrn *etrn, const char *domain)
{
	g_mutex_lock(&etrn->lock);
	etrn_add_locked(etrn, g_ascii_strdown(domain, -1), clock_monotonic(etrn->settings.clock));
	g_mutex_unlock(&etrn->lock);
	etrn_begin(etrn);
}

void
etrn_tick(Etrn *etrn)
{
	g_mutex_lock(&etrn->lock);
	etrn_forget_locked(etrn, clock_monotonic(etrn->settings.clock));
	g_mutex_unlock(&etrn->lock);
	etrn_begin(etrn);
}

unsigned
etrn_waiting(Etrn *etrn)
{
	unsigned waiting;

	g_mutex_lock(&etrn->lock);
	waiting = g_queue_get_length(&etrn->waiting);
	g_mutex_unlock(&etrn->lock);
	return waiting;
}
