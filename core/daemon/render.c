/* render.c - tables and JSON. */
#include "daemon/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/escape.h"
#include "daemon/cell.h"

typedef struct {
	char **columns;  /* of the table being read; NULL: none */
	GPtrArray *rows; /* of char** */
	bool is_json;
	bool is_skipping; /* what is not for this audience */
	bool has_printed; /* something of the JSON array */
	int code;
} Render;

static char *
render_unescape(const char *text)
{
	GString *out = g_string_new(NULL);

	for (const char *c = text; *c != '\0'; c++) {
		if (*c != '\\' || c[1] == '\0') {
			g_string_append_c(out, *c);
			continue;
		}
		c++;
		g_string_append_c(out, *c == 't' ? '\t' : *c == 'n' ? '\n' : *c == 'r' ? '\r' : *c);
	}
	return g_string_free(out, FALSE);
}

char **
render_fields(const char *line)
{
	char **fields = g_strsplit(line[0] != '\0' && line[1] == '\t' ? line + 2 : "", "\t", -1);

	for (char **field = fields; *field != NULL; field++) {
		char *plain = render_unescape(*field);

		g_free(*field);
		*field = plain;
	}
	return fields;
}

/* ---- JSON ---- */

static void
render_put_json(const char *text)
{
	g_autofree char *shown = escape_text(text, ESCAPE_JSON);

	printf("\"%s\"", shown);
}

static void
render_begin_json(Render *render)
{
	fputs(render->has_printed ? ",\n" : "[", stdout);
	render->has_printed = true;
}

static void
render_json_row(Render *render, char **cells)
{
	render_begin_json(render);
	putchar('{');
	for (guint i = 0; render->columns != NULL && render->columns[i] != NULL && cells[i] != NULL; i++) {
		size_t length;
		const CellType type = cell_column_type(render->columns[i], &length);
		g_autofree char *name = g_strndup(render->columns[i], length);
		g_autofree char *value = cell_json(type, cells[i]);

		fputs(i > 0 ? ", " : "", stdout);
		render_put_json(name);
		printf(": %s", value);
	}
	putchar('}');
}

static void
render_json_text(Render *render, const char *name, const char *text)
{
	render_begin_json(render);
	printf("{\"%s\": ", name);
	render_put_json(text);
	putchar('}');
}

/* ---- tables ---- */

static glong
render_width(const char *text)
{
	return g_utf8_validate(text, -1, NULL) ? g_utf8_strlen(text, -1) : (glong)strlen(text);
}

/* New. */
static char *
render_title(const char *column)
{
	size_t length;

	(void)cell_column_type(column, &length);
	return g_utf8_strup(column, (gssize)length);
}

static void
render_put_cells(char **cells, const glong *widths, guint n, bool is_title)
{
	for (guint i = 0; i < n && cells[i] != NULL; i++) {
		g_autofree char *shown = is_title ? render_title(cells[i]) : g_strdup(cells[i]);
		const bool is_last = i + 1 == n || cells[i + 1] == NULL;

		printf("%s%*s", shown, is_last ? 0 : (int)(widths[i] - render_width(shown) + 2), "");
	}
	putchar('\n');
}

static void
render_flush_table(Render *render)
{
	const guint n = render->columns != NULL ? g_strv_length(render->columns) : 0;
	g_autofree glong *widths = g_new0(glong, n + 1);

	if (n == 0 || render->is_json) {
		g_ptr_array_set_size(render->rows, 0);
		return;
	}
	for (guint i = 0; i < n; i++) {
		g_autofree char *title = render_title(render->columns[i]);

		widths[i] = render_width(title);
		for (guint r = 0; r < render->rows->len; r++) {
			char **cells = g_ptr_array_index(render->rows, r);

			if (i < g_strv_length(cells))
				widths[i] = MAX(widths[i], render_width(cells[i]));
		}
	}
	render_put_cells(render->columns, widths, n, true);
	for (guint r = 0; r < render->rows->len; r++)
		render_put_cells(g_ptr_array_index(render->rows, r), widths, n, false);
	g_ptr_array_set_size(render->rows, 0);
}

