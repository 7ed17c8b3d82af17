/* settings.h - what the engine wants to know of the configuration, as plain values. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "io/tls.h"
#include "service/account-budget.h"
#include "service/client-budget.h"

typedef enum { LISTENER_TLS_NONE, LISTENER_TLS_STARTTLS, LISTENER_TLS_IMPLICIT, LISTENER_TLS_AUTO } ListenerTls;

typedef struct {
	char *name;
	GArray *addresses; /* of IpAddress */
	GArray *ports;     /* of uint16_t  */
	ListenerTls tls;
	bool takes_auth, takes_auth_in_clear, is_lenient; /* bare-newline = normalise */
	bool is_strict; /* compat = strict: no mistakes of clients are tolerated */
	bool is_free;      /* its addresses need not be of this machine yet */
	bool is_inbound;   /* takes mail for addresses of ours without AUTH */
	GArray *proxies;   /* of IpNetwork: who may send a PROXY header; they must */
} ListenerSettings;

typedef struct {
	char *hostname, *banner_name, *header_prefix, *support, *abuse_text;
	char *service_name;       /* how the service calls itself in the subjects of notices */
	char *templates;          /* directory of the notices' texts; NULL: those compiled in */
	char *postmaster;         /* an address of ours: its mail is taken on inbound listeners */
	char **ehlo_without;
	char **exempt_recipients; /* patterns of exempt.h: whose mail is accepted whatever it contains */
	int64_t max_message;
	uint64_t held_per_domain; /* octets of mail that a domain may have held; 0: any */
	int forward_days;         /* how long bounces of forwarded mail may take */
	unsigned max_recipients, max_received, max_connections;
	unsigned max_commands;      /* of a connection */
	unsigned max_lookups;       /* DNS lookups that a session holds at a time */
	ClientLimits clients;       /* of each client network */
	AccountLimits accounts;     /* of each account */
	unsigned soft_errors, hard_errors, max_junk, max_auth_failures;
	uint64_t min_data_rate;     /* octets a second of a message; 0: any */
	size_t max_unread;          /* octets of replies that a client has not read */
	size_t max_ahead;           /* octets read ahead while a worker serves the session */
	int64_t last_reply_us;      /* to read the reply that ends a session */
	int64_t handshake_us, idle_us, session_max_us, error_delay_us, auth_delay_us, auto_tls_wait_us, chain_us;
	bool adds_date, adds_message_id, removes_bcc, removes_return_path, shows_login, hides_client;
	bool refuses_at_rcpt;       /* what connect, tls, helo and mail decided is told at RCPT */
	bool opens_server_accounts; /* what filters their sources is loaded */
	GArray *etrn_clients; /* of IpNetwork: who may use ETRN without authentication */
	GArray *monitors;     /* of IpNetwork: clients against whom nothing is counted, and who are never blocked */
	GPtrArray *listeners; /* of ListenerSettings*, frees them */
} EngineSettings;

EngineSettings *engine_settings_new(void);
void engine_settings_free(EngineSettings *settings);
/* True: the address is no client that may be blocked: it lies in `monitors`, or in the `proxies` of a listener.  Any
 * thread; does not block. */
bool engine_settings_is_monitor(const EngineSettings *settings, const IpAddress *address);
ListenerSettings *listener_settings_new(const char *name);
void listener_settings_free(ListenerSettings *settings);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EngineSettings, engine_settings_free)
