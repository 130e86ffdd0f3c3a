/* test/api/object_trial.h: one random object's way through the whole API, in every encoding and by every verb.
 *
 * A trial takes a kind's sample, lets random fields grow on it, and takes out what the kind's own rules refuse, guided by the
 * causes of each refusal, until it is accepted.  Then it must hold that what is read equals what was written plus defaults;
 * that every encoding says the same, in and out; that repeating a write changes nothing; that a watch told all that lists
 * show; and, of damaged ones too, that every failure is a Status that says why. */
#ifndef TEST_API_OBJECT_TRIAL_H
#define TEST_API_OBJECT_TRIAL_H

#include "api/cbor.h"
#include "api/typed.h"
#include "api/yaml.h"
#include "api/yaml_write.h"
#include "net/pb.h"
#include "test/api/api_rig.h"
#include "test/api/object_gen.h"
#include "test/api/samples.h"

enum form { FORM_JSON, FORM_YAML, FORM_CBOR, FORM_PROTOBUF };
#define FORMS (FORM_PROTOBUF + 1)
static const char *const form_types[FORMS] = {
    "application/json", "application/yaml", "application/cbor", "application/vnd.kubernetes.protobuf",
};

struct trial {
    struct rig *rig;
    const struct sample *sample;
    const struct resource *res;
    struct arena arena;
    struct gen gen;
    char one[300], all[300];                     /* paths of the object and of its collection */
    bool grown;                                  /* accepted with more than the sample has */
    unsigned long long seed;
};

#define TRIAL_FAIL(t, fmt, ...) \
    test_fail(__FILE__, __LINE__, "%s %s, seed %llu: " fmt, (t)->sample->group, (t)->sample->plural, (t)->seed, __VA_ARGS__)

static struct str trial_text(struct trial *t, const struct json *j)
{
    struct buf b = BUF_INIT;
    struct str s = STR("nothing");

    if (j != NULL) {
        json_write(&b, j);
        s = arena_str(&t->arena, buf_str(&b));
    }
    buf_release(&b);
    return s;
}

/* ---- Forms ------------------------------------------------------------------------------------------- */

static struct str form_encode(struct trial *t, enum form form, const struct json *obj)
{
    struct buf b = BUF_INIT;
    struct str s;

    switch (form) {
    case FORM_JSON:     json_write(&b, obj); break;
    case FORM_YAML:     yaml_write(&b, obj); break;
    case FORM_CBOR:     cbor_write(&b, obj); break;
    case FORM_PROTOBUF: schema_pb_encode(&b, t->res->kind->type, obj); break;
    }
    s = arena_str(&t->arena, buf_str(&b));
    buf_release(&b);
    return s;
}

/* NULL: it is none. */
static struct json *form_decode(struct trial *t, enum form form, struct str text)
{
    const struct schema_kind *k;
    struct json_error why;
    struct errbuf err;
    struct json *obj = NULL;
    int rc = -1;

    switch (form) {
    case FORM_JSON:     rc = json_parse(&t->arena, text, &obj, &why); break;
    case FORM_YAML:     rc = yaml_parse(&t->arena, text, &obj, &why); break;
    case FORM_CBOR:     rc = cbor_parse(&t->arena, text, &obj, &err); break;
    case FORM_PROTOBUF: rc = schema_pb_decode(text, &t->arena, &obj, &k, &err); break;
    }
    return rc == 0 ? obj : NULL;
}

/* ---- Asking ------------------------------------------------------------------------------------------ */

struct told { int status; struct json *obj; };

/* Every failure says what it is, and no request makes the server fail. */
static void check_failure(struct trial *t, const char *method, const char *target, const struct told *a)
{
    bool told = json_is(a->obj, JSON_OBJECT) && str_is(json_path_str(a->obj, "kind"), "Status") &&
                str_is(json_path_str(a->obj, "status"), "Failure") && json_path_str(a->obj, "message").n > 0 &&
                json_path_str(a->obj, "reason").n > 0 && json_path_i64(a->obj, "code", 0) == a->status;

    if (a->status == 422 && str_is(json_path_str(a->obj, "reason"), "Invalid"))
        told = told && (json_path(a->obj, "details.causes.0") != NULL || json_path(a->obj, "details") == NULL);
    if (!told || a->status >= 500)
        TRIAL_FAIL(t, "%s %s: %d %.*s", method, target, a->status, STR_ARG(trial_text(t, a->obj)));
}

