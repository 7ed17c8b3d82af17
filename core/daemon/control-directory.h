/* control-directory.h - changing entries of the directory with all checks: for verbs and for import. */
#pragma once

#include "daemon/cell.h"
#include "daemon/answer.h"
#include "daemon/daemon.h"

/* "NAME=VALUE", "NAME+=WORDS", "NAME-=WORDS"; an empty value unsets.  Of a list that `entry` has not itself, the words are added to,
 * or taken from, the one that it inherits in `directory`; a word to take that is not there is an error.  May block. */
bool control_set_value(Directory *directory, PluginSet *set, DirectoryEntry *entry, const char *assignment,
	GError **error);
/* Whether two words, of a list or a whole value, are the same value of that PtnType: by number where the type has one, in any letter
 * case where names have none. */
bool control_is_same_word(unsigned type, const char *a, const char *b);
bool control_set_password(PluginSet *set, DirectoryEntry *entry, const char *password, GError **error);
/* The entry itself, and those whose options hold for it, too; the latter are freed by control_clear_places(). */
void control_find_places(Directory *directory, DirectoryEntry *entry, OptionPlaces *places);
void control_clear_places(const DirectoryEntry *entry, OptionPlaces *places);
/* Asks the plugins about the values of theirs that are not as `before` has them; `before` NULL: about all.  What else holds for the
 * entry is read from `directory`.  May block. */
bool control_check_changes(Directory *directory, PluginSet *set, DirectoryEntry *before, DirectoryEntry *entry,
	GError **error);
/* Where `entry` is a domain with another mode than `directory` has: takes out of it the options of a plugin that refuses one of
 * them only because of the new mode.  New, the plugin's reason; NULL: nothing was taken out.  May block. */
char *control_drop_unfit_options(Directory *directory, PluginSet *set, DirectoryEntry *entry);
/* Checks and saves; the sentence says what is wrong, or that the name is taken. */
bool control_save_entry(Daemon *daemon, DirectoryEntry *entry, Actor *actor, GError **error);
/* Whether a domain may be removed without --yes: no mail is held for it here, and no domain forwards to it.  EXISTS, with what depends
 * on it; UNAVAILABLE.  May block. */
bool control_may_remove(Daemon *daemon, const char *domain, GError **error);
/* False: `entry`, which was `before`, is a domain that is hosted no more, or by another customer, and others in `directory` forward into
 * its mailboxes, which are not of that customer, too.  EXISTS; UNAVAILABLE.  May block. */
bool control_may_leave(
	Directory *directory, const DirectoryEntry *before, const DirectoryEntry *entry, GError **error);
/* True: the option is the core's. */
bool control_is_core_name(PtnKind kind, const char *name);
/* The options of sender-rules are known by their short names, too, where only one plugin has one of that name: the full one, or
 * `name`.  New. */
char *control_full_name(PluginSet *set, PtnKind kind, const char *name);
/* Of an option of entries, the core's or "PLUGIN.OPTION". */
CellType control_option_type(PluginSet *set, const char *name);
/* Always false: an entry of `kind` has no such option; the sentence names the nearest. */
bool control_unknown_option(PluginSet *set, PtnKind kind, const char *name, GError **error);

/* ---- control-list.c ---- */

/* "customer list [FILTER …] [columns=NAME,…]". */
bool control_list(Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer,
	GError **error);
