/* test/api/informer_test.c: informers against a scripted API, where every gap, repetition and lie can be staged; then
 * over both transports against a real one. */
#include <stdarg.h>
#include "api/client_impl.h"
#include "api/informer.h"
#include "test/api/api_rig.h"

/* ---- A scripted API: lists are answered in order, watches are fed by hand ------------------------------------------ */

struct script {
    struct client client;
    struct sim *sim;
    struct sim_machine *m;
    const char *lists[8]; unsigned n_lists, lists_asked;     /* "404..." : a status, then a body */
    char targets[16][300]; unsigned n_targets;
    struct script_watch *watch;
    unsigned watches;
    struct informer *i;
    char log[4000]; size_t at;
    const char *stop_at;                         /* the handler stops the informer when this was logged */
};

struct script_call { struct client_call call; struct timer t; };
struct script_watch { struct client_watch watch; };

static struct script *script_of(struct client *c) { return container_of(c, struct script, client); }

static void script_on_time(struct timer *t)
{
    struct script_call *c = container_of(t, struct script_call, t);
    struct script *s = script_of(c->call.client);
    const char *text = s->lists_asked < s->n_lists ? s->lists[s->lists_asked] : "500{}";
    struct buf b = BUF_INIT;

    s->lists_asked++;
    for (const char *p = text + 3; *p != '\0'; p++)
        buf_char(&b, *p == '\'' ? '"' : *p);
    client__deliver(&c->call, 0, NULL, atoi(str_of(text).p) > 999 ? 200 : (text[0] - '0') * 100 + (text[1] - '0') * 10 + text[2] - '0', buf_str(&b));
    buf_release(&b);
    mem_free(c);
}

static struct client_call *script_send(struct client *cl, const struct client_wire *w)
{
    struct script_call *c = mem_new(struct script_call);
    struct script *s = script_of(cl);

    snprintf(s->targets[s->n_targets++ % 16], sizeof s->targets[0], "%.*s", STR_ARG(w->target));
    timer_init(&c->t, cl->loop, script_on_time);
    timer_start(&c->t, 1);
    return &c->call;
}

static void script_cancel(struct client_call *call)
{
    struct script_call *c = container_of(call, struct script_call, call);
    timer_stop(&c->t);
    mem_free(c);
}

static struct client_watch *script_watch(struct client *cl, struct str target)
{
    struct script *s = script_of(cl);

    CHECK(s->watch == NULL);
    snprintf(s->targets[s->n_targets++ % 16], sizeof s->targets[0], "%.*s", STR_ARG(target));
    s->watch = mem_new(struct script_watch);
    s->watches++;
    return &s->watch->watch;
}

static void script_watch_close(struct client_watch *w)
{
    script_of(w->client)->watch = NULL;
    mem_free(container_of(w, struct script_watch, watch));
}

static void script_free(struct client *c) { }
static const struct client_ops script_ops = { script_send, script_cancel, script_watch, script_watch_close, script_free };

static void note(struct script *s, const char *fmt, ...)
{
    va_list ap;
    char text[200];

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s->at += (size_t)snprintf(s->log + s->at, sizeof s->log - s->at, "%s ", text);
    if (s->stop_at != NULL && strcmp(text, s->stop_at) == 0) {
        informer_stop(s->i);
        s->i = NULL;
    }
}

static void script_on_change(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    struct script *s = arg;
    const struct object *o = new_ != NULL ? new_ : old;

    CHECK(json != NULL);
    CHECK_INT(old == NULL, what == INFORMER_ADD);
    CHECK_INT(new_ == NULL, what == INFORMER_DELETE);
    CHECK((informer_get(s->i, o->ns, o->name) != NULL) == (what != INFORMER_DELETE));
    note(s, "%c%.*s%llu", "+~-"[what], STR_ARG(o->name), (unsigned long long)o->rv);
}

static void script_on_synced(void *arg) { note(arg, "synced"); }

static void key_of_color(const struct json *obj, struct arena *a, struct str *out, unsigned max, unsigned *ret_n)
{
    unsigned n = 0;

    json_each(l, json_path(obj, "metadata.labels")) {
        if (n < max)
            out[n] = arena_fmt(a, "%.*s", STR_ARG(l->key));
        n++;
    }
    *ret_n = n;
}