/* Takes `cells`. */
static void
render_keep_row(Render *render, char **cells)
{
	const guint n = render->columns != NULL ? g_strv_length(render->columns) : 0;

	for (guint i = 0; cells[i] != NULL; i++) {
		size_t length;
		g_autofree char *plain =
			cell_show(i < n ? cell_column_type(render->columns[i], &length) : CELL_TEXT, cells[i]);

		g_free(cells[i]);
		cells[i] = escape_text(plain, ESCAPE_CELL);
	}
	g_ptr_array_add(render->rows, cells);
}

/* The same columns again go on with the table. */
static void
render_start_table(Render *render, char **columns)
{
	if (render->columns != NULL &&
		g_strv_equal((const char *const *)render->columns, (const char *const *)columns)) {
		g_strfreev(columns);
		return;
	}
	render_flush_table(render);
	g_strfreev(render->columns);
	render->columns = columns;
}

/* ---- lines ---- */

/* Text of octets for a terminal; new.  A NUL hides nothing of what is behind it. */
static char *
render_octets_text(const guchar *octets, gsize size)
{
	g_autoptr(GString) lines = g_string_sized_new(size);

	for (gsize i = 0; i < size; i++) {
		if (octets[i] == '\0')
			g_string_append(lines, "\uFFFD");
		else
			g_string_append_c(lines, octets[i] == '\r' ? ' ' : (char)octets[i]);
	}
	return escape_text(lines->str, ESCAPE_LINES);
}

/* A message, for instance: as it is into a file or a pipe, without its controls onto a terminal. */
static void
render_put_octets(const char *text)
{
	gsize size;
	g_autofree guchar *octets = g_base64_decode(text, &size);
	g_autofree char *shown = NULL;

	if (!isatty(STDOUT_FILENO)) {
		(void)fwrite(octets, 1, size, stdout);
		return;
	}
	shown = render_octets_text(octets, size);
	fputs(shown, stdout);
}

static void
render_text(Render *render, char letter, const char *text)
{
	g_autofree char *shown = escape_text(text, ESCAPE_LINES);

	render_flush_table(render);
	g_clear_pointer(&render->columns, g_strfreev);
	if (letter == 'E')
		fprintf(stderr, "%s\n", shown);
	else if (render->is_json)
		render_json_text(render, letter == 'B' ? "base64" : "text", text);
	else if (letter == 'B')
		render_put_octets(text);
	else
		printf("%s\n", shown);
}

static void
render_line(Render *render, const char *line)
{
	const char letter = line[0];
	g_auto(GStrv) fields = render_fields(line);

	if (letter == 'X')
		render->code = fields[0] != NULL ? atoi(fields[0]) : EXIT_FAILURE;
	else if (letter == 'A')
		render->is_skipping = g_strcmp0(fields[0], render->is_json ? "people" : "programs") == 0;
	else if (render->is_skipping && letter != 'E')
		return;
	else if (letter == 'C')
		render_start_table(render, g_steal_pointer(&fields));
	else if (letter == 'R' && render->is_json)
		render_json_row(render, fields);
	else if (letter == 'R')
		render_keep_row(render, g_steal_pointer(&fields));
	else
		render_text(render, letter, fields[0] != NULL ? fields[0] : "");
}

int
render_answer(GInputStream *stream, bool is_json, GError **error)
{
	g_autoptr(GDataInputStream) lines = g_data_input_stream_new(stream);
	Render render = { .is_json = is_json, .code = -1 };
	char *line;

	render.rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	while ((line = g_data_input_stream_read_line(lines, NULL, NULL, error)) != NULL) {
		render_line(&render, line);
		g_free(line);
	}
	render_flush_table(&render);
	if (is_json)
		puts(render.has_printed ? "]" : "[]");
	g_ptr_array_unref(render.rows);
	g_strfreev(render.columns);
	if (render.code < 0 && *error == NULL)
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "the daemon ended before it had answered");
	return render.code < 0 ? EXIT_FAILURE : render.code;
}
