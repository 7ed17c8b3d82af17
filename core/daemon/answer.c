/* answer.c - requests and answers on the control socket. */
#include "daemon/answer.h"

#include <string.h>

#include "base/error.h"

enum {
	REQUEST_WORDS = 1000,
	REQUEST_WORD = 64 * 1024,
	REQUEST_INPUT = 64 << 20,
	ANSWER_GATHERS = 64 * 1024,
	ANSWER_SAID = 2000
};

struct Answer {
	GOutputStream *stream;
	GString *out;
	GString *said; /* texts, for the audit record */
	int code;
};

/* ---- requests ---- */

static bool
request_read_number(GInputStream *stream, guint64 most, guint64 *number, GError **error)
{
	char text[24];
	gsize size = 0, taken;

	while (size < sizeof text - 1) {
		if (!g_input_stream_read_all(stream, text + size, 1, &taken, NULL, error))
			return false;
		if (taken == 0)
			return error_set(error, POSTERN_ERROR_INVALID, "the request ended too early");
		if (text[size] == '\n')
			break;
		size++;
	}
	text[size] = '\0';
	return g_ascii_string_to_unsigned(text, 10, 0, most, number, NULL) ||
		   error_set(error, POSTERN_ERROR_INVALID, "the request is malformed");
}

static char *
request_read_counted(GInputStream *stream, guint64 most, GError **error)
{
	guint64 size;
	gsize taken;
	g_autofree char *text = NULL;

	if (!request_read_number(stream, most, &size, error))
		return NULL;
	text = g_malloc0(size + 1);
	if (!g_input_stream_read_all(stream, text, size, &taken, NULL, error))
		return NULL;
	if (taken != size || strlen(text) != size) {
		error_set(error, POSTERN_ERROR_INVALID, "the request is malformed");
		return NULL;
	}
	return g_steal_pointer(&text);
}

static bool
request_take_flag(Request *request, const char *word)
{
	if (strcmp(word, "--yes") == 0)
		request->says_yes = true;
	else if (strcmp(word, "--dry-run") == 0)
		request->is_dry = true;
	else if (strcmp(word, "--hold") == 0)
		request->says_hold = true;
	else if (strcmp(word, "--check") == 0)
		request->is_check = true;
	else if (g_str_has_prefix(word, REQUEST_LOGIN_USER))
		request->login_user = (g_free(request->login_user), g_strdup(word + strlen(REQUEST_LOGIN_USER)));
	else
		return false;
	return true;
}

static bool
request_read_words(GInputStream *stream, Request *request, GError **error)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	guint64 n;

	if (!request_read_number(stream, REQUEST_WORDS, &n, error))
		return false;
	for (guint64 i = 0; i < n; i++) {
		g_autofree char *word = request_read_counted(stream, REQUEST_WORD, error);

		if (word == NULL)
			return false;
		if (!request_take_flag(request, word))
			g_ptr_array_add(words, g_steal_pointer(&word));
	}
	g_ptr_array_add(words, NULL);
	request->words = g_strdupv((char **)words->pdata);
	return true;
}

Request *
request_read(GInputStream *stream, GError **error)
{
	g_autoptr(Request) request = g_new0(Request, 1);

	if (!request_read_words(stream, request, error))
		return NULL;
	request->input = request_read_counted(stream, REQUEST_INPUT, error);
	if (request->input == NULL)
		return NULL;
	if (request->input[0] == '\0')
		g_clear_pointer(&request->input, g_free);
	return g_steal_pointer(&request);
}

bool
request_write(GOutputStream *stream, const char *const *words, const char *input, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);

	g_string_printf(out, "%u\n", g_strv_length((char **)(uintptr_t)words));
	for (; *words != NULL; words++)
		g_string_append_printf(out, "%zu\n%s", strlen(*words), *words);
	g_string_append_printf(out, "%zu\n%s", input != NULL ? strlen(input) : (size_t)0, input != NULL ? input : "");
	return g_output_stream_write_all(stream, out->str, out->len, NULL, NULL, error) &&
		   g_output_stream_flush(stream, NULL, error);
}

void
request_free(Request *request)
{
	if (request == NULL)
		return;
	g_strfreev(request->words);
	if (request->input != NULL)
		explicit_bzero(request->input, strlen(request->input));
	g_free(request->input);
	g_free(request->login_user);
	g_free(request);
}

