/* entity.h - walking over the entities of a MIME message, line by line (RFC 2046): headers, bodies, delimiters.
 *
 * Pure.  What it keeps is bounded: a line is seen in fragments, and of header fields only those that matter here are kept. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	ENTITY_FRAGMENT = 4096,   /* octets of a line that are seen together         */
	ENTITY_BOUNDARY_MAX = 994, /* a delimiter, "--BOUNDARY--", is a line of at most 998 octets */
	ENTITY_DEPTH_MAX = 50,    /* multiparts and messages in each other           */
	ENTITY_FIELD_MAX = 65536, /* octets of a field that is read; the rest is not */
};

typedef enum { CTE_NONE, CTE_7BIT, CTE_8BIT, CTE_BINARY, CTE_QP, CTE_BASE64, CTE_OTHER } EntityEncoding;

typedef enum {
	ENTITY_LEAF,
	ENTITY_OPAQUE,    /* a leaf that must not be encoded, or of which it is not clear what it is */
	ENTITY_MULTIPART, /* its "body" is what stands before, between and behind its parts          */
	ENTITY_MESSAGE,   /* message/rfc822: the entity that follows is its body                     */
} EntityKind;

typedef enum { FIELD_PLAIN, FIELD_ENCODING, FIELD_TYPE } EntityField;

/* Valid within a callback. */
typedef struct {
	unsigned index;  /* in the order of their headers, from 0 */
	bool is_message; /* its header is that of a message, not of a part */
	bool is_signed;  /* within multipart/signed: not to be changed     */
	bool is_text;    /* text/…, message/…                              */
	bool has_type, has_version;
	EntityKind kind; /* this and what follows: when its header is over */
	EntityEncoding encoding;
} Entity;

/* A line, or a piece of a long one, without its end. */
typedef struct {
	const char *text;
	size_t size;
	bool begins, ends;
} Fragment;

/* `data` is the walk's. */
typedef struct {
	/* A fragment of a header field. */
	void (*header)(void *data, const Entity *entity, EntityField field, const Fragment *fragment);
	/* `empty`: the line that ends the header; NULL: something else did. */
	void (*header_end)(void *data, const Entity *entity, const Fragment *empty);
	void (*body)(void *data, const Entity *entity, const Fragment *fragment);
	/* The body of a leaf is over; `is_at_delimiter`: the line end before it is not part of it. */
	void (*body_end)(void *data, const Entity *entity, bool is_at_delimiter);
	void (*delimiter)(void *data, const Fragment *line);
} EntityVisitor;

typedef struct EntityWalk EntityWalk;

EntityWalk *entity_walk_new(const EntityVisitor *visitor, void *data);
void entity_walk_add(EntityWalk *walk, const char *octets, size_t size);
/* The message is over. */
void entity_walk_end(EntityWalk *walk);
void entity_walk_free(EntityWalk *walk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EntityWalk, entity_walk_free)
