/* domains.h - the domains that a message names: of a plain message found here, of another by the parser. */
#pragma once

#include "plugin-api.h"
#include "plugins/uribl/extract.h"

typedef struct {
	GPtrArray *names; /* of Domain*, at most as many as were asked for */
	bool is_cut;      /* a limit cut it */
} Domains;

void domains_clear(Domains *domains);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Domains, domains_clear)

/* False: the parser did not answer, or what it answered makes no sense; logged. */
bool domains_find(PtnHook *h, const psl_ctx_t *psl, const ExtractLimits *limits, unsigned most,
	const char *content, size_t size, Domains *domains);

/* The plugin's parser. */
PtnParserStart domains_parser_start;
PtnParser domains_parse;
