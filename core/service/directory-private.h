/* directory-private.h - what directory*.c share. */
#pragma once

#include "service/directory.h"

struct Directory {
	Store *store;
	GMutex lock;         /* guards `secrets` */
	GHashTable *secrets; /* by name; they never change */
};
