/* domain.h - the domains of the directory as the engine sees them: whose mail is taken, and where it goes. */
#pragma once

#include "engine/engine.h"
#include "engine/route.h"

enum { DOMAIN_FORWARDS = 5 }; /* from domain to domain; more are a loop */

typedef enum {
	DOMAIN_FOREIGN, /* not in the directory, or it only sends */
	DOMAIN_TAKES,
	DOMAIN_NO_USER, /* its table of valid recipients does not have the address */
	DOMAIN_IS_FULL, /* it, or where it forwards to, has its share of the disk in held mail */
	DOMAIN_UNSURE,  /* the directory cannot tell now                           */
} DomainAnswer;

/* May mail for `address` (local@domain) be taken?  `most_held`: octets that a domain may have held; 0: any. */
DomainAnswer domain_judge(const Engine *engine, uint64_t most_held, const char *address);

/* The mode of the domain, NULL: it is not in the directory (or its entry says none).  `status`: UNSURE: it cannot tell now.  The
 * entry is the caller's. */
const char *domain_mode(const Engine *engine, const char *domain, PtnStatus *status, DirectoryEntry **entry);
/* Where all mail of the domain is forwarded to; NULL: nowhere.  The entry's. */
const char *domain_forwards_to(const DirectoryEntry *entry);
/* What the entry of the domain says of the way of its mail from `sender`; true: the answer has it, false: it does not say. */
bool domain_route(const Engine *engine, const DeliverySettings *settings, const char *sender,
	const DirectoryEntry *entry, RouteAnswer *answer);
