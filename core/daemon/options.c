/* options.c - every option of the core. */
#include "daemon/options.h"

#include <string.h>

#include "base/clock.h"
#include "host/host.h"
#include "service/directory.h"

#define SERVER PTN_IN_SERVER
#define OPTIONS_UNLISTED "the plugin is installed, and not listed in [server] plugins"
#define HOUR (3600 * CLOCK_SECOND)
#define DAY (24 * HOUR)

static const char *const choices_refuse_at[] = { "stage", "rcpt", NULL };
static const char *const choices_tls[] = { "none", "starttls", "implicit", "auto", NULL };
static const char *const choices_compat[] = { "strict", "usual", NULL };
static const char *const choices_newline[] = { "refuse", "normalise", NULL };
static const char *const choices_minimum[] = { "TLSv1.2", "TLSv1.3", NULL };
static const char *const choices_format[] = { "text", "json", NULL };
static const char *const choices_level[] = { "debug", "info", "warning", "error", NULL };
static const char *const choices_policy[] = { "none", "may", "encrypt", "verify", NULL };

static const PtnOption options_server[] = {
	{ "hostname", PTN_HOST, SERVER, NULL, "our name in greeting, Received and reports; not set: the machine's" },
	{ "banner-name", PTN_TEXT, SERVER, "Postern", "what the greeting calls the software" },
	{ "header-prefix", PTN_TEXT, SERVER, "X-Postern", "begins the names of the header fields that we add" },
	{ "abuse-text", PTN_TEXT, SERVER, NULL,
		"value of the header field PREFIX-Abuse of submitted mail; not set: no such field" },
	{ "support", PTN_TEXT, SERVER, NULL, "second line of every refusal; %{session} and %{cause} are filled in" },
	{ "postmaster", PTN_MAILBOX, SERVER, NULL,
		"our own address; its mail is taken on inbound listeners; not set: postmaster@HOSTNAME" },
	{ "service-name", PTN_TEXT, SERVER, "postern", "how the service calls itself in the subjects of notices" },
	{ "templates", PTN_FILE, SERVER, POSTERN_SYSCONFDIR "/templates",
		"directory of the texts of notices, a file each; what is missing there is compiled in" },
	{ "exempt-recipients", PTN_TEXT | PTN_LIST, SERVER, "abuse@ .spamcop.net",
		"local@, user@domain, domain or .domain (with those below): mail is accepted whatever it contains if all "
		"of its recipients are such; what would be refused has no copies" },
	{ "own-addresses", PTN_TEXT | PTN_LIST, SERVER, "",
		"addresses that lead here although no interface has them (behind NAT, a load balancer); an MX record or a "
		"redirect that leads to one is a loop; what the listeners have is known" },
	{ "refuse-at", PTN_CHOICE, SERVER, "stage",
		"when a refusal of connect, helo and mail is told: at once, or at RCPT, where from and to are known", 0, 0,
		choices_refuse_at },
	{ "user", PTN_TEXT, SERVER, "postern", "user to run as, when started as root", .needs_restart = true },
	{ "node", PTN_NUMBER, SERVER, "0",
		"number of this node, in every queue id; different on nodes that share anything", 0, 1023,
		.needs_restart = true },
	{ "max-message", PTN_SIZE, SERVER, "200M", "octets of a message (SIZE)", 1024, INT64_C(1) << 40 },
	{ "max-recipients", PTN_NUMBER, SERVER, "1000", "recipients of a message; more get 452", 1, 100000 },
	{ "max-received", PTN_NUMBER, SERVER, "50", "Received fields of a message; more are a loop", 1, 1000 },
	{ "max-connections", PTN_NUMBER, SERVER, "20000", "connections at a time", 1, 1000000 },
	{ "max-commands", PTN_NUMBER, SERVER, "100000",
		"commands of a connection; then it ends with 421, between two messages if it can be", 100, 1000000000 },
	{ "max-lookups", PTN_NUMBER, SERVER, "10000",
		"DNS lookups that a session holds at a time; the answer to more is \"unsure\"", 10, 100000 },
	{ "max-workers", PTN_NUMBER, SERVER, "256", "threads for hooks that wait", 4, 10000, .needs_restart = true },
	{ "max-waiting", PTN_NUMBER, SERVER, "10000",
		"sessions and other work that may wait for one of max-workers; more get 451 at once", 1, 1000000,
		.needs_restart = true },
	{ "content-threads", PTN_NUMBER, SERVER, "0",
		"threads for hooks that look into content, at lower priority, of which one client holds half at most; "
		"0: two for each processor",
		0, 1000, .needs_restart = true },
	{ "password-threads", PTN_NUMBER, SERVER, "0",
		"threads that hash passwords, at a priority lower still; 0: one for each processor", 0, 1000,
		.needs_restart = true },
	{ "max-computing", PTN_NUMBER, SERVER, "1000",
		"sessions that may wait for content-threads, and as many for password-threads; more get 451 (AUTH: 454)",
		1, 1000000, .needs_restart = true },
	{ "max-events", PTN_NUMBER, SERVER, "10000",
		"events that may wait for plugins that observe, and twice as many ends of sessions; more are lost and "
		"counted",
		100, 10000000, .needs_restart = true },
	{ "ehlo-without", PTN_TEXT | PTN_LIST, SERVER, "", "extensions that EHLO does not show" },
	{ "etrn-clients", PTN_NETWORK | PTN_LIST, SERVER, "",
		"networks whose clients may use ETRN without authentication; others get 459, whatever the domain" },
	{ "etrn-again", PTN_TIME, SERVER, "60s",
		"time in which a domain is tried once by ETRN, however often it is asked for",
		CLOCK_SECOND, HOUR, .needs_restart = true },
	{ "etrn-distance", PTN_TIME, SERVER, "5s", "time from the try of one domain by ETRN to that of the next",
		CLOCK_SECOND, HOUR, .needs_restart = true },
	{ "max-etrn", PTN_NUMBER, SERVER, "1000",
		"domains that wait for a try by ETRN, and ten times as many that were tried in etrn-again; more are "
		"forgotten",
		1, 100000, .needs_restart = true },
	{ "monitors", PTN_NETWORK | PTN_LIST, SERVER, "127.0.0.0/8 ::1",
		"networks of health checks and of other trusted clients: no block keeps them out, and plugin blocking "
		"counts nothing against them; the limits of [clients] hold for them, too; addresses in the proxies of a "
		"listener are treated the same" },
	{ "soft-errors", PTN_NUMBER, SERVER, "10",
		"violations of the protocol since the last accepted message, before each further one costs error-delay; "
		"the same for refusals for good (5xx) of a client that has not authenticated",
		0, 10000 },
	{ "hard-errors", PTN_NUMBER, SERVER, "20",
		"violations of the protocol since the last accepted message that end a session; refusals by rules, and "
		"what may pass by itself (4xx), are none; a client without a login that is refused for that so often is "
		"sent away, too",
		1, 10000 },
	{ "max-junk", PTN_NUMBER, SERVER, "100",
		"commands that do nothing (NOOP, RSET, VRFY, ETRN, HELP, MAIL, a repeated EHLO) since the last message, "
		"before they count as errors",
		0, 100000 },
	{ "max-auth-failures", PTN_NUMBER, SERVER, "5", "failed authentications that end a session", 1, 1000 },
	{ "idle-timeout", PTN_TIME, SERVER, "5m",
		"time for a command, from our last reply to its end, for reading our replies, and of silence within a "
		"message",
		CLOCK_SECOND, HOUR },
	{ "last-reply-timeout", PTN_TIME, SERVER, "60s",
		"time for reading the reply that ends a session", CLOCK_SECOND, HOUR },
	{ "max-unread", PTN_SIZE, SERVER, "64K",
		"octets of replies that a client has not read; with more, nothing more is read from it", 4096, 64 << 20 },
	{ "max-ahead", PTN_SIZE, SERVER, "512K",
		"octets that are read ahead from a client while a worker serves it", 4096, 64 << 20 },
	{ "min-data-rate", PTN_NUMBER, SERVER, "256",
		"octets a second that a message must bring, over each idle-timeout; 0: any", 0, 1000000 },
	{ "handshake-timeout", PTN_TIME, SERVER, "60s", "time for a TLS handshake, and for a PROXY header",
		CLOCK_SECOND, HOUR },
	{ "session-max-time", PTN_TIME, SERVER, "1h",
		"age at which a session ends between two messages; an idle-timeout later between MAIL and DATA; never "
		"within a message",
		CLOCK_SECOND, DAY },
	{ "stuck-after", PTN_TIME, SERVER, "10s",
		"time after which a loop that does not complete its round (a hook holds it), or a write that the disk "
		"does not finish, raises the alarm thread.stuck; WATCHDOG=1 is not sent while a loop is stuck",
		CLOCK_SECOND, HOUR },
	{ "error-delay", PTN_TIME, SERVER, "1s", "wait before the reply, behind soft-errors", 0, 60 * CLOCK_SECOND },
	{ "auth-delay", PTN_TIME, SERVER, "1s", "wait before the reply to a failed authentication", 0,
		60 * CLOCK_SECOND },
	{ "auto-tls-wait", PTN_TIME, SERVER, "200ms", "how long a listener with tls = auto waits for a ClientHello",
		CLOCK_SECOND / 100, 10 * CLOCK_SECOND },
	{ "chain-deadline", PTN_TIME, SERVER, "60s", "time that all hooks of a stage may take together", CLOCK_SECOND,
		10 * 60 * CLOCK_SECOND },
	{ "add-date", PTN_BOOL, SERVER, "yes", "add Date where it is missing" },
	{ "add-message-id", PTN_BOOL, SERVER, "yes", "add Message-ID where it is missing" },
	{ "remove-bcc", PTN_BOOL, SERVER, "yes", "remove the fields Bcc and Resent-Bcc" },
	{ "remove-return-path", PTN_BOOL, SERVER, "yes", "remove Return-Path fields" },
	{ "show-login", PTN_BOOL, SERVER, "no", "name the login in Received" },
	{ "hide-client", PTN_BOOL, SERVER, "no", "leave the client of submitted mail out of Received" },
	{ "plugins", PTN_TEXT | PTN_LIST, SERVER, "auth sender-rules", "the chain, in this order, at every stage" },
	{ "plugin-directory", PTN_FILE, SERVER, POSTERN_PLUGINDIR, "where NAME.so is looked for" },
	{ "control", PTN_FILE, SERVER, "/run/postern/control", "socket for posternctl", .needs_restart = true },
	{ "control-group", PTN_TEXT, SERVER, NULL,
		"group whose members may use all of posternctl; not set: root and the daemon's user alone",
		.needs_restart = true },
	{ "support-group", PTN_TEXT, SERVER, NULL,
		"group whose members may look with posternctl (show, list, why, explain, audit), change nothing, and see "
		"neither password hashes nor the content of mail; not set: nobody",
		.needs_restart = true },
	{ 0 },
};