static struct told ask(struct trial *t, const char *method, const char *target, const char *type, enum form accept,
                       struct str body)
{
    struct answer a;
    struct told   told;

    t->rig->type = type;
    t->rig->accept = form_types[accept];
    t->rig->raw = body;
    a = call(t->rig, method, target, NULL);
    t->rig->raw = STR_NONE;
    t->rig->type = t->rig->accept = NULL;
    told = (struct told){ a.status, form_decode(t, accept, arena_str(&t->arena, a.body)) };
    answer_free(&a);
    if (told.status >= 400)
        check_failure(t, method, target, &told);
    else if (told.obj == NULL)
        TRIAL_FAIL(t, "%s %s: %d and nothing that %s could be", method, target, told.status, form_types[accept]);
    return told;
}

static struct told ask_json(struct trial *t, const char *method, const char *target, const char *type, const struct json *body)
{
    return ask(t, method, target, type, FORM_JSON, body != NULL ? trial_text(t, body) : STR_NONE);
}

static const char *with_query(struct trial *t, const char *path, const char *query)
{
    return arena_fmt(&t->arena, "%s?%s", path, query).p;
}

/* ---- Until it is accepted ----------------------------------------------------------------------------- */

/* The next step of "spec.containers[0].ports[a.b]". */
static bool path_step(struct str *rest, struct str *ret)
{
    bool in_brackets = str_starts(*rest, STR("["));
    size_t n = 0;

    if (rest->n == 0)
        return false;
    if (in_brackets || rest->p[0] == '.')
        *rest = str_from(*rest, 1);
    while (n < rest->n && (in_brackets ? rest->p[n] != ']' : rest->p[n] != '.' && rest->p[n] != '['))
        n++;
    *ret = str_upto(*rest, n);
    *rest = str_from(*rest, MIN_OF(rest->n, n + in_brackets));
    return true;
}

/* Take out what the path names, or the last that there is on the way.  False: nothing but the whole object. */
static bool prune(struct json *obj, struct str path)
{
    struct json *up = NULL, *v = obj;
    struct str   step;
    uint64_t     i = 0, at = 0;

    while (path_step(&path, &step)) {
        struct json *next = json_is(v, JSON_ARRAY) && str_u64(step, &i) ? json_at(v, i) : json_get(v, step);

        if (next == NULL)
            break;
        at = i;
        up = v;
        v = next;
    }
    if (up == NULL || str_is(v->key, "metadata"))
        return false;
    if (json_is(up, JSON_ARRAY))
        json_remove_at(up, at);
    else
        json_del(up, v->key);
    return true;
}

static struct json *sample_object(struct trial *t)
{
    struct json *obj = gen_literal(&t->gen, "{}"), *body;
    char         text[2200];

    snprintf(text, sizeof text, "{%s}", t->sample->body);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    json_setz(&t->arena, obj, "apiVersion", json_string_ref(&t->arena, schema_api_version(&t->arena, t->res->kind)));
    json_setz(&t->arena, obj, "kind", json_string_ref(&t->arena, str_of(t->res->kind->kind)));
    json_setz(&t->arena, json_setz(&t->arena, obj, "metadata", json_object(&t->arena)), "name",
              json_string_ref(&t->arena, str_of(t->sample->name)));
    body = gen_literal(&t->gen, arena_cstr(&t->arena, str_of(text)));
    json_each(v, body)
        json_set(&t->arena, obj, v->key, json_copy(&t->arena, v));
    return obj;
}

#define ROUNDS_MAX 60

/* What the server takes of the object, new or over the one that is there: what it refuses is taken out.  NULL: it takes
 * none of it. */
static struct json *accepted(struct trial *t, const char *method, const char *path, struct json *obj)
{
    const char *dry = with_query(t, path, "dryRun=All");

    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        struct told a = ask_json(t, method, dry, form_types[FORM_JSON], obj);
        bool        changed = false;

        if (a.status < 300)
            return obj;
        json_each(cause, json_path(a.obj, "details.causes"))
            changed |= prune(obj, json_path_str(cause, "field"));
        if (!changed)
            return NULL;
    }
    return NULL;
}

/* NULL: nothing that the server takes. */
static struct json *random_object(struct trial *t, const char *method, const char *path)
{
    struct json *obj = sample_object(t), *meta = json_getz(obj, "metadata");

