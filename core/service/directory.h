/* directory.h - customers, mail domains and outbound accounts, over a durable store.
 *
 * An entry is a set of named text values with a version.  A DirectoryEntry handed out is a private copy:
 * its owner may change it and save it; save answers TAKEN when somebody else saved in between.
 *
 * Core names - customer: level primary postmaster alert enabled enabled-since reason outbound; domain: customer mode
 * destination port forward-to valid-recipients on-missing-host; account: customer domain type password enabled
 * enabled-since reason; recipient (an address that a domain with valid-recipients = yes takes): domain customer.  Plugins add
 * "PLUGIN.option".  Types: single any server.  Modes: directory_modes.  A setting keeps its meaning in every mode, so a
 * change of mode and back loses none.
 *
 * The customer of an account or a recipient is that of its domain, read with the entry; what the record itself has is a copy for
 * older readers, and counts only while the domain cannot be found.  Owners are in lower case and A-labels, booleans "yes" or "no",
 * values one line, whatever was written: see directory-form.c.  Not set, an entry is enabled and outbound is allowed. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugin-api.h"
#include "service/audit.h"
#include "service/store.h"

enum {
	DIRECTORY_REASON_MAX = 200,   /* octets: it stands in replies of one line */
	DIRECTORY_VALUE_MAX = 65536, /* octets of any other value                */
};

typedef struct Directory Directory;
typedef struct DirectoryEntry DirectoryEntry;

/* How mail for a domain is handled; the words end with NULL. */
typedef enum {
	MODE_REDIRECT,        /* "SMTP Redirection (Direct Delivery)" to destination and port       */
	MODE_HOLD,            /* "Accept and Hold Messages"                                         */
	MODE_SECONDARY,       /* "Secondary MX": to better exchangers than us                        */
	MODE_HOSTED,          /* "Hosted Mail Domain": by [route]s with for-mode = hosted            */
	MODE_FORWARD,         /* "Forward All to Email Address": to forward-to, with a sender of ours */
	MODE_FORWARD_MAILBOX, /* "Forward All to Mail Box": into the hosted mailbox forward-to       */
	MODE_OUTBOUND_ONLY,   /* its accounts send; mail for it is not ours                          */
} DomainMode;

extern const char *const directory_modes[];
/* "Accept and Hold Messages"; "": no such mode. */
const char *directory_mode_title(const char *mode);

/* `store` is borrowed and outlives it. */
Directory *directory_new(Store *store);
void directory_free(Directory *directory);
/* The value of an option as a record may show it; new. */
typedef char *DirectoryHide(void *data, PtnKind kind, const char *name, const char *value);
/* From now on each entry saved or removed leaves a record in `audit`, which is borrowed and may be NULL: none.  Passwords
 * are hidden whatever `hide` says, which may be NULL.  Before anybody changes something. */
void directory_set_audit(Directory *directory, Audit *audit, DirectoryHide *hide, void *data);
/* The clock of "enabled-since", borrowed; preset is the system's. */
void directory_set_clock(Directory *directory, const Clock *clock);
/* How many entries of a remote store are remembered, those that do not exist included; before anybody asks. */
void directory_set_cached(Directory *directory, size_t most);
/* How many there are. */
size_t directory_cached(Directory *directory);

/* Names compare without case (of ASCII) and are kept in lower case.  New entry on PTN_OK.
 *
 * With a remote store entries (and that there are none) are remembered until they change, which is seen within a second
 * of a change by another node; while the store is away, accounts and customers for ten minutes more, others until it is
 * back.  On the thread of a loop PTN_UNSURE means that a worker is to ask again. */
PtnStatus directory_find(Directory *directory, PtnKind kind, const char *name, int64_t deadline_us,
	DirectoryEntry **entry);
/* The same, from the store itself: for whoever judges passwords, or changes what it finds. */
PtnStatus directory_find_now(Directory *directory, PtnKind kind, const char *name, int64_t deadline_us,
	DirectoryEntry **entry);
/* New, empty, not saved; saving it answers TAKEN if the name exists. */
DirectoryEntry *directory_entry_new(PtnKind kind, const char *name);
void directory_entry_free(DirectoryEntry *entry);
/* Since when a customer or an account may send again, that was barred (enabled or outbound = no) before; wall clock.  False: it
 * never was. */
bool directory_enabled_since(const DirectoryEntry *entry, int64_t *us);
/* The entry gets its new version, and "enabled-since" where it may send again from now on.  All changes pass through these two,
 * and leave a record each that says it was `actor` (NULL: the daemon itself). */
