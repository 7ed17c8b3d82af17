/* recode.h - making a message fit for a next hop that takes no octets above 127, or no lines over 998 octets (RFC 6152 3,
 * RFC 5321 4.5.3.1.6).
 *
 * Two passes over the same octets: a RecodePlan finds out what is to be done, a Recoder does it.  Bodies become quoted-printable
 * or base64, long lines of headers are folded.  What is within multipart/signed is not touched (RFC 1847 2.1), nor what may not be
 * encoded.  Octets above 127 in headers stay: only SMTPUTF8 speaks of them.  Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/transfer.h"

enum { RECODE_ENTITIES_MAX = 10000 }; /* those beyond are not touched */

typedef struct RecodePlan RecodePlan;
typedef struct Recoder Recoder;

/* `takes_8bit`: the next hop has 8BITMIME. */
RecodePlan *recode_plan_new(bool takes_8bit);
void recode_plan_add(RecodePlan *plan, const char *octets, size_t size);
void recode_plan_end(RecodePlan *plan);
void recode_plan_free(RecodePlan *plan);
/* After the end: something is to be changed. */
bool recode_plan_is_needed(const RecodePlan *plan);
/* It has octets above 127 that the next hop does not take, where nothing may be changed. */
bool recode_plan_is_impossible(const RecodePlan *plan);
/* The header of the message, not those of its parts, has octets above 127. */
bool recode_plan_has_8bit_header(const RecodePlan *plan);
/* A body has. */
bool recode_plan_has_8bit_body(const RecodePlan *plan);

Recoder *recoder_new(const RecodePlan *plan, TransferSink *sink, void *data);
void recoder_add(Recoder *recoder, const char *octets, size_t size);
void recoder_end(Recoder *recoder);
void recoder_free(Recoder *recoder);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RecodePlan, recode_plan_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recoder, recoder_free)