    t->gen.budget = (unsigned)dice_below(t->gen.dice, 60);
    json_delz(obj, "metadata");                  /* the types of metadata are not for growing */
    gen_grow(&t->gen, t->res->kind->type, obj, 0);
    json_delz(obj, "status");                    /* not a creator's to set */
    json_setz(&t->arena, obj, "metadata", meta);
    gen_metadata(&t->gen, meta);
    return accepted(t, method, path, obj);
}

/* ---- What was written is read ---------------------------------------------------------------------------- */

/* What is the server's, or what kinds decide anew at each write: "*" stands for all kinds, and for every element. */
static const struct { const char *plural, *path; } volatile_fields[] = {
    { "*", "metadata.uid" }, { "*", "metadata.creationTimestamp" }, { "*", "metadata.resourceVersion" },
    { "*", "metadata.managedFields" }, { "*", "metadata.generation" },
    { "services", "spec.clusterIP" }, { "services", "spec.clusterIPs" }, { "services", "spec.healthCheckNodePort" },
    { "services", "spec.ports.*.nodePort" },
};

static void forget(struct json *v, struct str path)
{
    struct str step;

    if (!str_split(&path, '.', &step))
        return;
    if (str_is(step, "*")) {
        json_each(in, v)
            forget(in, path);
    } else if (path.n == 0) {
        json_del(v, step);
    } else {
        forget(json_get(v, step), path);
    }
}

/* A copy without those, and with every mention of its uid (jobs label their pods with it) made the same. */
static struct json *lasting(struct trial *t, const struct json *obj)
{
    struct str   text = trial_text(t, obj), uid = json_path_str(obj, "metadata.uid");
    struct buf   b = BUF_INIT;
    struct json *copy;
    const char  *at;

    while (uid.n > 0 && (at = memmem(text.p, text.n, uid.p, uid.n)) != NULL) {
        buf_add(&b, text.p, (size_t)(at - text.p));
        buf_z(&b, "UID");
        text = str_from(text, (size_t)(at - text.p) + uid.n);
    }
    buf_str_add(&b, text);
    copy = gen_literal(&t->gen, arena_str(&t->arena, buf_str(&b)).p);
    buf_release(&b);
    for (size_t i = 0; i < ARRAY_LEN(volatile_fields); i++)
        if (strcmp(volatile_fields[i].plural, "*") == 0 || strcmp(volatile_fields[i].plural, t->res->plural) == 0)
            forget(copy, str_of(volatile_fields[i].path));
    return copy;
}

/* Where x says something that y does not; NULL: nowhere.  Members and last elements that only y has are defaults. */
static const char *missing(struct trial *t, const struct json *x, const struct json *y, const char *path)
{
    const struct json *other = json__first(y);

    if (y == NULL || y->type != x->type || x->type < JSON_ARRAY)
        return y != NULL && json_equal(x, y) ? NULL : path;
    json_each(v, x) {
        struct str  step = x->type == JSON_OBJECT ? v->key : STR("#");
        const char *found;

        if (x->type == JSON_OBJECT)
            other = json_get(y, v->key);
        found = missing(t, v, other, arena_fmt(&t->arena, "%s.%.*s", path, STR_ARG(step)).p);
        if (found != NULL)
            return found;
        if (x->type == JSON_ARRAY)
            other = other->next;
    }
    return NULL;
}

/* Fields that are not kept as they came, by design. */
static const struct { const char *plural, *path; } not_kept[] = {
    { "*", "metadata.managedFields" }, { "services", "spec.sessionAffinityConfig" },
    { "statefulsets", "spec.volumeClaimTemplates.*.kind" }, { "statefulsets", "spec.volumeClaimTemplates.*.apiVersion" },
    { "certificatesigningrequests", "spec.username" }, { "certificatesigningrequests", "spec.uid" },
    { "certificatesigningrequests", "spec.groups" }, { "certificatesigningrequests", "spec.extra" },
};

