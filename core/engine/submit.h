/* submit.h - messages of our own making: bounces, notices, what plugins submit. */
#pragma once

#include "engine/engine.h"

/* A transaction of one message; `content` is a whole message with CRLF line ends.  `id` gets the queue id.
 * New; NULL: the content could not be written. */
SpoolTransaction *submit_prepare(Engine *engine, const char *sender, const char *recipient, const char *content,
	QueueId *id);
/* Commits it and enters it into the queue; waits.  True: it is safe on disk. */
bool submit_message(Engine *engine, const char *sender, const char *recipient, const char *content);
