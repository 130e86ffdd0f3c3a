/* api/token.c: serviceaccounts/token: a signed token, bound to its account and, if asked, to a pod or
 * secret. */
#include "api/decode.h"
#include "api/jwt.h"
#include "api/subresource.h"
#include "api/time_fmt.h"
#include "api/uuid.h"
#include "api/write.h"

#define EXPIRES_MIN_S     600
#define EXPIRES_DEFAULT_S 3600
#define EXPIRES_MAX_S     (1ll << 32)

struct bound { const char *plural, *claim; struct str name, uid, node; };

static struct json *lookup(struct call *c, const char *plural, struct str ns, struct str name)
{
    struct kind_ctx k;

    call_kind_ctx(c, &k, c->rq.ns, c->rq.name);
    return kind_lookup(&k, "", "v1", plural, ns, name);
}

static void invalid(struct call *c, const char *field, const char *text)
{
    struct causes causes;
    struct at     spec = AT_KEY(NULL, "spec"), at = AT_STR(&spec, str_of(field));

    causes_init(&causes, c->arena);
    cause_add(&causes, CAUSE_INVALID, &at, "%s", text);
    call_invalid(c, c->sub->kind, STR_NONE, &causes);
}

/* spec.boundObjectRef: the object must be there and be the one that is meant.  False: answered. */
static bool read_bound(struct call *c, const struct json *body, struct bound *ret)
{
    const struct json *ref = json_path(body, "spec.boundObjectRef");
    struct str         kind = json_str(json_getz(ref, "kind")), uid = json_str(json_getz(ref, "uid"));
    struct json       *obj;

    *ret = (struct bound){ NULL, NULL, json_str(json_getz(ref, "name")), STR_NONE };
    if (ref == NULL)
        return true;
    if (str_is(kind, "Pod"))
        ret->plural = "pods", ret->claim = "pod";
    else if (str_is(kind, "Secret"))
        ret->plural = "secrets", ret->claim = "secret";
    else if (str_is(kind, "Node"))
        ret->plural = "nodes", ret->claim = "node";
    else {
        invalid(c, "boundObjectRef", "Invalid value: cannot bind token to this kind of object");
        return false;
    }
    obj = lookup(c, ret->plural, c->rq.ns, ret->name);
    if (obj == NULL) {
        call_fail(c, 404, REASON_NOT_FOUND, "%s \"%.*s\" not found", ret->plural, STR_ARG(ret->name));
        return false;
    }
    ret->uid = json_path_str(obj, "metadata.uid");
    ret->node = ret->claim[0] == 'p' ? json_path_str(obj, "spec.nodeName") : STR_NONE;
    if (uid.n > 0 && !str_eq(uid, ret->uid)) {
        call_conflict(c, ret->name, arena_fmt(c->arena,
                                              "the UID in the bound object reference (%.*s) does not match "
                                              "the UID in record. The object might have been deleted and "
                                              "then recreated", STR_ARG(uid)).p);
        return false;
    }
    if (ret->claim[0] == 'p' && !str_eq(json_path_str(obj, "spec.serviceAccountName"), c->rq.name)) {
        call_bad_request(c, "cannot bind token for serviceaccount \"%.*s\" to pod running with different "
                            "serviceaccount name.", STR_ARG(c->rq.name));
        return false;
    }
    return true;
}

static struct json *reference(struct arena *a, struct json *in, const char *key, struct str name,
                              struct str uid)
{
    struct json *ref = json_setz(a, in, key, json_object(a));

    json_setz(a, ref, "name", json_string_ref(a, name));
    if (uid.n > 0)
        json_setz(a, ref, "uid", json_string_ref(a, uid));
    return ref;
}

