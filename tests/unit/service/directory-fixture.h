/* directory-fixture.h - a directory in memory with two customers and their domains. */
#pragma once

#include <glib.h>
#include <string.h>

#include "service/directory.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

typedef struct {
	FakeClock clock;
	Store *store;
	Directory *directory;
} Fixture;

/* `pairs`: name, value, …, NULL.  New. */
static inline DirectoryEntry *
entry_of(PtnKind kind, const char *name, const char *const *pairs)
{
	DirectoryEntry *entry = directory_entry_new(kind, name);

	for (; *pairs != NULL; pairs += 2)
		directory_entry_set(entry, pairs[0], pairs[1]);
	return entry;
}

#define ENTRY(KIND, NAME, ...) entry_of((KIND), (NAME), (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })

/* Checks and saves; takes the entry. */
static inline void
assert_added(Fixture *f, DirectoryEntry *entry)
{
	g_autoptr(GError) error = NULL;

	if (!directory_check(f->directory, entry, &error))
		ASSERT_TEXT(error->message, NULL);
	CU_ASSERT_EQUAL(directory_save(f->directory, entry, NULL, CLOCK_NEVER), PTN_OK);
	directory_entry_free(entry);
}

/* Takes the entry. */
static inline void
assert_refused(Fixture *f, DirectoryEntry *entry, const char *why)
{
	g_autoptr(GError) error = NULL;

	CU_ASSERT_FALSE(directory_check(f->directory, entry, &error));
	if (error == NULL || strstr(error->message, why) == NULL)
		ASSERT_TEXT(error != NULL ? error->message : NULL, why);
	directory_entry_free(entry);
}

static inline void
fixture_open(Fixture *f)
{
	f->clock = fake_clock();
	f->store = store_open("memory:", true, &f->clock.clock, NULL);
	f->directory = directory_new(f->store);
	assert_added(f, ENTRY(PTN_CUSTOMER, "acme", "level", "standard", "primary", "it@acme.example"));
	assert_added(f, ENTRY(PTN_CUSTOMER, "other"));
	assert_added(f, ENTRY(PTN_DOMAIN, "example.net", "customer", "acme", "mode", "outbound-only"));
	assert_added(f, ENTRY(PTN_DOMAIN, "other.example", "customer", "other", "mode", "hosted"));
}

static inline void
fixture_close(Fixture *f)
{
	directory_free(f->directory);
	store_close(f->store);
}

static inline DirectoryEntry *
find(Fixture *f, PtnKind kind, const char *name)
{
	DirectoryEntry *entry = NULL;

	CU_ASSERT_EQUAL_FATAL(directory_find(f->directory, kind, name, CLOCK_NEVER, &entry), PTN_OK);
	return entry;
}
