/* test/api/list_watch_test.c: lists, pages, selectors, tables and watches through the pipeline. */
#include "test/api/api_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"

static void make(struct rig *r, const char *ns, const char *name, const char *app)
{
    char path[200], body[300];

    snprintf(path, sizeof path, "/api/v1/namespaces/%s/configmaps", ns);
    snprintf(body, sizeof body, "{'metadata':{'name':'%s','labels':{'app':'%s'}},'data':{'k':'v'}}", name,
             app);
    CALL(r, 201, "POST", path, body);
}

static void make_many(struct rig *r, unsigned n)
{
    char name[20];

    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof name, "c%03u", i);
        make(r, "default", name, i % 2 == 0 ? "even" : "odd");
    }
}

static size_t items(const struct answer *a)
{
    const struct json *list = json_getz(a->obj, "items");

    return list != NULL ? list->n : 0;
}

TEST(pages_at_one_revision)
{
    struct rig   *r = rig_open();
    struct answer a;
    char          path[600];
    unsigned      seen = 0, pages = 0;

    make_many(r, 25);
    snprintf(path, sizeof path, CM "?limit=10");
    for (;;) {
        a = call(r, "GET", path, NULL);
        CHECK_INT(a.status, 200);
        CHECK_AT(a, "kind", "ConfigMapList");
        seen += (unsigned)items(&a);
        if (pages == 0) {
            CHECK_INT(items(&a), 10);
            CHECK_INT(json_path_i64(a.obj, "metadata.remainingItemCount", -1), 15);
            CALL(r, 200, "DELETE", CM "/c020", NULL);
            make(r, "default", "c999", "new");
        }
        pages++;
        snprintf(path, sizeof path, CM "?limit=10&continue=%.*s",
                 STR_ARG(json_path_str(a.obj, "metadata.continue")));
        if (json_path_str(a.obj, "metadata.continue").n == 0)
            break;
        answer_free(&a);
    }
    CHECK_AT(a, "items.4.metadata.name", "c024");
    answer_free(&a);
    CHECK_INT(seen, 25);
    CHECK_INT(pages, 3);
    CALL(r, 400, "GET", CM "?limit=10&continue=nonsense", NULL);
    CALL(r, 400, "GET", CM "?limit=-1", NULL);
    CALL(r, 400, "GET", CM "?limit=ten", NULL);
    rig_close(r);
}

TEST(expired_page_goes_on_inconsistently)
{
    struct rig   *r = rig_open();
    struct answer a;
    char          path[600];

    make_many(r, 6);
    a = call(r, "GET", CM "?limit=4", NULL);
    snprintf(path, sizeof path, CM "?limit=4&continue=%.*s",
             STR_ARG(json_path_str(a.obj, "metadata.continue")));
    answer_free(&a);
    rig_run(r, 20 * 60 * 1000);                  /* history is long gone */
    make(r, "default", "z", "x");
    rig_run(r, 20 * 60 * 1000);
    make(r, "default", "zz", "x");
    a = call(r, "GET", path, NULL);
    CHECK_INT(a.status, 410);
    CHECK_AT(a, "reason", "Expired");
    CHECK(json_path_str(a.obj, "metadata.continue").n > 0);
    snprintf(path, sizeof path, CM "?limit=10&continue=%.*s",
             STR_ARG(json_path_str(a.obj, "metadata.continue")));
    answer_free(&a);
    a = call(r, "GET", path, NULL);
    CHECK_INT(a.status, 200);
    CHECK_INT(items(&a), 4);                     /* two of the six, z and zz */
    answer_free(&a);
    rig_close(r);
}

