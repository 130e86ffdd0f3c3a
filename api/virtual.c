/* api/virtual.c: kinds that are asked, not stored: access reviews, token reviews, "who am I", and the old
 * bindings. */
#include "api/authz.h"
#include "api/decode.h"
#include "api/node_gate.h"
#include "api/rbac/rbac.h"
#include "api/subresource.h"
#include "api/write.h"

static void set_user(struct arena *a, struct json *in, const struct exchange_user *u)
{
    struct json *groups;

    json_setz(a, in, "username", json_string(a, u->name));
    if (u->uid.n > 0)
        json_setz(a, in, "uid", json_string(a, u->uid));
    groups = json_setz(a, in, "groups", json_array(a));
    for (size_t i = 0; i < u->n_groups; i++)
        json_push(groups, json_string(a, u->groups[i]));
    for (size_t i = 0; i < u->n_extra; i++) {
        struct json *map = json_make_path(a, in, "extra"), *values = json_get(map, u->extra[i].key);

        if (values == NULL)
            values = json_set(a, map, u->extra[i].key, json_array(a));
        json_push(values, json_string(a, u->extra[i].value));
    }
}

/* ---- Access reviews -------------------------------------------------------------------------------- */

static bool read_attributes(struct call *c, const struct json *spec, struct authz_attr *ret,
                            const char *field)
{
    const struct json *res = json_getz(spec, "resourceAttributes"),
        *path = json_getz(spec, "nonResourceAttributes");
    struct causes      causes;
    struct at          at_spec = AT_KEY(NULL, "spec"), at = AT_KEY(&at_spec, "resourceAttributes");

    (void)field;
    if ((res == NULL) == (path == NULL)) {
        causes_init(&causes, c->arena);
        cause_invalid_raw(&causes, &at, STR("null"),
                          "exactly one of nonResourceAttributes or resourceAttributes must be specified");
        call_invalid(c, c->res->kind, STR_NONE, &causes);
        return false;
    }
    ret->is_resource = res != NULL;
    ret->verb = arena_cstr(c->arena, json_str(json_getz(res != NULL ? res : path, "verb")));
    ret->group = json_str(json_getz(res, "group"));
    ret->version = json_str(json_getz(res, "version"));
    ret->resource = json_str(json_getz(res, "resource"));
    ret->subresource = json_str(json_getz(res, "subresource"));
    ret->ns = json_str(json_getz(res, "namespace"));
    ret->name = json_str(json_getz(res, "name"));
    ret->path = json_str(json_getz(path, "path"));
    ret->fields = json_path_str(res, "fieldSelector.rawSelector");
    ret->labels = json_path_str(res, "labelSelector.rawSelector");
    return true;
}

static void on_review(struct call *c)
{
    const struct authz_query *q = &c->may;
    struct json *body = c->state, *status = json_setz(c->arena, body, "status", json_object(c->arena));

    c->state = NULL;
    json_setz(c->arena, status, "allowed", json_bool(c->arena, q->decision == AUTHZ_ALLOW));
    if (q->decision == AUTHZ_DENY)
        json_setz(c->arena, status, "denied", json_bool(c->arena, true));
    if (q->reason.n > 0)
        json_setz(c->arena, status, "reason", json_string_ref(c->arena, q->reason));
    if (q->error.n > 0)
        json_setz(c->arena, status, "evaluationError", json_string_ref(c->arena, q->error));
    call_respond_tree(c, 201, body);
}

static void answer_review(struct call *c, struct json *body, const struct authz_attr *attr)
{
    c->state = body;
    call_review(c, attr, on_review);
}

static void self_subject_access(struct call *c, struct json *body)
{
    struct authz_attr attr = { .user = c->user };

    if (read_attributes(c, json_getz(body, "spec"), &attr, "spec"))
        answer_review(c, body, &attr);
}

