/* tls-inspect.h - what a certificate's file says of itself, for people who look after it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t begins_us, ends_us; /* of its validity, wall clock */
	bool is_for_name;     /* good for the name that was asked about */
	bool is_self_signed;
} TlsFacts;

/* Of the first certificate of a PEM file.  False: it cannot be read. */
bool tls_inspect(const char *path, const char *name, TlsFacts *facts, GError **error);
/* What an alarm says of the certificate at `path`: new.  NULL: it lasts longer than a third of its life, or than 21 days.  From a
 * tenth of its life, or 7 days, it is urgent.  `now_us`: wall clock. */
char *tls_expiry_complaint(const char *path, const TlsFacts *facts, int64_t now_us);
