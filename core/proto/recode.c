/* recode.c - a message as a plan wants it. */
#include <string.h>

#include "proto/octets.h"
#include "proto/recode-private.h"

struct Recoder {
	const RecodePlan *plan;
	TransferSink *sink;
	void *data;
	EntityWalk *walk;
	GString *line; /* of a header, as far as it may still be folded */
	Transfer transfer;
	unsigned transferred; /* the entity that `transfer` is for, plus 1; 0: none */
	size_t column;        /* of a line that is broken because it may be (see recoder_fill()) */
};

static void
recoder_put(Recoder *recoder, const char *octets, size_t size)
{
	if (size > 0)
		recoder->sink(recoder->data, octets, size);
}

static void
recoder_copy(Recoder *recoder, const Fragment *fragment)
{
	recoder_put(recoder, fragment->text, fragment->size);
	if (fragment->ends)
		recoder_put(recoder, "\r\n", 2);
}

/* ---- headers ---- */

/* Where a line may end: before the last blank that leaves something on both sides of it, and more than a name on the left; 0:
 * nowhere (RFC 5322 2.2.3). */
static size_t
recoder_fold_place(const GString *line)
{
	size_t at = MIN(line->len - 1, LINE_CONTENT_MAX), first = 0;

	while (first < line->len && (line->str[first] == ' ' || line->str[first] == '\t'))
		first++;
	while (at > first && line->str[at] != ' ' && line->str[at] != '\t')
		at--;
	while (at > first && (line->str[at - 1] == ' ' || line->str[at - 1] == '\t'))
		at--;
	return at > first && line->str[at - 1] != ':' ? at : 0;
}

/* A line without blanks cannot be folded, and goes as it is. */
static void
recoder_fold(Recoder *recoder)
{
	while (recoder->line->len > LINE_CONTENT_MAX) {
		const size_t at = recoder_fold_place(recoder->line);

		if (at == 0)
			return;
		recoder_put(recoder, recoder->line->str, at);
		recoder_put(recoder, "\r\n", 2);
		g_string_erase(recoder->line, 0, (gssize)at);
	}
}

static void
recoder_header(void *data, const Entity *entity, EntityField field, const Fragment *fragment)
{
	Recoder *recoder = data;
	const EntityPlan *known = recode_plan_entity(recoder->plan, entity->index);

	if (known == NULL || entity->is_signed) {
		recoder_copy(recoder, fragment);
		return;
	}
	if (field == FIELD_ENCODING && known->new_encoding != NULL)
		return; /* see recoder_header_end() */
	g_string_append_len(recoder->line, fragment->text, (gssize)fragment->size);
	recoder_fold(recoder);
	if (!fragment->ends && recoder->line->len <= LINE_CONTENT_MAX)
		return;
	recoder_put(recoder, recoder->line->str, recoder->line->len);
	g_string_truncate(recoder->line, 0);
	if (fragment->ends)
		recoder_put(recoder, "\r\n", 2);
}

static void
recoder_put_line(Recoder *recoder, const char *line)
{
	recoder_put(recoder, line, strlen(line));
	recoder_put(recoder, "\r\n", 2);
}

/* A text whose character set was not said was read by guesswork; encoded it would count as ASCII (RFC 1428, RFC 2045 5.2). */
static void
recoder_put_type(Recoder *recoder, const Entity *entity, const EntityPlan *known)
{
	if (!entity->has_type && known->has_8bit && known->kind == ENTITY_LEAF && known->transfer == TRANSFER_QP)
		recoder_put_line(recoder, known->is_utf8 ? "Content-Type: text/plain; charset=utf-8"
												 : "Content-Type: text/plain; charset=unknown-8bit");
}

/* The text around the parts of a multipart is changed. */
static bool
recoder_is_filling(const Entity *entity, const EntityPlan *known)
{
	return known != NULL && entity->kind == ENTITY_MULTIPART && !known->is_signed &&
		   (known->has_8bit || known->has_long);
}

