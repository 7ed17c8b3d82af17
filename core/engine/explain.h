/* explain.h - a rehearsal: a message goes through the whole chain, is not queued, and each plugin's answer is kept.
 *
 * Nothing is counted, noted or written; what plugins ask of others is really asked.  Waits: any thread that may. */
#pragma once

#include "engine/engine.h"

typedef struct {
	IpAddress client;
	const ListenerSettings *listener; /* of the snapshot */
	const char *login;                /* taken as authenticated; NULL: nobody is */
	const char *helo, *sender;
	const char *const *recipients;    /* NULL-ended */
	const char *content;              /* lines end with LF or CRLF */
} ExplainRequest;

/* What one plugin, or the engine itself, said. */
typedef struct {
	const char *stage;
	char *plugin;    /* NULL: the engine */
	char *answer;    /* "next", "550 5.7.1 …", "would refuse (mode = warn): …", "failed: …, passed" */
	char *asked;     /* of DNS, store, directory, other servers, with what they said; "": nothing */
	int64_t took_us;
} ExplainRow;

typedef struct Explanation {
	GPtrArray *rows;    /* of ExplainRow*, in order */
	GPtrArray *changes; /* sentences: what became of the message */
	char *reply;        /* the last one, or the refusal that ended it: "250 2.0.0 Ok", "554 5.7.1 …" */
	bool is_accepted;   /* by at least one recipient's way */
} Explanation;

/* New. */
Explanation *explain(const Engine *engine, Snapshot *snapshot, const ExplainRequest *request);
void explanation_free(Explanation *explanation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Explanation, explanation_free)
