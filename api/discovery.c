/* api/discovery.c: which groups, versions, resources and verbs there are, in both forms clients ask for:
 * one document per group version, and all of it at once (aggregated).  Made from the tables; the caller
 * keeps the results. */
#include "api/schema.h"
#include "net/tls.h"

unsigned resource_set_gv_end(const struct resource_set *all, unsigned i)
{
    const struct schema_kind *k = all->at[i]->kind;

    while (++i < all->n && strcmp(all->at[i]->kind->group, k->group) == 0 &&
           strcmp(all->at[i]->kind->version, k->version) == 0)
        ;
    return i;
}

unsigned resource_set_group_end(const struct resource_set *all, unsigned i)
{
    const struct schema_kind *k = all->at[i]->kind;

    while (++i < all->n && strcmp(all->at[i]->kind->group, k->group) == 0)
        ;
    return i;
}

static void put_verbs(struct buf *out, uint32_t verbs)
{
    static const struct { uint32_t verb; const char *name;
    } sorted[] = {
        { VERB_CREATE, "create" }, { VERB_DELETE, "delete" }, { VERB_DELETECOLLECTION, "deletecollection" },
        { VERB_GET, "get" },       { VERB_LIST, "list" },     { VERB_PATCH, "patch" },
        { VERB_UPDATE, "update" }, { VERB_WATCH, "watch" },
    };
    bool first = true;

    buf_z(out, "\"verbs\":[");
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
        if (verbs & sorted[i].verb) {
            buf_fmt(out, "%s\"%s\"", first ? "" : ",", sorted[i].name);
            first = false;
        }
    buf_char(out, ']');
}

static void put_names(struct buf *out, const char *what, const char *const *names)
{
    if (names[0] == NULL)
        return;
    buf_fmt(out, ",\"%s\":[", what);
    for (unsigned i = 0; names[i] != NULL; i++)
        buf_fmt(out, "%s\"%s\"", i > 0 ? "," : "", names[i]);
    buf_char(out, ']');
}

/* Tells clients when the version that a kind is stored in changes. */
static void put_storage_hash(struct buf *out, const struct resource *r)
{
    const struct schema_kind *k = r->stored_as != NULL ? r->stored_as->kind : r->kind;
    struct buf name = BUF_INIT;
    unsigned char hash[32];

    if (!(r->verbs & VERB_UPDATE))               /* nothing is stored */
        return;
    buf_fmt(&name, "%s/%s/%s", k->group, k->version, k->kind);
    pki_sha256(buf_str(&name), hash);
    buf_z(out, ",\"storageVersionHash\":\"");
    base64_encode(out, str_make((const char *)hash, 8), false);
    buf_char(out, '"');
    buf_release(&name);
}

/* What is sent to or comes from a subresource. */
static const struct schema_kind *sub_kind(const struct resource *r, const struct resource_sub *sub)
{
    return sub->kind != NULL ? sub->kind : r->kind;
}

/* ---- one document per group version ---------------------------------------------------------------- */

static struct blob *finish(struct buf *out)
{
    struct blob *b = buf_to_blob(out);

    buf_release(out);
    return b;
}

struct blob *discovery_api_versions(void)
{
    struct buf out = BUF_INIT;

    buf_z(&out, "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
                "\"serverAddressByClientCIDRs\":[{\"clientCIDR\":\"0.0.0.0/0\",\"serverAddress\":\"\"}]}");
    return finish(&out);
}

/* The members of an APIGroup for the group that begins at resource i; its first version is the preferred
 * one. */
static void put_group(struct buf *out, const struct resource_set *all, unsigned i)
{
    const struct schema_kind *k = all->at[i]->kind;

    buf_fmt(out, "\"name\":\"%s\",\"versions\":[", k->group);
    for (unsigned at = i, end = resource_set_group_end(all, i); at < end; at = resource_set_gv_end(all, at)) {
        const char *version = all->at[at]->kind->version;

        buf_fmt(out, "%s{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", at > i ? "," : "", k->group,
                version, version);
    }
    buf_fmt(out, "],\"preferredVersion\":{\"groupVersion\":\"%s/%s\",\"version\":\"%s\"}", k->group,
            k->version, k->version);
}

struct blob *discovery_group_list(const struct resource_set *all)
{
    struct buf out = BUF_INIT;
    bool first = true;

