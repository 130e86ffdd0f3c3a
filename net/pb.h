/* net/pb.h: the wire of protocol buffers, and messages as tables of rows.
 *
 * Two levels.  Items: cut field after field off a message, believing nothing.  Tables: a message is a C
 * struct and an array of struct pb_field that says which field number stands where in it; pb_decode() and
 * pb_encode() walk the table. Decoded strings point into the input; sub-messages and lists come from the
 * arena.  Unknown fields are skipped, wrong wire types and cut messages are E_INVALID; a message that is
 * nested deeper than PB_MAX_DEPTH or has more list elements than it may is E_TOOBIG.  Thread: loop only. */
#ifndef NET_PB_H
#define NET_PB_H

#include "net/blob.h"
#include "net/err.h"

#define PB_MAX_DEPTH 64

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

/* ---- items -------------------------------------------------------------------------------------- */

/* value: of a varint or 64 bits; bytes: of a string or 32 bits */
struct pb_item { uint32_t number; enum pb_wire wire; uint64_t value; struct str bytes; };

/* Cut the next field off *in.  NULL: it is in *ret; else what is wrong with it. */
const char *pb_next(struct str *in, struct pb_item *ret);

static inline size_t pb_varint_size(uint64_t v)
{
    return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1;
}

/* Append; a zero number and an empty string are not written, as proto3 wants. */
void pb_add_int(struct buf *b, uint32_t number, uint64_t v);
void pb_add_str(struct buf *b, uint32_t number, struct str s);
/* The same, written whatever they are. */
void pb_put_tag(struct buf *b, uint32_t number, enum pb_wire wire);
void pb_put_int(struct buf *b, uint32_t number, int64_t v);
void pb_put_str(struct buf *b, uint32_t number, struct str s);
/* The head of a string or message of n bytes, written even if n is 0. */
void pb_add_head(struct buf *b, uint32_t number, size_t n);
/* Bytes that these take. */
size_t pb_int_size(uint32_t number, uint64_t v);
size_t pb_str_size(uint32_t number, size_t n);
size_t pb_head_size(uint32_t number, size_t n);

/* ---- tables ------------------------------------------------------------------------------------- */

enum pb_type {
    PB_T_BOOL,                                   /* bool */
    PB_T_INT,                                    /* int64_t, for every kind of varint but zigzag */
    PB_T_STR,                                    /* struct str: string or bytes */
    PB_T_MSG,                                    /* pointer to the struct of .msg; NULL: absent */
    PB_T_INTS,                                   /* struct pb_list of int64_t, packed or not */
    PB_T_STRS,                                   /* struct pb_list of struct str */
    PB_T_MSGS                                    /* struct pb_list of the structs of .msg */
};
struct pb_list { void *at; uint32_t n, cap; };

struct pb_message;
struct pb_field {
    uint32_t number;
    enum pb_type type;
    size_t   at;                                 /* offset in the struct */
    const struct pb_message *msg;
    /* offset of the uint32_t that holds the number of the member of a oneof that is set; 0: not of a oneof */
    size_t   which;
};
struct pb_message { size_t size; const struct pb_field *field; unsigned n; };

/* *ret (m->size bytes) is zeroed first.  max_items: elements of all lists together. */
int  pb_decode(struct arena *a, const struct pb_message *m, struct str in, unsigned max_items, void *ret);
/* Appended to out.  Of a oneof only the member that `which` names is written, even if it is zero. */
void pb_encode(struct buf *out, const struct pb_message *m, const void *from);
size_t pb_size(const struct pb_message *m, const void *from);

#endif
