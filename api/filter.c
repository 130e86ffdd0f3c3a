/* api/filter.c: see api/filter.h. */
#include "api/filter.h"
#include "api/json_scan.h"

static bool supported(const struct resource *base, const char *path)
{
    if (strcmp(path, "metadata.name") == 0 || (base->namespaced && strcmp(path, "metadata.namespace") == 0))
        return true;
    for (const char *const *s = base->select; s != NULL && *s != NULL; s++)
        if (strcmp(*s, path) == 0)
            return true;
    return false;
}

/* events.k8s.io names what is stored under core's names. */
static const char *stored_path(struct arena *a, const char *path)
{
    if (strncmp(path, "regarding.", 10) == 0)
        return arena_fmt(a, "involvedObject.%s", path + 10).p;
    return strcmp(path, "reportingController") == 0 ? "reportingComponent" : path;
}

static bool parse_fields(struct call *c, struct filter *f)
{
    struct errbuf err;

    if (field_selector_parse(c->arena, c->rq.opt.field_selector, &f->fields, &err) < 0) {
        call_bad_request(c, "unable to parse the field selector: %s", err.s);
        return false;
    }
    for (unsigned i = 0; i < f->fields.n; i++) {
        struct field_term *t = &f->fields.terms[i];

        if (c->info->base != c->res)
            t->path = stored_path(c->arena, t->path);
        if (!supported(c->info->base, t->path)) {
            call_bad_request(c, "Unable to find \"%s/%s, Resource=%s\" that match label selector \"%.*s\", "
                                "field selector \"%.*s\": "
                             "field label not supported: %s", c->res->kind->group, c->res->kind->version,
                                 c->res->plural,
                             STR_ARG(c->rq.opt.label_selector), STR_ARG(c->rq.opt.field_selector), t->path);
            return false;
        }
    }
    return true;
}

bool filter_parse(struct call *c, struct filter *ret)
{
    struct errbuf     err;
    const struct str *v;
    const char       *tag_path = c->info->hooks->tag_path;

    *ret = (struct filter){ .labels = SELECTOR_EVERYTHING };
    if (selector_parse(c->arena, c->rq.opt.label_selector, &ret->labels, &err) < 0) {
        call_bad_request(c, "unable to parse requirement: %s", err.s);
        return false;
    }
    if (!parse_fields(c, ret))
        return false;
    ret->any = selector_is_everything(&ret->labels) && ret->fields.n == 0;
    ret->name = c->rq.name;
    if (ret->name.n == 0 && (v = field_selector_exact(&ret->fields, "metadata.name")) != NULL)
        ret->name = *v;
    ret->ns = c->rq.ns;
    if (ret->ns.n == 0 && (v = field_selector_exact(&ret->fields, "metadata.namespace")) != NULL)
        ret->ns = *v;
    if (tag_path != NULL && (v = field_selector_exact(&ret->fields, tag_path)) != NULL && v->n > 0)
        ret->tag = tag_hash(*v);
    if (str_find(ret->name, '/') >= 0 || str_find(ret->ns, '/') >= 0)
        ret->labels = SELECTOR_NOTHING, ret->any = false, ret->name = ret->ns = STR_NONE;
    return true;
}

struct str filter_labels_of(struct str stored)
{
    struct str labels;

    return json_scan_path(stored, "metadata.labels", &labels) ? labels : STR_NONE;
}

bool filter_matches_with(const struct filter *f, struct str stored, struct str labels)
{
    if (f->any)
        return true;
    if (f->labels.nothing || (f->labels.n > 0 && !selector_matches_text(&f->labels, labels)))
        return false;
    return f->fields.n == 0 || field_selector_matches_text(&f->fields, stored);
}

bool filter_matches(const struct filter *f, struct str stored)
{
    return filter_matches_with(f, stored, f->labels.n > 0 ? filter_labels_of(stored) : STR_NONE);
}
