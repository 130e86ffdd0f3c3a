/* api/keys.c: where objects stand in the store, and the tags by which watches are indexed.
 *
 * No part of a key may hold a '/': names and namespaces come from the request parser, which refuses it, or
 * have passed the name checks; so a key can be read in one way only. */
#include "api/call.h"

static char *put(char *q, struct str s)
{
    if (s.n > 0)
        memcpy(q, s.p, s.n);
    return q + s.n;
}

struct str call_key(struct call *c, const struct resource *r, struct str ns, struct str name)
{
    struct str prefix = api_info(c->api, r)->prefix;
    size_t     n = prefix.n + (r->namespaced ? ns.n + 1 : 0) + name.n;
    char      *p = arena_alloc(c->arena, n), *q = p;

    must(str_find(ns, '/') < 0 && str_find(name, '/') < 0);
    q = put(q, prefix);
    if (r->namespaced) {
        q = put(q, ns);
        *q++ = '/';
    }
    q = put(q, name);
    must(q == p + n);
    return str_make(p, n);
}

struct str call_prefix(struct call *c, struct str ns)
{
    struct str prefix = c->info->prefix;

    if (!c->res->namespaced || ns.n == 0)
        return prefix;
    return arena_fmt(c->arena, "%.*s%.*s/", STR_ARG(prefix), STR_ARG(ns));
}

/* FNV-1a: stored with keys, so it may not depend on the process or the version. */
uint64_t tag_hash(struct str value)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < value.n; i++)
        h = (h ^ (unsigned char)value.p[i]) * 0x100000001b3u;
    return h != 0 ? h : 1;
}