TEST(selectors)
{
    struct rig   *r = rig_open();
    struct answer a;

    make_many(r, 6);
    a = call(r, "GET", CM "?labelSelector=app%3Deven", NULL);
    CHECK_INT(items(&a), 3);
    answer_free(&a);
    a = call(r, "GET", CM "?labelSelector=app+in+(even,odd),!x", NULL);
    CHECK_INT(items(&a), 6);
    answer_free(&a);
    a = call(r, "GET", CM "?fieldSelector=metadata.name%3Dc003", NULL);
    CHECK_INT(items(&a), 1);
    answer_free(&a);
    a = call(r, "GET", "/api/v1/configmaps?fieldSelector=metadata.name%21%3Dc003,"
                       "metadata.namespace%3Ddefault", NULL);
    CHECK_INT(items(&a), 5);
    answer_free(&a);
    CALL(r, 400, "GET", CM "?labelSelector=%3D%3D", NULL);
    a = call(r, "GET", CM "?fieldSelector=data.k%3Dv", NULL);
    CHECK_INT(a.status, 400);
    CHECK(strstr(json_path_str(a.obj, "message").p, "field label not supported: data.k") != NULL);
    answer_free(&a);
    CALL(r, 200, "DELETE", CM "?labelSelector=app%3Deven", NULL);
    a = call(r, "GET", CM, NULL);
    CHECK_INT(items(&a), 3);
    answer_free(&a);
    rig_close(r);
}

TEST(resource_versions)
{
    struct rig   *r = rig_open();
    struct answer a;
    char          path[300];
    uint64_t      rv;

    make_many(r, 2);
    a = call(r, "GET", CM, NULL);
    CHECK(str_u64(json_path_str(a.obj, "metadata.resourceVersion"), &rv));
    answer_free(&a);
    make(r, "default", "later", "x");
    snprintf(path, sizeof path, CM "?resourceVersion=%" PRIu64 "&resourceVersionMatch=Exact", rv);
    a = call(r, "GET", path, NULL);
    CHECK_INT(items(&a), 2);
    answer_free(&a);
    snprintf(path, sizeof path, CM "?resourceVersion=%" PRIu64 "&resourceVersionMatch=NotOlderThan", rv);
    a = call(r, "GET", path, NULL);
    CHECK_INT(items(&a), 3);
    answer_free(&a);
    a = call(r, "GET", CM "?resourceVersion=999999", NULL);
    CHECK_INT(a.status, 504);
    CHECK_AT(a, "details.causes.0.reason", "ResourceVersionTooLarge");
    CHECK(strstr(a.extra, "Retry-After: 1") != NULL);
    answer_free(&a);
    CALL(r, 422, "GET", CM "?resourceVersionMatch=Exact", NULL);
    CALL(r, 422, "GET", CM "?resourceVersion=0&resourceVersionMatch=Exact", NULL);
    CALL(r, 422, "GET", CM "?resourceVersion=5&resourceVersionMatch=Nearly", NULL);
    CALL(r, 400, "GET", CM "?resourceVersion=x", NULL);
    CALL(r, 422, "GET", CM "?sendInitialEvents=true", NULL);
    rig_close(r);
}

TEST(tables_and_partials)
{
    struct rig   *r = rig_open();
    struct answer a;

    make_many(r, 3);
    r->accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    a = call(r, "GET", CM, NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "kind", "Table");
    CHECK_AT(a, "apiVersion", "meta.k8s.io/v1");
    CHECK_AT(a, "columnDefinitions.0.name", "Name");
    CHECK_INT(json_path(a.obj, "rows")->n, 3);
    CHECK_AT(a, "rows.1.cells.0", "c001");
    CHECK_AT(a, "rows.1.object.kind", "PartialObjectMetadata");
    CHECK_AT(a, "rows.1.object.metadata.name", "c001");
    CHECK(json_path_str(a.obj, "metadata.resourceVersion").n > 0);
    answer_free(&a);
    a = call(r, "GET", CM "/c002", NULL);
    CHECK_AT(a, "kind", "Table");
    CHECK_AT(a, "rows.0.cells.0", "c002");
    answer_free(&a);
    r->accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    a = call(r, "GET", CM, NULL);
    CHECK_AT(a, "kind", "PartialObjectMetadataList");
    CHECK_AT(a, "items.0.metadata.labels.app", "even");
    CHECK(json_path(a.obj, "items.0.data") == NULL);
    answer_free(&a);
    r->accept = "application/xml";
    CALL(r, 406, "GET", CM, NULL);
    r->accept = "application/yaml";
    a = call(r, "GET", CM "/c001", NULL);
    CHECK(str_starts(a.body, STR("kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: c001\n")));
    answer_free(&a);
    rig_close(r);
}

