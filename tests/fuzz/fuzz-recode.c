/* fuzz-recode.c - messages encoded anew for a next hop: the same however they come in, and then they fit. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/recode.h"

static void
collect(void *data, const char *octets, size_t size)
{
	g_assert(size > 0);
	g_string_append_len(data, octets, (gssize)size);
}

static RecodePlan *
plan_for(const char *message, size_t size, bool takes_8bit, size_t piece)
{
	RecodePlan *plan = recode_plan_new(takes_8bit);

	for (size_t at = 0; at < size; at += piece)
		recode_plan_add(plan, message + at, MIN(piece, size - at));
	recode_plan_end(plan);
	return plan;
}

static GString *
recoded(const RecodePlan *plan, const char *message, size_t size, size_t piece)
{
	GString *out = g_string_new(NULL);
	g_autoptr(Recoder) recoder = recoder_new(plan, collect, out);

	for (size_t at = 0; at < size; at += piece)
		recoder_add(recoder, message + at, MIN(piece, size - at));
	recoder_end(recoder);
	return out;
}

/* Nothing above 127 is left in a body that may be changed, and once is enough. */
static void
check_fits(const GString *out, bool takes_8bit, bool was_impossible)
{
	g_autoptr(RecodePlan) plan = plan_for(out->str, out->len, takes_8bit, out->len);

	if (!was_impossible)
		g_assert(!recode_plan_is_impossible(plan) && (takes_8bit || !recode_plan_has_8bit_body(plan)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *message = (const char *)data + 1;
	g_autoptr(RecodePlan) plan = NULL;
	g_autoptr(RecodePlan) same = NULL;
	g_autoptr(GString) whole = NULL;
	g_autoptr(GString) pieces = NULL;
	bool takes_8bit;

	if (size < 2)
		return 0;
	takes_8bit = data[0] & 1;
	plan = plan_for(message, size - 1, takes_8bit, size);
	same = plan_for(message, size - 1, takes_8bit, 1 + data[0] % 7);
	g_assert(recode_plan_is_needed(plan) == recode_plan_is_needed(same));
	g_assert(recode_plan_is_impossible(plan) == recode_plan_is_impossible(same));
	whole = recoded(plan, message, size - 1, size);
	pieces = recoded(plan, message, size - 1, 1 + data[0] % 11);
	g_assert(g_string_equal(whole, pieces));
	check_fits(whole, takes_8bit, recode_plan_is_impossible(plan));
	return 0;
}
