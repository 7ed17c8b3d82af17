/* test-standing.h - what the tests of this plugin share: a gateway with account LOGIN of customer acme. */
#pragma once

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "plugin-test.h"
#include "unit/unit.h"

#define LOGIN "user@example.net"
#define OTHER "other@example.net"
#define FBL "fbl@example.net"
#define SECRET "0123456789abcdef"
#define TEXT "Subject: a\r\n\r\nb\r\n"
#define HOUR (3600 * PTN_SECOND)
#define DAY (24 * HOUR)
#define ASSERT_STARTS(text, start) ASSERT_TEXT(gateway_first((text), strlen(start)), (start))
#define ASSERT_SAYS(text, part) gateway_assert_says((text), (part))

/* `options` of [plugin standing]. */
PtnTest *gateway_new(const char *options);
/* Logs in, in a new session: "235 …", or why not. */
const char *gateway_login(PtnTest *t, const char *login);
/* A message from LOGIN, in a new session; "" ends the test when it is not taken. */
void gateway_submit(PtnTest *t);
/* The refusal of a whole transaction, in a session of its own. */
const char *gateway_try(PtnTest *t, const char *sender, const char *recipient, const char *content);
bool gateway_is_disabled(PtnTest *t, const char *login);
size_t gateway_count(PtnTest *t, const char *recipient);
/* The last message to that recipient. */
size_t gateway_last(PtnTest *t, const char *recipient);
const char *gateway_first(const char *text, size_t n);
void gateway_assert_says(const char *text, const char *part);

extern const UnitSuite test_shares, test_windows, test_complaints;
