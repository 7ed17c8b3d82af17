/* test-senderverify.h - a session whose sender's exchanger answers as it is told. */
#pragma once

#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

#define LOGIN "example.net"
#define PASSWORD "mypassword"
#define SENDER "user@example.net"
#define MX "192.0.2.25"
#define SECOND_MX "192.0.2.26"
#define CONTENT "Subject: a\r\n\r\nb\r\n"
#define HOUR (3600 * PTN_SECOND)
#define DAY (24 * HOUR)

/* `options` of [plugin senderverify], NULL for none; a mail-server account is logged in. */
PtnTest *new_test(const char *options);
/* What MAIL FROM:<sender> is answered; the transaction is dropped. */
const char *mail(PtnTest *test, const char *sender);
bool begins(const char *text, const char *start);
bool has(const char *text, const char *part);
/* The same, asked again until that begins with `start`, or ten seconds have passed. */
bool answers_soon(PtnTest *test, const char *sender, const char *start);
/* How often the exchanger was connected to, when nothing is under way. */
size_t probes(PtnTest *test);
/* How often that address was, as soon as it is so often, or ten seconds have passed. */
size_t connections(PtnTest *test, const char *address, size_t wanted);
/* Time goes by, and a new session begins: one that was long open is not good for another message. */
void pass(PtnTest *test, int64_t time);

extern const UnitSuite suite_cache, suite_lock;

#define EXPECT(sender, start) CU_ASSERT(begins(mail(test, sender), start))
/* A probe is made by a worker, which may come late on a busy machine. */
#define EXPECT_CONNECTIONS(address, n) CU_ASSERT_EQUAL(connections(test, address, n), n)
#define EXPECT_PROBES(n) CU_ASSERT_EQUAL(probes(test), n)