/* ---- Watches ------------------------------------------------------------------------------------------ */

/* "ADDED c000,MODIFIED c001,BOOKMARK " of what came so far; the bytes stay. */
static const char *events(struct talk *t)
{
    static char  out[2000];
    struct arena a = ARENA_INIT;
    struct str   rest = buf_str(&t->body), line;
    size_t       at = 0;

    out[0] = '\0';
    while (rest.n > 0 && str_split(&rest, '\n', &line) && at < sizeof out - 100) {
        struct json      *ev;
        struct json_error err;

        if (line.n == 0)
            continue;
        if (json_parse(&a, line, &ev, &err) < 0) {
            test_fail(__FILE__, __LINE__, "bad line %.*s", STR_ARG(line));
            break;
        }
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%.*s %.*s", at > 0 ? "," : "",
                               STR_ARG(json_path_str(ev, "type")),
                               STR_ARG(json_path_str(ev, "object.metadata.name")));
    }
    arena_release(&a);
    return out;
}

#define EVENTS(t, want) CHECK_STR(str_of(events(t)), (want))

TEST(watch_follows)
{
    struct rig  *r = rig_open();
    struct talk *t;

    make_many(r, 2);
    t = talk_open(r, "GET", CM "?watch=1", NULL);
    rig_run(r, 50);
    EVENTS(t, "ADDED c000,ADDED c001");
    make(r, "default", "n", "x");
    CALL(r, 200, "PUT", CM "/c000", "{'metadata':{'name':'c000'},'data':{'a':'b'}}");
    CALL(r, 200, "DELETE", CM "/c001", NULL);
    make(r, "kube-system", "elsewhere", "x");
    rig_run(r, 50);
    EVENTS(t, "ADDED c000,ADDED c001,ADDED n,MODIFIED c000,DELETED c001");
    CHECK_INT(t->status, 200);
    CHECK(!t->ended);
    talk_close(t);
    rig_close(r);
}

TEST(watch_resumes_after_a_version)
{
    struct rig   *r = rig_open();
    struct answer a;
    struct talk  *t;
    char          path[300];

    make_many(r, 2);
    a = call(r, "GET", CM "/c000", NULL);
    snprintf(path, sizeof path, CM "?watch=true&resourceVersion=%.*s",
             STR_ARG(json_path_str(a.obj, "metadata.resourceVersion")));
    answer_free(&a);
    t = talk_open(r, "GET", path, NULL);
    rig_run(r, 50);
    EVENTS(t, "ADDED c001");
    talk_close(t);
    rig_run(r, 40 * 60 * 1000);
    make(r, "default", "much", "x");
    rig_run(r, 40 * 60 * 1000);
    make(r, "default", "later", "x");
    t = talk_open(r, "GET", path, NULL);
    rig_run(r, 50);
    CHECK(t->ended);
    CHECK(strstr(buf_str(&t->body).p, "\"code\":410") != NULL);
    EVENTS(t, "ERROR ");
    talk_close(t);
    rig_close(r);
}

