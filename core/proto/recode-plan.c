/* recode-plan.c - finding out what a next hop would not take of a message, and what can be done about it. */
#include "proto/octets.h"
#include "proto/recode-private.h"

struct RecodePlan {
	bool takes_8bit;
	EntityWalk *walk;
	GArray *entities; /* of EntityPlan */
	size_t line;      /* octets of the line at hand */
	bool has_8bit_header, has_8bit_beyond, has_long_header;
	bool is_needed, is_impossible;
};

static EntityPlan *
plan_at(const RecodePlan *plan, unsigned index)
{
	return index < plan->entities->len ? &g_array_index(plan->entities, EntityPlan, index) : NULL;
}

/* True: the line that the fragment is of is too long by now. */
static bool
plan_is_long(RecodePlan *plan, const Fragment *fragment)
{
	plan->line = (fragment->begins ? 0 : plan->line) + fragment->size;
	return plan->line > LINE_CONTENT_MAX;
}

static void
plan_header(void *data, const Entity *entity, EntityField field, const Fragment *fragment)
{
	RecodePlan *plan = data;

	(void)field;
	if (entity->index == 0)
		plan->has_8bit_header |= !octets_are_ascii(fragment->text, fragment->size);
	if (plan_is_long(plan, fragment) && !entity->is_signed)
		plan->has_long_header = true;
}

static void
plan_header_end(void *data, const Entity *entity, const Fragment *empty)
{
	RecodePlan *plan = data;
	const EntityPlan known = { .is_utf8 = true,
		.kind = entity->kind,
		.encoding = entity->encoding,
		.is_signed = entity->is_signed,
		.is_text = entity->is_text };

	(void)empty;
	if (plan->entities->len < RECODE_ENTITIES_MAX && plan->entities->len == entity->index)
		g_array_append_val(plan->entities, known);
}

static void
plan_body(void *data, const Entity *entity, const Fragment *fragment)
{
	RecodePlan *plan = data;
	EntityPlan *known = plan_at(plan, entity->index);
	const bool is_ascii = octets_are_ascii(fragment->text, fragment->size);

	if (known == NULL) {
		plan->has_8bit_beyond |= !is_ascii;
		return;
	}
	known->is_signed |= entity->is_signed; /* around the parts of multipart/signed */
	known->has_8bit |= !is_ascii;
	known->has_long |= plan_is_long(plan, fragment);
	known->is_utf8 = known->is_utf8 && (is_ascii || g_utf8_validate(fragment->text, (gssize)fragment->size, NULL));
}

static void
plan_body_end(void *data, const Entity *entity, bool is_at_delimiter)
{
	(void)data;
	(void)entity;
	(void)is_at_delimiter;
}

static void
plan_delimiter(void *data, const Fragment *line)
{
	(void)data;
	(void)line;
}

static const EntityVisitor plan_visitor = { plan_header, plan_header_end, plan_body, plan_body_end,
	plan_delimiter };

RecodePlan *
recode_plan_new(bool takes_8bit)
{
	RecodePlan *plan = g_new0(RecodePlan, 1);

	plan->takes_8bit = takes_8bit;
	plan->entities = g_array_new(FALSE, FALSE, sizeof(EntityPlan));
	plan->walk = entity_walk_new(&plan_visitor, plan);
	return plan;
}

void
recode_plan_add(RecodePlan *plan, const char *octets, size_t size)
{
	entity_walk_add(plan->walk, octets, size);
}

/* ---- decisions ---- */

static TransferKind
plan_transfer(const EntityPlan *known)
{
	if (known->encoding == CTE_QP)
		return TRANSFER_MEND_QP;
	if (known->encoding == CTE_BASE64)
		return TRANSFER_MEND_BASE64;
	return known->is_text ? TRANSFER_QP : TRANSFER_BASE64;
}

static void
plan_decide(RecodePlan *plan, EntityPlan *known)
{
	const bool is_refused = known->has_8bit && !plan->takes_8bit;
	const bool may_change = !known->is_signed && known->kind != ENTITY_OPAQUE;

	if (!is_refused && !known->has_long)
		return;
	plan->is_impossible |= is_refused && !may_change;
	plan->is_needed |= may_change;
	if (!may_change || known->kind != ENTITY_LEAF)
		return;
	known->transfer = plan_transfer(known);
	if (known->transfer == TRANSFER_QP)
		known->new_encoding = "quoted-printable";
	else if (known->transfer == TRANSFER_BASE64)
		known->new_encoding = "base64";
}

/* What was announced as 8-bit is not any more, and what contains it must not say so (RFC 2045 6.4). */
static void
plan_relabel(const RecodePlan *plan, EntityPlan *known)
{
	if (!plan->takes_8bit && known->new_encoding == NULL && !known->is_signed &&
		(known->encoding == CTE_8BIT || known->encoding == CTE_BINARY))
		known->new_encoding = "7bit";
}

void
recode_plan_end(RecodePlan *plan)
{
	entity_walk_end(plan->walk);
	plan->is_needed = plan->has_long_header;
	plan->is_impossible = plan->has_8bit_beyond && !plan->takes_8bit;
	for (guint i = 0; i < plan->entities->len; i++)
		plan_decide(plan, plan_at(plan, i));
	for (guint i = 0; plan->is_needed && i < plan->entities->len; i++)
		plan_relabel(plan, plan_at(plan, i));
}

/* ---- answers ---- */

bool
recode_plan_is_needed(const RecodePlan *plan)
{
	return plan->is_needed;
}

bool
recode_plan_is_impossible(const RecodePlan *plan)
{
	return plan->is_impossible;
}

bool
recode_plan_has_8bit_header(const RecodePlan *plan)
{
	return plan->has_8bit_header;
}

bool
recode_plan_has_8bit_body(const RecodePlan *plan)
{
	bool has_8bit = plan->has_8bit_beyond;

	for (guint i = 0; i < plan->entities->len && !has_8bit; i++)
		has_8bit = plan_at(plan, i)->has_8bit;
	return has_8bit;
}

const EntityPlan *
recode_plan_entity(const RecodePlan *plan, unsigned index)
{
	return plan_at(plan, index);
}

bool
recode_plan_takes_8bit(const RecodePlan *plan)
{
	return plan->takes_8bit;
}

void
recode_plan_free(RecodePlan *plan)
{
	if (plan == NULL)
		return;
	entity_walk_free(plan->walk);
	g_array_unref(plan->entities);
	g_free(plan);
}
