/* ctrl/shared.c: see ctrl/shared.h. */
#include "ctrl/objects.h"
#include "ctrl/shared.h"

#define LISTENERS 8
#define INFORMERS 96

struct one {
    struct shared *s;
    struct client_resource res;
    struct informer *informer;
    struct { shared_change fn; void *arg; } listener[LISTENERS];
    unsigned n;
};

struct shared {
    struct client *client;
    struct one *one[INFORMERS];
    unsigned n, n_synced;
    void (*on_synced)(void *arg);
    void *arg;
};

static struct str orphans_of(struct arena *a, struct str ns, struct str label, struct str value)
{
    return arena_join(a, (const struct str[]){ STR("orphans/"), ns, STR("/"), label, STR("="), value }, 6);
}

struct str orphans_key(struct arena *a, struct str ns, const struct json *label_selector)
{
    const struct json *first = json__first(json_getz(label_selector, "matchLabels"));

    return first != NULL ? orphans_of(a, ns, first->key, json_str(first))
                         : orphans_of(a, ns, STR(""), STR(""));
}

static void keys_of_owner(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                          unsigned *ret_n)
{
    struct str uid = controller_uid(obj), ns = meta_str(obj, "namespace");
    const struct json *labels = json_path(obj, "metadata.labels");
    unsigned n = 1;

    *ret_n = uid.n > 0 || labels == NULL ? 1 : labels->n + 1;
    if (*ret_n > max)
        return;
    out[0] = uid.n > 0 ? uid : orphans_of(a, ns, STR(""), STR(""));
    if (uid.n == 0)
        json_each(l, labels)
            out[n++] = orphans_of(a, ns, l->key, json_str(l));
}

static void keys_of_namespace(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                              unsigned *ret_n)
{
    out[0] = meta_str(obj, "namespace");
    *ret_n = 1;
}

static void keys_of_node(const struct json *obj, struct arena *a, struct str *out, unsigned max,
                         unsigned *ret_n)
{
    out[0] = json_path_str(obj, "spec.nodeName");
    *ret_n = out[0].n > 0;
}

struct shared *shared_new(struct client *c)
{
    struct shared *s = mem_new(struct shared);
    s->client = c;
    return s;
}

void shared_free(struct shared *s)
{
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
    bool pods = same_resource(&res, &CLIENT_PODS);

    must(s->n < INFORMERS);
    if (pods || same_resource(&res, &CLIENT_REPLICASETS)) {
        io.index[io.n_index++].keys = keys_of_owner;
        io.index[io.n_index++].keys = keys_of_namespace;
    }
    if (pods)
        io.index[io.n_index++].keys = keys_of_node;
    if (same_resource(&res, &CLIENT_PDBS) || same_resource(&res, &CLIENT_DEPLOYMENTS))
        io.index[io.n_index++].keys = keys_of_namespace;
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
