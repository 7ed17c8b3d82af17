/* tls-inspect.c - reads a certificate as a person would: whose it is, and how long it lasts. */
#include "io/tls-inspect.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"

static X509 *
tls_read_certificate(const char *path, GError **error)
{
	FILE *file = fopen(path, "re");
	X509 *certificate;

	if (file == NULL) {
		(void)error_set_errno(error, "%s", path);
		return NULL;
	}
	certificate = PEM_read_X509(file, NULL, NULL, NULL);
	(void)fclose(file);
	if (certificate == NULL)
		(void)error_set(error, POSTERN_ERROR_INVALID, "%s: there is no certificate in it", path);
	return certificate;
}

bool
tls_inspect(const char *path, const char *name, TlsFacts *facts, GError **error)
{
	X509 *certificate = tls_read_certificate(path, error);
	struct tm ends;

	if (certificate == NULL)
		return false;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &ends) == 1)
		facts->ends_us = (int64_t)timegm(&ends) * CLOCK_SECOND;
	else
		facts->ends_us = 0;
	facts->is_for_name = X509_check_host(certificate, name, 0, 0, NULL) == 1;
	facts->is_self_signed =
		X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
	X509_free(certificate);
	return true;
}
