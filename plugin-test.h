/* plugin-test.h - a host for the test of a plugin: the whole engine with a scripted DNS, an empty directory and
 * store in memory, and a clock that the test moves; no network, no daemon, one thread.
 *
 *	PtnTest *t = ptn_test_new(&ptn_plugin_listed, "[plugin listed]\nzone = dnsbl.test\n");
 *	ptn_test_dns(t, "9.113.0.203.dnsbl.test", PTN_A, PTN_OK, "127.0.0.2", NULL);
 *	ptn_test_connect(t, "203.0.113.9");
 *	assert(strncmp(ptn_test_reply(t), "554 5.7.1", 9) == 0);
 *	ptn_test_free(t);
 *
 * Mistakes of the test itself (a configuration that is wrong, say) end the program with a sentence.  Texts that are
 * returned live until the next call. */
#pragma once

#include "plugin-api.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct PtnTest PtnTest;

/* `config`: sections as in postern.conf, NULL for none; of [server] it may have header-prefix, monitors, service-name and
 * templates.  The listener of the session
 * offers AUTH in clear.  The directory has customer "acme" (primary it@acme.example) with domain example.net. */
PtnTest *ptn_test_new(const PtnPlugin *plugin, const char *config);
/* The same with several plugins, in this order; the list ends with NULL. */
PtnTest *ptn_test_new_chain(const PtnPlugin *const *plugins, const char *config);
void ptn_test_free(PtnTest *test);
/* For the front of a chain, in place of auth: every login is whose it says, and may send to everybody. */
extern const PtnPlugin ptn_test_door;

/* What the DNS answers from now on; values end with NULL.  A name that was not told does not exist.  MX values are
 * "10 mx.example.org"; a hook that asks for PTN_EXCHANGERS gets what follows from MX, A and AAAA. */
void ptn_test_dns(PtnTest *test, const char *name, PtnRecord type, PtnStatus status, ...) PTN_ENDS_WITH_NULL;
/* The TTL of what was told last of this name and type; without it, five minutes. */
void ptn_test_dns_ttl(PtnTest *test, const char *name, PtnRecord type, int64_t ttl);
/* Makes or changes an entry of the directory: name, value, …, NULL.  "password" takes the password itself. */
void ptn_test_entry(PtnTest *test, PtnKind kind, const char *name, ...) PTN_ENDS_WITH_NULL;
/* Sets one option of an entry ("PLUGIN.option") with all checks, as posternctl does.  NULL: it is set; else why not. */
const char *ptn_test_set(PtnTest *test, PtnKind kind, const char *name, const char *option, const char *value);
/* The first mistake of a configuration, as posternd -t tells it ("test.conf:2: [plugin NAME] …"); NULL: none. */
const char *ptn_test_mistake(const PtnPlugin *plugin, const char *config);
/* What the entry has by now ("name", "mode", "PLUGIN.option"); NULL: not set, or no such entry. */
const char *ptn_test_get(PtnTest *test, PtnKind kind, const char *name, const char *option);
/* Takes an entry out of the directory. */
void ptn_test_remove(PtnTest *test, PtnKind kind, const char *name);
/* Time passes; ticks of the plugins that come due are run.  Negative: the wall clock is set back, and no time passes. */
void ptn_test_advance(PtnTest *test, int64_t time);
/* An account of type "server" may submit though no plugin filters its sources. */
void ptn_test_open_server_accounts(PtnTest *test);

/* A server that ptn_open() reaches at `address` ("192.0.2.25", or "unix:/PATH" with port 0); nobody answers at others.
 * `serve` is called for each connection, in a thread of its own, and what it returns from is closed; the test's end
 * shuts its socket down. */
typedef void PtnTestServer(int socket, void *data);
void ptn_test_server(PtnTest *test, const char *address, int port, PtnTestServer *serve, void *data);
/* The same for a server that speaks in lines: the beginning of a line, the reply to it ("\n" between its lines, "silence",
 * or "close"), …, NULL; "" is the greeting, the first that fits counts, any other line is answered "250 2.0.0 Ok".
 * Once more: new replies. */
void ptn_test_dialog(PtnTest *test, const char *address, int port, ...) PTN_ENDS_WITH_NULL;
/* May this client connect?  "BY: reason" of a block that ptn_block() made; NULL: it may. */
const char *ptn_test_blocked(PtnTest *test, const char *client);
/* It is down from now on. */
void ptn_test_no_server(PtnTest *test, const char *address, int port);
/* Lines that such a server got, each with "\n"; and how often somebody connected. */
const char *ptn_test_heard(PtnTest *test, const char *address, int port);
size_t ptn_test_connections(PtnTest *test, const char *address, int port);
/* posternctl NAME words …, NULL: rows as "column=text column=text\n", without the types of columns, or "error: why\n". */
const char *ptn_test_command(PtnTest *test, const char *plugin, ...) PTN_ENDS_WITH_NULL;
/* Waits until works of ptn_background() are done. */
void ptn_test_finish_work(PtnTest *test);

/* A new session from this address (the one before is ended); its greeting is the reply. */
void ptn_test_connect(PtnTest *test, const char *ip);
/* Lines without their ends, each sent with CRLF; what they were answered is the reply. */
const char *ptn_test_say(PtnTest *test, const char *line);
/* Octets as they are. */
const char *ptn_test_send(PtnTest *test, const void *data, size_t size);
/* AUTH PLAIN. */
const char *ptn_test_login(PtnTest *test, const char *login, const char *password);
/* MAIL, RCPT, DATA and this content, which needs no final dot; the last reply, or the first refusal. */
const char *ptn_test_submit(PtnTest *test, const char *sender, const char *recipient, const char *content);
/* All that was said since the last say, connect or send: lines with "\n". */
const char *ptn_test_reply(PtnTest *test);
/* True when the session was closed by us. */
bool ptn_test_is_closed(PtnTest *test);

/* Sessions from now on come to a listener that takes mail for the domains of the directory. */
void ptn_test_inbound(PtnTest *test, bool is_inbound);

/* Messages that were queued, in order, copies too. */
size_t ptn_test_queued(PtnTest *test);
const char *ptn_test_queued_sender(PtnTest *test, size_t i);
const char *ptn_test_queued_recipient(PtnTest *test, size_t i, size_t recipient);
/* As it would be sent, CRLF line ends. */
const char *ptn_test_queued_text(PtnTest *test, size_t i);
const char *ptn_test_queued_note(PtnTest *test, size_t i, const char *name); /* "PLUGIN.name", or one of the core's */
bool ptn_test_queued_is_held(PtnTest *test, size_t i);
/* Where the i-th message's first recipient would go ("mx:example.org", "plugin:NAME"), or why not. */
const char *ptn_test_route(PtnTest *test, size_t i);
/* Hands it to the plugin's hook of stage deliver: "250 2.0.0 delivered", or how it refused. */
const char *ptn_test_deliver(PtnTest *test, size_t i);
/* Tells the observers of that stage (PTN_DELIVERED, PTN_DEFERRED, PTN_BOUNCED) what became of its first recipient, and waits
 * for them.  `reply`: "550 5.1.1 no such user"; `is_ours`: no server said it. */
void ptn_test_outcome(PtnTest *test, size_t i, PtnStage stage, const char *reply, bool is_ours);
/* A counter ("plugin.NAME.metric", "event.auth-failure"). */
int64_t ptn_test_count(PtnTest *test, const char *metric);
/* The text of an alarm that is raised ("NAME.alarm"); NULL: it is not. */
const char *ptn_test_alarm(PtnTest *test, const char *name);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
