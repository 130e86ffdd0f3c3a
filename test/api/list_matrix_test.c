/* test/api/list_matrix_test.c: every combination of resourceVersion, resourceVersionMatch, limit, continue and
 * sendInitialEvents, as the API's documentation has it; and that no head shows the past to who has seen more. */
#include "test/api/api_rig.h"

#define CM "/api/v1/namespaces/default/configmaps"

#define STR_AND_SIZE(lit) lit, sizeof(lit) - 1

/* What a combination gives: a status, or which objects. */
enum { NEW = 1, PAST, REST, INIT, AFTER, LIVE };
/* resourceVersion: none, "0", of the past, of the present, of the future. */
enum { RVS = 5 };

struct list_row { const char *match, *more; int want[RVS]; };
static const struct list_row lists[] = {
    { "", "", { NEW, NEW, NEW, NEW, 504 } },
    { "", "&limit=50", { NEW, NEW, PAST, NEW, 504 } },
    { "", "&continue=", { REST, REST, 400, 400, 400 } },
    { "Exact", "", { 422, 422, PAST, NEW, 504 } },
    { "Exact", "&limit=50", { 422, 422, PAST, NEW, 504 } },
    { "Exact", "&continue=", { 422, 422, 422, 422, 422 } },
    { "NotOlderThan", "", { 422, NEW, NEW, NEW, 504 } },
    { "NotOlderThan", "&limit=50", { 422, NEW, NEW, NEW, 504 } },
    { "NotOlderThan", "&continue=", { 422, 422, 422, 422, 422 } },
    { "Nearly", "", { 422, 422, 422, 422, 422 } },
    { "Nearly", "&limit=50", { 422, 422, 422, 422, 422 } },
    { "", "&sendInitialEvents=true", { 422, 422, 422, 422, 422 } },
    { "NotOlderThan", "&sendInitialEvents=false", { 422, 422, 422, 422, 422 } },
};
static const struct list_row watches[] = {
    { "", "", { INIT, INIT, AFTER, LIVE, 504 } },
    { "", "&sendInitialEvents=true", { 422, 422, 422, 422, 422 } },
    { "", "&sendInitialEvents=false", { 422, 422, 422, 422, 422 } },
    { "NotOlderThan", "", { 422, 422, 422, 422, 422 } },
    { "NotOlderThan", "&sendInitialEvents=true", { INIT, INIT, INIT, INIT, 504 } },
    { "NotOlderThan", "&sendInitialEvents=false", { LIVE, LIVE, AFTER, LIVE, 504 } },
    { "Exact", "", { 422, 422, 422, 422, 422 } },
    { "Exact", "&sendInitialEvents=true", { 422, 422, 422, 422, 422 } },
    { "Exact", "&sendInitialEvents=false", { 422, 422, 422, 422, 422 } },
    { "Nearly", "&sendInitialEvents=true", { 422, 422, 422, 422, 422 } },
    { "NotOlderThan", "&sendInitialEvents=true&continue=", { 422, 422, 422, 422, 422 } },
};

struct setup { struct rig *r; char rv[RVS][24]; char token[200]; };

static void make(struct rig *r, const char *name)
{
    char body[100];

    snprintf(body, sizeof body, "{'metadata':{'name':'%s'}}", name);
    CALL(r, 201, "POST", CM, body);
}

static void copy(char *to, size_t n, struct str s) { snprintf(to, n, "%.*s", STR_ARG(s)); }

static void read_present(struct setup *s)
{
    struct answer a = call(s->r, "GET", CM, NULL);

    copy(s->rv[3], sizeof s->rv[3], json_path_str(a.obj, "metadata.resourceVersion"));
    answer_free(&a);
}

/* a and b in the past; c since then. */
static void setup_open(struct setup *s)
{
    struct answer a;

    memset(s, 0, sizeof *s);
    s->r = rig_open();
    make(s->r, "a");
    make(s->r, "b");
    a = call(s->r, "GET", CM "?limit=1", NULL);
    copy(s->token, sizeof s->token, json_path_str(a.obj, "metadata.continue"));
    copy(s->rv[2], sizeof s->rv[2], json_path_str(a.obj, "metadata.resourceVersion"));
    answer_free(&a);
    make(s->r, "c");
    read_present(s);
    snprintf(s->rv[1], sizeof s->rv[1], "0");
    snprintf(s->rv[4], sizeof s->rv[4], "999999");
}