static const PtnOption options_listener[] = {
	{ "addresses", PTN_TEXT | PTN_LIST, SERVER, "", "IP addresses to listen on; left out: all, IPv4 and IPv6" },
	{ "ports", PTN_NUMBER | PTN_LIST, SERVER, NULL, "ports to listen on", .is_required = true },
	{ "tls", PTN_CHOICE, SERVER, "starttls", "TLS: never, by STARTTLS, from the start, or as the client begins", 0,
		0, choices_tls },
	{ "auth", PTN_BOOL, SERVER, "yes", "clients authenticate; mail without it is refused" },
	{ "auth-without-tls", PTN_BOOL, SERVER, "no", "AUTH is offered in clear, too" },
	{ "inbound", PTN_BOOL, SERVER, "no", "mail for addresses of ours is taken without AUTH" },
	{ "bare-newline", PTN_CHOICE, SERVER, "refuse", "what to do with lines that do not end with CRLF", 0, 0,
		choices_newline },
	{ "compat", PTN_CHOICE, SERVER, "usual",
		"what of the clients' mistakes is taken; usual: addresses without brackets or with a final dot, local "
		"parts of more than 64 octets, recipients with dots where none belong, AUTH behind HELO behind EHLO, "
		"base64 without its padding or with blanks behind it, an authzid in another letter case; strict: none "
		"of these",
		0, 0, choices_compat },
	{ "freebind", PTN_BOOL, SERVER, "no", "addresses may be such as this machine does not have yet" },
	{ "proxies", PTN_NETWORK | PTN_LIST, SERVER, "", "networks whose connections begin with a PROXY header" },
	{ 0 },
};