static void script_start_in(void *arg)
{
    struct script *s = arg;
    struct informer_opts o = { .client = &s->client, .res = CLIENT_CONFIGMAPS, .ns = STR("d"), .on_change = script_on_change,
                               .on_synced = script_on_synced, .arg = s, .n_index = 1 };
    o.index[0].keys = key_of_color;
    client__init(&s->client, &script_ops, sim_machine_loop(s->m));
    s->i = informer_start(&o);
}

static struct script *script_open(const char *const *lists)
{
    struct script *s = calloc(1, sizeof *s);

    for (; lists[s->n_lists] != NULL; s->n_lists++)
        s->lists[s->n_lists] = lists[s->n_lists];
    s->sim = sim_new(1);
    s->m = sim_machine_new(s->sim, "m");
    return s;
}

static void script_run(struct script *s, uint64_t ms) { sim_run_for(s->sim, ms * 1000000); }

static void script_close_in(void *arg)
{
    struct script *s = arg;
    informer_stop(s->i);
    client_free(&s->client);
}

static void script_close(struct script *s)
{
    sim_do(s->m, script_close_in, s);
    CHECK(s->watch == NULL);
    script_run(s, 1000);
    sim_free(s->sim);
    free(s);
}

struct feed { struct script *s; const char *type, *name; int uid, rv; const char *labels; };

static void feed_in(void *arg)
{
    struct feed *f = arg;
    struct arena a = ARENA_INIT;
    struct str text = arena_fmt(&a, "{\"metadata\":{\"namespace\":\"d\",\"name\":\"%s\",\"uid\":\"u%d\",\"resourceVersion\":\"%d\",\"labels\":{%s}}}", f->name, f->uid, f->rv, f->labels);
    struct blob *b = blob_copy(text);

    client__event(&f->s->watch->watch, str_of(f->type), b);
    blob_unref(b);
    arena_release(&a);
}

static void feed(struct script *s, const char *type, const char *name, int uid, int rv, const char *labels)
{
    struct feed f = { s, type, name, uid, rv, labels };
    CHECK(s->watch != NULL);
    if (s->watch != NULL)
        sim_do(s->m, feed_in, &f);
}

struct ending { struct script *s; int err; };
static void end_in(void *arg) { client__end(&((struct ending *)arg)->s->watch->watch, ((struct ending *)arg)->err, "end"); }
static void end_watch(struct script *s, int err)
{
    struct ending e = { s, err };
    sim_do(s->m, end_in, &e);
}

#define ITEM(name, uid, rv) "{'metadata':{'namespace':'d','name':'" name "','uid':'u" #uid "','resourceVersion':'" #rv "'}}"
#define LIST(rv, items) "200{'metadata':{'resourceVersion':'" #rv "'},'items':[" items "]}"
#define MORE(rv, token, items) "200{'metadata':{'resourceVersion':'" #rv "','continue':'" token "'},'items':[" items "]}"

#define LOG_IS(s, want) do { CHECK_STR(str_of((s)->log), want); (s)->at = 0; (s)->log[0] = '\0'; } while (0)

TEST(lists_watches_and_lists_again_when_history_is_lost)
{
    static const char *const lists[] = { LIST(10, ITEM("a", 1, 5) "," ITEM("b", 2, 6)),
                                         LIST(90, ITEM("a", 1, 5) "," ITEM("c", 9, 80) "," ITEM("d", 4, 85)), NULL };
    struct script *s = script_open(lists);

    sim_do(s->m, script_start_in, s);
    script_run(s, 10);
    LOG_IS(s, "+a5 +b6 synced ");
    CHECK(strstr(s->targets[1], "resourceVersion=10") != NULL);
    feed(s, "ADDED", "c", 3, 11, "");
    feed(s, "MODIFIED", "b", 2, 12, "");
    feed(s, "MODIFIED", "b", 2, 12, "");         /* twice */
    feed(s, "DELETED", "x", 7, 13, "");          /* never seen */
    feed(s, "BOOKMARK", "", 0, 20, "");
    LOG_IS(s, "+c11 ~b12 ");
    CHECK_INT(informer_revision(s->i), 20);
    end_watch(s, 0);                             /* in order: goes on from where it was */
    script_run(s, 500);
    CHECK(strstr(s->targets[2], "resourceVersion=20") != NULL);
    CHECK_INT(s->lists_asked, 1);
    end_watch(s, E_STALE);                       /* b went, c was made anew, d came: seen by nobody */
    script_run(s, 500);
    LOG_IS(s, "-c11 +c80 +d85 -b12 ");
    CHECK_INT(informer_count(s->i), 3);
    CHECK(strstr(s->targets[4], "resourceVersion=90") != NULL);
    script_close(s);
}

