/* proxy-tlv.h - what a PROXY header of version 2 says beyond addresses: type, length, value. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { PROXY_TEXT_SIZE = 256 };

/* "" and false: not said.  Texts have no control characters. */
typedef struct {
	char authority[PROXY_TEXT_SIZE]; /* the name that the client asked for (SNI)             */
	char alpn[PROXY_TEXT_SIZE];
	bool is_tls;                       /* the client speaks TLS to the proxy                   */
	bool has_certificate, is_verified; /* of the client; the proxy verified it                 */
	char tls_version[PROXY_TEXT_SIZE], tls_cipher[PROXY_TEXT_SIZE], tls_client_name[PROXY_TEXT_SIZE];
} ProxyTlvs;

typedef enum { PROXY_TLV_OK, PROXY_TLV_BROKEN, PROXY_TLV_BAD_CHECKSUM } ProxyTlvResult;

/* Of the header of `size` octets, whose TLVs begin at `at`.  BROKEN: they do not end where the header does. */
ProxyTlvResult proxy_tlv_parse(const char *header, size_t size, size_t at, ProxyTlvs *tlvs);