static void read_extra(struct arena *a, const struct json *in, struct exchange_user *u)
{
    struct user_extra *extra;
    size_t             n = 0;

    json_each(key, in)
        n += key->type == JSON_ARRAY ? key->n : 0;
    u->extra = extra = arena_alloc(a, (n + 1) * sizeof(*extra));
    json_each(key, in)
        json_each(it, key->type == JSON_ARRAY ? key : NULL)
            extra[u->n_extra++] = (struct user_extra){ key->key, json_str(it) };
}

static void subject_access(struct call *c, struct json *body)
{
    const struct json   *spec = json_getz(body, "spec"), *list = json_getz(spec, "groups");
    struct exchange_user *user = arena_new(c->arena, struct exchange_user);
    struct str          *groups = arena_alloc(c->arena, ((list != NULL ? list->n : 0) + 1) * sizeof(*groups));
    struct authz_attr    attr = { .user = user };
    struct causes        causes;
    struct at            at_spec = AT_KEY(NULL, "spec"), at = AT_KEY(&at_spec, "user");

    user->name = json_str(json_getz(spec, "user"));
    user->uid = json_str(json_getz(spec, "uid"));
    json_each(it, list)
        groups[user->n_groups++] = json_str(it);
    user->groups = groups;
    read_extra(c->arena, json_getz(spec, "extra"), user);
    if (user->name.n == 0 && user->n_groups == 0) {
        causes_init(&causes, c->arena);
        cause_invalid(&causes, &at, STR(""), "at least one of user or group must be specified");
        call_invalid(c, c->res->kind, STR_NONE, &causes);
        return;
    }
    if (!read_attributes(c, spec, &attr, "spec"))
        return;
    if (c->rq.ns.n > 0 && attr.is_resource && !str_eq(attr.ns, c->rq.ns)) {
        call_bad_request(c, "spec.resourceAttributes.namespace must match namespace: %.*s",
                         STR_ARG(c->rq.ns));
        return;
    }
    answer_review(c, body, &attr);
}

/* ---- Rules ------------------------------------------------------------------------------------------ */

static void add_rule(struct call *c, struct json *status, const struct rbac_rule *r)
{
    if (r->resources.n > 0)
        json_push(json_getz(status, "resourceRules"), rule_json(c->arena, r));
    if (r->urls.n > 0)
        json_push(json_getz(status, "nonResourceRules"), rule_json(c->arena, r));
}

/* What cannot be told as rules: "incomplete", and why. */
static const char *why_incomplete(const struct call *c)
{
    if (authz_has(c->api->authz, "Node") && node_gate_is(c->user))
        return "node authorizer does not support user rule resolution";
    if (authz_has(c->api->authz, "Webhook"))
        return "webhook authorizer does not support user rule resolution";
    return NULL;
}

static void self_subject_rules(struct call *c, struct json *body)
{
    static const struct str star[] = { { "*", 1 } };
    const struct rbac_list  any = { star, 1 };
    const struct rbac_rule  all = { .verbs = any, .groups = any, .resources = any };
    const struct rbac_rule  all_urls = { .verbs = any, .urls = any };
    struct arena *a = c->arena;
    struct json  *status = json_setz(a, body, "status", json_object(a));
    struct buf    errors = BUF_INIT;
    const char   *why = why_incomplete(c);
    struct rbac_held held = { NULL, 0 };

    json_setz(a, status, "resourceRules", json_array(a));
    json_setz(a, status, "nonResourceRules", json_array(a));
    if (authz_has(c->api->authz, "RBAC"))
        held = rbac_rules_of(c->api->rbac, a, c->user, json_path_str(body, "spec.namespace"), &errors);
    for (size_t i = 0; i < held.n; i++)
        add_rule(c, status, held.v[i]);
    if (authn_in_group(c->user, GROUP_MASTERS) || authz_has(c->api->authz, "AlwaysAllow")) {
        add_rule(c, status, &all);
        add_rule(c, status, &all_urls);
    }
    json_setz(a, status, "incomplete", json_bool(a, why != NULL || errors.n > 0));
    if (why != NULL || errors.n > 0)
        json_setf(a, status, "evaluationError", "%s%s%.*s", why != NULL ? why : "",
                  why != NULL && errors.n > 0 ? "; " : "", STR_ARG(buf_str(&errors)));
    buf_release(&errors);
    call_respond_tree(c, 201, body);
}