static void check_written(struct trial *t, const struct json *written, const struct json *read)
{
    struct json  *want = json_copy(&t->arena, written), *bare = json_copy(&t->arena, read), *full;
    struct errbuf err = { "" };
    const char   *lost;

    must_ok(schema_conform(t->res->kind, want, &t->arena, NULL, &err));
    for (size_t i = 0; i < ARRAY_LEN(not_kept); i++)
        if (strcmp(not_kept[i].plural, "*") == 0 || strcmp(not_kept[i].plural, t->res->plural) == 0)
            forget(want, str_of(not_kept[i].path));
    lost = missing(t, want, read, "");
    if (lost != NULL)
        TRIAL_FAIL(t, "%s was not kept:\n%.*s\n%.*s", lost, STR_ARG(trial_text(t, want)), STR_ARG(trial_text(t, read)));
    if (schema_conform(t->res->kind, bare, &t->arena, NULL, &err) < 0)
        TRIAL_FAIL(t, "does not fit its schema: %s", err.s);
    full = json_copy(&t->arena, bare);
    schema_default(t->res->kind->type, full, &t->arena);
    if (!json_equal(full, bare))
        TRIAL_FAIL(t, "lacks defaults:\n%.*s\n%.*s", STR_ARG(trial_text(t, read)), STR_ARG(trial_text(t, full)));
}

/* Made of whatever form it comes in, it is the same. */
static void check_forms_in(struct trial *t, const struct json *written)
{
    const char  *dry = with_query(t, t->all, "dryRun=All");
    struct json *sent = json_copy(&t->arena, written), *want = NULL;
    struct errbuf err;

    must_ok(schema_conform(t->res->kind, sent, &t->arena, NULL, &err));
    for (enum form f = FORM_JSON; f < FORMS; f++) {
        struct told made = ask(t, "POST", dry, form_types[f], FORM_JSON, form_encode(t, f, sent));

        if (made.status != 201) {
            TRIAL_FAIL(t, "from %s: %d %.*s", form_types[f], made.status, STR_ARG(trial_text(t, made.obj)));
            continue;
        }
        made.obj = lasting(t, made.obj);
        want = want != NULL ? want : made.obj;
        if (!json_equal(made.obj, want))
            TRIAL_FAIL(t, "from %s:\n%.*s\n%.*s", form_types[f], STR_ARG(trial_text(t, made.obj)), STR_ARG(trial_text(t, want)));
    }
}

/* Read in whatever form, it is the same.  Protobuf has no zeros that are defaults, and messages in others carry no kind. */
static void check_forms_out(struct trial *t, const struct json *read)
{
    struct errbuf err;

    for (enum form f = FORM_YAML; f < FORMS; f++) {
        struct told  got = ask(t, "GET", t->one, NULL, f, STR_NONE);
        struct json *want = json_copy(&t->arena, read);

        if (f == FORM_PROTOBUF && got.obj != NULL) {
            must_ok(schema_conform(t->res->kind, want, &t->arena, NULL, &err));       /* it has no nulls either */
            schema_default(t->res->kind->type, got.obj, &t->arena);     /* statuses may lack theirs */
            forget(want, STR("spec.volumeClaimTemplates.*.kind"));
            forget(want, STR("spec.volumeClaimTemplates.*.apiVersion"));
        }
        if (got.obj == NULL || !json_equal(got.obj, want))
            TRIAL_FAIL(t, "as %s:\n%.*s\n%.*s", form_types[f], STR_ARG(trial_text(t, got.obj)), STR_ARG(trial_text(t, read)));
    }
}

/* ---- Repeating changes nothing -------------------------------------------------------------------------- */

static void check_unchanged(struct trial *t, const char *what, struct told now, struct str rv)
{
    if (now.status != 200 || !str_eq(json_path_str(now.obj, "metadata.resourceVersion"), rv))
        TRIAL_FAIL(t, "%s is no repetition: %d %.*s, was %.*s", what, now.status, STR_ARG(trial_text(t, now.obj)), STR_ARG(rv));
}

static void check_repeated(struct trial *t, const struct json *read)
{
    static const char *const patches[][2] = {
        { "application/merge-patch+json", "{}" }, { "application/strategic-merge-patch+json", "{}" },
        { "application/json-patch+json", "[]" },
    };
    struct str   rv = json_path_str(read, "metadata.resourceVersion"), text = trial_text(t, read);
    struct json *own = json_copy(&t->arena, read);
    struct errbuf err;
    struct told  now;

    for (enum form f = FORM_JSON; f < FORMS; f++)
        check_unchanged(t, form_types[f], ask(t, "PUT", t->one, form_types[f], f, form_encode(t, f, read)), rv);
    for (size_t i = 0; i < ARRAY_LEN(patches); i++)
        check_unchanged(t, patches[i][0], ask(t, "PATCH", t->one, patches[i][0], FORM_JSON, str_of(patches[i][1])), rv);
    check_unchanged(t, "a merge of itself", ask(t, "PATCH", t->one, patches[0][0], FORM_JSON, text), rv);
    json_delz(json_getz(own, "metadata"), "managedFields");
    now = ask_json(t, "PATCH", t->one, patches[1][0], own);
    /* Elements without their merge key, or twice with the same, can't be merged; nulls are no values in a patch. */
    if (now.status != 400 && now.status != 422 && memmem(text.p, text.n, "null", 4) == NULL &&
        typed_check(&t->arena, t->res->kind->type, own, &err) == 0)
        check_unchanged(t, "a strategic merge of itself", now, rv);
}