    buf_z(&out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (unsigned i = 0; i < all->n; i = resource_set_group_end(all, i)) {
        if (*all->at[i]->kind->group == '\0')
            continue;
        buf_z(&out, first ? "{" : ",{");
        put_group(&out, all, i);
        buf_char(&out, '}');
        first = false;
    }
    buf_z(&out, "]}");
    return finish(&out);
}

struct blob *discovery_group(const struct resource_set *all, struct str group)
{
    for (unsigned i = 0; group.n > 0 && i < all->n; i = resource_set_group_end(all, i))
        if (str_is(group, all->at[i]->kind->group)) {
            struct buf out = BUF_INIT;

            buf_z(&out, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
            put_group(&out, all, i);
            buf_char(&out, '}');
            return finish(&out);
        }
    return NULL;
}

static void put_resource(struct buf *out, const struct resource *r)
{
    const char *namespaced = r->namespaced ? "true" : "false";

    buf_fmt(out, "{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\",", r->plural,
            r->singular, namespaced, r->kind->kind);
    put_verbs(out, r->verbs);
    put_names(out, "shortNames", r->short_names);
    put_names(out, "categories", r->categories);
    put_storage_hash(out, r);
    buf_char(out, '}');
    for (unsigned i = 0; i < r->n_subs; i++) {
        const struct resource_sub *sub = &r->subs[i];
        const struct schema_kind *k = sub_kind(r, sub);

        buf_fmt(out, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s,", r->plural, sub->name,
                namespaced);
        if (strcmp(k->group, r->kind->group) != 0 || strcmp(k->version, r->kind->version) != 0)
            buf_fmt(out, "\"group\":\"%s\",\"version\":\"%s\",", k->group, k->version);
        buf_fmt(out, "\"kind\":\"%s\",", k->kind);
        put_verbs(out, sub->verbs);
        buf_char(out, '}');
    }
}

struct blob *discovery_resource_list(const struct resource_set *all, struct str group, struct str version)
{
    for (unsigned i = 0; i < all->n; i = resource_set_gv_end(all, i)) {
        const struct schema_kind *k = all->at[i]->kind;
        struct buf out = BUF_INIT;

        if (!str_is(group, k->group) || !str_is(version, k->version))
            continue;
        buf_fmt(
            &out,
            "{\"kind\":\"APIResourceList\",\"apiVersion\":\"v1\",\"groupVersion\":\"%s%s%s\",\"resources\":[",
            k->group, *k->group != '\0' ? "/" : "", k->version);
        for (unsigned at = i, end = resource_set_gv_end(all, i); at < end; at++) {
            if (at > i)
                buf_char(&out, ',');
            put_resource(&out, all->at[at]);
        }
        buf_z(&out, "]}");
        return finish(&out);
    }
    return NULL;
}

/* ---- all at once ----------------------------------------------------------------------------------- */

static void put_response_kind(struct buf *out, const struct schema_kind *k)
{
    buf_fmt(out, "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"},", k->group,
            k->version, k->kind);
}

static void put_aggregated_resource(struct buf *out, const struct resource *r)
{
    buf_fmt(out, "{\"resource\":\"%s\",", r->plural);
    put_response_kind(out, r->kind);
    buf_fmt(out, "\"scope\":\"%s\",\"singularResource\":\"%s\",", r->namespaced ? "Namespaced" : "Cluster",
            r->singular);
    put_verbs(out, r->verbs);
    put_names(out, "shortNames", r->short_names);
    put_names(out, "categories", r->categories);
    for (unsigned i = 0; i < r->n_subs; i++) {
        buf_fmt(out, "%s{\"subresource\":\"%s\",", i == 0 ? ",\"subresources\":[" : ",", r->subs[i].name);
        put_response_kind(out, sub_kind(r, &r->subs[i]));
        put_verbs(out, r->subs[i].verbs);
        buf_char(out, '}');
    }
    buf_z(out, r->n_subs > 0 ? "]}" : "}");
}

static void put_aggregated_group(struct buf *out, const struct resource_set *all, unsigned i)
{
    const char *group = all->at[i]->kind->group;

    if (*group != '\0')
        buf_fmt(out, "{\"metadata\":{\"name\":\"%s\",\"creationTimestamp\":null},\"versions\":[", group);
    else
        buf_z(out, "{\"metadata\":{\"creationTimestamp\":null},\"versions\":[");
    for (unsigned at = i, end = resource_set_group_end(all, i); at < end; at = resource_set_gv_end(all, at)) {
        buf_fmt(out, "%s{\"version\":\"%s\",\"resources\":[", at > i ? "," : "",
                all->at[at]->kind->version);
        for (unsigned r = at, last = resource_set_gv_end(all, at); r < last; r++) {
            if (r > at)
                buf_char(out, ',');
            put_aggregated_resource(out, all->at[r]);
        }
        buf_z(out, "],\"freshness\":\"Current\"}");
    }
    buf_z(out, "]}");
}

struct blob *discovery_aggregated(const struct resource_set *all, bool core, bool v2beta1)
{
    struct buf out = BUF_INIT;
    bool first = true;

    buf_fmt(&out,
            "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/"
            "%s\",\"metadata\":{},\"items\":[",
            v2beta1 ? "v2beta1" : "v2");
    for (unsigned i = 0; i < all->n; i = resource_set_group_end(all, i)) {
        if ((*all->at[i]->kind->group == '\0') != core)
            continue;
        if (!first)
            buf_char(&out, ',');
        put_aggregated_group(&out, all, i);
        first = false;
    }
    buf_z(&out, "]}");
    return finish(&out);
}
