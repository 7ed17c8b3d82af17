/* test-peer.c - servers that plugins reach in a test host: threads of this process at invented addresses. */
#include "test-host-private.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
	char *start, *reply;
} PeerRule;

typedef struct {
	char *address;
	int port;
	PtnTestServer *serve;
	void *data;
	GArray *rules; /* of a dialog */
	GString *heard;
	size_t connections;
} Peer;

typedef struct {
	TestPeers *peers;
	Peer *peer;
	int socket;
	GThread *thread;
} PeerSession;

struct TestPeers {
	GMutex lock;
	GPtrArray *peers;    /* of Peer* */
	GPtrArray *sessions; /* of PeerSession* */
	bool is_closed;
};

static void
peer_clear_rule(void *data)
{
	PeerRule *rule = data;

	g_free(rule->start);
	g_free(rule->reply);
}

static void
peer_free(void *data)
{
	Peer *peer = data;

	g_free(peer->address);
	if (peer->rules != NULL)
		g_array_unref(peer->rules);
	g_string_free(peer->heard, TRUE);
	g_free(peer);
}

TestPeers *
test_peers_new(void)
{
	TestPeers *peers = g_new0(TestPeers, 1);

	g_mutex_init(&peers->lock);
	peers->peers = g_ptr_array_new_with_free_func(peer_free);
	peers->sessions = g_ptr_array_new();
	return peers;
}

void
test_peers_close(TestPeers *peers)
{
	g_mutex_lock(&peers->lock);
	peers->is_closed = true;
	for (guint i = 0; i < peers->sessions->len; i++)
		(void)shutdown(((PeerSession *)peers->sessions->pdata[i])->socket, SHUT_RDWR);
	g_mutex_unlock(&peers->lock);
}

void
test_peers_free(TestPeers *peers)
{
	for (guint i = 0; i < peers->sessions->len; i++) {
		PeerSession *session = peers->sessions->pdata[i];

		(void)g_thread_join(session->thread);
		(void)close(session->socket);
		g_free(session);
	}
	g_ptr_array_unref(peers->sessions);
	g_ptr_array_unref(peers->peers);
	g_mutex_clear(&peers->lock);
	g_free(peers);
}

static Peer *
peer_find(TestPeers *peers, const char *address, int port)
{
	for (guint i = 0; i < peers->peers->len; i++) {
		Peer *peer = peers->peers->pdata[i];

		if (peer->port == port && strcmp(peer->address, address) == 0)
			return peer;
	}
	return NULL;
}

static Peer *
peer_need(TestPeers *peers, const char *address, int port)
{
	Peer *peer = peer_find(peers, address, port);

	if (peer != NULL)
		return peer;
	peer = g_new0(Peer, 1);
	peer->address = g_strdup(address);
	peer->port = port;
	peer->heard = g_string_new(NULL);
	g_ptr_array_add(peers->peers, peer);
	return peer;
}

/* ---- a session ---- */

static void *
peer_run(void *data)
{
	PeerSession *session = data;

	session->peer->serve(session->socket, session->peer->data);
	(void)shutdown(session->socket, SHUT_RDWR);
	return NULL;
}

int
test_peers_connect(void *data, const char *address, uint16_t port)
{
	TestPeers *peers = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&peers->lock);
	Peer *peer = peer_find(peers, address, port);
	PeerSession *session;
	int pair[2];

	(void)locker;
	if (peer == NULL || peers->is_closed || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	peer->connections++;
	session = g_new0(PeerSession, 1);
	session->peers = peers;
	session->peer = peer;
	session->socket = pair[1];
	session->thread = g_thread_new("test-peer", peer_run, session);
	g_ptr_array_add(peers->sessions, session);
	return pair[0];
}

/* ---- dialogs ---- */

typedef struct {
	TestPeers *peers;
	Peer *peer;
} Dialog;

