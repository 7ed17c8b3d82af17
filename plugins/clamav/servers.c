/* servers.c - failures in a row, servers that are left out, tests, the alarm.
 *
 * A server that does not answer costs each message its whole deadline, so after some in a row it is left out at once,
 * and a test, which delays nobody, brings it back. */
#include "plugins/clamav/servers.h"

#include <string.h>

#define TEST_EVERY (60 * PTN_SECOND) /* of a server that nobody asked meanwhile */

typedef struct {
	ClamdAddress address;
	unsigned failures; /* in a row; of answering, not of scanning */
	bool is_left_out;
	int64_t next_test, planned; /* `planned`: when that was decided; the clock may have been set back since */
	char *trouble; /* since its last good answer; NULL: none */
} Server;

struct Servers {
	GMutex lock;    /* guards what is in the servers beside their addresses */
	GPtrArray *all; /* of Server* */
};

static void
server_free(void *data)
{
	Server *server = data;

	clamd_address_clear(&server->address);
	g_free(server->trouble);
	g_free(server);
}

Servers *
servers_new(const char *const *names, const char **why)
{
	Servers *servers = g_new0(Servers, 1);

	g_mutex_init(&servers->lock);
	servers->all = g_ptr_array_new_with_free_func(server_free);
	for (; *names != NULL; names++) {
		Server *server = g_new0(Server, 1);

		g_ptr_array_add(servers->all, server);
		if (!clamd_address_parse(*names, &server->address)) {
			*why = *names;
			g_ptr_array_unref(servers->all);
			g_mutex_clear(&servers->lock);
			g_free(servers);
			return NULL;
		}
	}
	return servers;
}

/* ---- the alarm; with the lock held ---- */

/* Also where nothing changed: an instance that ends lowers what its successor may have raised. */
static void
servers_show_alarm(PtnHook *h, const Servers *servers)
{
	const char *text = NULL;
	size_t n = 0;

	for (guint i = 0; i < servers->all->len; i++) {
		const Server *server = g_ptr_array_index(servers->all, i);

		if (server->trouble == NULL)
			continue;
		n++;
		text = ptn_format(h, "%s%sclamd at %s %s", text != NULL ? text : "", n > 1 ? ", " : "",
			server->address.name, server->trouble);
	}
	if (n > 0 && n == servers->all->len)
		text = ptn_format(h, "%s: messages are %s", text,
			ptn_option_number(h, "on-error") == 1 ? "passed unscanned" : "put off");
	ptn_alarm(h, "servers", text);
}

void
servers_free(PtnHook *h, Servers *servers)
{
	ptn_alarm(h, "servers", NULL);
	g_ptr_array_unref(servers->all);
	g_mutex_clear(&servers->lock);
	g_free(servers);
}

/* ---- how they do; with the lock held ---- */

static void
server_test_in(PtnHook *h, Server *server, int64_t wait)
{
	server->planned = ptn_now(h);
	server->next_test = server->planned + wait;
}

static bool
server_is_due(const Server *server, int64_t now)
{
	return now >= server->next_test || now < server->planned;
}

static void
server_is_well(PtnHook *h, Server *server)
{
	if (server->trouble != NULL)
		ptn_log(h, PTN_INFO, "clamd at %s scans again", server->address.name);
	g_clear_pointer(&server->trouble, g_free);
	server->failures = 0;
	server->is_left_out = false;
	server_test_in(h, server, TEST_EVERY);
}

static void
server_is_unwell(PtnHook *h, Server *server, const ClamdAnswer *answer, bool is_test)
{
	const int64_t pause = ptn_option_number(h, "pause");

	ptn_count(h, "failed", 1);
	if (server->trouble == NULL)
		ptn_log(h, PTN_WARNING, "clamd at %s %s", server->address.name, answer->text);
	g_free(server->trouble);
	server->trouble = g_strdup(answer->text);
	/* what made a message fail may have been the message: the test, which follows at once, tells */
	server_test_in(h, server, is_test ? pause : 0);
	if (answer->verdict == CLAMD_ERROR) {
		server->failures = 0;
		server->is_left_out = false;
		return;
	}
	server->failures++;
	if (server->is_left_out || server->failures < ptn_option_number(h, "patience"))
		return;
	server->is_left_out = true;
	ptn_log(h, PTN_WARNING, "clamd at %s failed %u times in a row: left out until a test succeeds",
		server->address.name, server->failures);
}

