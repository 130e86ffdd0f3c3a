/* api/shape.h: a stored object in the form that the client asked for: as it is, in another version of its
 * resource, as PartialObjectMetadata, or as a Table with rows.
 *
 * What can be is cut out of the stored text; only tables and conversions parse. */
#ifndef API_SHAPE_H
#define API_SHAPE_H

#include "api/call.h"

/* True: the stored text is the answer. */
bool shape_is_plain(const struct call *c);
/* One object as the request wants it: list item, PartialObjectMetadata or Table row.  now_s: for ages. */
void shape_item(struct buf *out, struct call *c, struct str stored);
/* A whole answer of one object, also the object of a watch event.  columns: with column definitions. */
void shape_object(struct buf *out, struct call *c, struct str stored, bool columns);
/* What stands before the items of a list; metadata's members (without braces) come in between:
 *   shape_list_head, members, shape_list_items, item, ",", item ..., shape_list_tail */
void shape_list_head(struct buf *out, struct call *c);
void shape_list_items(struct buf *out, struct call *c);
/* An object of the request's own version, from the stored one. */
struct json *shape_tree(struct call *c, struct arena *a, struct str stored);

#endif
