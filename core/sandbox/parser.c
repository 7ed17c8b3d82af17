/* parser.c - the life of a parser's process. */
#include "sandbox/parser.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox/filter.h"

enum { PARSER_NICE = 5 }; /* behind what serves clients, as hooks that compute are */

/* ---- giving up what it has ---- */

static void
parser_limit(int resource, uint64_t most)
{
	const struct rlimit limit = { most, most };

	if (setrlimit(resource, &limit) != 0)
		_exit(PARSER_UNUSABLE);
}

static void
parser_close_off(int *fd, uint64_t memory)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NAME, "postern-parser");
	(void)setpriority(PRIO_PROCESS, 0, PARSER_NICE);
	*fd = dup2(*fd, STDERR_FILENO + 1);
	if (*fd < 0 || close_range((unsigned)*fd + 1, ~0U, 0) != 0)
		_exit(PARSER_UNUSABLE);
	parser_limit(RLIMIT_CORE, 0);
	parser_limit(RLIMIT_NOFILE, (uint64_t)*fd + 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which map all there is */
	parser_limit(RLIMIT_AS, memory);
#else
	(void)memory;
#endif
	if (!filter_install(FILTER_PARSER, NULL))
		_exit(PARSER_UNUSABLE);
}

/* ---- calls ---- */

static bool
parser_read(int fd, void *data, size_t size)
{
	for (char *at = data; size > 0;) {
		const ssize_t n = read(fd, at, size);

		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static bool
parser_write(int fd, const void *data, size_t size)
{
	for (const char *at = data; size > 0;) {
		const ssize_t n = write(fd, at, size);

		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

static bool
parser_answer(int fd, const GByteArray *answer)
{
	const ParserAnswer head = { answer->len };

	return parser_write(fd, &head, sizeof head) && parser_write(fd, answer->data, answer->len);
}

/* False: the daemon wants no more. */
static bool
parser_serve(int fd, const PtnPlugin *plugin, void *state)
{
	g_autoptr(GByteArray) answer = g_byte_array_new();
	PtnParse parse = { answer };
	g_autofree char *parameters = NULL, *octets = NULL;
	ParserCall call;

	if (!parser_read(fd, &call, sizeof call))
		return false;
	parameters = g_malloc(call.parameters_size + 1);
	octets = g_malloc(call.size + 1);
	if (!parser_read(fd, parameters, call.parameters_size) || !parser_read(fd, octets, call.size))
		return false;
	parameters[call.parameters_size] = octets[call.size] = '\0';
	plugin->parse(&parse, state, parameters, call.parameters_size, octets, call.size);
	return parser_answer(fd, answer);
}

void
parser_run(int fd, const PtnPlugin *plugin, void *state, uint64_t memory)
{
	parser_close_off(&fd, memory);
	while (parser_serve(fd, plugin, state))
		continue;
	_exit(EXIT_SUCCESS);
}
