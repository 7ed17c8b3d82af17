/* test-gateway.h - what the tests of this plugin share: a gateway with customer acme, its hosted domain, and another
 * customer's. */
#pragma once

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "plugin-test.h"
#include "unit/unit.h"

#define LOGIN "user@example.net"
#define SECRET "0123456789abcdef"
#define BCC "archive@far.example"
#define MIRROR "sent@hosted.example"
#define CONTENT "From: user@example.net\r\nSubject: a\r\n\r\nbody\r\n"
#define ASSERT_STARTS(text, start) ASSERT_TEXT(gateway_first((text), strlen(start)), (start))

extern bool gateway_is_away;       /* its directory cannot be reached */
extern unsigned gateway_conflicts; /* so many times somebody else is first there */

/* An account LOGIN with these copies, whose customer is of this level. */
PtnTest *gateway_new(const char *level, const char *bcc, const char *mirror);
/* A message of it to friend@example.org, in a new session. */
void gateway_submit(PtnTest *t);
/* The place of the message to that recipient; the test ends without. */
size_t gateway_place(PtnTest *t, const char *recipient);
size_t gateway_count(PtnTest *t, const char *recipient);
/* posternctl bcc-mirror show. */
const char *gateway_shown(PtnTest *t);
bool gateway_says(const char *text, const char *part);
/* The first `n` octets; until the next call. */
const char *gateway_first(const char *text, size_t n);

extern const UnitSuite test_copies, test_bounces;
