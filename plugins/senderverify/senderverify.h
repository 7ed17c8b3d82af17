/* senderverify.h - what the files of this plugin share: records of the cache, probes, and who may start one. */
#pragma once

#include <pthread.h>

#include "plugin-api.h"

enum { VERIFY_DESTINATIONS = 200, VERIFY_NAME = 256 };
enum { VERIFY_LEARNS_NOTHING, VERIFY_LEARNS_REFUSALS, VERIFY_LEARNS_ALL }; /* learn-domains */

typedef enum {
	VERDICT_NONE,      /* nothing is known, or nobody could be asked                             */
	VERDICT_GOOD,      /* the address: deliverable                                               */
	VERDICT_BAD,       /* the address: refused with 5xx                                          */
	VERDICT_UNSURE,    /* the address: 4xx, silence, no connection                               */
	VERDICT_ACCEPTS,   /* the domain: takes an address that cannot exist                         */
	VERDICT_SELECTIVE, /* the domain: knows its addresses                                        */
	VERDICT_REFUSES,   /* the domain: refuses us, whatever the address                           */
} Verdict;

typedef struct {
	Verdict verdict;
	int64_t since; /* when that was found out                                                    */
	int64_t asked; /* when it was last tried, which may have failed                              */
	const char *by, *text;
} Record;

/* One per exchanger that probes are under way to. */
typedef struct {
	char name[VERIFY_NAME];
	unsigned probes;
} Destination;

typedef struct {
	pthread_mutex_t lock; /* guards all below */
	unsigned probes;      /* in all */
	Destination destinations[VERIFY_DESTINATIONS];
} Instance;

/* ---- record.c ---- */

const char *verify_address_key(PtnHook *h, const char *address);
const char *verify_domain_key(PtnHook *h, const char *domain);
const char *verify_verdict_name(Verdict verdict);
/* NONE: nothing that is still valid. */
PtnStatus verify_record_read(PtnHook *h, const char *key, Record *record);
/* Writes `fresh`, but for a good address that is still valid: a later failure leaves it, and is remembered as a try. */
void verify_record_write(PtnHook *h, const char *key, const Record *fresh);
/* When it is to be asked again, and when it is worth nothing any more. */
int64_t verify_record_refresh_at(PtnHook *h, const Record *record);
/* It is time to ask anew. */
bool verify_record_is_due(PtnHook *h, const Record *record);
int64_t verify_record_expires_at(PtnHook *h, const Record *record);

/* ---- dialog.c ---- */

typedef struct {
	Verdict verdict;          /* of the address: NONE, GOOD, BAD, UNSURE                            */
	Verdict domain;           /* what was learned of the domain, or NONE                            */
	bool is_refused_early;    /* BAD before MAIL: another exchanger may think otherwise              */
	const char *by, *text;
	PtnStream *stream;        /* on which QUIT is still to be said, or NULL                          */
} Outcome;

/* Asks one exchanger for `address`; `learns`: about the domain, too. */
Outcome verify_dialog_ask(PtnHook *h, const char *exchanger, const char *address, bool learns);

/* ---- probe.c ---- */

/* Starts a probe unless one is under way; false: none can be started now. */
bool verify_probe_start(PtnHook *h, const char *address);
/* Probes now, by the caller's time; false: one is under way, or too many are.  `record`: what was found out, verdict NONE
 * where nobody is to be asked. */
bool verify_probe_run(PtnHook *h, const char *address, Record *record);

/* ---- command.c ---- */

PtnVerdict verify_command_show(PtnHook *h);
PtnVerdict verify_command_forget(PtnHook *h);
PtnVerdict verify_command_probe(PtnHook *h);