/* What was written, applied by somebody else: a second time it is no news, in either encoding. */
static void check_applied(struct trial *t, const struct json *written)
{
    const char *by = with_query(t, t->one, "fieldManager=trial&force=true");
    struct told first, again;

    first = ask(t, "PATCH", by, "application/apply-patch+yaml", FORM_JSON, form_encode(t, FORM_YAML, written));
    /* Elements without their keys, or twice the same, are nobody's; a selector grown by the server can't shrink. */
    if (first.status == 400 || first.status == 422)
        return;
    if (first.status != 200)
        TRIAL_FAIL(t, "apply: %d %.*s", first.status, STR_ARG(trial_text(t, first.obj)));
    if (!str_is(json_path_str(first.obj, "metadata.managedFields.0.operation"), "Apply") &&
        json_path(written, "metadata.labels") != NULL)
        TRIAL_FAIL(t, "nobody owns what was applied: %.*s", STR_ARG(trial_text(t, first.obj)));
    for (unsigned i = 0; i < 2; i++) {
        again = i == 0 ? ask(t, "PATCH", by, "application/apply-patch+yaml", FORM_JSON, trial_text(t, written))
                       : ask(t, "PATCH", by, "application/apply-patch+cbor", FORM_CBOR, form_encode(t, FORM_CBOR, written));
        check_unchanged(t, i == 0 ? "apply" : "apply as CBOR", again, json_path_str(first.obj, "metadata.resourceVersion"));
        if (!json_equal(again.obj, first.obj))
            TRIAL_FAIL(t, "applied twice:\n%.*s\n%.*s", STR_ARG(trial_text(t, again.obj)), STR_ARG(trial_text(t, first.obj)));
    }
}

/* Another one over it, which was found to be allowed. */
static void check_replaced(struct trial *t, const struct json *other)
{
    struct told now = ask_json(t, "PUT", t->one, form_types[FORM_JSON], other), read;

    if (now.status != 200) {
        TRIAL_FAIL(t, "replace: %d %.*s", now.status, STR_ARG(trial_text(t, now.obj)));
        return;
    }
    read = ask(t, "GET", t->one, NULL, FORM_JSON, STR_NONE);
    if (!json_equal(now.obj, read.obj))
        TRIAL_FAIL(t, "replaced by\n%.*s\nread\n%.*s", STR_ARG(trial_text(t, now.obj)), STR_ARG(trial_text(t, read.obj)));
    check_repeated(t, read.obj);
}

/* ---- Damage ------------------------------------------------------------------------------------------------ */

/* Wrong objects and wrong bytes, in every form: whatever is answered, it is an answer. */
static void try_damaged(struct trial *t, const struct json *good)
{
    static const char *const patch[] = { "application/merge-patch+json", "application/strategic-merge-patch+json",
                                         "application/json-patch+json", "application/apply-patch+yaml",
                                         "application/apply-patch+cbor" };

    for (enum form f = FORM_JSON; f < FORMS; f++) {
        struct json *bad = json_copy(&t->arena, good);
        const char  *by = with_query(t, t->one, dice_one_in(t->gen.dice, 2) ? "dryRun=All&fieldManager=d&force=true"
                                                                            : "dryRun=All&fieldManager=d");
        const char  *type = DICE_PICK(t->gen.dice, patch);

        gen_damage(&t->gen, bad);
        ask(t, "POST", with_query(t, t->all, "dryRun=All&fieldValidation=Strict"), form_types[f], f,
            form_encode(t, f == FORM_PROTOBUF ? FORM_JSON : f, bad));
        ask(t, "PUT", with_query(t, t->one, "dryRun=All"), form_types[f], f,
            gen_damage_bytes(&t->gen, form_encode(t, f, good)));
        ask(t, "PATCH", by, type, f, form_encode(t, str_ends(str_of(type), STR("cbor")) ? FORM_CBOR : FORM_JSON, bad));
    }
}