PtnStatus directory_save(Directory *directory, DirectoryEntry *entry, Actor *actor, int64_t deadline_us);
PtnStatus directory_remove(
	Directory *directory, PtnKind kind, const char *name, Actor *actor, int64_t deadline_us);
/* Entries of a kind by name, after `after`, at most `limit`; with_option NULL: all.  New array that frees. */
PtnStatus directory_list(Directory *directory, PtnKind kind, const char *with_option, const char *after,
	size_t limit, int64_t deadline_us, GPtrArray **entries);
/* Another number whenever an entry of `kind` changed, on any node; never waits.  UNSURE: a remote store was not heard of
 * yet. */
PtnStatus directory_changes(Directory *directory, PtnKind kind, int64_t deadline_us, uint64_t *number);

/* A random text that all nodes share, made when it is first asked for; new, or NULL: it cannot be read or kept now. */
char *directory_secret(Directory *directory, const char *name);
/* Keeps a value for all nodes under a name that stands for it; false: not now.  Recall: NONE once `time_us` is over. */
bool directory_remember(Directory *directory, const char *name, const char *value, int64_t time_us);
PtnStatus directory_recall(Directory *directory, const char *name, char **value);

PtnKind directory_entry_kind(const DirectoryEntry *entry);
const char *directory_entry_name(const DirectoryEntry *entry);
uint64_t directory_entry_version(const DirectoryEntry *entry);
const char *directory_entry_get(const DirectoryEntry *entry, const char *name);          /* NULL: not set */
const char *const *directory_entry_get_list(DirectoryEntry *entry, const char *name);    /* never NULL    */
/* True: the customer was set since the entry was made or read, so it is a statement and no copy. */
bool directory_entry_states_customer(const DirectoryEntry *entry);
void directory_entry_set(DirectoryEntry *entry, const char *name, const char *value);    /* NULL: unset   */
/* The domain of an account's login, or of a recipient; within `name`. */
const char *directory_domain_of(const char *name);
/* "customer", "domain", "account", "recipient". */
const char *directory_kind_name(PtnKind kind);
/* "a customer", "an account", …: for sentences. */
const char *directory_kind_phrase(PtnKind kind);
/* All names set, sorted; NULL-terminated, lives until the entry changes. */
const char *const *directory_entry_names(DirectoryEntry *entry);

/* Rules that hold whoever writes (posternctl, import, a plugin): a domain has an existing customer; an
 * account's login form fits its type (user@d single, @d any, d server), its domain is one of its
 * customer's; modes, addresses and booleans are well-formed.  The sentence says what would be right.
 * Fills in what follows: an account's type (server must be given), domain and customer; "HOST:PORT" as destination of a
 * domain becomes destination and port.  Error codes: INVALID, NOT_FOUND (what it refers to), UNAVAILABLE. */
bool directory_check(Directory *directory, DirectoryEntry *entry, GError **error);
/* What holds of the value of any option, the core's or a plugin's: it stands in replies, log lines, cells of tables and lines of an
 * export, so it is one line of UTF-8 that hides nothing, of at most DIRECTORY_VALUE_MAX octets ("reason": DIRECTORY_REASON_MAX).
 * directory_check() asks for all; this is for who can say where the value came from.  INVALID. */
bool directory_check_value(const char *name, const char *value, GError **error);
/* The words that a value of this option of the core is one of, with NULL behind them; NULL: there are none. */
const char *const *directory_choices(const char *name);
/* What holds where this option of the core is not set; NULL: nothing. */
const char *directory_preset(const char *name);
/* Domains other than `domain` whose mode forwards to an address of it; with `mailbox` only those that forward into a mailbox, which
 * are right only while it is hosted.  New array of names that frees; NULL: the directory cannot be read.  May block. */
GPtrArray *directory_forwarders(Directory *directory, const char *domain, bool mailbox, GError **error);
/* The names, at most three of them and how many more.  New. */
char *directory_show_names(const GPtrArray *names);
/* A domain removed takes its accounts and recipients with it; a customer with domains is refused, and so is a
 * domain into whose mailboxes others forward.
 * `removed` (elements are freed by g_free) gets "account NAME", "domain NAME" of what went. */
bool directory_remove_checked(Directory *directory, PtnKind kind, const char *name, Actor *actor,
	GPtrArray *removed, GError **error);

/* The account's or customer's standing: NULL if it may submit, else the reason ("disabled", or the text
 * given when it was).  Considers account and customer.  `customer` may be NULL. */
const char *directory_account_barred(const DirectoryEntry *account, const DirectoryEntry *customer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Directory, directory_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DirectoryEntry, directory_entry_free)
