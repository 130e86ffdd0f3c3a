/* api/cbor.h: CBOR (RFC 8949) to a tree and back, as the Kubernetes API uses it.
 *
 * Written: the self-describing tag, then definite lengths only, keys of a map in bytewise order of their
 * encoding, strings as byte strings, numbers as integers where they are some, else as 64-bit floats. Read:
 * text or byte strings, tags for bytes that are to be base64 or hexadecimal, for times and for itself.  Of
 * keys that come twice the last counts, flagged as in JSON.  Refused: indefinite lengths, other tags, keys
 * that are no strings, and what JSON can't say.  Untagged strings are views of the input. */
#ifndef API_CBOR_H
#define API_CBOR_H

#include "api/json.h"

#define CBOR_MAX_DEPTH 64

/* E_INVALID, E_TOOBIG (depth). */
int  cbor_parse(struct arena *a, struct str in, struct json **ret, struct errbuf *err);
void cbor_write(struct buf *out, const struct json *j);         /* with the self-describing tag */
void cbor_write_item(struct buf *out, const struct json *j);    /* without */
/* Pieces, for who writes a document as it goes. */
void cbor_put_string(struct buf *out, struct str s);
void cbor_put_map(struct buf *out, uint64_t members);
void cbor_put_array(struct buf *out, uint64_t elements);
void cbor_put_tag(struct buf *out);

#endif