static const PtnOption options_tls[] = {
	{ "certificate", PTN_FILE, SERVER, NULL, "PEM file of the certificate and its chain", .is_required = true },
	{ "key", PTN_FILE, SERVER, NULL, "PEM file of its key", .is_required = true },
	{ "minimum", PTN_CHOICE, SERVER, "TLSv1.2", "oldest version of TLS; of [tls] alone", 0, 0, choices_minimum },
	{ "ask-client-certificate", PTN_BOOL, SERVER, "no",
		"ask clients for a certificate, require none; of [tls] alone" },
	{ 0 },
};

/* A client is an IPv4 address, or an IPv6 network of ipv6-prefix bits. */
static const PtnOption options_clients[] = {
	{ "ipv6-prefix", PTN_NUMBER, SERVER, "64", "leading bits of an IPv6 address that make one client", 32, 128 },
	{ "connections", PTN_NUMBER, SERVER, "500", "connections of one client at a time; more get 421", 1, 1000000 },
	{ "connection-rate", PTN_NUMBER, SERVER, "6000", "new connections of one client a minute; more get 421", 1,
		100000000 },
	{ "commands", PTN_NUMBER, SERVER, "60000",
		"commands of one client a minute before it authenticated; one more gets 421", 10, 1000000000 },
	{ "lookups", PTN_NUMBER, SERVER, "10000",
		"DNS lookups that sessions of one client hold before authentication; the answer to more is "
		"\"unsure\"",
		10, 1000000 },
	{ "work", PTN_NUMBER, SERVER, "500",
		"sessions of one client that a worker runs, or that wait for one; more get 451", 1, 1000000 },
	{ "computing", PTN_NUMBER, SERVER, "250",
		"sessions of one client that wait for content-threads, and as many for password-threads; more get 451 "
		"(AUTH: 454)",
		1, 1000000, .needs_restart = true },
	{ "log-lines", PTN_NUMBER, SERVER, "120",
		"lines a minute about refusals and events of one client, in log and rejection log; the rest is counted",
		1, 1000000 },
	{ "all-log-lines", PTN_NUMBER, SERVER, "6000", "the same of all clients together", 1, 100000000 },
	{ "log-reasons", PTN_NUMBER, SERVER, "1000",
		"pairs of client and reason that are counted apart when lines are left out, a line a minute each; the "
		"others are counted as various",
		1, 1000000 },
	{ "unfinished", PTN_SIZE, SERVER, "2G",
		"octets of messages of one client that have no final reply yet; more get 452", 1 << 20,
		INT64_C(1) << 50 },
	{ "all-unfinished", PTN_SIZE, SERVER, "10G", "the same of all clients together", 1 << 20, INT64_C(1) << 50 },
	{ "known", PTN_NUMBER, SERVER, "100000",
		"clients that are remembered; while more are connected, the others share the budget of one", 10, 10000000,
		.needs_restart = true },
	{ 0 },
};

