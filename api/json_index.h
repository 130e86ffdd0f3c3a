/* api/json_index.h: lookup by key in one object whose member count a client chose.
 *
 * json_get() walks the members, which is best for the few fields of usual objects.  Code that looks up every
 * member of one object in another needs this, or a map of 100,000 keys holds the loop for minutes.
 * The index sees the members the object had at json_index_make() and those added with json_index_add(); a
 * removed member must not be looked up again.  Small objects get no table: then the members are walked. */
#ifndef API_JSON_INDEX_H
#define API_JSON_INDEX_H

#include "api/json.h"

#define JSON_INDEX_FROM 24      /* members from which a table pays */

struct json_index { struct json **slots; size_t mask, used; const struct json *obj; };

void json_index_make(struct arena *a, struct json_index *ret, const struct json *obj, size_t more);
/* The member with this key, or NULL. */
struct json *json_index_get(const struct json_index *ix, struct str key);
/* member was appended to the object; at most `more` times; returns the member that had its
 * key already, or NULL. */
struct json *json_index_add(struct json_index *ix, struct json *member);

#endif
