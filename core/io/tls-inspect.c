/* tls-inspect.c - reads a certificate as a person would: whose it is, and how long it lasts. */
#include "io/tls-inspect.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"

#define EXPIRY_DAY (86400 * CLOCK_SECOND)
enum { EXPIRY_SOON_DAYS = 21, EXPIRY_URGENT_DAYS = 7, EXPIRY_SOON_SHARE = 3, EXPIRY_URGENT_SHARE = 10 };

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

/* 0: it makes no sense. */
static int64_t
tls_time(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) * CLOCK_SECOND : 0;
}

bool
tls_inspect(const char *path, const char *name, TlsFacts *facts, GError **error)
{
	X509 *certificate = tls_read_certificate(path, error);

	if (certificate == NULL)
		return false;
	facts->begins_us = tls_time(X509_get0_notBefore(certificate));
	facts->ends_us = tls_time(X509_get0_notAfter(certificate));
	facts->is_for_name = X509_check_host(certificate, name, 0, 0, NULL) == 1;
	facts->is_self_signed =
		X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
	X509_free(certificate);
	return true;
}

char *
tls_expiry_complaint(const char *path, const TlsFacts *facts, int64_t now_us)
{
	const int64_t life_us = facts->ends_us - facts->begins_us, left_us = facts->ends_us - now_us;
	g_autoptr(GDateTime) end = g_date_time_new_from_unix_utc(facts->ends_us / CLOCK_SECOND);
	g_autofree char *day = end != NULL ? g_date_time_format(end, "%F %R UTC") : g_strdup("an unknown day");

	if (left_us <= 0)
		return g_strdup_printf("the certificate %s expired on %s", path, day);
	if (left_us <= MIN(life_us / EXPIRY_URGENT_SHARE, EXPIRY_URGENT_DAYS * EXPIRY_DAY))
		return g_strdup_printf("the certificate %s expires on %s: renew it now", path, day);
	if (left_us <= MIN(life_us / EXPIRY_SOON_SHARE, EXPIRY_SOON_DAYS * EXPIRY_DAY))
		return g_strdup_printf("the certificate %s expires on %s, and was not renewed yet", path, day);
	return NULL;
}