static const PtnOption options_accounts[] = {
	{ "lookups", PTN_NUMBER, SERVER, "100000",
		"DNS lookups that sessions of one account hold at a time; the answer to more is \"unsure\"", 10,
		1000000 },
	{ "deliveries", PTN_NUMBER, SERVER, "50",
		"connections to other servers that mail of one account holds at a time; what is due beyond waits", 1,
		10000 },
	{ "destinations", PTN_NUMBER, SERVER, "2000",
		"next hops at which active messages of one account wait or are delivered, counted for each message; "
		"beyond them its further messages stay in the queue",
		10, 1000000 },
	{ 0 },
};

static const PtnOption options_spool_rows[] = {
	{ "directory", PTN_FILE, SERVER, "/var/spool/postern", "where the queue is kept", .needs_restart = true },
	{ "keep-free", PTN_SIZE, SERVER, "512M", "space on its volume that mail leaves free; what would not gets 452",
		0, INT64_C(1) << 50, .needs_restart = true },
	{ "large", PTN_SIZE, SERVER, "256K", "content above this has a file of its own", 4096, 64 << 20,
		.needs_restart = true },
	{ "memory", PTN_SIZE, SERVER, "256M",
		"content in memory over all sessions, large content that plugins look into included; beyond it "
		"content goes to files, and hooks that want it in memory fail",
		1 << 20, INT64_C(1) << 40,
		.needs_restart = true },
	{ "held-per-domain", PTN_SIZE, SERVER, "1G",
		"mail held for a domain in mode hold, beyond which more gets 452; 0: any", 0, INT64_C(1) << 50 },
	{ "hold-at-most", PTN_TIME, SERVER, "30d",
		"age at which the postmaster is told of held mail; nothing is thrown away; 0: never", 0, 10000 * DAY },
	{ 0 },
};