static void target_of(const struct setup *s, char *to, size_t n, const struct list_row *row, unsigned rv, const char *first)
{
    bool token = strlen(row->more) > 0 && row->more[strlen(row->more) - 1] == '=';

    snprintf(to, n, CM "?%s%s%s%s%s%s%s", first, rv > 0 ? "&resourceVersion=" : "", s->rv[rv],
             row->match[0] != '\0' ? "&resourceVersionMatch=" : "", row->match, row->more, token ? s->token : "");
}

static const char *names_of(const struct answer *a)
{
    static char out[100];
    size_t      at = 0;

    out[0] = '\0';
    json_each(it, json_getz(a->obj, "items"))
        at += (size_t)snprintf(out + at, sizeof out - at, "%.*s", STR_ARG(json_path_str(it, "metadata.name")));
    return out;
}

TEST(lists)
{
    static const char *const names[] = { [NEW] = "abc", [PAST] = "ab", [REST] = "b" };
    struct setup s;

    setup_open(&s);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        for (unsigned rv = 0; rv < RVS; rv++) {
            char          target[600];
            struct answer a;
            int           want = lists[i].want[rv];

            target_of(&s, target, sizeof target, &lists[i], rv, "");
            a = call(s.r, "GET", target, NULL);
            if (want >= 100 ? a.status != want : a.status != 200 || strcmp(names_of(&a), names[want]) != 0)
                test_fail(__FILE__, __LINE__, "%s: %d %s, not %d", target, a.status, names_of(&a), want);
            if (want == 504) {
                CHECK_AT(a, "reason", "Timeout");
                CHECK_AT(a, "details.causes.0.reason", "ResourceVersionTooLarge");
                CHECK_INT(json_path_i64(a.obj, "details.retryAfterSeconds", 0), 1);
                CHECK(strstr(a.extra, "Retry-After: 1") != NULL);
            }
            if (want == 422)
                CHECK_AT(a, "details.kind", "ListOptions");
            if (want == PAST || want == REST)    /* the revision is that of what is shown */
                CHECK_AT(a, "metadata.resourceVersion", s.rv[2]);
            answer_free(&a);
        }
    rig_close(s.r);
}

/* Types' first letters and names: "Aa Ab B". */
static const char *events_of(struct talk *t)
{
    static char  out[2000];
    struct arena a = ARENA_INIT;
    struct str   rest = buf_str(&t->body), line;
    size_t       at = 0;

    out[0] = '\0';
    while (rest.n > 0 && str_split(&rest, '\n', &line)) {
        struct json      *ev;
        struct json_error err;

        if (line.n > 0 && json_parse(&a, line, &ev, &err) == 0)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%.1s%.*s", at > 0 ? " " : "", json_path_str(ev, "type").p,
                                   STR_ARG(json_path_str(ev, "object.metadata.name")));
    }
    arena_release(&a);
    return out;
}

TEST(watches)
{
    static const char *const shown[] = { [INIT] = "Aa Ab Ac", [AFTER] = "Ac", [LIVE] = "" };
    struct setup s;

    setup_open(&s);
    for (size_t i = 0; i < ARRAY_LEN(watches); i++)
        for (unsigned rv = 0; rv < RVS; rv++)
            for (int marks = 0; marks < 2; marks++) {
                char         target[600], want[200];
                int          meaning = watches[i].want[rv];
                bool         asked = strstr(watches[i].more, "=true") != NULL;
                struct talk *t;

                read_present(&s);
                target_of(&s, target, sizeof target, &watches[i], rv, marks ? "watch=1&allowWatchBookmarks=true" : "watch=1");
                t = talk_open(s.r, "GET", target, NULL);
                rig_run(s.r, meaning == 504 ? 4000 : 20);
                if (meaning >= 100) {
                    if (t->status != meaning)
                        test_fail(__FILE__, __LINE__, "%s: %d, not %d", target, t->status, meaning);
                    talk_close(t);
                    continue;
                }
                CALL(s.r, 200, "PUT", CM "/b", "{'metadata':{'name':'b','annotations':{'x':'y'}}}");
                CALL(s.r, 200, "PUT", CM "/b", "{'metadata':{'name':'b'}}");
                snprintf(want, sizeof want, "%s%s%sMb Mb", shown[meaning], marks && asked ? " B " : "",
                         !(marks && asked) && shown[meaning][0] != '\0' ? " " : "");
                /* The past also had the changes of the rows before. */
                if (t->status != 200 || (meaning == AFTER ? strncmp(events_of(t), want, 5) : strcmp(events_of(t), want)) != 0)
                    test_fail(__FILE__, __LINE__, "%s: %d \"%s\", not \"%s\"", target, t->status, events_of(t), want);
                CHECK((memmem(t->body.p, t->body.n, STR_AND_SIZE("k8s.io/initial-events-end")) != NULL) == (marks && asked));
                talk_close(t);
            }
    rig_close(s.r);
}