TEST(watch_selector_enter_and_leave)
{
    struct rig  *r = rig_open();
    struct talk *t;

    make_many(r, 3);
    t = talk_open(r, "GET", CM "?watch=1&labelSelector=app%3Deven", NULL);
    rig_run(r, 50);
    EVENTS(t, "ADDED c000,ADDED c002");
    CALL(r, 200, "PUT", CM "/c001", "{'metadata':{'name':'c001','labels':{'app':'even'}}}");
    CALL(r, 200, "PUT", CM "/c000", "{'metadata':{'name':'c000','labels':{'app':'odd'}}}");
    CALL(r, 200, "PUT", CM "/c000", "{'metadata':{'name':'c000','labels':{'app':'odd','x':'y'}}}");
    CALL(r, 200, "DELETE", CM "/c000", NULL);
    CALL(r, 200, "DELETE", CM "/c002", NULL);
    rig_run(r, 50);
    EVENTS(t, "ADDED c000,ADDED c002,ADDED c001,DELETED c000,DELETED c002");
    talk_close(t);
    t = talk_open(r, "GET", CM "?watch=1&fieldSelector=metadata.name%3Done", NULL);
    make(r, "default", "two", "x");
    make(r, "default", "one", "x");
    rig_run(r, 50);
    EVENTS(t, "ADDED one");
    talk_close(t);
    rig_close(r);
}

TEST(watch_bookmarks_and_timeout)
{
    struct rig  *r = rig_open();
    struct talk *t;

    make_many(r, 1);
    t = talk_open(r, "GET", CM "?watch=1&allowWatchBookmarks=true&timeoutSeconds=90", NULL);
    rig_run(r, 59000);
    EVENTS(t, "ADDED c000");
    rig_run(r, 2000);
    EVENTS(t, "ADDED c000,BOOKMARK ");
    CHECK(!t->ended);
    rig_run(r, 30000);
    EVENTS(t, "ADDED c000,BOOKMARK ,BOOKMARK ");
    CHECK(t->ended);
    talk_close(t);
    rig_close(r);
}

TEST(watch_list)
{
    struct rig  *r = rig_open();
    struct talk *t;

    make_many(r, 2);
    t = talk_open(r, "GET", CM "?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&"
                               "resourceVersionMatch=NotOlderThan", NULL);
    rig_run(r, 50);
    EVENTS(t, "ADDED c000,ADDED c001,BOOKMARK ");
    CHECK(strstr(buf_str(&t->body).p, "\"k8s.io/initial-events-end\":\"true\"") != NULL);
    talk_close(t);
    CALL(r, 422, "GET", CM "?watch=1&sendInitialEvents=true", NULL);
    CALL(r, 422, "GET", CM "?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1", NULL);
    t = talk_open(r, "GET", CM "?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan", NULL);
    rig_run(r, 50);
    make(r, "default", "n", "x");
    EVENTS(t, "ADDED n");
    talk_close(t);
    rig_close(r);
}

TEST(slow_watcher_costs_nothing_and_loses_nothing)
{
    struct rig  *r = rig_open();
    struct talk *t = talk_open(r, "GET", CM "?watch=1", NULL);

    rig_run(r, 50);
    t->queued = 10 << 20;                        /* the client reads nothing */
    make_many(r, 5);
    rig_run(r, 50);
    EVENTS(t, "");
    t->queued = 0;
    sim_do(r->m, talk_drain_in, t);
    rig_run(r, 50);
    EVENTS(t, "ADDED c000,ADDED c001,ADDED c002,ADDED c003,ADDED c004");
    talk_close(t);
    rig_close(r);
}

TEST(watch_as_table)
{
    struct rig  *r = rig_open();
    struct talk *t;

    make_many(r, 1);
    r->accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    t = talk_open(r, "GET", CM "?watch=1", NULL);
    rig_run(r, 50);
    CHECK(strstr(buf_str(&t->body).p, "\"kind\":\"Table\"") != NULL);
    CHECK(strstr(buf_str(&t->body).p, "\"cells\":[\"c000\"") != NULL);
    talk_close(t);
    rig_close(r);
}

/* ---- Long lists --------------------------------------------------------------------------------------- */