/* Of both stores. */
#define OPTIONS_REDIS \
	{ "user", PTN_TEXT, SERVER, NULL, "of a Redis: its ACL user; not set: the URL's, or the default user", \
		.needs_restart = true }, \
		{ "password", PTN_SECRET, SERVER, NULL, \
			"of a Redis: the password, best as @FILE; not set: the URL's, or none; it needs TLS (rediss) unless " \
			"the Redis is on this machine", \
			.needs_restart = true }, \
		{ "trust", PTN_FILE, SERVER, NULL, \
			"of a Redis over TLS: PEM file of certificates to trust; not set: the system's", \
			.needs_restart = true }, \
		{ "prefix", PTN_TEXT, SERVER, \
			"postern:", "of a Redis: what all keys begin with; the same on all nodes that share it", \
			.needs_restart = true }, \
		{ "deadline", PTN_TIME, SERVER, "500ms", \
			"of a Redis: how long a call waits for a reply; after five consecutive calls without one the " \
			"server counts as away until a new connection was set up", \
			CLOCK_SECOND / 100, 10 * CLOCK_SECOND, .needs_restart = true }, \
	{ \
		"connections", PTN_NUMBER, SERVER, "2", "of a Redis: connections that all threads share", 1, 16, \
			.needs_restart = true \
	}

static const PtnOption options_directory[] = {
	{ "at", PTN_URL, SERVER, "sqlite:/var/lib/postern/directory.db",
		"where customers, domains and accounts are kept: sqlite:PATH, redis://[USER@]HOST[:PORT][/DB], or "
		"redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB]; rediss is Redis over TLS",
		.needs_restart = true },
	OPTIONS_REDIS,
	{ "cached", PTN_NUMBER, SERVER, "100000",
		"of a Redis: entries that this node remembers, names that do not exist included; those not asked for "
		"lately go",
		1000, 100000000, .needs_restart = true },
	{ "keep-audit", PTN_TIME, SERVER, "400d",
		"how long a record of who changed what is kept for posternctl audit; records made before keep their "
		"time",
		HOUR, 10000 * DAY, .needs_restart = true },
	{ 0 },
};

static const PtnOption options_store[] = {
	{ "at", PTN_URL, SERVER, "sqlite:/var/lib/postern/store.db",
		"where caches and counters are kept; as in [directory]", .needs_restart = true },
	OPTIONS_REDIS,
	{ "items", PTN_NUMBER, SERVER, "500000",
		"caches and counters in the memory of this node, some 300 octets each; beyond them the plugin that has "
		"the most loses some before their time",
		1000, 100000000, .needs_restart = true },
	{ 0 },
};

static const PtnOption options_dns[] = {
	{ "servers", PTN_TEXT | PTN_LIST, SERVER, "",
		"resolvers, ADDRESS or ADDRESS@PORT; left out: those of /etc/resolv.conf", .needs_restart = true },
	{ "trust-anchor", PTN_FILE, SERVER, NULL, "file of the root's keys; not set: no validation",
		.needs_restart = true },
	{ "stub-zones", PTN_TEXT | PTN_LIST, SERVER, "", "ZONE=ADDRESS[@PORT]: zones asked there",
		.needs_restart = true },
	{ "timeout", PTN_TIME, SERVER, "10s", "a query's whole time", CLOCK_SECOND, 60 * CLOCK_SECOND,
		.needs_restart = true },
	{ "cache", PTN_SIZE, SERVER, "32M", "memory for answers; those used least recently go", 1 << 20,
		INT64_C(1) << 40,
		.needs_restart = true },
	{ "lookups", PTN_NUMBER, SERVER, "20000",
		"lookups under way at a time, of all sessions, deliveries and plugins; the answer to more is \"unsure\"",
		100, 1000000, .needs_restart = true },
	{ "max-addresses", PTN_NUMBER, SERVER, "32", "A or AAAA records that are kept of an answer", 1, 1000,
		.needs_restart = true },
	{ "max-exchangers", PTN_NUMBER, SERVER, "100", "MX records that are kept of an answer", 1, 1000,
		.needs_restart = true },
	{ "max-text", PTN_SIZE, SERVER, "4K", "octets of all TXT records of an answer that are kept", 512, 65536,
		.needs_restart = true },
	{ "keep", PTN_TIME, SERVER, "1d",
		"time that an answer is cached at most, whatever its TTL", CLOCK_SECOND, 7 * DAY,
		.needs_restart = true },
	{ "keep-missing", PTN_TIME, SERVER, "1h",
		"the same for one that says that there is nothing", CLOCK_SECOND, DAY,
		.needs_restart = true },
	{ "keep-failed", PTN_TIME, SERVER, "5s", "time for which a failed lookup is not repeated", 0, HOUR,
		.needs_restart = true },
	{ 0 },
};