TEST(failures_name_all_causes)
{
    struct rig   *r = rig_open();
    struct answer a = call(r, "GET", CM "?watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", NULL);

    CHECK_AT(a, "message", "ListOptions.meta.k8s.io \"\" is invalid: [resourceVersionMatch: Forbidden: sendInitialEvents requires setting "
                           "resourceVersionMatch to NotOlderThan, resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"]");
    answer_free(&a);
    a = call(r, "GET", CM "?resourceVersionMatch=Exact", NULL);
    CHECK_AT(a, "message", "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided");
    answer_free(&a);
    rig_close(r);
}

/* ---- deletecollection ---------------------------------------------------------------------------------- */

TEST(collections_are_deleted_in_part)
{
    struct rig   *r = rig_open();
    struct answer a;
    char          body[100];

    for (int i = 0; i < 6; i++) {
        snprintf(body, sizeof body, "{'metadata':{'name':'c%d','labels':{'p':'%d'}%s}}", i, i % 2, i == 5 ? ",'finalizers':['a/b']" : "");
        CALL(r, 201, "POST", CM, body);
    }
    CALL(r, 200, "DELETE", CM "?labelSelector=p%3D0&dryRun=All", NULL);
    CALL(r, 200, "DELETE", CM "?fieldSelector=metadata.name%3Dc0", NULL);
    CALL(r, 404, "GET", CM "/c0", NULL);
    CALL(r, 200, "DELETE", CM "?labelSelector=p+in+(1)", "{'propagationPolicy':'Background'}");
    a = call(r, "GET", CM, NULL);
    CHECK_STR(str_of(names_of(&a)), "c2c4c5");
    CHECK(json_path_str(a.obj, "items.2.metadata.deletionTimestamp").n > 0);
    answer_free(&a);
    CALL(r, 400, "DELETE", CM "?labelSelector=%3D", NULL);
    CALL(r, 422, "DELETE", CM, "{'propagationPolicy':'Sideways'}");
    rig_close(r);
}

/* ---- Another head -------------------------------------------------------------------------------------- */

/* One head hears of things late; who has seen more elsewhere is not shown less there. */
TEST(no_head_shows_the_past)
{
    struct rig              h[3];
    struct sim             *sim = sim_new(3);
    struct sim_net_opts     late = { .delay_min_ns = 80000000, .delay_max_ns = 80000000 };
    struct answer           a;
    struct talk            *t;
    char                    target[300], rv[24];
    unsigned                followers = 0;

    memset(h, 0, sizeof h);
    for (unsigned i = 0; i < 3; i++)
        rig_start(&h[i], sim, i, 3);
    sim_run_for(sim, 5000000000ull);
    make(&h[0], "a");
    sim_run_for(sim, 1000000000ull);
    for (unsigned i = 0; i < 3; i++) {           /* each of them, so that followers are among them */
        struct rig *slow = &h[i], *fast = &h[(i + 1) % 3];
        struct raft_status st;
        char        name[8];

        raft_status(store_raft(slow->store), &st);
        if (st.is_leader)
            continue;
        followers++;
        for (unsigned k = 0; k < 3; k++)
            if (k != i) {
                sim_net_link(sim, h[k].m, slow->m, &late);
                sim_net_link(sim, slow->m, h[k].m, &late);
            }
        snprintf(name, sizeof name, "n%u", i);
        make(fast, name);
        a = call(fast, "GET", CM, NULL);
        copy(rv, sizeof rv, json_path_str(a.obj, "metadata.resourceVersion"));
        answer_free(&a);
        snprintf(target, sizeof target, CM "?resourceVersion=%s", rv);
        a = call(slow, "GET", target, NULL);
        CHECK_INT(a.status, 200);
        CHECK(strstr(names_of(&a), name) != NULL);
        answer_free(&a);
        snprintf(target, sizeof target, CM "?watch=1&resourceVersion=%s", rv);
        t = talk_open(slow, "GET", target, NULL);
        sim_net_heal(sim);
        make(fast, "z");
        sim_run_for(sim, 2000000000ull);
        CHECK_STR(str_of(events_of(t)), "Az");
        talk_close(t);
        CALL(fast, 200, "DELETE", CM "/z", NULL);
    }
    CHECK_INT(followers, 2);
    for (unsigned i = 0; i < 3; i++)
        sim_do(h[i].m, rig_close_in, &h[i]);
    sim_run_for(sim, 20000000000ull);
    sim_free(sim);
}
