/* api/meta.c: see api/meta.h. */
#include "api/meta.h"
#include "api/names.h"
#include "api/time_fmt.h"
#include "api/uuid.h"

#define GENERATED_PREFIX_MAX 58                  /* so that five more characters still make a label */
#define ANNOTATIONS_MAX      (256u << 10)        /* bytes of all keys and values together */

struct json *meta_of(struct arena *a, struct json *obj)
{
    struct json *meta = json_getz(obj, "metadata");

    return json_is(meta, JSON_OBJECT) ? meta : json_setz(a, obj, "metadata", json_object(a));
}

/* ---- Create ------------------------------------------------------------------------------------- */

static struct str generate_name(struct kind_ctx *c, struct str prefix)
{
    char suffix[NAME_SUFFIX];

    if (prefix.n > GENERATED_PREFIX_MAX)
        prefix.n = GENERATED_PREFIX_MAX;
    name_suffix_write(loop_random_u64(c->loop), suffix);
    return arena_fmt(c->arena, "%.*s%.*s", STR_ARG(prefix), NAME_SUFFIX, suffix);
}

static struct str new_uid(struct kind_ctx *c)
{
    uint8_t random[16];

    loop_random(c->loop, random, sizeof(random));
    return uuid_text(c->arena, random);
}

void meta_prepare_create(struct kind_ctx *c, struct json *obj)
{
    static const char *const reset[] = {
        "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
        "deletionGracePeriodSeconds",
    };
    struct json *meta = meta_of(c->arena, obj);
    struct str   name = json_str(json_getz(meta, "name")), prefix = json_str(json_getz(meta, "generateName"));

    for (size_t i = 0; i < ARRAY_LEN(reset); i++)
        json_delz(meta, reset[i]);
    if (name.n == 0 && prefix.n > 0) {
        name = generate_name(c, prefix);
        json_setz(c->arena, meta, "name", json_string_ref(c->arena, name));
    }
    c->name = name;
    if (c->res->namespaced)
        json_setz(c->arena, meta, "namespace", json_string_ref(c->arena, c->ns));
    else
        json_delz(meta, "namespace");
    json_setz(c->arena, meta, "uid", json_string_ref(c->arena, new_uid(c)));
    json_setz(c->arena, meta, "creationTimestamp", json_string_ref(c->arena, kind_now(c)));
    if (c->res->has_generation)
        json_setz(c->arena, meta, "generation", json_int(c->arena, 1));
}

/* ---- Update ------------------------------------------------------------------------------------- */

static void keep(struct arena *a, const struct json *old, struct json *meta, const char *key)
{
    const struct json *was = json_getz(old, key);

    if (was != NULL)
        json_setz(a, meta, key, json_copy(a, was));
    else
        json_delz(meta, key);
}

/* A client that leaves it out does not mean to change it. */
static void keep_if_absent(struct arena *a, const struct json *old, struct json *meta, const char *key)
{
    const struct json *now = json_getz(meta, key);

    if (now == NULL || (now->type == JSON_STRING && now->s.n == 0))
        keep(a, old, meta, key);
}

void meta_prepare_update(struct kind_ctx *c, const struct json *old_obj, struct json *obj, bool spec_changed)
{
    struct json       *meta = meta_of(c->arena, obj);
    const struct json *old = json_getz(old_obj, "metadata");
    int64_t            generation = json_i64_or(json_getz(old, "generation"), 0);

    keep(c->arena, old, meta, "creationTimestamp");
    keep(c->arena, old, meta, "generation");
    keep_if_absent(c->arena, old, meta, "name");
    keep_if_absent(c->arena, old, meta, "namespace");
    keep_if_absent(c->arena, old, meta, "uid");
    keep(c->arena, old, meta, "generateName");
    keep(c->arena, old, meta, "deletionTimestamp");
    keep(c->arena, old, meta, "deletionGracePeriodSeconds");
    json_delz(meta, "selfLink");
    if (spec_changed)
        json_setz(c->arena, meta, "generation", json_int(c->arena, generation + 1));
}

/* ---- Checks ------------------------------------------------------------------------------------- */

static name_check_fn *name_check(enum kind_name how)
{
    switch (how) {
    case KIND_NAME_LABEL:      return name_check_label;
    case KIND_NAME_LABEL_1035: return name_check_label_1035;
    case KIND_NAME_PATH:       return name_check_path_segment;
    case KIND_NAME_SUBDOMAIN:  break;
    }
    return name_check_subdomain;
}

