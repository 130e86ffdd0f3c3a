/* api/negotiate.h: which form the client wants its answer in, and which form its body has. */
#ifndef API_NEGOTIATE_H
#define API_NEGOTIATE_H

#include "net/arena.h"

enum out_format { OUT_JSON, OUT_YAML, OUT_PROTOBUF, OUT_CBOR };
enum out_shape  { OUT_OBJECT, OUT_TABLE, OUT_PARTIAL, OUT_PARTIAL_LIST };

struct accept {
    enum out_format format;
    enum out_shape  shape;
    const char *version;                         /* of Table and PartialObjectMetadata: "v1" or "v1beta1" */
    bool pretty;
};

/* The best of what the Accept header lists (by q, then by order), of what can be made of this resource:
 * tables and metadata forms, protobuf of whole objects.  False: nothing we can make is acceptable
 * (406). */
#define ACCEPT_TABLE    1u
#define ACCEPT_PROTOBUF 2u
bool accept_parse(struct str header, unsigned can, struct accept *ret);
const char *accept_content_type(const struct accept *a);
/* Of a watch; NULL: this format can't be streamed. */
const char *accept_stream_type(const struct accept *a);

/* Aggregated discovery: 2 for v2, 1 for v2beta1, 0 for the plain form. */
int accept_discovery(struct str header);

enum body_format {
    BODY_JSON, BODY_YAML, BODY_PROTOBUF, BODY_CBOR,
    BODY_JSON_PATCH, BODY_MERGE_PATCH, BODY_STRATEGIC_PATCH, BODY_APPLY_PATCH, BODY_APPLY_PATCH_CBOR,
    BODY_UNKNOWN
};
/* By Content-Type; an empty header counts as JSON. */
enum body_format body_format_of(struct str content_type);

/* One media range of an Accept header: type without parameters, and its parameters. */
struct media { struct str type, params; unsigned q; };   /* q in thousandths */
bool media_next(struct str *rest, struct media *ret);
struct str media_param(const struct media *m, const char *name);

#endif
