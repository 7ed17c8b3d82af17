/* parser.c - the life of a parser's process. */
#include "sandbox/parser.h"

#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox/filter.h"

enum {
	PARSER_NICE = 5, /* behind what serves clients, as hooks that compute are */
	PARSER_READ = 256 * 1024,
	PARSER_KEPT = 16 << 20,
};

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
	/* memory of a call serves the next one; given back each time it would cost more than the call */
	(void)mallopt(M_MMAP_THRESHOLD, PARSER_KEPT);
	(void)mallopt(M_TRIM_THRESHOLD, PARSER_KEPT);
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

/* What comes with the head of a call is read with it: most calls are one read and one write. */
typedef struct {
	int fd;
	size_t at, size;
	char octets[PARSER_READ];
} Input;

static bool
input_read(Input *input, void *data, size_t size)
{
	size_t ready = MIN(size, input->size - input->at);
	char *to = data;

	memcpy(to, input->octets + input->at, ready);
	input->at += ready;
	while (ready < size) {
		const ssize_t n = read(input->fd, to + ready, size - ready);

		if (n <= 0)
			return false;
		ready += (size_t)n;
	}
	return true;
}

static bool
input_wait(Input *input)
{
	const ssize_t n = read(input->fd, input->octets, sizeof input->octets);

	input->at = 0;
	input->size = (size_t)MAX(n, 0);
	return n > 0;
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

/* False: the daemon wants no more. */
static bool
parser_serve(Input *input, const PtnPlugin *plugin, void *state)
{
	g_autoptr(GByteArray) answer = g_byte_array_new();
	PtnParse parse = { answer };
	g_autofree char *parameters = NULL, *octets = NULL;
	ParserAnswer head = { 0 };
	ParserCall call;

	if (!input_wait(input) || !input_read(input, &call, sizeof call))
		return false;
	parameters = g_malloc(call.parameters_size + 1);
	octets = g_malloc(call.size + 1);
	if (!input_read(input, parameters, call.parameters_size) || !input_read(input, octets, call.size))
		return false;
	parameters[call.parameters_size] = octets[call.size] = '\0';
	g_byte_array_append(answer, (const guint8 *)&head, sizeof head);
	plugin->parse(&parse, state, parameters, call.parameters_size, octets, call.size);
	head = (ParserAnswer){ call.number, answer->len - sizeof head };
	memcpy(answer->data, &head, sizeof head);
	return parser_write(input->fd, answer->data, answer->len);
}

void
parser_run(int fd, const PtnPlugin *plugin, void *state, uint64_t memory)
{
	Input *input = g_new0(Input, 1);

	parser_close_off(&fd, memory);
	input->fd = fd;
	while (parser_serve(input, plugin, state))
		continue;
	_exit(EXIT_SUCCESS);
}
