/* test/api/schema_test.c: the generated tables are complete and consistent, and lookups find what is there. */
#include "api/names.h"
#include "test/api/api_fixture.h"

TEST(every_field_is_found_by_its_name)
{
    for (unsigned i = 0; i < schema_n_types; i++) {
        const struct schema_type *t = &schema_types[i];

        for (unsigned j = 0; j < t->n_fields; j++)
            CHECK(schema_field(t, t->fields[j].name) == &t->fields[j]);
        CHECK(schema_field(t, STR("noSuchField")) == NULL);
        CHECK(schema_field(t, STR("")) == NULL);
    }
}

TEST(every_resource_and_kind_is_found)
{
    for (unsigned i = 0; i < schema_n_resources; i++) {
        const struct resource *r = &schema_resources[i];

        CHECK(resource_find(str_of(r->kind->group), str_of(r->kind->version), str_of(r->plural)) == r);
        CHECK_INT(r->index, i);
        CHECK(r->virtual_ || r->n_columns > 0);
        CHECK(r->virtual_ || r->storage[0] != '\0');
        for (unsigned j = 0; j < r->n_subs; j++)
            CHECK(resource_sub_find(r, str_of(r->subs[j].name)) == &r->subs[j]);
    }
    for (unsigned i = 0; i < schema_n_kinds; i++) {
        const struct schema_kind *k = &schema_kinds[i];
        CHECK(schema_kind_find(str_of(k->group), str_of(k->version), str_of(k->kind)) == k);
    }
    CHECK(resource_find(STR("apps"), STR("v1"), STR("pods")) == NULL);
    CHECK(resource_find(STR(""), STR("v1"), STR("")) == NULL);
    CHECK(schema_kind_find(STR("apps"), STR("v1"), STR("Pod")) == NULL);
}

TEST(the_same_event_has_two_faces)
{
    const struct resource *core = resource_find(STR(""), STR("v1"), STR("events"));
    const struct resource *newer = resource_find(STR("events.k8s.io"), STR("v1"), STR("events"));
    struct arena a = ARENA_INIT;
    struct json *e = parse(&a, "{'apiVersion':'events.k8s.io/v1','kind':'Event','note':'hi','regarding':{'kind':'Pod'},"
                               "'deprecatedCount':3,'reportingController':'c','reason':'R'}");

    CHECK(newer->stored_as == core);
    CHECK(core->stored_as == NULL);
    CHECK_STR(str_of(newer->storage), core->storage);
    schema_to_stored(newer, e, &a);
    CHECK_JSON(&a, e, "{'apiVersion':'v1','kind':'Event','message':'hi','involvedObject':{'kind':'Pod'},"
                      "'count':3,'reportingComponent':'c','reason':'R'}");
    schema_from_stored(newer, e, &a);
    CHECK_JSON(&a, e, "{'apiVersion':'events.k8s.io/v1','kind':'Event','note':'hi','regarding':{'kind':'Pod'},"
                      "'deprecatedCount':3,'reportingController':'c','reason':'R'}");
    arena_release(&a);
}

TEST(common_kinds_exist_everywhere)
{
    const struct schema_kind *k = schema_kind_find(STR("apps"), STR("v1"), STR("DeleteOptions"));

    CHECK(k != NULL && k->common);
    CHECK(schema_kind_find(STR(""), STR("v1"), STR("Status")) != NULL);
}

/* What a client relies on: spot checks of each kind of fact against the original. */
TEST(facts_of_some_fields)
{
    const struct schema_type *spec = schema_field(kind("", "Pod")->type, STR("spec"))->type;
    const struct schema_field *f = schema_field(spec, STR("containers"));

    CHECK_STR(str_of(spec->name), "io.k8s.api.core.v1.PodSpec");
    CHECK_INT(f->pb, 2);
    CHECK(f->flags & SCHEMA_REQUIRED && f->flags & SCHEMA_PATCH_MERGE);
    CHECK_STR(str_of(f->merge_key), "name");
    CHECK_INT(f->list_type, SCHEMA_BY_KEYS);
    f = schema_field(spec, STR("volumes"));
    CHECK(f->flags & SCHEMA_RETAIN_KEYS);
    f = schema_field(f->type, STR("emptyDir"));              /* from the inlined VolumeSource */
    CHECK_INT(f->pb_inline, 2);
    CHECK_INT(f->pb, 2);
    f = schema_field(spec, STR("restartPolicy"));
    CHECK_STR(str_of(f->default_json), "\"Always\"");
    CHECK(f->enums != NULL && f->enums->n == 3);
}

TEST(formats_and_enum_defaults_exist)
{
    for (unsigned i = 0; i < schema_n_types; i++)
        for (unsigned j = 0; j < schema_types[i].n_fields; j++) {
            const struct schema_field *f = &schema_types[i].fields[j];

            CHECK(f->help != NULL && f->help[0] != '\0');
            if (f->format != NULL && f->base == SCHEMA_STRING)
                CHECK(name_check_find(f->format) != NULL);
        }
}
