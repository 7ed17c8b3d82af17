/* test-blocking.h - what the tests of this plugin share: a gateway with one account, and clients that fail. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "plugin-test.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_blocking;

#define CLIENT "203.0.113.9"
#define LOGIN "user@example.net"
#define MINUTE (60 * PTN_SECOND)
/* A threshold of three is always three: a quarter of it is nothing. */
#define OTHERS_OFF "logins = off\n" REST_OFF
#define REST_OFF \
	"listed = off\nconnections = off\nerrors = off\nnot-smtp = off\nprobes = off\n" \
	"relay-attempts = off\nrejects = off\ncontent = off\n"

/* `options` of [plugin blocking]. */
PtnTest *gateway_new(const char *options);
/* One failed login of `client`, or `n` of LOGIN, each in a session of its own. */
void gateway_fail_once(PtnTest *test, const char *client, const char *login);
void gateway_fail(PtnTest *test, const char *client, int n);
/* `reason`: a part of it; NULL: it is not blocked. */
void gateway_assert_blocked(PtnTest *test, const char *client, const char *reason);
/* A message of LOGIN from CLIENT. */
void gateway_submit(PtnTest *test, const char *sender, const char *content);

extern const UnitSuite test_threshold;
