/* test/api/all_kinds_test.c: one good object of every stored kind goes through the whole API: created, defaulted,
 * read back, shown as a row, written as protobuf and read again, patched, deleted. */
#include "test/api/api_rig.h"
#include "test/api/api_fixture.h"
#include "test/api/samples.h"

static void check_defaults(const struct sample *s, const struct json *obj)
{
    struct str rest = str_of(s->defaults), line;
    struct arena a = ARENA_INIT;

    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        ptrdiff_t eq = str_find(line, '=');
        char path[200];
        const struct json *v;
        struct str is;

        snprintf(path, sizeof path, "%.*s", (int)eq, line.p);
        v = json_path(obj, path);
        is = v == NULL ? STR("absent") : v->type == JSON_STRING ? v->s : text_of(&a, v);
        if (v == NULL || !str_eq(is, str_from(line, (size_t)eq + 1)))
            test_fail(__FILE__, __LINE__, "%s: %s is %.*s, not %.*s", s->plural, path, STR_ARG(is),
                      STR_ARG(str_from(line, (size_t)eq + 1)));
    }
    arena_release(&a);
}

/* The stored object as protobuf, in an envelope, and back: the same. */
static void check_protobuf(const struct sample *s, const struct resource *r, struct json *obj)
{
    struct arena a = ARENA_INIT;
    struct buf all = BUF_INIT;
    struct json *back = NULL;
    const struct schema_kind *k;
    struct errbuf err = { "" };

    schema_pb_encode(&all, r->kind->type, obj);
    if (schema_pb_decode(buf_str(&all), &a, &back, &k, &err) < 0)
        test_fail(__FILE__, __LINE__, "%s: %s", s->plural, err.s);
    json_each(claim, json_path(obj, "spec.volumeClaimTemplates")) {      /* messages carry no kind */
        json_delz(claim, "apiVersion");
        json_delz(claim, "kind");
    }
    schema_default(r->kind->type, back, &a);     /* empty messages with defaults inside and zeros come back by these */
    if (k != r->kind || !json_equal(back, obj))
        test_fail(__FILE__, __LINE__, "%s:\n%.*s\nbut\n%.*s", s->plural, STR_ARG(text_of(&a, back)), STR_ARG(text_of(&a, obj)));
    buf_release(&all);
    arena_release(&a);
}

static void check_row(struct rig *r, const struct sample *s, const struct resource *res, const char *path)
{
    struct answer a;

    r->accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    a = call(r, "GET", path, NULL);
    r->accept = NULL;
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "kind", "Table");
    CHECK_INT(json_path(a.obj, "columnDefinitions")->n, res->n_columns);
    CHECK_INT(json_path(a.obj, "rows.0.cells")->n, res->n_columns);
    if (strcmp(s->plural, "events") != 0)
        CHECK_AT(a, "rows.0.cells.0", s->name);
    answer_free(&a);
}

static void one(struct rig *r, const struct sample *s)
{
    const struct resource *res = sample_resource(s);
    char path[300], body[2000];
    struct answer made, read, patched;

    sample_path(path, sizeof path, s, res, false);
    snprintf(body, sizeof body, "{'metadata':{'name':'%s'},%s}", s->name, s->body);
    made = call(r, "POST", path, body);
    if (made.status != 201) {
        test_fail(__FILE__, __LINE__, "%s: %d %.*s", s->plural, made.status, STR_ARG(made.body));
        answer_free(&made);
        return;
    }
    check_defaults(s, made.obj);
    sample_path(path, sizeof path, s, res, true);
    read = call(r, "GET", path, NULL);
    CHECK_INT(read.status, 200);
    if (!json_equal(made.obj, read.obj))
        test_fail(__FILE__, __LINE__, "%s: read %.*s", s->plural, STR_ARG(read.body));
    check_protobuf(s, res, read.obj);
    check_row(r, s, res, path);
    r->type = "application/merge-patch+json";
    patched = call(r, "PATCH", path, "{'metadata':{'labels':{'new':'label'}}}");
    r->type = NULL;
    CHECK_INT(patched.status, 200);
    CHECK_AT(patched, "metadata.labels.new", "label");
    CHECK_INT(json_path_i64(patched.obj, "metadata.generation", 0), res->has_generation ? 1 : 0);
    CALL(r, 200, "DELETE", path, NULL);
    answer_free(&made);
    answer_free(&read);
    answer_free(&patched);
}

TEST(a_good_object_of_every_kind_lives_its_life)
{
    struct rig *r = rig_open();

    CALL(r, 201, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'default'}}");
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        one(r, &samples[i]);
    rig_close(r);
}

TEST(every_kind_that_can_be_created_has_a_sample)
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];
        bool found = r->virtual_ || !(r->verbs & VERB_CREATE);

        for (size_t j = 0; j < ARRAY_LEN(samples); j++)
            found |= strcmp(samples[j].plural, r->plural) == 0 && strcmp(samples[j].group, r->kind->group) == 0
                && strcmp(samples[j].version, r->kind->version) == 0;
        if (!found)
            test_fail(__FILE__, __LINE__, "no sample of %s/%s %s", r->kind->group, r->kind->version, r->plural);
    }
}
