/* cell.h - types of the columns of an answer: what a cell is for people, and what it is in JSON.
 *
 * A column is "name" or "name:type".  A cell is text in the syntax of its type:
 *
 *   (none), text  any text                           JSON: string
 *   number        12, -1, 0.25                        number
 *   percent       12, shown as 12%                    number
 *   boolean       yes or no                           true or false
 *   time          seconds since 1970, or a local      string of RFC 3339 with its zone
 *                 time as 2026-11-20 09:00:00
 *   octets        4096, or with a unit: 64K, 25M      number of octets
 *   duration      90, or with a unit: 300ms, 5m, 2h   number of seconds
 *   list          words between blanks or commas      array of strings
 *   value         "TYPE:TEXT", a type of each cell; as that type
 *
 * An empty cell is null.  So is one of another type than text that is no value of its type: a word for people such as
 * "forever", "?" or "not limited". */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum {
	CELL_TEXT,
	CELL_NUMBER,
	CELL_PERCENT,
	CELL_BOOLEAN,
	CELL_TIME,
	CELL_OCTETS,
	CELL_DURATION,
	CELL_LIST,
	CELL_VALUE
} CellType;

/* The type that a column names; one that is not known counts as text.  `length`: of the name before it. */
CellType cell_column_type(const char *column, size_t *length);
/* The cell as people see it, and as JSON; new. */
char *cell_show(CellType type, const char *cell);
char *cell_json(CellType type, const char *cell);

/* A cell of a column "value": `text` as one of `type`; NULL: absent.  New. */
char *cell_of(CellType type, const char *text);
/* A cell of type time: a time of the wall clock in µs; CLOCK_NEVER and 0: absent.  New. */
char *cell_time(int64_t us);
/* The type of what an option says: one of PtnType, perhaps with PTN_LIST. */
CellType cell_option_type(unsigned option_type);
/* "name:number", for a column of that type; new. */
char *cell_column(const char *name, CellType type);