static void check_name(const struct kind_hooks *h, const struct json *meta, const struct at *at,
                       struct causes *causes)
{
    struct str    name = json_str(json_getz(meta, "name")),
        prefix = json_str(json_getz(meta, "generateName"));
    struct at     at_name = AT_KEY(at, "name"), at_prefix = AT_KEY(at, "generateName");
    name_check_fn *check = name_check(h->name);
    const char   *wrong;

    if (prefix.n > 0 && (wrong = name_check_generate(check, prefix)) != NULL)
        cause_invalid(causes, &at_prefix, prefix, wrong);
    if (name.n == 0)
        cause_required(causes, &at_name, "name or generateName is required");
    else if ((wrong = check(name)) != NULL)
        cause_invalid(causes, &at_name, name, wrong);
}

static void check_labels(const struct json *labels, const struct at *at, struct causes *causes)
{
    const char *wrong;

    json_each(it, labels) {
        if ((wrong = name_check_qualified(it->key)) != NULL)
            cause_invalid(causes, at, it->key, wrong);
        if ((wrong = name_check_label_value(json_str(it))) != NULL)
            cause_invalid(causes, at, json_str(it), wrong);
    }
}

/* Annotation keys may have upper-case prefixes. */
static const char *annotation_key_check(struct str key)
{
    char lower[320];

    if (key.n > sizeof(lower))
        return "name part must be no more than 63 characters";
    for (size_t i = 0; i < key.n; i++)
        lower[i] = key.p[i] >= 'A' && key.p[i] <= 'Z' ? (char)(key.p[i] + 32) : key.p[i];
    return name_check_qualified(str_make(lower, key.n));
}

static void check_annotations(const struct json *annotations, const struct at *at, struct causes *causes)
{
    const char *wrong;
    size_t      bytes = 0;

    json_each(it, annotations) {
        if ((wrong = annotation_key_check(it->key)) != NULL)
            cause_invalid(causes, at, it->key, wrong);
        bytes += it->key.n + json_str(it).n;
    }
    if (bytes > ANNOTATIONS_MAX)
        cause_too_long(causes, at, ANNOTATIONS_MAX);
}

static void check_owners(const struct json *owners, const struct at *at, struct causes *causes)
{
    static const char *const needed[] = { "apiVersion", "kind", "name", "uid" };
    unsigned controllers = 0, i = 0;

    json_each(it, owners) {
        struct at here = AT_INDEX(at, i);

        i++;
        for (size_t k = 0; k < ARRAY_LEN(needed); k++) {
            struct at field = AT_STR(&here, str_of(needed[k]));

            if (json_str(json_getz(it, needed[k])).n == 0)
                cause_invalid(causes, &field, STR(""), "must not be empty");
        }
        controllers += json_true(json_getz(it, "controller"));
    }
    if (controllers > 1)
        cause_invalid(causes, at, STR("ownerReferences"),
                      "Only one reference can have Controller set to true");
}

static bool standard_finalizer(struct str s)
{
    return str_is(s, "kubernetes") || str_is(s, "orphan") || str_is(s, "foregroundDeletion");
}

/* Kinds outside of the core let bare names pass, with a warning. */
static void bare_finalizer(struct kind_ctx *c, const struct kind_hooks *h, struct str s, const struct at *at,
                           struct causes *causes)
{
    if (!h->bare_finalizers)
        cause_invalid(causes, at, s, "name is neither a standard finalizer name nor is it fully qualified");
    else if (c->sub == NULL)
        kind_warn(c,
                  "metadata.finalizers: \"%.*s\": prefer a domain-qualified finalizer name including a path "
                  "(/) to avoid accidental conflicts with other finalizer writers",
                  STR_ARG(s));
}

static void check_finalizers(struct kind_ctx *c, const struct kind_hooks *h, const struct json *finalizers,
                             const struct at *at, struct causes *causes)
{
    unsigned    i = 0;
    bool        orphan = false, foreground = false;
    const char *wrong;

    json_each(it, finalizers) {
        struct at  here = AT_INDEX(at, i);
        struct str s = json_str(it);

        i++;
        orphan |= str_is(s, "orphan");
        foreground |= str_is(s, "foregroundDeletion");
        if ((wrong = name_check_qualified(s)) != NULL)
            cause_invalid(causes, &here, s, wrong);
        else if (!standard_finalizer(s) && str_find(s, '/') < 0)
            bare_finalizer(c, h, s, &here, causes);
    }
    if (orphan && foreground)
        cause_invalid(causes, at, STR("orphan"),
                      "finalizer orphan and foregroundDeletion cannot be both set");
}

