/* config-private.h - what a Config is made of, between config.c and config-check.c. */
#pragma once

#include "service/config.h"

typedef struct {
	const PtnOption *option; /* NULL: no row knows it (takes_more) */
	OptionValue *value;      /* never NULL once loaded              */
	char *raw;               /* as it stands in the file            */
	char *where;             /* NULL: the preset                    */
} ConfigEntry;

struct ConfigSection {
	char *kind, *name; /* name NULL: none */
	char *where;
	const PtnOption *options;
	bool is_more_taken;
	GHashTable *entries; /* of its keys, ConfigEntry* */
	GPtrArray *more;     /* keys that no row knows, ends with NULL */
};

struct Config {
	gatomicrefcount references;
	GPtrArray *sections;  /* in file order, those of kind CONFIG_ONCE that the files lack at the end */
	GHashTable *by_title; /* of "kind" or "kind\nname" */
	GHashTable *by_kind;  /* GPtrArray*, of every kind that the tables know */
	GPtrArray *none;      /* stays empty */
	GPtrArray *tables;    /* owns those of the options of plugins; NULL: all tables are static */
};

void config_entry_free(void *entry);
void config_section_free(void *section);
/* "server", "tls mx.example.net", "plugin dnsbl/xbl": as the brackets have it.  New. */
char *config_title(const char *kind, const char *name);
/* Never NULL. */
const PtnOption *config_option_rows(const ConfigSection *section);
/* Options of plugins say where they belong; those of the core are written for one kind of section. */
bool config_may_be_set(const ConfigSection *section, const PtnOption *option);
