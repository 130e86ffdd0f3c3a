/* api/metrics.c: see api/metrics.h. */
#include "api/registry.h"
#include "net/prom.h"
#include "store/metrics.h"

struct sample {
    const struct api *api;
    uint64_t read_only, aborted, retries, too_old;
};

/* ---- Rows with labels ---------------------------------------------------------------------------- */

static void each_in_flight(struct buf *out, const char *name, const void *sample)
{
    const struct sample *s = sample;

    buf_fmt(out, "%s{request_kind=\"mutating\"} %llu\n", name, (unsigned long long)s->api->metrics.mutating);
    buf_fmt(out, "%s{request_kind=\"readOnly\"} %llu\n", name, (unsigned long long)s->read_only);
}

static void each_resource(struct buf *out, const char *name, const struct sample *s,
                          uint64_t (*value)(const struct sample *s, const struct resource *r))
{
    const struct resource_set *all = registry_all(s->api->registry);

    for (unsigned i = 0; i < all->n; i++) {
        const struct resource *r = all->at[i];
        uint64_t v = value(s, r);
        if (v > 0)
            buf_fmt(out, "%s{group=\"%s\",version=\"%s\",resource=\"%s\",kind=\"%s\"} %llu\n", name,
                    r->kind->group, r->kind->version, r->plural, r->kind->kind, (unsigned long long)v);
    }
}

static uint64_t resource_watches(const struct sample *s, const struct resource *r)
{
    return api_info(s->api, r)->watches;
}

static uint64_t resource_events(const struct sample *s, const struct resource *r)
{
    return api_info(s->api, r)->watch_events;
}

static void each_watch(struct buf *out, const char *name, const void *sample)
{
    each_resource(out, name, sample, resource_watches);
}

static void each_event(struct buf *out, const char *name, const void *sample)
{
    each_resource(out, name, sample, resource_events);
}

/* Two look-ups in the tree each: what is stored is counted in its nodes. */
static void each_stored(struct buf *out, const char *name, const void *sample)
{
    const struct sample *s = sample;
    const struct resource_set *all = registry_all(s->api->registry);
    struct arena a;

    arena_init(&a);
    for (unsigned i = 0; i < all->n; i++) {
        const struct resource *r = all->at[i];
        struct str prefix = api_info(s->api, r)->prefix;
        if (r->virtual_ || r->stored_as != NULL || prefix.n == 0 ||
            (resource_is_custom(r) && !custom_of(r)->storage))
            continue;
        buf_fmt(out, "%s{resource=\"%s%s%s\"} %llu\n", name, r->plural, r->kind->group[0] != '\0' ? "." : "",
                r->kind->group, (unsigned long long)store_count(store_live(s->api->store), prefix,
                                                                store_prefix_end(&a, prefix)));
    }
    arena_release(&a);
}

static void each_build(struct buf *out, const char *name, const void *sample)
{
    const struct sample *s = sample;

    buf_fmt(out, "%s{git_version=\"%s\",platform=\"linux/amd64\"} 1\n", name, s->api->version);
}

/* ---- The table ----------------------------------------------------------------------------------- */

#define EACH PROM_SERIES
#define COUNTER(name, help, field) PROM_ROW(name, "counter", help, PROM_U64, struct sample, field)

static const struct prom_row table[] = {
    EACH("apiserver_current_inflight_requests", "gauge", "Requests being answered, watches not counted.",
         each_in_flight),
    EACH("apiserver_longrunning_requests", "gauge", "Open watches, by resource.", each_watch),
    EACH("apiserver_watch_events_total", "counter", "Events sent to watches, by resource.", each_event),
    EACH("apiserver_storage_objects", "gauge", "Objects stored, by resource.", each_stored),
    EACH("kubernetes_build_info", "gauge", "The version of this head.", each_build),
    COUNTER("coracle_api_aborted_total", "Requests whose client went away before the answer.", aborted),
    COUNTER("coracle_api_write_retries_total", "Writes tried again after losing a race.", retries),
    COUNTER("coracle_api_watch_too_old_total", "Watches ended because history no longer reached back.",
            too_old),
};

void metrics_write(struct buf *out, struct api *a)
{
    struct metrics *m = &a->metrics;
    struct sample s = { .api = a, .aborted = m->aborted, .retries = m->retries, .too_old = m->too_old,
                        .read_only = m->in_flight - m->watches - m->mutating };

    metrics_write_requests(out, m);
    prom_write(out, table, ARRAY_LEN(table), &s);
    store_metrics_write(out, a->store);
}
