/* mime.h - the parts of a message, for the plugins that look into content; part of each of them as source.
 *
 * The tree of parts is walked here: one pass, no recursion on what a sender nests, nothing made per part that is not looked
 * at.  GMime's own parser has no limit on parts, fields or parameters: hostile messages of 1 MiB cost it up to a second.
 *
 * Character sets, and whatever has an unusual form, are GMime's and iconv's, and these belong into a parser (plugin-api.h).  A
 * plain message needs neither: its fields have the usual form, its text is UTF-8 or in a set of one octet for each character,
 * its parts and names are not encoded, or base64 or quoted-printable without mistakes.  It is walked in the daemon, MIME_PLAIN.
 *
 * Mail readers differ in what they make of mistakes.  In a parser all that one of them may show is visited (reading.h), so a
 * part may come more than once, with other types, encodings or borders.
 *
 * Content that is cut by a limit is still shown, as one last part of text that is not decoded. */
#pragma once

#include <gmime/gmime.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum {
	MIME_PLAIN,   /* with code of our own, which looks first whether all of it is plain; after mime_start_plain() */
	MIME_LIBRARY, /* with GMime and iconv: in a parser, after mime_start() */
} MimeMeans;

typedef struct {
	const char *type;     /* "text/html": lower case; "text/plain" where there is none */
	const char *charset;  /* NULL: not said */
	/* Of the file, decoded to UTF-8: all that a reader may take, those of the disposition first.  Ends with NULL. */
	const char *const *names;
	GMimeContentEncoding encoding;
	const char *data; /* as it stands in the message, encoded */
	size_t size;
	unsigned depth;  /* 0: the message itself */
	bool is_rest;    /* what was beyond a limit, undecoded */
	MimeMeans means; /* of the walk */
	unsigned reading; /* the same (reading.h) */
} MimePart;

typedef struct {
	unsigned most_parts; /* leaves that are shown, and containers */
	unsigned most_depth; /* of multiparts and messages in each other; at most MIME_DEPTH_MAX */
} MimeLimits;

enum { MIME_DEPTH_MAX = 50 };

typedef enum {
	MIME_WHOLE,
	MIME_CUT,       /* a limit cut it */
	MIME_NOT_PLAIN, /* of MIME_PLAIN: nothing was visited */
} MimeResult;

/* Called for each part that is no multipart, in the order of a reading; what it is given lives until it returns. */
typedef void MimeVisit(const MimePart *part, void *data);

/* Makes what MIME_PLAIN needs, once.  Any thread. */
void mime_start_plain(void);
/* Opens what the library will need, all character sets included: once, before the process gives its rights up.  One thread. */
void mime_start(void);
MimeResult mime_walk(
	const char *content, size_t size, const MimeLimits *limits, MimeMeans means, MimeVisit *visit, void *data);
/* True: "=?utf-8?Q?…?=" may be in it, or octets that are not UTF-8. */
bool mime_text_is_encoded(const char *text, size_t size);
/* Text with encoded words, in UTF-8: new.  NULL (of MIME_PLAIN alone): it is not ASCII with words of the usual form. */
char *mime_words(const char *text, MimeMeans means);
/* The octets of a part without its transfer encoding, at most `most`; ends with NUL, not counted in `size`.  New. */
char *mime_decode(const MimePart *part, size_t most, size_t *size);
/* The same piece by piece, in memory that does not grow with the part, but for uuencoded ones.  Returns how many octets were
 * decoded. */
typedef void MimeOctetsVisit(const char *octets, size_t size, void *data);
size_t mime_octets_pieces(const MimePart *part, size_t most, MimeOctetsVisit *visit, void *data);
/* The text of a part in UTF-8 as far as it can be, piece by piece, each of about 2 MiB and what `visit` left of the one before:
 * `visit` returns how many octets at the end it wants to see again, with more behind them.  While these are more than
 * 2 MiB, it comes as much text as they are.  `text` ends with NUL.  Returns how many octets were decoded; `most`: there
 * may be more. */
typedef size_t MimePieceVisit(const char *text, size_t size, bool is_last, void *data);
size_t mime_text_pieces(const MimePart *part, size_t most, MimePieceVisit *visit, void *data);
/* In UTF-8 as far as it can be; invalid octets stay.  Takes `text`, which may be what is returned.  New. */
char *mime_to_utf8(char *text, size_t *size, const char *charset);
