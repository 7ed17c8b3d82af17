/* entity.c - walking over the entities of a MIME message.
 *
 * A stack has the multiparts that are open; a delimiter of any of them ends all within it (RFC 2046 5.1.2). */
#include "proto/entity.h"

#include <string.h>

#include "proto/content-type.h"

typedef struct {
	char *boundary;
	size_t boundary_size;
	Entity entity; /* the multipart */
	unsigned depth;
	bool is_digest;
} OpenMultipart;

struct EntityWalk {
	const EntityVisitor *visitor;
	void *data;
	Entity entity;                 /* the one at hand */
	bool is_in_header, is_in_body; /* in_body: of a leaf */
	bool is_digest;                /* a part without a type is a message (RFC 2046 5.1.5) */
	unsigned depth, n_entities;
	GArray *open;      /* of OpenMultipart */
	GString *type;     /* the value of Content-Type as far as it is kept */
	GString *encoding; /* the same of Content-Transfer-Encoding */
	EntityField field;
	unsigned n_types, n_encodings;
	char line[ENTITY_FRAGMENT];
	size_t used;
	bool is_within; /* the fragment that comes does not begin its line */
	bool is_over;   /* the fragment that comes is the last one; BDAT may end a message within a line */
};

static void
entity_close_multipart(void *data)
{
	g_free(((OpenMultipart *)data)->boundary);
}

/* ---- headers ---- */

static void
entity_begin(EntityWalk *walk, bool is_message, bool is_signed)
{
	walk->entity = (Entity){ .index = walk->n_entities++, .is_message = is_message, .is_signed = is_signed };
	walk->is_in_header = true;
	walk->is_in_body = false;
	walk->field = FIELD_PLAIN;
	walk->n_types = walk->n_encodings = 0;
	g_string_truncate(walk->type, 0);
	g_string_truncate(walk->encoding, 0);
}

static EntityEncoding
entity_encoding(const char *value)
{
	static const struct {
		const char *name;
		EntityEncoding encoding;
	} known[] = { { "7bit", CTE_7BIT }, { "8bit", CTE_8BIT }, { "binary", CTE_BINARY },
		{ "quoted-printable", CTE_QP }, { "base64", CTE_BASE64 } };
	g_autofree char *token = content_type_token(value);

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (g_ascii_strcasecmp(token, known[i].name) == 0)
			return known[i].encoding;
	return CTE_OTHER;
}

static bool
entity_is_identity(EntityEncoding encoding)
{
	return encoding <= CTE_BINARY;
}

static void
entity_open(EntityWalk *walk, const char *type, char *boundary)
{
	const OpenMultipart opened = { .boundary = boundary,
		.boundary_size = strlen(boundary),
		.entity = walk->entity,
		.depth = ++walk->depth,
		.is_digest = g_ascii_strcasecmp(type, "multipart/digest") == 0 };
	Entity *inside;

	walk->entity.kind = ENTITY_MULTIPART;
	g_array_append_val(walk->open, opened);
	inside = &g_array_index(walk->open, OpenMultipart, walk->open->len - 1).entity;
	inside->kind = ENTITY_MULTIPART;
	inside->is_signed |= g_ascii_strcasecmp(type, "multipart/signed") == 0;
}

/* What is ambiguous, or may not be encoded (RFC 2046 5.2.2, 5.2.3), is not touched. */
static EntityKind
entity_leaf_kind(const EntityWalk *walk, const char *type)
{
	static const char *const fixed[] = { "message/partial", "message/external-body" };

	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
		if (g_ascii_strcasecmp(type, fixed[i]) == 0)
			return ENTITY_OPAQUE;
	if (walk->n_types > 1 || walk->n_encodings > 1 || walk->entity.encoding == CTE_OTHER ||
		g_ascii_strncasecmp(type, "multipart/", strlen("multipart/")) == 0 ||
		(g_ascii_strcasecmp(type, "message/rfc822") == 0))
		return ENTITY_OPAQUE;
	return ENTITY_LEAF;
}

static void
entity_judge(EntityWalk *walk, const char *type)
{
	Entity *entity = &walk->entity;
	const bool may_nest = walk->depth < ENTITY_DEPTH_MAX && entity_is_identity(entity->encoding) &&
						  walk->n_types <= 1 && walk->n_encodings <= 1;
	char *boundary;

	entity->is_text = g_ascii_strncasecmp(type, "text/", 5) == 0 || g_ascii_strncasecmp(type, "message/", 8) == 0;
	entity->kind = entity_leaf_kind(walk, type);
	if (may_nest && g_ascii_strcasecmp(type, "message/rfc822") == 0)
		entity->kind = ENTITY_MESSAGE;
	if (!may_nest || g_ascii_strncasecmp(type, "multipart/", strlen("multipart/")) != 0)
		return;
	boundary = content_type_parameter(walk->type->str, "boundary");
	if (boundary == NULL || g_strchomp(boundary)[0] == '\0' || strlen(boundary) > ENTITY_BOUNDARY_MAX)
		g_free(boundary);
	else
		entity_open(walk, type, boundary);
}