static void
recoder_header_end(void *data, const Entity *entity, const Fragment *empty)
{
	Recoder *recoder = data;
	const EntityPlan *known = recode_plan_entity(recoder->plan, entity->index);

	if (recoder->line->len > 0) { /* the message ends in it */
		recoder_put(recoder, recoder->line->str, recoder->line->len);
		g_string_truncate(recoder->line, 0);
		if (known != NULL && known->new_encoding != NULL)
			recoder_put(recoder, "\r\n", 2);
	}
	if (known != NULL && known->new_encoding != NULL) {
		if (entity->is_message && !entity->has_version)
			recoder_put_line(recoder, "MIME-Version: 1.0");
		recoder_put_type(recoder, entity, known);
		recoder_put(recoder, "Content-Transfer-Encoding: ", strlen("Content-Transfer-Encoding: "));
		recoder_put_line(recoder, known->new_encoding);
	}
	if (empty == NULL && known != NULL && (known->new_encoding != NULL || recoder_is_filling(entity, known)))
		recoder_put(recoder, "\r\n", 2); /* what follows is the body, and must not look like a field, or a part of one */
	if (empty != NULL)
		recoder_copy(recoder, empty);
}

/* ---- bodies ---- */

/* A line of the text around parts must not become a delimiter when it is broken or loses octets. */
static void
recoder_fill_octet(Recoder *recoder, const char *octet)
{
	if (recoder->column == LINE_CONTENT_MAX) {
		recoder_put(recoder, "\r\n", 2);
		recoder->column = 0;
	}
	if (recoder->column == 0 && *octet == '-') {
		recoder_put(recoder, " ", 1);
		recoder->column++;
	}
	recoder_put(recoder, octet, 1);
	recoder->column++;
}

/* The text around the parts of a multipart has no meaning (RFC 2046 5.1.1). */
static void
recoder_fill(Recoder *recoder, const Fragment *fragment)
{
	if (fragment->begins)
		recoder->column = 0;
	for (size_t i = 0; i < fragment->size; i++) {
		const bool is_8bit = (fragment->text[i] & 0x80) != 0 && !recode_plan_takes_8bit(recoder->plan);

		recoder_fill_octet(recoder, is_8bit ? "?" : fragment->text + i);
	}
	if (fragment->ends)
		recoder_put(recoder, "\r\n", 2);
}

static void
recoder_body(void *data, const Entity *entity, const Fragment *fragment)
{
	Recoder *recoder = data;
	const EntityPlan *known = recode_plan_entity(recoder->plan, entity->index);

	if (recoder_is_filling(entity, known)) {
		recoder_fill(recoder, fragment);
		return;
	}
	if (known == NULL || known->transfer == TRANSFER_NONE || entity->kind != ENTITY_LEAF) {
		recoder_copy(recoder, fragment);
		return;
	}
	if (recoder->transferred != entity->index + 1)
		recoder->transfer = (Transfer){ .kind = known->transfer, .sink = recoder->sink, .data = recoder->data };
	recoder->transferred = entity->index + 1;
	if (fragment->size > 0)
		transfer_text(&recoder->transfer, fragment->text, fragment->size);
	if (fragment->ends)
		transfer_line_end(&recoder->transfer);
}

static void
recoder_body_end(void *data, const Entity *entity, bool is_at_delimiter)
{
	Recoder *recoder = data;

	if (recoder->transferred == entity->index + 1)
		transfer_end(&recoder->transfer, is_at_delimiter);
	recoder->transferred = 0;
}

static void
recoder_delimiter(void *data, const Fragment *line)
{
	recoder_copy(data, line);
}

static const EntityVisitor recoder_visitor = { recoder_header, recoder_header_end, recoder_body, recoder_body_end,
	recoder_delimiter };

Recoder *
recoder_new(const RecodePlan *plan, TransferSink *sink, void *data)
{
	Recoder *recoder = g_new0(Recoder, 1);

	recoder->plan = plan;
	recoder->sink = sink;
	recoder->data = data;
	recoder->line = g_string_new(NULL);
	recoder->walk = entity_walk_new(&recoder_visitor, recoder);
	return recoder;
}

void
recoder_add(Recoder *recoder, const char *octets, size_t size)
{
	entity_walk_add(recoder->walk, octets, size);
}

void
recoder_end(Recoder *recoder)
{
	entity_walk_end(recoder->walk);
}

void
recoder_free(Recoder *recoder)
{
	if (recoder == NULL)
		return;
	entity_walk_free(recoder->walk);
	g_string_free(recoder->line, TRUE);
	g_free(recoder);
}