/* ---- answers ---- */

Answer *
answer_new(GOutputStream *stream)
{
	Answer *answer = g_new0(Answer, 1);

	answer->stream = stream;
	answer->out = g_string_new(NULL);
	answer->said = g_string_new(NULL);
	return answer;
}

/* A client that went away needs no answer. */
static void
answer_flush(Answer *answer)
{
	(void)g_output_stream_write_all(answer->stream, answer->out->str, answer->out->len, NULL, NULL, NULL);
	g_string_truncate(answer->out, 0);
}

static void
answer_end_line(Answer *answer)
{
	g_string_append_c(answer->out, '\n');
	if (answer->out->len > ANSWER_GATHERS)
		answer_flush(answer);
}

static void
answer_put_field(Answer *answer, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text != NULL ? text : "", -1);

	for (const char *c = valid; *c != '\0'; c++) {
		if (*c == '\\' || *c == '\t' || *c == '\n' || *c == '\r')
			g_string_append_printf(answer->out, "\\%c",
				*c == '\t'   ? 't'
				: *c == '\n' ? 'n'
				: *c == '\r' ? 'r'
							 : '\\');
		else
			g_string_append_c(answer->out, *c);
	}
}

static void
answer_put_line(Answer *answer, char letter, const char *const *fields)
{
	g_string_append_c(answer->out, letter);
	for (; *fields != NULL; fields++) {
		g_string_append_c(answer->out, '\t');
		answer_put_field(answer, *fields);
	}
	answer_end_line(answer);
}

static void
answer_put_arguments(Answer *answer, char letter, const char *first, va_list more)
{
	g_autoptr(GPtrArray) fields = g_ptr_array_new();

	for (const char *field = first; field != NULL; field = va_arg(more, const char *))
		g_ptr_array_add(fields, (void *)(uintptr_t)field);
	g_ptr_array_add(fields, NULL);
	answer_put_line(answer, letter, (const char *const *)fields->pdata);
}

void
answer_set_audience(Answer *answer, AnswerAudience audience)
{
	static const char *const names[] = { "all", "people", "programs" };
	const char *const fields[] = { names[audience], NULL };

	answer_put_line(answer, 'A', fields);
}

void
answer_columns(Answer *answer, const char *column, ...)
{
	va_list more;

	va_start(more, column);
	answer_put_arguments(answer, 'C', column, more);
	va_end(more);
}

void
answer_row(Answer *answer, const char *cell, ...)
{
	va_list more;

	va_start(more, cell);
	answer_put_arguments(answer, 'R', cell, more);
	va_end(more);
}

void
answer_columns_v(Answer *answer, const char *const *columns)
{
	answer_put_line(answer, 'C', columns);
}

void
answer_row_v(Answer *answer, const char *const *cells)
{
	answer_put_line(answer, 'R', cells);
}

static void
answer_put_text(Answer *answer, char letter, const char *format, va_list arguments)
{
	g_autofree char *text = g_strdup_vprintf(format, arguments);
	const char *const fields[] = { text, NULL };

	answer_put_line(answer, letter, fields);
	if (answer->said->len < ANSWER_SAID)
		g_string_append_printf(answer->said, "%s%s", answer->said->len > 0 ? " " : "", text);
}

const char *
answer_said(const Answer *answer)
{
	return answer->said->str;
}

void
answer_text(Answer *answer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	answer_put_text(answer, 'T', format, arguments);
	va_end(arguments);
}

void
answer_fail(Answer *answer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	answer_put_text(answer, 'E', format, arguments);
	va_end(arguments);
	answer->code = 1;
}

void
answer_set_code(Answer *answer, int code)
{
	answer->code = code;
}

void
answer_octets(Answer *answer, const void *data, size_t size)
{
	g_autofree char *text = g_base64_encode(data, size);
	const char *const fields[] = { text, NULL };

	answer_put_line(answer, 'B', fields);
}

void
answer_finish(Answer *answer)
{
	g_string_append_printf(answer->out, "X\t%d\n", answer->code);
	answer_flush(answer);
	g_string_free(answer->out, TRUE);
	g_string_free(answer->said, TRUE);
	g_free(answer);
}
