/* mbox.c - leaving out the "From " lines of a mailbox file at the start of a message. */
#include "proto/mbox.h"

#include <string.h>

typedef enum {
	AT_START, /* of a line that may be such a one: its octets are kept back */
	IN_LINE,  /* of one that is left out                                    */
	AFTER_CR,
	AFTER_LINE, /* a blank here goes on with the line that was left out       */
	IN_MESSAGE,
} MboxState;

typedef enum { IS_MAILBOX, IS_MESSAGE, IS_UNKNOWN } MboxVerdict;

/* Of the first octets of a line.  Blanks without end are those of a mailbox. */
static MboxVerdict
mbox_judge(const char *octets, size_t size)
{
	static const char word[] = "From ";
	size_t at = 0;

	while (at < size && octets[at] == '>')
		at++;
	for (size_t i = 0; word[i] != '\0'; i++, at++) {
		if (at == size)
			return size < MBOX_START_MAX ? IS_UNKNOWN : IS_MESSAGE;
		if (octets[at] != word[i])
			return IS_MESSAGE;
	}
	while (at < size && (octets[at] == ' ' || octets[at] == '\t'))
		at++;
	if (at == size)
		return size < MBOX_START_MAX ? IS_UNKNOWN : IS_MAILBOX;
	return octets[at] == ':' ? IS_MESSAGE : IS_MAILBOX;
}

static MboxState
mbox_at_start(MboxFilter *filter, char c)
{
	MboxVerdict verdict;

	filter->octets[filter->size++] = c;
	verdict = mbox_judge(filter->octets, filter->size);
	if (verdict == IS_UNKNOWN)
		return AT_START;
	if (verdict == IS_MESSAGE)
		return IN_MESSAGE;
	filter->size = 0;
	return c == '\r' ? AFTER_CR : IN_LINE;
}

static MboxState
mbox_step(MboxFilter *filter, char c)
{
	switch ((MboxState)filter->state) {
	case AFTER_LINE:
		if (c == ' ' || c == '\t')
			return IN_LINE;
		return mbox_at_start(filter, c);
	case AT_START:
		return mbox_at_start(filter, c);
	case AFTER_CR:
		if (c == '\n')
			return AFTER_LINE;
		break;
	case IN_LINE:
	case IN_MESSAGE:
		break;
	}
	return c == '\r' ? AFTER_CR : IN_LINE;
}

void
mbox_finish(MboxFilter *filter, void (*sink)(void *data, const char *octets, size_t size), void *data)
{
	if (filter->size > 0)
		sink(data, filter->octets, filter->size);
	filter->size = 0;
	filter->state = IN_MESSAGE;
}

void
mbox_filter(MboxFilter *filter, const char *octets, size_t size,
	void (*sink)(void *data, const char *octets, size_t size), void *data)
{
	size_t at = 0;

	while (at < size && filter->state != IN_MESSAGE)
		filter->state = (uint8_t)mbox_step(filter, octets[at++]);
	if (filter->state != IN_MESSAGE)
		return;
	mbox_finish(filter, sink, data);
	if (at < size)
		sink(data, octets + at, size - at);
}
