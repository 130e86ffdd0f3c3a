/* api/shape.h: a stored object in the form that the client asked for: as it is, in another version of its
 * resource, as PartialObjectMetadata, or as a Table with rows.
 *
 * What can be is cut out of the stored text; only tables and conversions parse. */
#ifndef API_SHAPE_H
#define API_SHAPE_H

#include "api/call.h"

/* True: this stored text is the answer. */
bool shape_is_plain(const struct call *c, struct str stored);
/* One object as the request wants it: list item, PartialObjectMetadata or Table row.  now_s: for ages. */
void shape_item(struct buf *out, struct call *c, struct str stored);
/* A whole answer of one object, also the object of a watch event.  columns: with column definitions. */
void shape_object(struct buf *out, struct call *c, struct str stored, bool columns);
/* A list, piece by piece: open, items (shape_list_item), close.  metadata: its members as JSON, no braces.
 * Binary formats say first how much comes; bytes counts what shape_list_item will write. */
struct shape_list { struct str metadata; uint64_t items, bytes; };
bool shape_list_sized(const struct call *c);                   /* must items and bytes be known? */
void shape_list_open(struct buf *out, struct call *c, const struct shape_list *l);
void shape_list_item(struct buf *out, struct call *c, struct str stored, bool first);
void shape_list_close(struct buf *out, struct call *c, const struct shape_list *l);
/* An object of the request's own version, from the stored one. */
struct json *shape_tree(struct call *c, struct arena *a, struct str stored);

#endif
