/* recode-private.h - what a plan knows of each entity. */
#pragma once

#include "proto/entity.h"
#include "proto/recode.h"

typedef struct {
	bool has_8bit, has_long; /* in its body */
	bool is_utf8;            /* what is above 127 there is UTF-8 */
	EntityKind kind;
	EntityEncoding encoding;
	bool is_signed, is_text;
	TransferKind transfer;    /* what becomes of its body */
	const char *new_encoding; /* of its header; NULL: it stays */
} EntityPlan;

/* NULL: beyond what a plan holds. */
const EntityPlan *recode_plan_entity(const RecodePlan *plan, unsigned index);
bool recode_plan_takes_8bit(const RecodePlan *plan);
