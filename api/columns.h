/* api/columns.h: what the cells of kubectl get have in common; for api/columns*.c only. */
#ifndef API_COLUMNS_H
#define API_COLUMNS_H

#include "api/schema.h"

void cell_text(struct buf *out, struct str s);                   /* a JSON string */
void cell_or_none(struct buf *out, struct str s);                /* "<none>" when empty */
void cell_int(struct buf *out, int64_t n);
/* "5m": how long ago a time as text was; "<unknown>" when there is none. */
void cell_since(struct buf *out, struct str time, int64_t now_s);
/* The same, bare, for use inside of other text. */
void since_text(struct buf *out, struct str time, int64_t now_s);
/* A string or number as it is, a boolean as a word, else nothing. */
struct str scalar_text(const struct json *v);
/* The element of conditions with this type; NULL: none. */
const struct json *condition(const struct json *obj, const char *type);
bool condition_holds(const struct json *obj, const char *type);
/* Values joined by commas; "<none>" if there are none. */
struct joined { struct buf text; };
void joined_add(struct joined *j, struct str s);
/* The elements of a list, or one member of each. */
void joined_members(struct joined *j, const struct json *list, const char *member);
void joined_cell(struct buf *out, struct joined *j);             /* writes and releases */

#endif
