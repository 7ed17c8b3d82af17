/* clamd.h - what clamd is asked over one connection, and what it says. */
#pragma once

#include <stddef.h>

#include "plugin-api.h"

typedef struct {
	char *name; /* as in the configuration */
	char *host; /* for ptn_open() */
	int port;
} ClamdAddress;

typedef enum {
	CLAMD_CLEAN,
	CLAMD_FOUND,
	CLAMD_TOO_LARGE, /* for clamd's own StreamMaxLength */
	CLAMD_ERROR,     /* it answers, but did not scan */
	CLAMD_SILENT,    /* no connection, or no answer in time */
} ClamdVerdict;

typedef struct {
	ClamdVerdict verdict;
	const char
		*text; /* the signature, or what clamd said or did not; printable ASCII, lives as long as the hook */
} ClamdAnswer;

/* "unix:/PATH", "ADDRESS:PORT", "[IPV6]:PORT", "NAME:PORT".  False: none of these, and nothing is set. */
bool clamd_address_parse(const char *text, ClamdAddress *address);
void clamd_address_clear(ClamdAddress *address);
ClamdAnswer clamd_scan(PtnHook *h, const ClamdAddress *address, const char *content, size_t size);
/* The answer to a command ("PING"); NULL: none. */
const char *clamd_ask(PtnHook *h, const ClamdAddress *address, const char *command);