static void
entity_end_header(EntityWalk *walk, const Fragment *empty)
{
	g_autofree char *type = walk->n_types > 0 ? content_type_token(walk->type->str) : NULL;

	if (type == NULL || type[0] == '\0') {
		g_free(type);
		type = g_strdup(walk->is_digest && !walk->entity.is_message ? "message/rfc822" : "text/plain");
	}
	walk->entity.has_type = walk->n_types > 0;
	walk->entity.encoding = walk->n_encodings > 0 ? entity_encoding(walk->encoding->str) : CTE_NONE;
	entity_judge(walk, type);
	walk->is_in_header = false;
	walk->visitor->header_end(walk->data, &walk->entity, empty);
	walk->is_in_body = walk->entity.kind == ENTITY_LEAF || walk->entity.kind == ENTITY_OPAQUE;
	if (walk->entity.kind == ENTITY_MULTIPART)
		walk->entity = g_array_index(walk->open, OpenMultipart, walk->open->len - 1).entity;
	if (walk->entity.kind == ENTITY_MESSAGE) {
		walk->depth++;
		entity_begin(walk, true, walk->entity.is_signed);
	}
}

static size_t
entity_name_size(const Fragment *fragment)
{
	size_t size = 0;

	while (size < fragment->size && fragment->text[size] > ' ' && fragment->text[size] <= '~' &&
		   fragment->text[size] != ':')
		size++;
	return size;
}

/* The colon of the field that begins here; 0: none does. */
static size_t
entity_colon(const Fragment *fragment)
{
	const size_t name = entity_name_size(fragment);
	size_t at = name;

	while (at < fragment->size && (fragment->text[at] == ' ' || fragment->text[at] == '\t'))
		at++;
	return name > 0 && at < fragment->size && fragment->text[at] == ':' ? at : 0;
}

static bool
entity_is_field(const Fragment *fragment, const char *name)
{
	return entity_name_size(fragment) == strlen(name) &&
		   g_ascii_strncasecmp(fragment->text, name, strlen(name)) == 0;
}

static void
entity_keep(GString *value, const char *text, size_t size)
{
	g_string_append_len(value, text, (gssize)MIN(size, ENTITY_FIELD_MAX - MIN(value->len, ENTITY_FIELD_MAX)));
}

static void
entity_begin_field(EntityWalk *walk, const Fragment *fragment, size_t colon)
{
	walk->field = FIELD_PLAIN;
	walk->entity.has_version |= entity_is_field(fragment, "MIME-Version");
	if (entity_is_field(fragment, "Content-Type")) {
		walk->field = FIELD_TYPE;
		if (walk->n_types++ == 0)
			entity_keep(walk->type, fragment->text + colon + 1, fragment->size - colon - 1);
	} else if (entity_is_field(fragment, "Content-Transfer-Encoding")) {
		walk->field = FIELD_ENCODING;
		if (walk->n_encodings++ == 0)
			entity_keep(walk->encoding, fragment->text + colon + 1, fragment->size - colon - 1);
	}
}

static void
entity_go_on_field(EntityWalk *walk, const Fragment *fragment)
{
	if (walk->field == FIELD_TYPE && walk->n_types == 1)
		entity_keep(walk->type, fragment->text, fragment->size);
	else if (walk->field == FIELD_ENCODING && walk->n_encodings == 1)
		entity_keep(walk->encoding, fragment->text, fragment->size);
}

/* False: the header is over, and the fragment is something else. */
static bool
entity_take_header(EntityWalk *walk, const Fragment *fragment)
{
	const size_t colon = fragment->begins ? entity_colon(fragment) : 0;
	const bool is_folded =
		fragment->begins && fragment->size > 0 && (fragment->text[0] == ' ' || fragment->text[0] == '\t');

	if (fragment->begins && fragment->ends && fragment->size == 0) {
		entity_end_header(walk, fragment);
		return true;
	}
	if (colon > 0)
		entity_begin_field(walk, fragment, colon);
	else if (!fragment->begins || is_folded)
		entity_go_on_field(walk, fragment);
	else
		return false;
	walk->visitor->header(walk->data, &walk->entity, walk->field, fragment);
	return true;
}

/* ---- bodies ---- */