static const PtnOption options_sandbox[] = {
	{ "filter", PTN_BOOL, SERVER, "yes",
		"refuse system calls that the gateway does not need (EPERM), in the whole daemon: new programs, child "
		"processes, namespaces, keys, other processes' memory; no: for plugins of others that need one",
		.needs_restart = true },
	{ "parsers", PTN_NUMBER, SERVER, "0",
		"processes that parse messages for one plugin at a time; 0: two for each processor", 0, 1000 },
	{ "parser-memory", PTN_SIZE, SERVER, "1G",
		"memory of one of them, the message included; one that needs more ends, and the plugin fails", 128 << 20,
		INT64_C(1) << 40 },
	{ "parser-answer", PTN_SIZE, SERVER, "64M",
		"octets of an answer; a parser that gives more ends, and the plugin fails", 1 << 16, 1 << 30 },
	{ "parser-uses", PTN_NUMBER, SERVER, "1000",
		"messages that one of them parses; then a new one takes its place", 1, 1000000 },
	{ 0 },
};

static const PtnOption options_log[] = {
	{ "to", PTN_TEXT, SERVER, "stderr", "stderr, journal, syslog:FACILITY, or a file" },
	{ "format", PTN_CHOICE, SERVER, "text", "form of a line", 0, 0, choices_format },
	{ "level", PTN_CHOICE, SERVER, "info", "least level that is written", 0, 0, choices_level },
	{ "refusals", PTN_FILE, SERVER, "/var/lib/postern/refusals",
		"directory of the journal that posternctl why reads", .needs_restart = true },
	{ "refusals-per-day", PTN_SIZE, SERVER, "256M", "size of the journal of a day; what comes then is not kept",
		1 << 16, INT64_C(1) << 50, .needs_restart = true },
	{ "refusals-waiting", PTN_NUMBER, SERVER, "10000",
		"refusals that wait to be written; more are lost, and counted", 10, 10000000, .needs_restart = true },
	{ "keep-refusals", PTN_TIME, SERVER, "14d", "how long refusals are kept", DAY, 3650 * DAY,
		.needs_restart = true },
	{ 0 },
};

