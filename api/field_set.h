/* api/field_set.h: sets of field paths, as metadata.managedFields keeps them to say who set what.
 *
 * A set is a tree of path elements.  An element is a field or a map's key (f:replicas), an element of a list
 * by its key fields (k:{"name":"web"}), by its value (v:"a") or by its place (i:0).  Each may be a member
 * itself and may lead to members below:
 *
 *     {"f:spec":{"f:replicas":{},"f:ports":{".":{},"k:{\"port\":80}":{...}}}}     "." : the element itself,
 *         too
 *
 * Elements of a node are sorted and occur once; an element that is no member leads to some.  Sets are made
 * in an arena and not changed once made: operations return new ones that share what they can.  Texts are
 * views of what the set was made from, which must outlive it.  Depth is bounded by JSON_MAX_DEPTH, as
 * everything sets are made from. */
#ifndef API_FIELD_SET_H
#define API_FIELD_SET_H

#include "api/json.h"

struct field_node;
struct field_set { struct field_node *at; uint32_t n; };
struct field_node {
    char kind;                                   /* 'f', 'i', 'k' or 'v' */
    bool member;
    struct str text;                             /* name, number, {"key":value}, value: what follows "f:" */
    struct field_set below;
};

#define FIELD_SET_NONE ((struct field_set){ NULL, 0 })
static inline bool field_set_empty(struct field_set s) { return s.n == 0; }

/* For who makes a set: room for n nodes, which are then added in their order.  A node that holds nothing is
 * no part of a set. */
static inline struct field_set field_set_room(struct arena *a, size_t n)
{
    return (struct field_set){ n > 0 ? arena_alloc(a, n * sizeof(struct field_node)) : NULL, 0 };
}

static inline void field_set_add(struct field_set *s, struct field_node n)
{
    if (n.member || n.below.n > 0)
        s->at[s->n++] = n;
}

int field_node_cmp(const struct field_node *x, const struct field_node *y);
struct field_node *field_set_find(struct field_set s, char kind, struct str text);    /* NULL: not in it */

/* All four are linear in the size of both. */
struct field_set field_set_union(struct arena *a, struct field_set x, struct field_set y);
/* member by member */
struct field_set field_set_minus(struct arena *a, struct field_set x, struct field_set y);
struct field_set field_set_common(struct arena *a, struct field_set x, struct field_set y);
bool             field_set_equal(struct field_set x, struct field_set y);
/* x without y's members and everything below them. */
struct field_set field_set_prune(struct arena *a, struct field_set x, struct field_set y);

/* FieldsV1: from its JSON (E_INVALID when it is no such thing), and as text. */
int          field_set_decode(struct arena *a, const struct json *v1, struct field_set *ret);
void         field_set_write(struct buf *out, struct field_set s);
/* Of FieldsV1 as field_set_write() writes it, without decoding: is all of s in it; is any of s?  What stands
 * there in another form than ours may be told to be absent. */
bool field_set_within(struct field_set s, const struct json *v1);
bool field_set_touches(struct field_set s, const struct json *v1);

/* Each member's path as people read it: .spec.ports[port=80,protocol="TCP"].name */
void field_set_each(struct arena *a, struct field_set s, void (*on_path)(void *arg, struct str path),
                    void *arg);

/* {"b":1,"a":2} in the order of its keys, as the text of a 'k' element; NULL values left out. */
struct str field_key_text(struct arena *a, const struct json *const *keys, size_t n);

#endif
