/* field.h - the header fields that say what a part is, for the files of mime only. */
#pragma once

#include <glib.h>
#include <gmime/gmime.h>
#include <stdbool.h>

enum {
	FIELD_MOST = 4096,          /* of one field; the rest of it is not looked at */
	FIELDS_MOST_OCTETS = 131072, /* of all fields of a message: each parameter costs GMime most of a microsecond */
	FIELD_KINDS = 3,
	FIELD_NAMES_MOST = 16, /* names of a part's file; beyond that it counts as cut */
};

typedef struct {
	GString *text; /* value, unfolded; NULL: not seen */
	bool is_cut;   /* it was longer */
	bool is_late;  /* nothing of it stands on the first line */
} FieldText;

typedef struct {
	FieldText raw[FIELD_KINDS]; /* Content-Type, Content-Disposition, Content-Transfer-Encoding */
	size_t *octets;             /* what may still be parsed, in all parts of the message */
	const char *default_type;   /* NULL: "text/plain" */
	unsigned reading, doubts;   /* reading.h */
	const char *values[FIELD_KINDS]; /* what is parsed of `raw`; NULL: nothing */
	const char *type;
	char *own_type, *boundary, *charset, *names[FIELD_NAMES_MOST + 1];
	unsigned n_names;
	size_t name_octets; /* of field-loose.c: what was looked at for names */
	GMimeContentEncoding encoding;
	bool is_cut;
} Fields;

/* If this line begins a field that matters and holds, where its text goes; else NULL. */
FieldText *fields_begin(Fields *fields, const char *line, const char *end);
void field_text_add(FieldText *field, const char *line, const char *end);
/* When all lines were added, first: sets `values`, within what may still be parsed. */
void fields_begin_parse(Fields *fields);
/* Then one of them: the first in the daemon, for fields of the usual form, the second in a parser, for all. */
/* "type/subtype; name=value; name=\"value\"" of printable ASCII without comments or continuations, encoded words in names of files
 * alone (mime_words()), and the encodings that transfer.h knows.  False: one has another form. */
bool fields_parse_plain(Fields *fields);
/* Of these the encoding alone.  True: there is none, too. */
bool fields_parse_plain_encoding(Fields *fields);
/* As `reading` takes them, and adds the doubts about it. */
void fields_parse(Fields *fields);
/* For both and field-loose.c. */
void fields_add_name(Fields *fields, char *name); /* takes `name`, unless NULL */
void fields_parse_loose(Fields *fields);
bool fields_are_message(const Fields *fields);
void fields_clear(Fields *fields);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fields, fields_clear)
