/* notice.h - notices to people: ordinary messages made of templates.  May wait; any thread. */
#pragma once

#include "engine/engine.h"

typedef struct {
	const char *hostname, *service_name, *postmaster;
	const char *templates; /* directory; NULL: the texts compiled in alone */
} NoticeSettings;

/* Borrows from `settings`. */
NoticeSettings notice_settings(const EngineSettings *settings);
/* A whole message of template `name`: From (the postmaster), To (NULL: none), Date, Message-ID and Auto-Submitted are ours.
 * `values`: name, value, …, NULL; service-name, hostname, postmaster and recipient are added.  A template file that is
 * broken raises the alarm "template.NAME"; the text compiled in is taken.  New; NULL with an error. */
char *notice_write(Engine *engine, const NoticeSettings *settings, const char *recipient, const char *name,
	const char *const *values, GError **error);
/* Writes and submits it, with the null sender.  False: it could not be sent, `recipient` NULL included: the alarm
 * "notice.NAME" says what it would have told, until one of this name is sent. */
bool notice_send(Engine *engine, const NoticeSettings *settings, const char *recipient, const char *name,
	const char *const *values);