static struct json *claims_of(struct call *c, const struct json *account, const struct json *audiences,
                              const struct bound *b,
                              int64_t now_s, int64_t expires_s)
{
    struct arena *a = c->arena;
    struct json  *claims = json_object(a), *kube, *aud, *node;
    uint8_t       random[16];

    aud = audiences != NULL && audiences->n > 0 ? json_copy(a, audiences) : json_array(a);
    if (aud->n == 0)
        json_push(aud, json_string(a, str_of(c->api->issuer)));
    loop_random(c->api->loop, random, sizeof(random));
    json_setz(a, claims, "aud", aud);
    json_setz(a, claims, "exp", json_int(a, expires_s));
    json_setz(a, claims, "iat", json_int(a, now_s));
    json_setf(a, claims, "iss", "%s", c->api->issuer);
    json_setz(a, claims, "jti", json_string_ref(a, uuid_text(a, random)));
    kube = json_setz(a, claims, "kubernetes.io", json_object(a));
    json_setz(a, kube, "namespace", json_string_ref(a, c->rq.ns));
    if (b->claim != NULL)
        reference(a, kube, b->claim, b->name, b->uid);
    if (b->node.n > 0) {
        node = lookup(c, "nodes", STR_NONE, b->node);
        reference(a, kube, "node", b->node, json_path_str(node, "metadata.uid"));
    }
    reference(a, kube, "serviceaccount", c->rq.name, json_path_str(account, "metadata.uid"));
    json_setz(a, claims, "nbf", json_int(a, now_s));
    json_setf(a, claims, "sub", "system:serviceaccount:%.*s:%.*s", STR_ARG(c->rq.ns), STR_ARG(c->rq.name));
    return claims;
}

static void answer(struct call *c, struct json *body, const struct json *claims, int64_t expires_s)
{
    struct arena *a = c->arena;
    struct buf    token = BUF_INIT;
    struct errbuf err;
    struct json  *status, *spec = json_make_path(a, body, "spec");

    if (jwt_sign(c->api->signing_key, claims, &token, &err) < 0) {
        call_fail(c, 500, REASON_INTERNAL, "Internal error occurred: the token cannot be signed");
        return;
    }
    json_setz(a, spec, "audiences", json_copy(a, json_getz(claims, "aud")));
    json_setz(a, spec, "expirationSeconds",
              json_int(a, expires_s - json_i64_or(json_getz(claims, "iat"), 0)));
    status = json_setz(a, body, "status", json_object(a));
    json_setz(a, status, "token", json_string(a, buf_str(&token)));
    json_setz(a, status, "expirationTimestamp", json_string_ref(a, time_text(a, expires_s)));
    buf_release(&token);
    call_respond_tree(c, 201, body);
}

static void token_try(struct call *c, struct json *body)
{
    struct json *account;
    struct bound bound;
    int64_t      now_s = loop_wall_ns(c->api->loop) / 1000000000, seconds;

    account = lookup(c, "serviceaccounts", c->rq.ns, c->rq.name);
    if (account == NULL) {
        call_not_found(c);
        return;
    }
    seconds = json_path_i64(body, "spec.expirationSeconds", EXPIRES_DEFAULT_S);
    if (seconds < EXPIRES_MIN_S || seconds > EXPIRES_MAX_S) {
        invalid(c, "expirationSeconds",
                seconds < EXPIRES_MIN_S ? "Invalid value: may not specify a duration less than 10 minutes"
                                                                : "Invalid value: may not specify a duration "
                                                                  "larger than 2^32 seconds");
        return;
    }
    if (!read_bound(c, body, &bound))
        return;
    answer(c, body, claims_of(c, account, json_path(body, "spec.audiences"), &bound, now_s,
                              now_s + seconds), now_s + seconds);
}

static void token_ask(struct call *c)
{
    struct json *body = decode_body(c, c->sub->kind);

    if (body != NULL)
        write_admitted(c, ADMIT_CREATE, body, token_try);
}

void token_serve(struct call *c)
{
    if (c->api->signing_key == NULL)
        call_fail(c, 501, REASON_INTERNAL,
                  "this cluster issues no service account tokens: it has no signing key");
    else
        call_when_fresh(c, token_ask);
}
