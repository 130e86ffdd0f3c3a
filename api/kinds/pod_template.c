/* api/kinds/pod_template.c: the template from which a controller makes its pods. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"
#include "api/selector.h"

void pod_template_default(struct kind_ctx *c, struct json *tmpl)
{
    pod_spec_default(c, json_getz(tmpl, "spec"), false);
}

/* As selector_matches(), but never quadratic: both sides are as long as a client likes. */
static bool matches(struct arena *a, const struct selector *s, const struct json *labels)
{
    struct json_index ix;

    json_index_make(a, &ix, labels != NULL ? labels : json_object(a), 0);
    for (unsigned i = 0; i < s->n; i++) {
        const struct selector one = { false, 1, &s->terms[i] };
        const struct json    *label = json_index_get(&ix, s->terms[i].key);
        struct json           copy, shell = { .type = JSON_OBJECT };

        if (label != NULL) {
            copy = *label;
            copy.next = NULL;
            shell.first = shell.last = &copy;
            shell.n = 1;
        }
        if (!selector_matches(&one, &shell))
            return false;
    }
    return !s->nothing;
}

static void check_selected(const struct json *tmpl, const struct json *label_selector, const struct at *at,
                           struct causes *causes)
{
    struct at          metadata = AT_KEY(at, "metadata"), here = AT_KEY(&metadata, "labels");
    const struct json *labels = json_path(tmpl, "metadata.labels");
    struct selector    selector;

    if (label_selector_is_empty(label_selector) ||
        selector_from_json(causes->arena, label_selector, &selector, NULL) < 0)
        return;                                  /* told at the selector itself */
    if (!matches(causes->arena, &selector, labels))
        cause_invalid_raw(causes, &here, go_string_map(causes->arena, labels),
                          "`selector` does not match template `labels`");
}

void pod_template_check(const struct json *tmpl, const struct json *label_selector, const struct at *at,
                        struct causes *causes)
{
    struct at metadata = AT_KEY(at, "metadata"), labels = AT_KEY(&metadata, "labels"),
              annotations = AT_KEY(&metadata, "annotations"), spec = AT_KEY(at, "spec"),
              containers = AT_KEY(&spec, "containers"), ephemeral = AT_KEY(&spec, "ephemeralContainers");
    const struct json *inside = json_getz(tmpl, "spec");

    check_selected(tmpl, label_selector, at, causes);
    check_labels(json_path(tmpl, "metadata.labels"), &labels, causes);
    check_annotations(json_path(tmpl, "metadata.annotations"), &annotations, causes);
    if (!json_is(inside, JSON_OBJECT)) {
        cause_required(causes, &containers, "");
        return;
    }
    pod_spec_check(inside, &spec, false, causes);
    if (!json_is_blank(json_getz(inside, "ephemeralContainers")))
        cause_forbidden(causes, &ephemeral, "ephemeral containers not allowed in pod template");
}

/* Controllers replace pods that end: only Always makes sense. */
void pod_template_check_lasting(const struct json *tmpl, const struct at *at, const char *deadline,
                                struct causes *causes)
{
    static const char *const always[] = { "Always" };
    const struct json       *spec = json_getz(tmpl, "spec");
    struct at                at_spec = AT_KEY(at, "spec");

    field_one_of(spec, "restartPolicy", &at_spec, always, ARRAY_LEN(always), causes);
    if (json_getz(spec, "activeDeadlineSeconds") != NULL)
        field_forbid(spec, "activeDeadlineSeconds", &at_spec,
                     arena_fmt(causes->arena, "activeDeadlineSeconds in %s is not Supported", deadline).p,
                     causes);
}

void workload_check(const struct json *spec, const char *word, const char *deadline, struct causes *causes)
{
    const struct json *selector = json_getz(spec, "selector"), *tmpl = json_getz(spec, "template");
    struct at at = AT_KEY(NULL, "spec"), at_selector = AT_KEY(&at, "selector"),
              at_template = AT_KEY(&at, "template");

    check_label_selector(selector, &at_selector, causes);
    if (selector != NULL && label_selector_is_empty(selector))
        cause_invalid_raw(causes, &at_selector, STR(GO_EMPTY_SELECTOR),
                          arena_fmt(causes->arena, "empty selector is invalid for %s", word).p);
    if (tmpl == NULL)
        return;                                  /* required: the schema says so where it is so */
    pod_template_check(tmpl, selector, &at_template, causes);
    pod_template_check_lasting(tmpl, &at_template, deadline, causes);
}
