/* test/api/mirror_test.c: a feed tells exactly the state of its resource: in slices at first, then each
 * change, and after lost history what vanished; a head judges nothing before it knows its rules. */
#include "api/call.h"
#include "net/map.h"
#include "test/api/api_rig.h"

/* A listener's own picture, made of nothing but what it is told. */
struct picture {
    struct map objects;                          /* "ns/name" -> revision */
    struct mirror_feed *feed;
    unsigned puts, gones, resets, synced;
};

static void picture_on_event(void *arg, const struct mirror_event *ev)
{
    struct picture *p = arg;
    struct arena    a = ARENA_INIT;
    struct str      key = arena_fmt(&a, "%.*s/%.*s", STR_ARG(ev->ns), STR_ARG(ev->name));
    struct json    *j;

    if (ev->what == MIRROR_RESET) {
        p->resets++;
        map_release(&p->objects);
        p->objects = MAP_INIT;
    } else if (ev->what == MIRROR_GONE) {
        p->gones++;
        map_del(&p->objects, key);
    } else {
        p->puts++;
        j = mirror_json(ev, &a);
        CHECK(j != NULL && json_path(j, "metadata.managedFields") == NULL);
        CHECK_STR(json_path_str(j, "metadata.name"), arena_cstr(&a, ev->name));
        CHECK_STR(json_path_str(j, "metadata.resourceVersion"),
                  arena_fmt(&a, "%" PRIu64, ev->rev).p);
        map_put(&p->objects, key, (void *)(uintptr_t)ev->rev);
    }
    arena_release(&a);
}

static void picture_on_synced(void *arg) { ((struct picture *)arg)->synced++; }

static void follow(struct rig *r, struct picture *p, const char *plural, bool bulk)
{
    *p = (struct picture){ .objects = MAP_INIT };
    p->feed = mirror_follow(r->api->mirror,
                            &(struct mirror_opts){ .res = resource_find(STR(""), STR("v1"), str_of(plural)),
                                                   .bulk = bulk, .vital = true, .on_event = picture_on_event,
                                                   .on_synced = picture_on_synced, .arg = p });
}

/* The picture holds what a walk over the store finds. */
static void check_picture(struct rig *r, struct picture *p, const char *plural)
{
    struct arena        a = ARENA_INIT;
    struct str          prefix = arena_fmt(&a, "/registry/%s/", plural);
    struct str          end = store_prefix_end(&a, prefix);
    struct store_cursor cur;
    struct store_kv     kv;
    size_t              n = 0;

    store_seek(&cur, store_live(r->store), prefix, end);
    for (; store_next(&cur, &kv); n++)
        CHECK((uintptr_t)map_get(&p->objects, str_from(kv.key, prefix.n)) == kv.mod_rev);
    CHECK_INT(p->objects.n, n);
    arena_release(&a);
}

static void picture_end(struct picture *p)
{
    mirror_unfollow(p->feed);
    map_release(&p->objects);
}

static void make_map(struct rig *r, unsigned i, const char *method)
{
    char path[120], body[200];
    struct answer a;

    if (method[0] == 'D')
        snprintf(path, sizeof path, "/api/v1/namespaces/default/configmaps/m%u", i);
    else
        snprintf(path, sizeof path, "/api/v1/namespaces/default/configmaps");
    snprintf(body, sizeof body, "{'metadata':{'name':'m%u'},'data':{'k':'%u'}}", i, i);
    a = call(r, method, path, method[0] == 'D' ? NULL : body);
    CHECK(a.status == 200 || a.status == 201);
    answer_free(&a);
}

TEST(a_feed_tells_what_is_there_and_what_changes)
{
    struct rig    *r = rig_open();
    struct picture maps, bulk;

    for (unsigned i = 0; i < 450; i++)           /* more than two slices */
        make_map(r, i, "POST");
    follow(r, &maps, "configmaps", false);
    follow(r, &bulk, "configmaps", true);
    CHECK(!mirror_ready(r->api->mirror));
    CHECK_INT(maps.puts, 0);
    rig_run(r, 100);
    CHECK(mirror_ready(r->api->mirror));
    CHECK_INT(maps.synced, 1);
    CHECK_INT(bulk.resets, 1);
    check_picture(r, &maps, "configmaps");
    check_picture(r, &bulk, "configmaps");
    unsigned puts = maps.puts;
    make_map(r, 500, "POST");
    make_map(r, 3, "DELETE");
    rig_run(r, 50);
    CHECK_INT(maps.puts, puts + 1);
    CHECK_INT(maps.gones, 1);
    check_picture(r, &maps, "configmaps");
    check_picture(r, &bulk, "configmaps");
    picture_end(&maps);
    picture_end(&bulk);
    rig_close(r);
}

