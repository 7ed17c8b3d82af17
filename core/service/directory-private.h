/* directory-private.h - what directory*.c share. */
#pragma once

#include "service/directory-cache.h"
#include "service/directory.h"

struct Directory {
	Store *store;
	GMutex lock;           /* guards `secrets` */
	GHashTable *secrets;   /* by name; they never change */
	DirectoryCache *cache; /* NULL: the store is local */
};

/* New. */
char *directory_key(PtnKind kind, const char *name);
char *directory_prefix(PtnKind kind);
