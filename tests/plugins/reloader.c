/* reloader.c - a plugin of an older minor version of plugin-api.h, which shows what reloads do to it; tests/system/test_reload.py
 * loads it. */
#include "plugin-api.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

static atomic_int n_starts;

static PtnVerdict
start(PtnHook *h)
{
	(void)h;
	atomic_fetch_add(&n_starts, 1);
	return PTN_NEXT;
}

static PtnVerdict
show(PtnHook *h)
{
	ptn_row(h, "starts", ptn_format(h, "%d", atomic_load(&n_starts)), "node", ptn_fact(h, "node"), "prefix",
		ptn_fact(h, "header-prefix"), "monitors", ptn_fact(h, "monitors"), NULL);
	return PTN_NEXT;
}

/* Greets the server at a port of this machine, by the name that the configuration gives us. */
static PtnVerdict
greet(PtnHook *h)
{
	const int port = atoi(ptn_arguments(h)[0]);
	PtnStream *stream = ptn_open(h, "127.0.0.1", port, PTN_PLAIN | PTN_ANYWHERE);

	if (stream == NULL)
		return ptn_fail(h, "nobody listens on port %d", port);
	ptn_row(h, "code", ptn_format(h, "%d", ptn_smtp_hello(h, stream).code), NULL);
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "word", PTN_TEXT, PTN_IN_SERVER | PTN_IN_ACCOUNT, "none", "any word" },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "show", "", "how often it started", show, .reads_only = true },
	{ "greet", "PORT", "says EHLO to a server", greet, .reads_only = true },
	{ 0 },
};

PTN_PLUGIN(reloader) = {
	.struct_size = offsetof(PtnPlugin, has_on),
	.api_major = PTN_API_MAJOR,
	.api_minor = PTN_API_MINOR,
	.name = "reloader",
	.version = "1",
	.summary = "shows what reloads do to it",
	.options = options,
	.commands = commands,
	.start = start,
};
