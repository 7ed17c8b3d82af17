/* proxy-tlv.c - what a PROXY header of version 2 says beyond addresses.
 *
 * The checksum is the CRC-32C of the whole header with zeros in its place. */
#include "proto/proxy-tlv.h"

#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/escape.h"

enum {
	TLV_START = 3,
	TLV_ALPN = 0x01,
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_SSL = 0x20,
	TLV_SSL_VERSION = 0x21,
	TLV_SSL_CN = 0x22,
	TLV_SSL_CIPHER = 0x23,
	SSL_START = 5, /* client, verify */
	SSL_CLIENT_TLS = 1,
	SSL_CLIENT_CERTIFICATE = 2 | 4, /* in this connection, or in this session */
};

typedef struct {
	unsigned type;
	const char *value;
	size_t size;
} Tlv;

/* False: there is none; `at` is then the end, or what is there is broken. */
static bool
tlv_next(const char *data, size_t size, size_t *at, Tlv *tlv)
{
	const unsigned char *start = (const unsigned char *)data + *at;

	if (size - *at < TLV_START)
		return false;
	*tlv = (Tlv){ start[0], data + *at + TLV_START, (size_t)start[1] << 8 | start[2] };
	if (tlv->size > size - *at - TLV_START)
		return false;
	*at += TLV_START + tlv->size;
	return true;
}

/* What could move a cursor, or is too long to be what it should be, is not taken over. */
static void
tlv_copy(const Tlv *tlv, char *text)
{
	if (tlv->size == 0 || tlv->size >= PROXY_TEXT_SIZE || memchr(tlv->value, '\0', tlv->size) != NULL)
		return;
	memcpy(text, tlv->value, tlv->size);
	text[tlv->size] = '\0';
	if (!escape_is_plain(text))
		text[0] = '\0';
}

static bool
tlv_take_ssl(const Tlv *ssl, ProxyTlvs *tlvs)
{
	size_t at = SSL_START;
	Tlv tlv;

	if (ssl->size < SSL_START)
		return false;
	tlvs->is_tls = (ssl->value[0] & SSL_CLIENT_TLS) != 0;
	tlvs->has_certificate = (ssl->value[0] & SSL_CLIENT_CERTIFICATE) != 0;
	tlvs->is_verified = tlvs->has_certificate && memcmp(ssl->value + 1, "\0\0\0\0", 4) == 0;
	while (tlv_next(ssl->value, ssl->size, &at, &tlv)) {
		if (tlv.type == TLV_SSL_VERSION)
			tlv_copy(&tlv, tlvs->tls_version);
		else if (tlv.type == TLV_SSL_CIPHER)
			tlv_copy(&tlv, tlvs->tls_cipher);
		else if (tlv.type == TLV_SSL_CN)
			tlv_copy(&tlv, tlvs->tls_client_name);
	}
	return at == ssl->size;
}

static bool
tlv_checksum_fits(const char *header, size_t size, const Tlv *tlv)
{
	const unsigned char *sent = (const unsigned char *)tlv->value;
	const size_t before = (size_t)(tlv->value - header);
	uint32_t crc;

	if (tlv->size != 4)
		return false;
	crc = crc32c(0, header, before);
	crc = crc32c(crc, "\0\0\0\0", 4);
	crc = crc32c(crc, tlv->value + 4, size - before - 4);
	return crc == ((uint32_t)sent[0] << 24 | (uint32_t)sent[1] << 16 | (uint32_t)sent[2] << 8 | sent[3]);
}

ProxyTlvResult
proxy_tlv_parse(const char *header, size_t size, size_t at, ProxyTlvs *tlvs)
{
	ProxyTlvs found = { 0 };
	bool is_whole = true, fits = true;
	Tlv tlv;

	while (tlv_next(header, size, &at, &tlv)) {
		if (tlv.type == TLV_AUTHORITY)
			tlv_copy(&tlv, found.authority);
		else if (tlv.type == TLV_ALPN)
			tlv_copy(&tlv, found.alpn);
		else if (tlv.type == TLV_SSL)
			is_whole = is_whole && tlv_take_ssl(&tlv, &found);
		else if (tlv.type == TLV_CRC32C)
			fits = fits && tlv_checksum_fits(header, size, &tlv);
	}
	if (at != size || !is_whole)
		return PROXY_TLV_BROKEN;
	if (!fits)
		return PROXY_TLV_BAD_CHECKSUM;
	*tlvs = found;
	return PROXY_TLV_OK;
}
