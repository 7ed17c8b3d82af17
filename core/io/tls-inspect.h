/* tls-inspect.h - what a certificate's file says of itself, for people who look after it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t ends_us;      /* wall clock: the end of its validity */
	bool is_for_name;     /* good for the name that was asked about */
	bool is_self_signed;
} TlsFacts;

/* Of the first certificate of a PEM file.  False: it cannot be read. */
bool tls_inspect(const char *path, const char *name, TlsFacts *facts, GError **error);