TEST(changes_during_the_scan_come_after_it_and_none_is_lost)
{
    struct rig    *r = rig_open();
    struct picture maps;

    for (unsigned i = 0; i < 450; i++)
        make_map(r, i, "POST");
    follow(r, &maps, "configmaps", false);
    for (unsigned i = 0; i < 40; i++) {
        make_map(r, i * 11, "DELETE");
        make_map(r, 1000 + i, "POST");
    }
    rig_run(r, 200);
    check_picture(r, &maps, "configmaps");
    picture_end(&maps);
    rig_close(r);
}

/* Past the API, as etcdctl can. */
struct raw { struct rig *r; const char *key, *value; struct store_commit commit; bool done; };

static void on_raw_done(struct store_commit *c, int err)
{
    CHECK_INT(err, 0);
    container_of(c, struct raw, commit)->done = true;
}

static void put_raw_in(void *arg)
{
    struct raw      *w = arg;
    struct store_txn t;

    store_txn_init(&t);
    store_txn_put(&t, str_of(w->key), str_of(w->value), STORE_NO_REV, 0, 0);
    store_commit(w->r->store, &w->commit, &t);
    store_txn_release(&t);
}

static void put_raw(struct rig *r, const char *key, const char *value)
{
    struct raw w = { .r = r, .key = key, .value = value, .commit.done = on_raw_done };

    sim_do(r->m, put_raw_in, &w);
    rig_run(r, 20);
    CHECK(w.done);
}

static unsigned objects_seen, nothing_seen;

static void raw_on_event(void *arg, const struct mirror_event *ev)
{
    struct arena a = ARENA_INIT;

    (void)arg;
    if (ev->what == MIRROR_PUT && mirror_json(ev, &a) != NULL)
        objects_seen++;
    else
        nothing_seen++;
    arena_release(&a);
}

TEST(garbage_in_the_store_is_no_object)
{
    struct rig *r = rig_open();
    struct mirror_feed *f;

    objects_seen = nothing_seen = 0;
    f = mirror_follow(r->api->mirror, &(struct mirror_opts){
        .res = resource_find(STR(""), STR("v1"), STR("podtemplates")), .on_event = raw_on_event });
    rig_run(r, 20);
    put_raw(r, "/registry/podtemplates/default/x", "{\"metadata\":");
    put_raw(r, "/registry/podtemplates/default/y", "[1]");
    put_raw(r, "/registry/podtemplates/default/y/z", "{}");      /* no object's key */
    put_raw(r, "/registry/podtemplates/x", "{}");
    put_raw(r, "/registry/podtemplates//x", "{}");
    put_raw(r, "/registry/podtemplates/default/ok", "{}");
    CHECK_INT(nothing_seen, 2);
    CHECK_INT(objects_seen, 1);
    mirror_unfollow(f);
    rig_close(r);
}

/* A head without the others knows nothing of its rules: it answers nothing but health. */
TEST(nothing_is_judged_before_the_rules_are_known)
{
    struct sim *sim = sim_new(1);
    struct rig *r = calloc(1, sizeof *r);
    struct talk *list, *live, *whole;

    sim_machine_new(sim, "head2");
    sim_machine_new(sim, "head3");
    rig_start(r, sim, 0, 3);                     /* one head of three: no leader, ever */
    rig_run(r, 500);
    live = talk_open(r, "GET", "/livez", NULL);
    list = talk_open(r, "GET", "/api/v1/pods?resourceVersion=0", NULL);
    whole = talk_open(r, "GET", "/apis", NULL);
    CHECK(live->answered && live->status == 200);
    CHECK(!list->answered && !whole->answered);
    rig_run(r, 60000);
    CHECK(list->answered && list->status >= 500);
    talk_close(live);
    talk_close(list);
    talk_close(whole);
    rig_close(r);
}
