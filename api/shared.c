/* api/shared.c: see api/shared.h. */
#include "api/shared.h"

#define LISTENERS 12
#define INFORMERS 96

struct one {
    struct shared *s;
    struct client_resource res;
    struct informer *informer;
    struct { shared_change fn; void *arg; } listener[LISTENERS];
    struct { void (*fn)(void *arg); void *arg; } waiting;            /* for its being synced */
    unsigned n;
};

struct shared {
    struct client *client;
    void (*prepare)(struct informer_opts *o);
    struct one *one[INFORMERS];
    unsigned n, n_synced;
    void (*on_synced)(void *arg);
    void *arg;
};

struct shared *shared_new(struct client *c, void (*prepare)(struct informer_opts *o))
{
    struct shared *s = mem_new(struct shared);
    s->client = c;
    s->prepare = prepare;
    return s;
}

void shared_free(struct shared *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n; i++) {
        informer_stop(s->one[i]->informer);
        mem_free(s->one[i]);
    }
    mem_free(s);
}

static void one_on_change(void *arg, enum informer_change what, struct object *old, struct object *new_,
                          struct json *json)
{
    struct one *o = arg;

    for (unsigned i = 0; i < o->n; i++)
        o->listener[i].fn(o->listener[i].arg, what, old, new_, json);
}

bool shared_synced(const struct shared *s) { return s->n_synced == s->n; }

static void one_on_synced(void *arg)
{
    struct one *o = arg;

    o->s->n_synced++;
    if (o->waiting.fn != NULL)
        o->waiting.fn(o->waiting.arg);
    if (shared_synced(o->s) && o->s->on_synced != NULL)
        o->s->on_synced(o->s->arg);
}

void shared_on_synced(struct shared *s, void (*fn)(void *arg), void *arg)
{
    s->on_synced = fn;
    s->arg = arg;
}

static bool same_resource(const struct client_resource *a, const struct client_resource *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->plural, b->plural) == 0;
}

static struct one *one_start(struct shared *s, struct client_resource res)
{
    struct one *o = mem_new(struct one);
    struct informer_opts io = {
        .client = s->client, .res = res, .on_change = one_on_change, .on_synced = one_on_synced, .arg = o
    };

    must(s->n < INFORMERS);
    if (s->prepare != NULL)
        s->prepare(&io);
    o->s = s;
    o->res = res;
    s->one[s->n++] = o;
    o->informer = informer_start(&io);
    return o;
}

struct informer *shared_listen(struct shared *s, struct client_resource res, shared_change fn, void *arg)
{
    struct one *o = NULL;

    for (unsigned i = 0; i < s->n && o == NULL; i++)
        if (same_resource(&s->one[i]->res, &res))
            o = s->one[i];
    if (o == NULL)
        o = one_start(s, res);
    must(o->n < LISTENERS);
    if (fn != NULL) {
        o->listener[o->n].fn = fn;
        o->listener[o->n++].arg = arg;
    }
    return o->informer;
}

void shared_on_resource_synced(struct shared *s, const struct informer *i, void (*fn)(void *arg), void *arg)
{
    for (unsigned k = 0; k < s->n; k++)
        if (s->one[k]->informer == i) {
            must(s->one[k]->waiting.fn == NULL);
            s->one[k]->waiting.fn = fn;
            s->one[k]->waiting.arg = arg;
        }
}