/* ---- Who ------------------------------------------------------------------------------------------- */

static void self_subject(struct call *c, struct json *body)
{
    set_user(c->arena, json_make_path(c->arena, body, "status.userInfo"), c->user);
    call_respond_tree(c, 201, body);
}

struct review { struct authn_query query; struct call *call; struct json *body; };

static void review_cancel(struct call *c)
{
    struct review *r = c->state;

    authn_cancel(&r->query);
}

static void review_answer(struct review *r)
{
    struct call       *c = r->call;
    struct json       *status = json_setz(c->arena, r->body, "status", json_object(c->arena)), *list;
    struct authn_query *q = &r->query;

    c->cancel = NULL;
    c->state = NULL;
    if (q->err == 0) {
        json_setz(c->arena, status, "authenticated", json_bool(c->arena, true));
        set_user(c->arena, json_make_path(c->arena, status, "user"), q->user);
        list = json_setz(c->arena, status, "audiences", json_array(c->arena));
        for (size_t i = 0; i < q->n_valid; i++)
            json_push(list, json_string(c->arena, q->valid_for[i]));
    } else {
        json_setf(c->arena, status, "error", "[invalid bearer token, %s]", q->why);
    }
    call_respond_tree(c, 201, r->body);
}

static void on_token_known(struct authn_query *q)
{
    review_answer(container_of(q, struct review, query));
}

static void token_review(struct call *c, struct json *body)
{
    const struct json *spec = json_getz(body, "spec"), *list = json_getz(spec, "audiences");
    struct str        *want = arena_alloc(c->arena, ((list != NULL ? list->n : 0) + 1) * sizeof(*want));
    struct review     *r = arena_new(c->arena, struct review);

    r->call = c;
    r->body = body;
    r->query = (struct authn_query){ .arena = c->arena, .token = json_str(json_getz(spec, "token")),
                                     .audiences = want, .done = on_token_known };
    json_each(it, list)
        want[r->query.n_audiences++] = json_str(it);
    if (r->query.token.n == 0) {
        call_bad_request(c, "token is required for TokenReview in authentication");
        return;
    }
    c->state = r;
    c->cancel = review_cancel;
    if (authn_token(c->api->authn, &r->query))
        review_answer(r);
}

static const struct { const char *plural; void (*serve)(struct call *c, struct json *body); } table[] = {
    { "selfsubjectaccessreviews", self_subject_access },
    { "subjectaccessreviews", subject_access },
    { "localsubjectaccessreviews", subject_access },
    { "selfsubjectrulesreviews", self_subject_rules },
    { "selfsubjectreviews", self_subject },
    { "tokenreviews", token_review },
};

static void virtual_answer(struct call *c, struct json *body)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(c->res->plural, table[i].plural) == 0) {
            table[i].serve(c, body);
            return;
        }
    call_no_such_path(c);
}

static void virtual_now(struct call *c)
{
    struct json *body = decode_body(c, c->res->kind);

    if (body != NULL)
        write_admitted(c, ADMIT_CREATE, body, virtual_answer);
}

void call_virtual(struct call *c)
{
    if (c->rq.verb != API_CREATE || c->rq.name.n > 0)
        call_method_not_allowed(c);
    else if (strcmp(c->res->plural, "bindings") == 0)
        binding_serve_collection(c);
    else if (strcmp(c->res->plural, "tokenreviews") == 0)
        call_when_fresh(c, virtual_now);         /* accounts may just have been made or deleted */
    else
        virtual_now(c);
}
