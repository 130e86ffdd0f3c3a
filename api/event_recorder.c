/* api/event_recorder.c: events for people; see api/informer.h.
 *
 * What was said before about the same object, with the same reason and message, is counted up by a patch
 * instead of said again; what is said too often about one object (more than BURST, then one each REFILL_MS)
 * is dropped, as a crash loop would otherwise fill the store.  Memory is bounded: the oldest memories are
 * forgotten. */
#include <stdarg.h>
#include <stdio.h>
#include "api/informer.h"
#include "api/time_fmt.h"
#include "net/map.h"
#include "net/slices.h"

#define MEMORY     4096                          /* events and objects remembered */
#define FREE_SLICE 128                           /* forgotten in one turn */
#define BURST      25
#define REFILL_MS  300000

struct said {                                    /* one event in the API, to be counted up */
    struct qlink link;
    struct event_recorder *recorder;
    struct client_call *call;                    /* the last patch, until it was answered */
    char *key, *name, *ns;
    int64_t count;
    bool again;                                  /* counted on meanwhile */
};
struct about { struct qlink link; char *key; uint64_t last_ms; double tokens; };

struct event_recorder {
    struct client *client;
    char *component, *host;
    struct map said, about;
    struct qlink said_age, about_age;            /* oldest first */
};

struct event_recorder *event_recorder_new(struct client *c, const char *component, const char *host)
{
    struct event_recorder *r = mem_new(struct event_recorder);

    r->client = c;
    r->component = mem_strdup(component);
    r->host = mem_strdup(host != NULL ? host : "");
    qinit(&r->said_age);
    qinit(&r->about_age);
    return r;
}

static void said_free(struct event_recorder *r, struct said *s)
{
    map_del(&r->said, str_of(s->key));
    qdel(&s->link);
    client_cancel(s->call);
    mem_free(s->key);
    mem_free(s->name);
    mem_free(s->ns);
    mem_free(s);
}

static void about_free(struct event_recorder *r, struct about *x)
{
    map_del(&r->about, str_of(x->key));
    qdel(&x->link);
    mem_free(x->key);
    mem_free(x);
}

static bool free_some(void *state)
{
    struct event_recorder *r = state;

    for (int n = 0; n < FREE_SLICE && !qempty(&r->said_age); n++)
        said_free(r, qentry(qfirst(&r->said_age), struct said, link));
    for (int n = 0; n < FREE_SLICE && !qempty(&r->about_age); n++)
        about_free(r, qentry(qfirst(&r->about_age), struct about, link));
    if (!qempty(&r->said_age) || !qempty(&r->about_age))
        return false;
    map_release(&r->said);
    map_release(&r->about);
    mem_free(r->component);
    mem_free(r->host);
    mem_free(r);
    return true;
}

void event_recorder_free(struct event_recorder *r)
{
    struct loop *l;

    if (r == NULL)
        return;
    l = client_loop(r->client);
    r->client = NULL;                            /* may be gone before the last slice */
    if (!free_some(r))
        slices_run(l, free_some, r);
}

/* A token bucket per object. */
static bool allowed(struct event_recorder *r, struct str key)
{
    struct about *x = map_get(&r->about, key);
    uint64_t now = loop_now_ms(client_loop(r->client));

    if (x == NULL) {
        if (r->about.n >= MEMORY)
            about_free(r, qentry(qfirst(&r->about_age), struct about, link));
        x = mem_new(struct about);
        qinit(&x->link);
        x->key = mem_strndup(key);
        x->tokens = BURST;
        x->last_ms = now;
        map_put(&r->about, key, x);
    }
    qdel(&x->link);
    qpush(&r->about_age, &x->link);
    x->tokens = MIN_OF((double)BURST, x->tokens + (double)(now - x->last_ms) / REFILL_MS);
    x->last_ms = now;
    if (x->tokens < 1)
        return false;
    x->tokens -= 1;
    return true;
}

static void send_count(struct event_recorder *r, struct said *s);

/* Events are kept for an hour or so: one that is gone is said anew when it happens again. */
static void on_counted(void *arg, const struct client_result *r)
{
    struct said *s = arg;

    s->call = NULL;
    if (r->status == 404)
        said_free(s->recorder, s);
    else if (s->again)
        send_count(s->recorder, s);
}

static void send_count(struct event_recorder *r, struct said *s)
{
    struct arena a = ARENA_INIT;
    struct json *patch = json_object(&a);
    struct client_req q = { .method = "PATCH",
                            .res = CLIENT_EVENTS,
                            .ns = str_of(s->ns),
                            .name = str_of(s->name),
                            .body = patch,
                            .content_type = CLIENT_MERGE_PATCH,
                            .done = on_counted,
                            .arg = s };

    s->again = false;
    json_setz(&a, patch, "count", json_int(&a, s->count));
    json_setz(&a, patch, "lastTimestamp",
              json_string(&a, time_text_ns(&a, loop_wall_ns(client_loop(r->client)))));
    s->call = client_send(r->client, &q);
    arena_release(&a);
}

