/* template.h - the texts of notices: header lines, an empty line, a body; "%{name}" is filled in.
 *
 * A template is a file named like the notice in a directory, else the text of etc/templates that is compiled in: a file
 * that is missing or broken loses no notice.  Lines that begin with "#" before the first header line are comments; the
 * names that a file may use are those that the compiled text has, in its comments, too.
 *
 *	# Also known here: %{port}
 *	Subject: [%{service-name}] IP Helper %{domain}
 *
 *	%{change}
 *
 * Values cannot break out: in a header line their controls become blanks and other characters than ASCII encoded words,
 * in the body they are text.  Fields that the core writes (From, To, Date, …) do not belong into a template. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
	const char *name, *text;
} TemplateText;

/* Those compiled in; ends with an empty row. */
extern const TemplateText template_texts[];

/* The text compiled in for this notice; NULL: there is none. */
const char *template_builtin(const char *name);
/* Header lines without the empty line that ends them, and the body, both with CRLF.  `values`: name, value, …, NULL.  `where`
 * begins the error's sentence, with the line: "FILE:3: …".  False also if it uses a name that has no value. */
bool template_fill(
	const char *text, const char *where, const char *const *values, char **header, char **body, GError **error);
/* The same by the file of `directory` (NULL: none), else by the compiled text.  `mistake` (new text; NULL: none) says why the file
 * was not used.  Reads the file: may wait. */
bool template_render(const char *directory, const char *name, const char *const *values, char **header,
	char **body, char **mistake, GError **error);
/* Adds a sentence with file and line for each file of `directory` that is no template, or uses a name that there is
 * not.  Files of notices that are not compiled in may use any name.  A directory that is missing is no mistake. */
void template_check(const char *directory, GPtrArray *mistakes);