static bool
entity_is_delimiter(const OpenMultipart *open, const Fragment *line, bool *is_last)
{
	const size_t size = open->boundary_size;
	size_t at = 2 + size;

	if (line->size < at || memcmp(line->text, "--", 2) != 0 || memcmp(line->text + 2, open->boundary, size) != 0)
		return false;
	*is_last = line->size >= at + 2 && memcmp(line->text + at, "--", 2) == 0;
	at += *is_last ? 2 : 0;
	while (at < line->size && (line->text[at] == ' ' || line->text[at] == '\t'))
		at++;
	return at == line->size;
}

static void
entity_end_body(EntityWalk *walk, bool is_at_delimiter)
{
	if (walk->is_in_header)
		entity_end_header(walk, NULL);
	if (walk->is_in_header) /* of a message that has nothing in it */
		entity_end_header(walk, NULL);
	if (walk->is_in_body)
		walk->visitor->body_end(walk->data, &walk->entity, is_at_delimiter);
	walk->is_in_body = false;
}

/* A part begins, or what is behind the last one. */
static void
entity_turn(EntityWalk *walk, guint level, bool is_last)
{
	OpenMultipart *open = &g_array_index(walk->open, OpenMultipart, level);

	g_array_set_size(walk->open, level + 1);
	walk->depth = open->depth;
	walk->is_digest = open->is_digest;
	if (!is_last) {
		entity_begin(walk, false, open->entity.is_signed);
		return;
	}
	walk->entity = open->entity;
	walk->is_in_header = false;
	walk->depth--;
	g_array_set_size(walk->open, level);
}

static bool
entity_take_delimiter(EntityWalk *walk, const Fragment *line)
{
	bool is_last;

	if (!line->begins || (!line->ends && !walk->is_over) || line->size < 3 ||
		memcmp(line->text, "--", 2) != 0)
		return false;
	for (guint level = walk->open->len; level-- > 0;) {
		if (!entity_is_delimiter(&g_array_index(walk->open, OpenMultipart, level), line, &is_last))
			continue;
		entity_end_body(walk, true);
		walk->visitor->delimiter(walk->data, line);
		entity_turn(walk, level, is_last);
		return true;
	}
	return false;
}

static void
entity_take(EntityWalk *walk, const Fragment *fragment)
{
	if (entity_take_delimiter(walk, fragment))
		return;
	while (walk->is_in_header) {
		if (entity_take_header(walk, fragment))
			return;
		entity_end_header(walk, NULL);
	}
	walk->visitor->body(walk->data, &walk->entity, fragment);
}

/* ---- lines ---- */

/* What is kept of a line is seen; a CR at its end may belong to the line end. */
static void
entity_flush(EntityWalk *walk, bool ends)
{
	const bool keeps_cr = walk->used > 0 && !walk->is_over && walk->line[walk->used - 1] == '\r';
	const Fragment fragment = { walk->line, walk->used - keeps_cr, !walk->is_within, ends };

	if (fragment.size > 0 || ends)
		entity_take(walk, &fragment);
	walk->is_within = !ends && (walk->is_within || fragment.size > 0);
	walk->used = 0;
	if (keeps_cr && !ends)
		walk->line[walk->used++] = '\r';
}

void
entity_walk_add(EntityWalk *walk, const char *octets, size_t size)
{
	while (size > 0) {
		const char *lf = memchr(octets, '\n', size);
		const size_t run = lf != NULL ? (size_t)(lf - octets) : size;
		const size_t taken = MIN(run, sizeof walk->line - walk->used);

		memcpy(walk->line + walk->used, octets, taken);
		walk->used += taken;
		octets += taken;
		size -= taken;
		if (taken < run) {
			entity_flush(walk, false);
		} else if (lf != NULL) {
			entity_flush(walk, true);
			octets++;
			size--;
		}
	}
}

void
entity_walk_end(EntityWalk *walk)
{
	walk->is_over = true;
	if (walk->used > 0)
		entity_flush(walk, false);
	entity_end_body(walk, false);
}

EntityWalk *
entity_walk_new(const EntityVisitor *visitor, void *data)
{
	EntityWalk *walk = g_new0(EntityWalk, 1);

	walk->visitor = visitor;
	walk->data = data;
	walk->open = g_array_new(FALSE, FALSE, sizeof(OpenMultipart));
	g_array_set_clear_func(walk->open, entity_close_multipart);
	walk->type = g_string_new(NULL);
	walk->encoding = g_string_new(NULL);
	entity_begin(walk, true, false);
	return walk;
}

void
entity_walk_free(EntityWalk *walk)
{
	if (walk == NULL)
		return;
	g_array_unref(walk->open);
	g_string_free(walk->type, TRUE);
	g_string_free(walk->encoding, TRUE);
	g_free(walk);
}
