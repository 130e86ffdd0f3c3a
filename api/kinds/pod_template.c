/* api/kinds/pod_template.c: the template from which a controller makes its pods. */
#include "api/json_index.h"
#include "api/kinds/kinds_impl.h"
#include "api/selector.h"

void pod_template_default(struct kind_ctx *c, struct json *tmpl)
{
    pod_spec_default(c, json_getz(tmpl, "spec"), false);
}

/* Controllers replace pods that end: only Always makes sense. */
static void check_for_controller(const struct json *spec, const struct at *at, struct causes *causes)
{
    static const char *const always[] = { "Always" };
    struct at  at_policy = AT_KEY(at, "restartPolicy"), at_deadline = AT_KEY(at, "activeDeadlineSeconds");
    struct str policy = json_str(json_getz(spec, "restartPolicy"));

    if (policy.n > 0 && !str_is(policy, "Always"))
        cause_unsupported(causes, &at_policy, policy, always, 1);
    if (json_getz(spec, "activeDeadlineSeconds") != NULL)
        cause_forbidden(causes, &at_deadline, "activeDeadlineSeconds in ReplicaSet is not Supported");
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
    check_for_controller(inside, &spec, causes);
}
