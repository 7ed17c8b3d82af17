/* directory-form.c - the one form in which a value of an entry is stored, whoever wrote it. */
#include <string.h>

#include "base/escape.h"
#include "proto/idn.h"
#include "service/directory-private.h"

static const char *const form_booleans[] = { "enabled", "outbound", "clear-received", "valid-recipients" };

bool
directory_is_boolean(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(form_booleans); i++)
		if (strcmp(form_booleans[i], name) == 0)
			return true;
	return false;
}

const char *const *
directory_choices(const char *name)
{
	static const char *const types[] = { "single", "any", "server", NULL };
	static const char *const missing[] = { "defer", "bounce", "hold", NULL };
	static const char *const actions[] = { "automatic", "reject", "defer", NULL };
	static const struct {
		const char *name;
		const char *const *choices;
	} all[] = { { "mode", directory_modes }, { "type", types }, { "on-missing-host", missing },
		{ "on-refusal", actions } };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].choices;
	return NULL;
}

const char *
directory_preset(const char *name)
{
	static const char *const presets[][2] = { { "enabled", "yes" }, { "outbound", "yes" },
		{ "on-refusal", "automatic" }, { "clear-received", "no" }, { "valid-recipients", "no" },
		{ "on-missing-host", "defer" } };

	for (size_t i = 0; i < G_N_ELEMENTS(presets); i++)
		if (strcmp(presets[i][0], name) == 0)
			return presets[i][1];
	return NULL;
}

/* What is no boolean stays, for directory_check() to complain of.  New. */
static char *
form_boolean(const char *value)
{
	const char *word = option_boolean(value);

	return g_strdup(word != NULL ? word : value);
}

char *
directory_form(const char *name, const char *value)
{
	g_autofree char *ascii = NULL;

	if (directory_is_boolean(name))
		return form_boolean(value);
	if (strcmp(name, "customer") == 0)
		return g_ascii_strdown(value, -1);
	if (strcmp(name, "domain") != 0)
		return g_strdup(value);
	ascii = idn_address_to_ascii(value);
	return g_ascii_strdown(ascii, -1);
}

/* Valid UTF-8 in which a blank stands for each character that could begin a line, or hide one.  New. */
static char *
form_plain(const char *value)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);
	GString *text;

	if (escape_is_plain(valid))
		return g_steal_pointer(&valid);
	text = g_string_new(NULL);
	for (const char *c = valid; *c != '\0'; c = g_utf8_next_char(c)) {
		char letter[8] = { 0 };

		memcpy(letter, c, (size_t)(g_utf8_next_char(c) - c));
		g_string_append(text, escape_is_plain(letter) ? letter : " ");
	}
	return g_string_free(text, FALSE);
}

/* Cuts within a character never. */
static void
form_cut(char *text, size_t most)
{
	if (strlen(text) <= most)
		return;
	while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	text[most] = '\0';
}

char *
directory_repair(const char *name, const char *value)
{
	g_autofree char *plain = form_plain(value);

	if (strcmp(name, "reason") == 0)
		form_cut(plain, DIRECTORY_REASON_MAX);
	return directory_form(name, plain);
}