/* Each writing subresource is given the object, and a damaged one. */
static void try_subresources(struct trial *t, const struct json *good)
{
    for (unsigned i = 0; i < t->res->n_subs; i++) {
        const struct resource_sub *sub = &t->res->subs[i];
        const char *path = arena_fmt(&t->arena, "%s/%s?dryRun=All", t->one, sub->name).p;
        struct json *bad = json_copy(&t->arena, good);

        gen_damage(&t->gen, bad);
        if (sub->connect)
            continue;
        if (sub->verbs & VERB_GET)
            ask(t, "GET", path, NULL, (enum form)dice_below(t->gen.dice, FORMS), STR_NONE);
        if (sub->verbs & VERB_UPDATE) {
            ask_json(t, "PUT", path, form_types[FORM_JSON], good);
            ask_json(t, "PUT", path, form_types[FORM_JSON], bad);
        }
        if (sub->verbs & VERB_PATCH)
            ask_json(t, "PATCH", path, "application/merge-patch+json", bad);
        if (sub->verbs & VERB_CREATE)
            ask_json(t, "POST", path, form_types[FORM_JSON], bad);
    }
}

/* ---- Watching ---------------------------------------------------------------------------------------------- */

/* Objects of a list by namespace and name. */
static struct str object_key(struct trial *t, const struct json *obj)
{
    return arena_fmt(&t->arena, "%.*s/%.*s", STR_ARG(json_path_str(obj, "metadata.namespace")),
                     STR_ARG(json_path_str(obj, "metadata.name")));
}

static struct json *by_key(struct trial *t, const struct json *list)
{
    struct json *map = json_object(&t->arena);

    json_each(item, json_getz(list, "items")) {
        struct json *obj = json_copy(&t->arena, item);

        json_delz(obj, "kind");                  /* elements of some lists say it, of others not */
        json_delz(obj, "apiVersion");
        json_set(&t->arena, map, object_key(t, item), obj);
    }
    return map;
}

/* The next event of a stream in this form.  NULL: no more. */
static struct json *next_event(struct trial *t, enum form form, struct str *in)
{
    static const char *const names[] = { "type", "object" };
    struct json *event = json_object(&t->arena);
    struct str   line, frame;
    struct pb_item item, raw;
    size_t n;

    if (in->n == 0)
        return NULL;
    if (form == FORM_JSON)
        return str_split(in, '\n', &line) ? form_decode(t, FORM_JSON, line) : NULL;
    must(form == FORM_PROTOBUF && in->n >= 4);
    n = (size_t)(unsigned char)in->p[0] << 24 | (size_t)(unsigned char)in->p[1] << 16 |
        (size_t)(unsigned char)in->p[2] << 8 | (unsigned char)in->p[3];
    frame = str_upto(str_from(*in, 4), n);
    *in = str_from(*in, 4 + n);
    for (unsigned i = 0; i < 2; i++) {
        must(pb_next(&frame, &item) == NULL && item.number == i + 1);
        if (i == 1)
            must(pb_next(&item.bytes, &raw) == NULL);
        json_setz(&t->arena, event, names[i],
                  i == 0 ? json_string(&t->arena, item.bytes) : form_decode(t, FORM_PROTOBUF, raw.bytes));
    }
    return event;
}

static void replay(struct trial *t, enum form form, struct str in, struct json *map)
{
    struct json *event;

    while ((event = next_event(t, form, &in)) != NULL) {
        struct json *obj = json_getz(event, "object");
        struct str   key = object_key(t, obj), type = json_path_str(event, "type");

        if (str_is(type, "DELETED")) {
            json_del(map, key);
            continue;
        }
        if (!str_is(type, str_is(type, "ADDED") ? "ADDED" : "MODIFIED") || (json_get(map, key) == NULL) != str_is(type, "ADDED"))
            TRIAL_FAIL(t, "an event of %.*s out of place: %.*s", STR_ARG(key), STR_ARG(trial_text(t, event)));
        json_delz(obj, "kind");
        json_delz(obj, "apiVersion");
        json_set(&t->arena, map, key, obj);
    }
}

struct trial_watch { struct talk *talk; enum form form; struct json *before; };

