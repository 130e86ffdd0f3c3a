/* api/encode.c: see api/encode.h. */
#include "api/encode.h"
#include <stdio.h>
#include "api/json_scan.h"

static const char rev_member[] = "\"resourceVersion\":\"";
#define REV_MEMBER_LEN (sizeof(rev_member) - 1)

/* Written first and in this order; the revision's hole comes behind the first four. */
static const char *const before_rev[] = { "name", "generateName", "namespace", "uid" };
static const char *const after_rev[] = {
    "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "labels",
        "annotations",
    "ownerReferences", "finalizers", "managedFields",
};
static const char *const left_out[] = { "resourceVersion", "selfLink" };

static bool listed(const char *const *list, size_t n, struct str key)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(key, list[i]))
            return true;
    return false;
}

static bool is_empty(const struct json *j)
{
    return j->type == JSON_NULL || (j->type >= JSON_ARRAY && j->n == 0) ||
        (j->type == JSON_STRING && j->s.n == 0);
}

static void put_member(struct buf *out, const struct json *m)
{
    json_write_string(out, m->key);
    buf_char(out, ':');
    json_write(out, m);
    buf_char(out, ',');
}

static void put_listed(struct buf *out, const struct json *meta, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct json *m = json_getz(meta, names[i]);

        if (m != NULL && !is_empty(m))
            put_member(out, m);
    }
}

static void put_metadata(struct buf *out, const struct json *meta, uint32_t *ret_rev_at)
{
    buf_z(out, "\"metadata\":{");
    put_listed(out, meta, before_rev, ARRAY_LEN(before_rev));
    buf_add(out, rev_member, REV_MEMBER_LEN);
    *ret_rev_at = (uint32_t)out->n;
    buf_z(out, "\",");
    put_listed(out, meta, after_rev, ARRAY_LEN(after_rev));
    json_each(m, meta)
        if (!listed(before_rev, ARRAY_LEN(before_rev), m->key) &&
            !listed(after_rev, ARRAY_LEN(after_rev), m->key) &&
            !listed(left_out, ARRAY_LEN(left_out), m->key) && !is_empty(m))
            put_member(out, m);
    must(out->p[out->n - 1] == ',');
    out->p[out->n - 1] = '}';
}

void encode_object(struct buf *out, const struct schema_kind *k, const struct json *obj, uint32_t *ret_rev_at)
{
    buf_fmt(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s%s%s\",", k->kind, k->group,
            k->group[0] != '\0' ? "/" : "", k->version);
    put_metadata(out, json_getz(obj, "metadata"), ret_rev_at);
    json_each(m, obj)
        if (!str_is(m->key, "kind") && !str_is(m->key, "apiVersion") && !str_is(m->key, "metadata") &&
            m->type != JSON_NULL) {
            buf_char(out, ',');
            json_write_string(out, m->key);
            buf_char(out, ':');
            json_write(out, m);
        }
    buf_char(out, '}');
}

struct blob *encode_fill(struct str text, uint32_t rev_at, uint64_t rev)
{
    char         digits[24];
    size_t       n, cut_from = rev_at, cut_to = rev_at;
    struct blob *b;

    must(rev_at >= REV_MEMBER_LEN && rev_at + 2 <= text.n);
    if (rev > 0) {
        n = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)rev);
    } else {
        n = 0;
        cut_from -= REV_MEMBER_LEN;
        cut_to += text.p[rev_at + 1] == ',' ? 2 : 1;
    }
    b = blob_new(cut_from + n + text.n - cut_to);
    memcpy(b->data, text.p, cut_from);
    memcpy(b->data + cut_from, digits, n);
    memcpy(b->data + cut_from + n, text.p + cut_to, text.n - cut_to);
    return b;
}

bool encode_equals(struct str text, uint32_t rev_at, uint64_t rev, struct str stored)
{
    char   digits[24];
    size_t n = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)rev);

    return stored.n == text.n + n && memcmp(stored.p, text.p, rev_at) == 0 &&
        memcmp(stored.p + rev_at, digits, n) == 0 &&
           memcmp(stored.p + rev_at + n, text.p + rev_at, text.n - rev_at) == 0;
}

static bool is_kept(const struct json *metadata_member)
{
    return !listed(left_out, ARRAY_LEN(left_out), metadata_member->key) && !is_empty(metadata_member);
}

static bool is_body(const struct json *m)
{
    return !str_is(m->key, "metadata") && m->type != JSON_NULL;
}

bool encode_alike(const struct json *x, const struct json *y)
{
    /* The body first: where it differs, nobody writes down the owners of fields to compare them. */
    return json_equal_where(x, y, is_body) &&
           json_equal_where(json_getz(x, "metadata"), json_getz(y, "metadata"), is_kept);
}

void encode_reopen(struct buf *out, struct str stored, uint32_t *ret_rev_at)
{
    struct str rv;
    size_t     at;

    if (!json_scan_path(stored, "metadata.resourceVersion", &rv) || rv.n < 2) {
        buf_str_add(out, stored);
        *ret_rev_at = UINT32_MAX;                /* as STORE_NO_REV */
        return;
    }
    at = (size_t)(rv.p + 1 - stored.p);
    buf_add(out, stored.p, at);
    *ret_rev_at = (uint32_t)out->n;
    buf_add(out, stored.p + at + rv.n - 2, stored.n - at - (rv.n - 2));
}
