/* api/content.c: see api/content.h. */
#include "api/content.h"
#include "api/cbor.h"
#include "api/schema.h"
#include "api/yaml_write.h"
#include "net/pb.h"

static void write_protobuf(struct buf *out, const struct json *obj)
{
    struct str                version = json_str(json_getz(obj, "apiVersion"));
    struct str                kind = json_str(json_getz(obj, "kind"));
    const struct schema_kind *k = schema_kind_by_version(version, kind);

    if (k == NULL && str_is(version, "meta.k8s.io/v1beta1"))     /* the same messages */
        k = schema_kind_by_version(STR("meta.k8s.io/v1"), kind);
    must(k != NULL);                             /* negotiation took protobuf only for what is one */
    schema_pb_encode(out, k->type, obj);
}

void content_write(struct buf *out, const struct accept *as, const struct json *obj)
{
    switch (as->format) {
    case OUT_YAML:     yaml_write(out, obj); break;
    case OUT_CBOR:     cbor_write(out, obj); break;
    case OUT_PROTOBUF: write_protobuf(out, obj); break;
    case OUT_JSON:
        if (as->pretty)
            json_write_pretty(out, obj, 2);
        else
            json_write(out, obj);
        break;
    }
}

/* ---- Events ----------------------------------------------------------------------------------------- */

static struct blob *json_event(struct str type, struct str object)
{
    static const char head[] = "{\"type\":\"", middle[] = "\",\"object\":", tail[] = "}\n";
    struct blob *b = blob_new(sizeof(head) + sizeof(middle) + sizeof(tail) - 3 + type.n + object.n);
    char        *q = b->data;

#define PUT(p, n) (memcpy(q, (p), (n)), q += (n))
    PUT(head, sizeof(head) - 1);
    PUT(type.p, type.n);
    PUT(middle, sizeof(middle) - 1);
    PUT(object.p, object.n);
    PUT(tail, sizeof(tail) - 1);
#undef PUT
    must(q == b->data + b->len);
    return b;
}

/* A length of four bytes, big-endian, and the message WatchEvent{type=1, object=2 {raw=1: a document}}. */
static void put_protobuf_event(struct buf *out, struct str type, struct str object)
{
    struct buf inner = BUF_INIT;
    size_t     n;

    pb_put_str(&inner, 1, object);
    buf_add(out, "\0\0\0\0", 4);
    pb_put_str(out, 1, type);
    pb_put_str(out, 2, buf_str(&inner));
    n = out->n - 4;
    for (unsigned i = 0; i < 4; i++)
        out->p[i] = (char)(n >> (24 - 8 * i));
    buf_release(&inner);
}

static void put_cbor_event(struct buf *out, struct str type, struct str object)
{
    cbor_put_tag(out);
    cbor_put_map(out, 2);
    cbor_put_string(out, STR("type"));
    cbor_put_string(out, type);
    cbor_put_string(out, STR("object"));
    buf_str_add(out, object);
}

struct blob *content_event(const struct accept *as, struct str type, struct str object)
{
    struct arena      a = ARENA_INIT;
    struct buf        document = BUF_INIT, out = BUF_INIT;
    struct json_error why;
    struct json      *obj;
    struct blob      *b;

    if (as->format == OUT_JSON)
        return json_event(type, object);
    must(as->format == OUT_PROTOBUF || as->format == OUT_CBOR);
    if (json_parse(&a, object, &obj, &why) < 0)
        obj = json_object(&a);
    content_write(&document, as, obj);
    if (as->format == OUT_CBOR)
        put_cbor_event(&out, type, buf_str(&document));
    else
        put_protobuf_event(&out, type, buf_str(&document));
    b = buf_to_blob(&out);
    buf_release(&out);
    buf_release(&document);
    arena_release(&a);
    return b;
}
