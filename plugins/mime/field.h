/* field.h - the header fields that say what a part is, for the files of mime only. */
#pragma once

#include <glib.h>
#include <gmime/gmime.h>
#include <stdbool.h>

enum {
	FIELD_MOST = 4096,          /* of one field; the rest of it is not looked at */
	FIELDS_MOST_OCTETS = 131072, /* of all fields of a message: each parameter costs GMime most of a microsecond */
	FIELD_KINDS = 3,
};

typedef struct {
	GString *text; /* value, unfolded; NULL: not seen */
	bool is_cut;   /* it was longer */
} FieldText;

typedef struct {
	FieldText raw[FIELD_KINDS]; /* Content-Type, Content-Disposition, Content-Transfer-Encoding */
	size_t *octets;             /* what may still be parsed, in all parts of the message */
	const char *default_type;   /* NULL: "text/plain" */
	const char *type;
	char *own_type, *boundary, *charset, *names[2];
	GMimeContentEncoding encoding;
	bool is_cut;
} Fields;

/* If this line begins a field that matters and was not seen before, where its text goes; else NULL. */
FieldText *fields_begin(Fields *fields, const char *line, const char *end);
void field_text_add(FieldText *field, const char *line, const char *end);
/* When all lines were added: with GMime. */
void fields_parse(Fields *fields);
/* The same with code of our own, for fields of the usual form: "type/subtype; name=value; name=\"value\"" of printable ASCII without
 * comments or continuations, encoded words in names of files alone (mime_words()), and the encodings that transfer.h knows.
 * False: one has another form. */
bool fields_parse_plain(Fields *fields);
/* For both. */
const char *field_value(const Fields *fields, size_t kind);
bool fields_may_parse(Fields *fields, const char *value);
void fields_begin_parse(Fields *fields);
bool fields_are_message(const Fields *fields);
void fields_clear(Fields *fields);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fields, fields_clear)
