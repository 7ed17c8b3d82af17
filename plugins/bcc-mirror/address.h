/* address.h - sender addresses of BCC copies: bcc-ACCOUNT-RECIPIENT-DAY-TAG@DOMAIN.
 *
 * ACCOUNT and RECIPIENT are keyed digests, so nobody learns a login; DAY is when the copy was made; TAG signs all of it.
 * 47 characters of the 64 that RFC 5321 allows.  Letter case does not matter: servers on the way change it. */
#pragma once

#include <glib.h>
#include <stdint.h>

enum {
	ACCOUNT_SIZE = 12,
	RECIPIENT_SIZE = 8,
	DAY_SIZE = 4,
	TAG_SIZE = 16,
	VALUE_SIZE = 20
}; /* characters of 5 bits */

typedef enum { ADDRESS_OTHER, ADDRESS_FORGED, ADDRESS_EXPIRED, ADDRESS_VALID } AddressResult;

typedef struct {
	char account[ACCOUNT_SIZE + 1];
	char recipient[RECIPIENT_SIZE + 1];
	int64_t day;
} BounceAddress;

/* What the outside sees of a login. */
void address_account(const char *secret, const char *login, char id[ACCOUNT_SIZE + 1]);
void address_recipient(const char *secret, const char *login, const char *recipient, char id[RECIPIENT_SIZE + 1]);
/* The value of the mirrors' header: no other digest that goes out tells it. */
void address_mirror_value(const char *secret, const char *login, char value[VALUE_SIZE + 1]);

/* New. */
char *address_make(const char *secret, const char *domain, const char *login, const char *recipient, int64_t day);
/* OTHER: not of this form, or not at `domain`.  `days`: today, and for how many it is good.  `found` is set unless OTHER. */
AddressResult address_check(
	const char *secret, const char *domain, const char *address, const int64_t days[2], BounceAddress *found);