static const PtnOption options_delivery[] = {
	{ "from-addresses", PTN_TEXT | PTN_LIST, SERVER, "",
		"our addresses to send from; connections are spread over all of a family, and a family of which there is "
		"none is not used; left out: the system's choice" },
	{ "helo", PTN_HOST, SERVER, NULL, "our name in EHLO; not set: hostname" },
	{ "private-networks", PTN_NETWORK | PTN_LIST, SERVER, "",
		"networks that mail and verifications may be sent to although they are not public; destinations that "
		"customers enter, and what DNS says, lead to public addresses only, never to private, loopback or other "
		"special ones or to our own, unless they lie in one of these; a [route] may lead anywhere" },
	{ "spf-record", PTN_DOMAIN_NAME, SERVER, NULL,
		"domain whose SPF record our customers include; posternctl doctor compares it with our addresses" },
	{ "tls", PTN_CHOICE, SERVER, "may", "TLS to exchangers", 0, 0, choices_policy },
	{ "trust", PTN_FILE, SERVER, NULL,
		"PEM file of certificates to trust for tls = verify; not set: the system's" },
	{ "retry", PTN_TIME_RANGE, SERVER, "300s .. 4000s",
		"wait between attempts, doubling from the first to the second", CLOCK_SECOND, 10 * DAY },
	{ "expire", PTN_TIME, SERVER, "5d",
		"age at which undelivered mail is returned, at its second failed attempt since the start or a jump of the "
		"clock; time held does not count",
		CLOCK_SECOND, 100 * DAY },
	{ "forward-bounces", PTN_TIME, SERVER, "21d", "how long bounces of forwarded mail find back to its sender",
		DAY, 999 * DAY },
	{ "warn-after", PTN_TIME, SERVER, "4h", "age at which the sender is told of the delay; 0: never", 0,
		100 * DAY },
	{ "connect-timeout", PTN_TIME, SERVER, "30s", "time to connect", CLOCK_SECOND, HOUR },
	{ "greeting-timeout", PTN_TIME, SERVER, "60s",
		"time for greeting, EHLO, TLS and AUTH of a server that has not answered lately; one that has, has "
		"command-timeout", CLOCK_SECOND, HOUR },
	{ "attempt-timeout", PTN_TIME, SERVER, "15m",
		"time for a whole transaction but the reply to the final dot; each recipient and each 10 KB of content "
		"add a second", CLOCK_SECOND, 10 * HOUR },
	{ "command-timeout", PTN_TIME, SERVER, "5m", "time to wait for a reply", CLOCK_SECOND, HOUR },
	{ "data-timeout", PTN_TIME, SERVER, "10m", "time to send content and wait for its reply", CLOCK_SECOND,
		10 * HOUR },
	{ "max-active", PTN_NUMBER, SERVER, "20000",
		"messages that are on their way to next hops at a time; further ones stay in the queue", 10, 10000000 },
	{ "max-deliveries", PTN_NUMBER, SERVER, "200", "connections to other servers at a time", 1, 10000 },
	{ "per-destination", PTN_NUMBER, SERVER, "5",
		"most connections to one next hop; fewer while what waits is gone in two seconds", 1, 10000 },
	{ "per-connection", PTN_NUMBER, SERVER, "1000", "messages over one connection", 1, 1000000 },
	{ "max-addresses", PTN_NUMBER, SERVER, "5", "addresses of a next hop that are tried in one attempt", 1, 1000 },
	{ "ready", PTN_NUMBER, SERVER, "8",
		"messages that are ready in memory for one next hop beyond its connections; further ones wait in the "
		"queue",
		2, 1000 },
	{ 0 },
};

static const PtnOption options_route[] = {
	{ "to", PTN_TEXT | PTN_LIST, SERVER, NULL, "domains, .DOMAIN for all below one, * for all" },
	{ "for-mode", PTN_CHOICE | PTN_LIST, SERVER, NULL,
		"domains that have one of these modes in the directory; with to both must hold", 0, 0, directory_modes },
	{ "next-hop", PTN_TEXT, SERVER, NULL,
		"smtp://[USER@]HOST[:PORT], smtp:[ADDRESS]:PORT, smtps://[USER@]HOST[:PORT] (TLS from the start, port "
		"465), the same as smtp with lmtp:, lmtp:unix:/PATH, mx:DOMAIN, plugin:NAME",
		.is_required = true },
	{ "password", PTN_SECRET, SERVER, NULL, "of USER; best as @FILE" },
	{ "tls", PTN_CHOICE, SERVER, "may",
		"TLS to it: never, where it is offered, always, or always and with a certificate that is good for its "
		"name; a next hop with USER needs verify, or encrypt (with a warning, since nobody verifies who gets "
		"the login), unless it is on this machine; the login is never sent in clear to another one",
		0, 0, choices_policy },
	{ "certificate", PTN_FILE, SERVER, NULL,
		"PEM file that is shown to the next hop if it asks for a certificate, its chain behind it; read at start "
		"and reload" },
	{ "key", PTN_FILE, SERVER, NULL, "PEM file of the key that belongs to certificate" },
	{ "from-addresses", PTN_TEXT | PTN_LIST, SERVER, "",
		"our addresses to send from on this route, as in [delivery]; left out: those of [delivery]" },
	{ 0 },
};

static const PtnOption options_level[] = {
	{ "like", PTN_TEXT, SERVER, NULL, "another level, for what this one does not say" },
	{ 0 },
};

