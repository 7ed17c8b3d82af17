/* hook.h - one call of one hook: what it may see, what it said, what it wants changed.
 *
 * The host shows it to the plugin as a PtnHook.  It belongs to the thread that runs the hook. */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/region.h"
#include "engine/lookups.h"
#include "mail/envelope.h"
#include "plugin-api.h"
#include "service/directory.h"

typedef struct HookRow HookRow;
typedef struct HookCall HookCall;
typedef struct Transaction Transaction;

/* What is known of a session; copied for observers, who come when it may be gone. */
typedef struct {
	char id[24];
	IpAddress client;
	uint16_t client_port;
	char *client_name;    /* confirmed reverse name, NULL: none known */
	char *listener;
	bool is_inbound, takes_auth; /* of that listener */
	bool is_at_work;      /* the client has sent mail of an account within the last minutes; of the event "too-many-connections" alone */
	bool is_monitor;      /* nothing is counted against the client; see engine_settings_is_monitor() */
	bool has_only_quit;   /* QUIT was all that the client said */
	unsigned accepted;    /* messages of the session that were accepted so far */
	char *helo;
	bool is_esmtp;
	char *tls_version, *tls_cipher, *tls_client_name; /* NULL: in clear, no certificate */
	GHashTable
		*proxy; /* what a PROXY header said beyond the address, by name ("authority"); a reference, read only;
						   * NULL: nothing */
	char *login;          /* as the directory has it; NULL before authentication */
	DirectoryEntry *account, *customer; /* NULL: none, or not in the directory */
	ClientBudget *client_budget;        /* a reference; NULL: nothing is counted */
	const ClientLimits *client_limits;  /* of the snapshot */
	AccountBudget *account_budget;      /* a reference; NULL before authentication */
} SessionFacts;

void session_facts_clear(SessionFacts *facts);
SessionFacts *session_facts_copy(const SessionFacts *facts); /* new */
void session_facts_free(SessionFacts *facts);

typedef enum {
	ACT_SET_SENDER,        /* text */
	ACT_PERMIT,
	ACT_REPLACE_RECIPIENT, /* index, list */
	ACT_NOTE,              /* name, text (NULL: remove) */
	ACT_ADD_HEADER,        /* name, text */
	ACT_REMOVE_HEADERS,    /* name */
	ACT_COPY,              /* copy */
	ACT_HOLD,              /* text, time */
	ACT_BAR_COPIES,        /* text: there are no copies of this message, whoever asks for some */
	ACT_ROUTE,             /* text */
	ACT_IDENTIFY,          /* text */
} ActKind;

typedef struct CopyNote CopyNote;

struct CopyNote {
	CopyNote *next;
	const char *name, *value;
};

typedef struct {
	const char *sender, *recipient;
	const char *headers; /* "Name: value\r\n" each */
	CopyNote *notes;
} CopyAct;

/* What takes effect when the hook returns well; all memory is of the call's region. */
typedef struct {
	ActKind kind;
	const char *name, *text;
	const char *const *list;
	size_t index;
	int64_t time_us;
	CopyAct *copy;
} Act;

struct HookCall {
	PtnStage stage;
	const SessionFacts *facts;   /* NULL in the queue, and in work behind a hook */
	ClientBudget *client_budget; /* without facts: of the session that began the work; borrowed, NULL: none did */
	const ClientLimits *client_limits;
	Transaction *transaction;    /* MAIL … MESSAGE */
	const Envelope *envelope;    /* in the queue, and for observers of a message */
	size_t recipient;            /* the one at hand: RCPT, ROUTE, DELIVER … BOUNCED */
	const char *content;         /* as received, DELIVER only; elsewhere it is the transaction's */
	size_t content_size;
	const char *login, *password; /* AUTH; login also of an EVENT: the one that was tried */
	Region *region;              /* lives until the hook returns */
	Region *session_region;      /* NULL where there is no session */
	Region *message_region;
	void **session_states, **message_states; /* one place per plugin; NULL: none */
	int64_t begun_us;            /* monotonic; 0: who calls has not looked at the clock */
	int64_t deadline_us;         /* monotonic */
	bool is_content_exempt;      /* all recipients are exempt: a refusal for content only bars copies */
	bool may_wait;               /* false on a loop: services answer UNSURE instead */
	bool would_have_waited;
	const atomic_bool *is_gone;  /* the client; services fail then.  NULL: there is none */
	/* What it said; of a REPLY, before the account's on-refusal. */
	PtnCause cause;
	int code;
	const char *enhanced, *text;
	const char *item;            /* of the plugin, on whose account it refuses; NULL: none */
	const char *about;           /* EVENT: its name; REPLY: the plugin that refused, NULL: the core */
	bool is_ours;                /* REPLY, DELIVERED …: the reply told of is our own */
	const char *failure;         /* of PTN_FAILED */
	const char *missing;         /* what a service could not give it: unless it refuses, the hook fails; NULL: nothing */
	GArray *acts;                /* of Act; NULL: none */
	GPtrArray *asked;            /* of a rehearsal: what services were asked, in words; nothing is written or counted then.
								  * NULL: it is in earnest */
	Lookups *lookups;            /* of the session, or of the call without one */
};

/* True: a line of the log may be written that a client is the reason for; else it is counted under `reason`. */
bool hook_may_log(const HookCall *call, const char *reason);
/* The plugin, with the item it refuses for: "dnsbl/xbl"; new. */
char *hook_name(const char *plugin, const HookCall *call);
/* Adds an act, zeroed but for its kind. */
Act *hook_add_act(HookCall *call, ActKind kind);