/* New; NULL: silence. */
static char *
dialog_reply(const Dialog *dialog, const char *line)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dialog->peers->lock);
	const GArray *rules = dialog->peer->rules;

	(void)locker;
	if (line[0] != '\0')
		g_string_append_printf(dialog->peer->heard, "%s\n", line);
	for (guint i = 0; i < rules->len; i++) {
		const PeerRule *rule = &g_array_index(rules, PeerRule, i);
		const bool is_greeting = rule->start[0] == '\0';

		if (is_greeting ? line[0] == '\0' : g_ascii_strncasecmp(line, rule->start, strlen(rule->start)) == 0)
			return g_strdup(rule->reply);
	}
	return g_strdup("250 2.0.0 Ok");
}

/* False: the connection is over. */
static bool
dialog_say(const Dialog *dialog, int socket, const char *line)
{
	g_autofree char *reply = dialog_reply(dialog, line);
	g_auto(GStrv) lines = g_strsplit(reply, "\n", -1);
	g_autofree char *joined = g_strjoinv("\r\n", lines);
	g_autofree char *whole = g_strconcat(joined, "\r\n", NULL);

	if (strcmp(reply, "close") == 0)
		return false;
	if (strcmp(reply, "silence") == 0)
		return true;
	return send(socket, whole, strlen(whole), MSG_NOSIGNAL) == (ssize_t)strlen(whole);
}

static void
dialog_serve(int socket, void *data)
{
	const Dialog *dialog = data;
	g_autoptr(GString) line = g_string_new(NULL);
	char octet;

	if (!dialog_say(dialog, socket, ""))
		return;
	while (recv(socket, &octet, 1, 0) == 1) {
		if (octet != '\n') {
			g_string_append_c(line, octet);
			continue;
		}
		g_strchomp(line->str);
		if (!dialog_say(dialog, socket, line->str) || g_ascii_strncasecmp(line->str, "QUIT", 4) == 0)
			return;
		g_string_truncate(line, 0);
	}
}

/* ---- the test's side ---- */

void
ptn_test_server(PtnTest *test, const char *address, int port, PtnTestServer *serve, void *data)
{
	Peer *peer;

	g_mutex_lock(&test->peers->lock);
	peer = peer_need(test->peers, address, port);
	peer->serve = serve;
	peer->data = data;
	g_mutex_unlock(&test->peers->lock);
}

void
ptn_test_dialog(PtnTest *test, const char *address, int port, ...)
{
	GArray *rules = g_array_new(FALSE, FALSE, sizeof(PeerRule));
	Dialog *dialog = g_new0(Dialog, 1);
	const char *start;
	va_list more;

	g_array_set_clear_func(rules, peer_clear_rule);
	va_start(more, port);
	while ((start = va_arg(more, const char *)) != NULL) {
		const PeerRule rule = { g_strdup(start), g_strdup(va_arg(more, const char *)) };

		g_array_append_val(rules, rule);
	}
	va_end(more);
	dialog->peers = test->peers;
	g_ptr_array_add(test->dialogs, dialog);
	ptn_test_server(test, address, port, dialog_serve, dialog);
	g_mutex_lock(&test->peers->lock);
	dialog->peer = peer_find(test->peers, address, port);
	if (dialog->peer->rules != NULL)
		g_array_unref(dialog->peer->rules);
	dialog->peer->rules = rules;
	g_mutex_unlock(&test->peers->lock);
}

void
ptn_test_no_server(PtnTest *test, const char *address, int port)
{
	g_mutex_lock(&test->peers->lock);
	peer_need(test->peers, address, port)->port = -port; /* what it heard stays with the sessions that it has */
	g_mutex_unlock(&test->peers->lock);
}

const char *
ptn_test_heard(PtnTest *test, const char *address, int port)
{
	char *text;

	g_mutex_lock(&test->peers->lock);
	text = g_strdup(peer_need(test->peers, address, port)->heard->str);
	g_mutex_unlock(&test->peers->lock);
	return test_hand_out(test, text);
}

size_t
ptn_test_connections(PtnTest *test, const char *address, int port)
{
	size_t n;

	g_mutex_lock(&test->peers->lock);
	n = peer_need(test->peers, address, port)->connections;
	g_mutex_unlock(&test->peers->lock);
	return n;
}