static void make_big(struct rig *r, unsigned n)
{
    char *body = malloc(8000);

    for (unsigned i = 0; i < n; i++) {
        size_t at = (size_t)snprintf(body, 8000, "{'metadata':{'name':'b%04u'},'data':{'k':'", i);

        memset(body + at, 'x', 5000);
        strcpy(body + at + 5000, "'}}");
        CALL(r, 201, "POST", CM, body);
    }
    free(body);
}

static unsigned count_in(const struct talk *t, const char *what)
{
    unsigned n = 0;
    size_t   len = strlen(what);

    for (size_t i = 0; i + len <= t->body.n; i++)
        n += memcmp(t->body.p + i, what, len) == 0;
    return n;
}

/* More than a turn makes: streamed, at the pace of the reader, at one revision. */
TEST(long_list_is_streamed)
{
    struct rig       *r = rig_open();
    struct talk      *t;
    struct arena      a = ARENA_INIT;
    struct json      *doc = NULL;
    struct json_error err;
    size_t            at;

    make_big(r, 300);
    t = talk_open(r, "GET", CM, NULL);
    t->queued = 1 << 20;                         /* nothing is read */
    rig_run(r, 100);
    CHECK(t->answered && !t->ended);
    at = t->body.n;
    CHECK(at > 0 && at < 1200000);
    CALL(r, 200, "DELETE", CM "/b0299", NULL);   /* the list does not see it */
    rig_run(r, 100);
    CHECK_INT(t->body.n, at);
    for (unsigned i = 0; i < 20 && !t->ended; i++) {
        t->queued = 0;
        sim_do(r->m, talk_drain_in, t);
        rig_run(r, 10);
    }
    CHECK(t->ended);
    CHECK_INT(json_parse(&a, buf_str(&t->body), &doc, &err), 0);
    CHECK(json_getz(doc, "items") != NULL && json_getz(doc, "items")->n == 300);
    CHECK_INT(count_in(t, "\"name\":\"b0299\""), 1);
    arena_release(&a);
    talk_close(t);
    t = talk_open(r, "GET", CM, NULL);
    t->queued = 1 << 20;
    rig_run(r, 100);
    talk_close(t);                               /* gone in the middle */
    t = talk_open(r, "GET", CM "?limit=250", NULL);
    rig_run(r, 100);
    CHECK(t->ended);
    CHECK_INT(count_in(t, "\"name\":\"b"), 250);
    CHECK_INT(count_in(t, "\"remainingItemCount\":49"), 1);
    talk_close(t);
    rig_close(r);
}

/* A limit does not make the server hold any amount of bytes: the page ends early, nothing is left out. */
TEST(pages_end_early)
{
    struct rig   *r = rig_open();
    struct answer a;
    char         *body = malloc(1000200), path[600];
    unsigned      seen = 0, pages = 0;

    for (unsigned i = 0; i < 20; i++) {
        size_t at = (size_t)snprintf(body, 100, "{'metadata':{'name':'huge%02u'},'data':{'k':'", i);

        memset(body + at, 'x', 1000000);
        strcpy(body + at + 1000000, "'}}");
        CALL(r, 201, "POST", CM, body);
    }
    snprintf(path, sizeof path, CM "?limit=1000");
    do {
        a = call(r, "GET", path, NULL);
        CHECK_INT(a.status, 200);
        CHECK(a.body.n < (20u << 20));
        seen += (unsigned)items(&a);
        snprintf(path, sizeof path, CM "?limit=1000&continue=%.*s",
                 STR_ARG(json_path_str(a.obj, "metadata.continue")));
        pages += json_path_str(a.obj, "metadata.continue").n > 0;
        answer_free(&a);
    } while (strlen(path) > strlen(CM "?limit=1000&continue=") && pages < 5);
    CHECK_INT(seen, 20);
    CHECK_INT(pages, 1);
    free(body);
    rig_close(r);
}