TEST(pages_and_a_token_that_expires)
{
    static const char *const lists[] = { MORE(10, "t1", ITEM("a", 1, 1)), "410{'kind':'Status','code':410}",
                                         MORE(12, "t2", ITEM("a", 1, 1) "," ITEM("b", 2, 2)), LIST(12, ITEM("c", 3, 3)), NULL };
    struct script *s = script_open(lists);

    sim_do(s->m, script_start_in, s);
    script_run(s, 2000);
    LOG_IS(s, "+a1 +b2 +c3 synced ");
    CHECK(strstr(s->targets[1], "continue=t1") != NULL);
    CHECK(strstr(s->targets[2], "continue") == NULL);
    CHECK(strstr(s->targets[3], "continue=t2") != NULL);
    script_close(s);
}

TEST(failures_are_tried_again_later_and_later)
{
    static const char *const lists[] = { "500{}", "403{}", "200not json", "503{}", LIST(7, ""), NULL };
    struct script *s = script_open(lists);

    sim_do(s->m, script_start_in, s);
    script_run(s, 20000);
    LOG_IS(s, "synced ");
    for (unsigned i = 0; i < 40; i++) {          /* a watch that always breaks: looks at the whole again some time, without haste */
        if (s->watch != NULL)
            end_watch(s, E_IO);
        script_run(s, 1000);
    }
    CHECK(s->watches < 20);
    CHECK(s->lists_asked > 5);
    script_close(s);
}

TEST(a_handler_may_stop_its_informer_anywhere)
{
    static const char *const lists[] = { LIST(10, ITEM("a", 1, 5) "," ITEM("b", 2, 6) "," ITEM("c", 3, 7)), LIST(50, ITEM("b", 9, 48)), NULL };
    static const char *const places[] = { "+a5", "+b6", "+c7", "synced", "~b12", "-a5", "-b12", "+b48", "-c7" };

    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        struct script *s = script_open(lists);
        s->stop_at = places[i];
        sim_do(s->m, script_start_in, s);
        script_run(s, 10);
        if (s->i != NULL) {
            feed(s, "MODIFIED", "b", 2, 12, "");
            if (s->i != NULL)
                end_watch(s, E_STALE);
        }
        script_run(s, 500);
        CHECK(s->i == NULL);
        CHECK(strlen(s->log) > strlen(places[i]) && strncmp(s->log + s->at - strlen(places[i]) - 1, places[i], strlen(places[i])) == 0);
        script_close(s);
    }
}

TEST(a_silent_watch_is_given_up)
{
    static const char *const lists[] = { LIST(10, ""), NULL };
    struct script *s = script_open(lists);

    sim_do(s->m, script_start_in, s);
    for (unsigned i = 0; i < 10; i++) {
        script_run(s, 60000);
        feed(s, "BOOKMARK", "", 0, 20 + (int)i, "");
    }
    CHECK_INT(s->watches, 1);
    script_run(s, 200000);
    CHECK_INT(s->watches, 2);
    CHECK_INT(s->lists_asked, 1);
    script_close(s);
}

static unsigned count_by(struct script *s, const char *key)
{
    unsigned n = 0;

    for (size_t it = 0; informer_by(s->i, 0, str_of(key), &it) != NULL;)
        n++;
    return n;
}

TEST(indexes_follow)
{
    static const char *const lists[] = { LIST(10, ""), NULL };
    struct script *s = script_open(lists);
    char many[4000] = "";
    size_t at = 0;

    sim_do(s->m, script_start_in, s);
    script_run(s, 10);
    feed(s, "ADDED", "a", 1, 11, "\"red\":\"1\",\"blue\":\"1\"");
    feed(s, "ADDED", "b", 2, 12, "\"red\":\"1\"");
    feed(s, "ADDED", "c", 3, 13, "\"red\":\"1\",\"green\":\"1\"");
    CHECK_INT(count_by(s, "red"), 3);
    feed(s, "MODIFIED", "a", 1, 14, "\"blue\":\"1\"");
    CHECK_INT(count_by(s, "red"), 2);
    CHECK_INT(count_by(s, "blue"), 1);
    feed(s, "DELETED", "c", 3, 15, "");
    CHECK_INT(count_by(s, "red"), 1);
    CHECK_INT(count_by(s, "green"), 0);
    for (unsigned i = 0; i < 100; i++)
        at += (size_t)snprintf(many + at, sizeof many - at, "%s\"k%u\":\"v\"", i == 0 ? "" : ",", i);
    feed(s, "ADDED", "d", 4, 16, many);          /* more keys than anyone expects */
    CHECK_INT(count_by(s, "k0"), 1);
    CHECK_INT(count_by(s, "k99"), 1);
    feed(s, "DELETED", "d", 4, 17, many);
    CHECK_INT(count_by(s, "k99"), 0);
    script_close(s);
}