void meta_validate(struct kind_ctx *c, const struct kind_hooks *h, const struct json *obj,
                   struct causes *causes)
{
    const struct json *meta = json_getz(obj, "metadata");
    struct at at = AT_KEY(NULL, "metadata"), labels = AT_KEY(&at, "labels"),
        annotations = AT_KEY(&at, "annotations"),
              owners = AT_KEY(&at, "ownerReferences"), finalizers = AT_KEY(&at, "finalizers");

    check_name(h, meta, &at, causes);
    check_labels(json_getz(meta, "labels"), &labels, causes);
    check_annotations(json_getz(meta, "annotations"), &annotations, causes);
    check_owners(json_getz(meta, "ownerReferences"), &owners, causes);
    check_finalizers(c, h, json_getz(meta, "finalizers"), &finalizers, causes);
}

static void check_same(const struct json *old, const struct json *meta, const struct at *at,
                       const char *key, struct causes *causes)
{
    struct str now = json_str(json_getz(meta, key));
    struct at  here = AT_STR(at, str_of(key));

    if (!str_eq(json_str(json_getz(old, key)), now))
        cause_invalid(causes, &here, now, "field is immutable");
}

static bool in_list(const struct json *list, struct str s)
{
    json_each(it, list)
        if (str_eq(json_str(it), s))
            return true;
    return false;
}

static void check_new_finalizers(const struct json *old, const struct json *meta, const struct at *at,
                                 struct causes *causes)
{
    struct buf b = BUF_INIT;

    json_each(it, json_getz(meta, "finalizers"))
        if (!in_list(json_getz(old, "finalizers"), json_str(it))) {
            if (b.n > 0)
                buf_z(&b, ", ");
            json_write_string(&b, json_str(it));
        }
    if (b.n > 0)
        cause_forbidden(causes, at, arena_fmt(causes->arena,
                                              "no new finalizers can be added if the object is being "
                                              "deleted, found new finalizers []string{%.*s}",
                                              (int)b.n, b.p).p);
    buf_release(&b);
}

void meta_validate_update(struct kind_ctx *c, const struct json *old_obj, const struct json *obj,
                          struct causes *causes)
{
    const struct json *old = json_getz(old_obj, "metadata"), *meta = json_getz(obj, "metadata");
    struct at at = AT_KEY(NULL, "metadata"), finalizers = AT_KEY(&at, "finalizers");

    (void)c;
    check_same(old, meta, &at, "name", causes);
    check_same(old, meta, &at, "namespace", causes);
    check_same(old, meta, &at, "uid", causes);
    if (meta_deleting(old_obj))
        check_new_finalizers(old, meta, &finalizers, causes);
}

/* ---- Deletion marks ----------------------------------------------------------------------------- */

bool meta_deleting(const struct json *obj)
{
    return json_str(json_path(obj, "metadata.deletionTimestamp")).n > 0;
}

bool meta_has_finalizer(const struct json *obj, const char *name)
{
    return in_list(json_path(obj, "metadata.finalizers"), str_of(name));
}

void meta_add_finalizer(struct arena *a, struct json *obj, const char *name)
{
    struct json *meta = meta_of(a, obj), *list = json_getz(meta, "finalizers");

    if (meta_has_finalizer(obj, name))
        return;
    if (!json_is(list, JSON_ARRAY))
        list = json_setz(a, meta, "finalizers", json_array(a));
    json_push(list, json_string(a, str_of(name)));
}

void meta_del_finalizer(struct json *obj, const char *name)
{
    struct json *list = json_path(obj, "metadata.finalizers");
    size_t       i = 0;

    json_each(it, list) {
        if (str_is(json_str(it), name)) {
            json_remove_at(list, i);
            return;
        }
        i++;
    }
}

bool meta_may_go(const struct json *obj)
{
    const struct json *finalizers = json_path(obj, "metadata.finalizers");

    return json_path_i64(obj, "metadata.deletionGracePeriodSeconds", 0) == 0 &&
        (finalizers == NULL || finalizers->n == 0);
}