static const ConfigKind options_core[] = {
	{ "server", CONFIG_ONCE, options_server, false },
	{ "listener", CONFIG_NAMED, options_listener, false },
	{ "tls", CONFIG_BOTH, options_tls, false },
	{ "clients", CONFIG_ONCE, options_clients, false },
	{ "accounts", CONFIG_ONCE, options_accounts, false },
	{ "spool", CONFIG_ONCE, options_spool_rows, false },
	{ "directory", CONFIG_ONCE, options_directory, false },
	{ "store", CONFIG_ONCE, options_store, false },
	{ "dns", CONFIG_ONCE, options_dns, false },
	{ "sandbox", CONFIG_ONCE, options_sandbox, false },
	{ "log", CONFIG_ONCE, options_log, false },
	{ "delivery", CONFIG_ONCE, options_delivery, false },
	{ "route", CONFIG_NAMED, options_route, false },
	{ "level", CONFIG_NAMED, options_level, true },
};

const PtnOption *
options_of_core(const char *kind)
{
	for (size_t i = 0; i < G_N_ELEMENTS(options_core); i++)
		if (strcmp(options_core[i].kind, kind) == 0)
			return options_core[i].options;
	return NULL;
}

static void
options_add_kind(GArray *kinds, const char *kind, int naming, const PtnOption *rows, const char *why_not)
{
	const ConfigKind added = { g_intern_string(kind), naming, rows, false, why_not };

	g_array_append_val(kinds, added);
}

/* A plugin that is there and not in the chain: whoever writes a section of it believes that it works. */
static void
options_add_unlisted(GArray *kinds, const char *directory, const GPtrArray *rows)
{
	GDir *dir = g_dir_open(directory, 0, NULL);
	const char *file;

	while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
		g_autofree char *name = g_str_has_suffix(file, ".so") ? g_strndup(file, strlen(file) - 3) : NULL;
		g_autofree char *own = g_strdup_printf("plugin %s", name);
		g_autofree char *items = g_strdup_printf("plugin %s/", name);
		bool is_listed = name == NULL;

		for (guint i = 0; !is_listed && i < rows->len; i++)
			is_listed = strcmp(((const PluginRows *)g_ptr_array_index(rows, i))->plugin->name, name) == 0;
		if (is_listed)
			continue;
		options_add_kind(kinds, own, CONFIG_ONCE, NULL, OPTIONS_UNLISTED);
		options_add_kind(kinds, items, CONFIG_NAMED, NULL, OPTIONS_UNLISTED);
	}
	if (dir != NULL)
		g_dir_close(dir);
}

ConfigKind *
options_kinds(const GPtrArray *rows, const char *directory)
{
	GArray *kinds = g_array_new(TRUE, TRUE, sizeof(ConfigKind));

	g_array_append_vals(kinds, options_core, G_N_ELEMENTS(options_core));
	for (guint i = 0; i < rows->len; i++) {
		const PluginRows *row = g_ptr_array_index(rows, i);
		g_autofree char *own = g_strdup_printf("plugin %s", row->plugin->name);
		g_autofree char *items = g_strdup_printf("plugin %s/", row->plugin->name);

		options_add_kind(kinds, own, CONFIG_ONCE, row->rows, NULL);
		options_add_kind(kinds, items, CONFIG_NAMED, row->items, NULL);
	}
	options_add_unlisted(kinds, directory, rows);
	return (ConfigKind *)(void *)g_array_free(kinds, FALSE);
}

/* What a list that has a default does with it when something is written. */
static const char *
options_list_note(const PtnOption *option)
{
	const bool has_default = option->preset != NULL && option->preset[0] != '\0';

	return (option->type & PTN_LIST) != 0 && has_default ? " What is written replaces the default." : "";
}

char *
options_manual(void)
{
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(options_core); i++) {
		const ConfigKind *kind = &options_core[i];

		g_string_append_printf(text, "## [%s%s]\n\n", kind->kind, kind->naming == CONFIG_NAMED ? " NAME" : "");
		for (const PtnOption *option = kind->options; option->name != NULL; option++) {
			g_autofree char *type = option_describe_type(option);

			g_string_append_printf(text, "**%s** (%s; %s%s%s)\n:   %s.%s%s\n\n", option->name, type,
				option->is_required      ? "required"
				: option->preset == NULL ? "not set"
										 : "default `",
				option->preset != NULL ? option->preset : "", option->preset != NULL ? "`" : "", option->help,
				options_list_note(option), option->needs_restart ? " Takes effect at the next start." : "");
		}
	}
	return g_string_free(text, FALSE);
}