/* ---- Both transports against a real API ------------------------------------------------------------------------------ */

struct both {
    struct rig *r;
    struct sim_machine *m;
    struct client *client;
    struct informer *i;
    unsigned adds, updates, deletes, synced;
    bool http;
};

static void both_on_change(void *arg, enum informer_change what, struct object *old, struct object *new_, struct json *json)
{
    struct both *b = arg;
    *(what == INFORMER_ADD ? &b->adds : what == INFORMER_UPDATE ? &b->updates : &b->deletes) += 1;
}

static void both_on_synced(void *arg) { ((struct both *)arg)->synced++; }

static void both_open_in(void *arg)
{
    static const char *const masters[] = { "system:masters", NULL }, *const servers[] = { "head1:6443" };
    struct both *b = arg;
    struct informer_opts o = { .res = CLIENT_CONFIGMAPS, .ns = STR("default"), .on_change = both_on_change, .on_synced = both_on_synced, .arg = b };
    struct client_http_opts ho = { .loop = sim_machine_loop(b->m), .servers = servers, .n_servers = 1, .bearer_token = "secret" };
    struct errbuf err = { "" };

    if (b->http)
        must_ok(client_new_http(&ho, &b->client, &err));
    else
        b->client = client_new_local(b->r->api, sim_machine_loop(b->m), "admin", masters);
    o.client = b->client;
    b->i = informer_start(&o);
}

static void both_close_in(void *arg)
{
    struct both *b = arg;
    informer_stop(b->i);
    client_free(b->client);
}

TEST(the_transports_cannot_be_told_apart)
{
    for (unsigned http = 0; http < 2; http++) {
        struct api_opts o = { .listen_addr = "head1:6443", .token_lines = STR("secret,admin,1,\"system:masters\"") };
        struct both b = { .r = rig_open_with(&o), .http = http };
        char body[100], path[120];
        for (unsigned i = 0; i < 1203; i++) {    /* three pages */
            snprintf(body, sizeof body, "{'metadata':{'name':'m%u'}}", i);
            CALL(b.r, 201, "POST", "/api/v1/namespaces/default/configmaps", body);
        }
        b.m = http ? sim_machine_new(b.r->sim, "away") : b.r->m;
        sim_do(b.m, both_open_in, &b);
        rig_run(b.r, 3000);
        CHECK_INT(b.adds, 1203);
        CHECK_INT(b.synced, 1);
        b.r->type = CLIENT_MERGE_PATCH;
        CALL(b.r, 200, "PATCH", "/api/v1/namespaces/default/configmaps/m7", "{'data':{'k':'v'}}");
        b.r->type = NULL;
        for (unsigned i = 0; i < 10; i++) {
            snprintf(path, sizeof path, "/api/v1/namespaces/default/configmaps/m%u", i);
            CALL(b.r, 200, "DELETE", path, NULL);
        }
        rig_run(b.r, 500);
        CHECK_INT(b.updates, 1);
        CHECK_INT(b.deletes, 10);
        CHECK_INT(informer_count(b.i), 1193);
        if (http) {                              /* the cable is pulled, much happens, it is put in again */
            struct sim_net_opts cut = { .cut = true };
            sim_net_link(b.r->sim, b.m, b.r->m, &cut);
            sim_net_link(b.r->sim, b.r->m, b.m, &cut);
            CALL(b.r, 200, "DELETE", "/api/v1/namespaces/default/configmaps/m20", NULL);
            CALL(b.r, 201, "POST", "/api/v1/namespaces/default/configmaps", "{'metadata':{'name':'new'}}");
            rig_run(b.r, 400000);
            sim_net_heal(b.r->sim);
            rig_run(b.r, 400000);
            CHECK_INT(b.deletes, 11);
            CHECK_INT(informer_count(b.i), 1193);
        }
        sim_do(b.m, both_close_in, &b);
        rig_close(b.r);
    }
}