static void
servers_note(PtnHook *h, Servers *servers, Server *server, const ClamdAnswer *answer, bool is_test)
{
	const bool is_well = answer->verdict != CLAMD_SILENT && answer->verdict != CLAMD_ERROR;

	g_mutex_lock(&servers->lock);
	if (is_well)
		server_is_well(h, server);
	else
		server_is_unwell(h, server, answer, is_test);
	servers_show_alarm(h, servers);
	g_mutex_unlock(&servers->lock);
}

/* ---- asking ---- */

/* The client going says nothing of the server. */
static bool
is_fault_of_server(PtnHook *h)
{
	return ptn_time_left(h) == 0 || ptn_sleep(h, 0);
}

/* Those without trouble first; ends with NULL. */
static Server **
servers_in_order(PtnHook *h, Servers *servers, bool with_left_out)
{
	Server **order = ptn_keep(h, PTN_FOR_HOOK, NULL, (servers->all->len + 1) * sizeof *order);
	size_t n = 0;

	g_mutex_lock(&servers->lock);
	for (int has_trouble = 0; has_trouble < 2; has_trouble++)
		for (guint i = 0; i < servers->all->len; i++) {
			Server *server = g_ptr_array_index(servers->all, i);

			if ((server->trouble != NULL) == (has_trouble == 1) && (with_left_out || !server->is_left_out))
				order[n++] = server;
		}
	g_mutex_unlock(&servers->lock);
	return order;
}

ClamdAnswer
servers_scan(PtnHook *h, Servers *servers, const char *content, size_t size)
{
	ClamdAnswer answer = { CLAMD_SILENT, "is left out, since it did not answer" };

	for (Server **server = servers_in_order(h, servers, false); *server != NULL; server++) {
		if (ptn_time_left(h) == 0)
			break;
		answer = clamd_scan(h, &(*server)->address, content, size);
		if (answer.verdict == CLAMD_SILENT && !is_fault_of_server(h))
			break;
		if (ptn_fact(h, "rehearsal") == NULL) /* its log lines and alarms would go nowhere */
			servers_note(h, servers, *server, &answer, false);
		if (answer.verdict != CLAMD_SILENT && answer.verdict != CLAMD_ERROR)
			break;
		answer.text = ptn_format(h, "at %s %s", (*server)->address.name, answer.text);
	}
	return answer;
}

/* One at a time, the one that waits longest: a server that hangs takes all the time that there is. */
static Server *
servers_find_due(PtnHook *h, Servers *servers)
{
	const int64_t now = ptn_now(h);
	Server *due = NULL;

	g_mutex_lock(&servers->lock);
	for (guint i = 0; i < servers->all->len; i++) {
		Server *server = g_ptr_array_index(servers->all, i);

		if (server_is_due(server, now) && (due == NULL || server->next_test < due->next_test))
			due = server;
	}
	servers_show_alarm(h, servers);
	g_mutex_unlock(&servers->lock);
	return due;
}

void
servers_test(PtnHook *h, Servers *servers)
{
	static const char line[] = "Subject: does clamd scan?\r\n\r\n";
	Server *server = servers_find_due(h, servers);
	ClamdAnswer answer;

	if (server == NULL)
		return;
	answer = clamd_scan(h, &server->address, line, strlen(line));
	servers_note(h, servers, server, &answer, true);
}

/* ---- for people ---- */

const ClamdAddress *const *
servers_addresses(PtnHook *h, Servers *servers)
{
	Server **order = servers_in_order(h, servers, true);
	const ClamdAddress **addresses = ptn_keep(h, PTN_FOR_HOOK, NULL, (servers->all->len + 1) * sizeof *addresses);

	for (size_t i = 0; order[i] != NULL; i++)
		addresses[i] = &order[i]->address;
	return addresses;
}

const char *
servers_trouble(PtnHook *h, Servers *servers, const ClamdAddress *address)
{
	const char *trouble = NULL;

	g_mutex_lock(&servers->lock);
	for (guint i = 0; i < servers->all->len; i++) {
		const Server *server = g_ptr_array_index(servers->all, i);

		if (&server->address == address && server->trouble != NULL)
			trouble = ptn_format(h, "%s%s", server->is_left_out ? "left out: " : "", server->trouble);
	}
	g_mutex_unlock(&servers->lock);
	return trouble;
}