static void count_up(struct event_recorder *r, struct said *s)
{
    s->count++;
    qdel(&s->link);
    qpush(&r->said_age, &s->link);
    if (s->call != NULL)
        s->again = true;                         /* the answer under way sends what has become of it */
    else
        send_count(r, s);
}

static struct json *involved(struct arena *a, const struct event_about *about)
{
    struct json *o = json_object(a);

    json_setz(a, o, "apiVersion", json_string(a, str_of(about->api_version)));
    json_setz(a, o, "kind", json_string(a, str_of(about->kind)));
    if (about->ns.n > 0)
        json_setz(a, o, "namespace", json_string(a, about->ns));
    json_setz(a, o, "name", json_string(a, about->name));
    if (about->uid.n > 0)
        json_setz(a, o, "uid", json_string(a, about->uid));
    if (about->rv.n > 0)
        json_setz(a, o, "resourceVersion", json_string(a, about->rv));
    if (about->field_path.n > 0)
        json_setz(a, o, "fieldPath", json_string(a, about->field_path));
    return o;
}

static void say(struct event_recorder *r, struct str key, const struct event_about *about, const char *type,
                const char *reason, struct str message, struct str now)
{
    struct arena a = ARENA_INIT;
    struct json *e = json_object(&a), *meta = json_object(&a), *source = json_object(&a);
    struct said *s = mem_new(struct said);
    struct str ns = about->ns.n > 0 ? about->ns : STR("default");
    struct str name = arena_fmt(&a, "%.*s.%016llx", (int)MIN_OF(about->name.n, (size_t)200), about->name.p,
                                (unsigned long long)loop_random_u64(client_loop(r->client)));
    struct client_req q = { .method = "POST", .res = CLIENT_EVENTS, .ns = ns, .body = e };

    json_setz(&a, meta, "name", json_string(&a, name));
    json_setz(&a, meta, "namespace", json_string(&a, ns));
    json_setz(&a, source, "component", json_string(&a, str_of(r->component)));
    if (r->host[0] != '\0')
        json_setz(&a, source, "host", json_string(&a, str_of(r->host)));
    json_setz(&a, e, "apiVersion", json_string(&a, STR("v1")));
    json_setz(&a, e, "kind", json_string(&a, STR("Event")));
    json_setz(&a, e, "metadata", meta);
    json_setz(&a, e, "involvedObject", involved(&a, about));
    json_setz(&a, e, "reason", json_string(&a, str_of(reason)));
    json_setz(&a, e, "message", json_string(&a, message));
    json_setz(&a, e, "source", source);
    json_setz(&a, e, "firstTimestamp", json_string(&a, now));
    json_setz(&a, e, "lastTimestamp", json_string(&a, now));
    json_setz(&a, e, "count", json_int(&a, 1));
    json_setz(&a, e, "type", json_string(&a, str_of(type)));
    json_setz(&a, e, "reportingComponent", json_string(&a, str_of(r->component)));
    json_setz(&a, e, "reportingInstance", json_string(&a, str_of(r->host)));
    client_send(r->client, &q);

    if (r->said.n >= MEMORY)
        said_free(r, qentry(qfirst(&r->said_age), struct said, link));
    s->recorder = r;
    s->key = mem_strndup(key);
    s->name = mem_strndup(name);
    s->ns = mem_strndup(ns);
    s->count = 1;
    qinit(&s->link);
    qpush(&r->said_age, &s->link);
    map_put(&r->said, key, s);
    arena_release(&a);
}

void event_record(struct event_recorder *r, const struct event_about *about, const char *type,
                  const char *reason, const char *fmt, ...)
{
    struct arena a = ARENA_INIT;
    va_list ap;

    va_start(ap, fmt);
    struct str message = arena_vfmt(&a, fmt, ap);
    va_end(ap);
    if (message.n > 1024)
        message.n = 1024;
    struct str object = arena_fmt(&a, "%s/%.*s/%.*s/%.*s", about->kind, STR_ARG(about->ns),
                                  STR_ARG(about->name), STR_ARG(about->uid));
    struct str key = arena_fmt(&a, "%.*s %.*s %s %s %.*s", STR_ARG(object), STR_ARG(about->field_path), type,
                               reason, STR_ARG(message));
    struct said *s = map_get(&r->said, key);
    struct str t = time_text_ns(&a, loop_wall_ns(client_loop(r->client)));
    if (allowed(r, object)) {
        if (s != NULL)
            count_up(r, s);
        else
            say(r, key, about, type, reason, message, t);
    }
    arena_release(&a);
}