static struct trial_watch watch_start(struct trial *t, enum form form)
{
    struct told        list = ask(t, "GET", t->all, NULL, FORM_JSON, STR_NONE);
    struct str         rv = json_path_str(list.obj, "metadata.resourceVersion");
    struct trial_watch w = { .form = form, .before = by_key(t, list.obj) };

    t->rig->accept = form_types[form];
    w.talk = talk_open(t->rig, "GET", with_query(t, t->all, arena_fmt(&t->arena, "watch=true&resourceVersion=%.*s", STR_ARG(rv)).p),
                       NULL);
    t->rig->accept = NULL;
    rig_run(t->rig, 5);
    return w;
}

/* The list from before and what the watch told make the list of now. */
static void watch_check(struct trial *t, struct trial_watch *w)
{
    struct told  now = ask(t, "GET", t->all, NULL, w->form, STR_NONE);
    struct json *want = by_key(t, now.obj);

    rig_run(t->rig, 20);
    CHECK_INT(w->talk->status, 200);
    replay(t, w->form, arena_str(&t->arena, buf_str(&w->talk->body)), w->before);
    if (!json_equal(want, w->before))
        TRIAL_FAIL(t, "a watch in %s made\n%.*s\na list\n%.*s", form_types[w->form], STR_ARG(trial_text(t, w->before)),
                   STR_ARG(trial_text(t, want)));
    talk_close(w->talk);
}

/* ---- All of it ----------------------------------------------------------------------------------------------- */

static void remove_object(struct trial *t)
{
    static const char nobody_holds[] = "{\"metadata\":{\"finalizers\":null}}";

    ask(t, "DELETE", with_query(t, t->one, "gracePeriodSeconds=0"), NULL, FORM_JSON, STR_NONE);
    if (ask(t, "GET", t->one, NULL, FORM_JSON, STR_NONE).status == 404)
        return;
    ask(t, "PATCH", t->one, "application/merge-patch+json", FORM_JSON, str_of(nobody_holds));
    if (strcmp(t->res->plural, "namespaces") == 0)
        ask(t, "PUT", arena_fmt(&t->arena, "%s/finalize", t->one).p, form_types[FORM_JSON], FORM_JSON,
            STR("{\"metadata\":{\"name\":\"x\"},\"spec\":{\"finalizers\":[]}}"));
    if (ask(t, "GET", t->one, NULL, FORM_JSON, STR_NONE).status != 404)
        TRIAL_FAIL(t, "%s does not go", t->one);
}

static void trial_live(struct trial *t)
{
    struct json *written = random_object(t, "POST", t->all), *other;
    struct told  made, read;

    t->grown = written != NULL;
    if (written == NULL)
        written = sample_object(t);
    check_forms_in(t, written);
    made = ask_json(t, "POST", t->all, form_types[FORM_JSON], written);
    if (made.status != 201) {
        TRIAL_FAIL(t, "create: %d %.*s", made.status, STR_ARG(trial_text(t, made.obj)));
        return;
    }
    read = ask(t, "GET", t->one, NULL, FORM_JSON, STR_NONE);
    if (!json_equal(made.obj, read.obj))
        TRIAL_FAIL(t, "made\n%.*s\nread\n%.*s", STR_ARG(trial_text(t, made.obj)), STR_ARG(trial_text(t, read.obj)));
    check_written(t, written, read.obj);
    check_forms_out(t, read.obj);
    check_repeated(t, read.obj);
    try_damaged(t, read.obj);
    try_subresources(t, read.obj);
    check_applied(t, written);
    other = random_object(t, "PUT", t->one);
    if (other != NULL)
        check_replaced(t, other);
    remove_object(t);
}

/* What chance makes of the sample.  True: it was grown, not the bare sample. */
static bool trial_run(struct rig *r, const struct sample *s, struct dice *d, unsigned long long seed)
{
    static const enum form streamed[] = { FORM_JSON, FORM_PROTOBUF };
    struct trial       t = { .rig = r, .sample = s, .res = sample_resource(s), .arena = ARENA_INIT, .seed = seed };
    struct trial_watch w;

    t.gen = (struct gen){ .arena = &t.arena, .dice = d };
    sample_path(t.one, sizeof t.one, s, t.res, true);
    sample_path(t.all, sizeof t.all, s, t.res, false);
    w = watch_start(&t, DICE_PICK(d, streamed));
    trial_live(&t);
    watch_check(&t, &w);
    arena_release(&t.arena);
    return t.grown;
}

#endif
