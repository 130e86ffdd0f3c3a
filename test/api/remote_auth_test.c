/* test/api/remote_auth_test.c: other servers that know tokens, decide what is allowed, or publish keys: asked once, believed
 * for a while, and what happens when they lie or are silent. */
#include "api/call.h"
#include "net/tls.h"
#include "test/api/api_rig.h"

#define NS  "/api/v1/namespaces/default"
#define WHO "/apis/authentication.k8s.io/v1/selfsubjectreviews"

/* The other server. */
static struct hook {
    struct sim_machine *m;
    struct http_server *server;
    struct key_set *keys;
    unsigned tokens, access, configurations, key_sets;
    bool silent, garbage;
} hook;

static void answer_json(struct http_req *req, const struct json *j)
{
    struct buf b = BUF_INIT;

    if (hook.garbage)
        buf_z(&b, "{\"status\":");
    else
        json_write(&b, j);
    http_respond(req, 200, "application/json", buf_to_blob(&b), NULL, 0);
    buf_release(&b);
}

static struct json *parse(struct arena *a, const char *text)
{
    char        *z = arena_cstr(a, str_of(text));
    struct json *j;

    for (char *p = z; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    must_ok(json_parse(a, str_of(z), &j, NULL));
    return j;
}

static const char *about_token(const struct json *in)
{
    struct str token = json_path_str(in, "spec.token");

    hook.tokens++;
    CHECK_AT((struct answer){ .obj = (struct json *)(uintptr_t)in }, "kind", "TokenReview");
    if (str_is(token, "good"))
        return "{'status':{'authenticated':true,'user':{'username':'alice','groups':['dev'],'extra':{'k':['v']}}}}";
    if (str_is(token, "other"))                  /* good, but for somebody else */
        return "{'status':{'authenticated':true,'user':{'username':'alice'},'audiences':['vault']}}";
    if (str_is(token, "nameless"))
        return "{'status':{'authenticated':true,'user':{}}}";
    return "{'status':{'authenticated':false,'error':'never heard of it'}}";
}

static const char *about_access(const struct json *in)
{
    struct str user = json_path_str(in, "spec.user");

    hook.access++;
    if (str_is(user, "mallory"))
        return "{'status':{'allowed':true,'denied':true,'reason':'on the list'}}";
    if (str_is(user, "alice") && str_is(json_path_str(in, "spec.resourceAttributes.resource"), "pods"))
        return "{'status':{'allowed':true}}";
    return "{'status':{'allowed':false,'reason':'not today'}}";
}

static void on_hook(void *arg, struct http_req *req)
{
    struct json *in = NULL;

    (void)arg;
    if (hook.silent)
        return;
    if (req->body.n > 0)
        must_ok(json_parse(&req->arena, req->body, &in, NULL));
    if (str_is(req->path, "/token"))
        answer_json(req, parse(&req->arena, about_token(in)));
    else if (str_is(req->path, "/access"))
        answer_json(req, parse(&req->arena, about_access(in)));
    else if (str_is(req->path, "/keys"))
        hook.key_sets++, answer_json(req, key_set_json(hook.keys, &req->arena));
    else
        hook.configurations++,
        answer_json(req, parse(&req->arena, "{'issuer':'https://hook:443','jwks_uri':'https://hook:443/keys'}"));
}

static void hook_open_in(void *arg)
{
    struct http_server_opts o = { .addr = "hook:443", .on_request = on_hook };

    (void)arg;
    must_ok(http_server_open(sim_machine_loop(hook.m), &o, &hook.server, NULL));
}

static void hook_close_in(void *arg)
{
    (void)arg;
    http_server_close(hook.server);
}

static struct rig *open_with(struct api_opts *o)
{
    static struct buf cert, key;
    struct rig       *r = calloc(1, sizeof *r);
    struct sim       *sim = sim_new(1);
    struct pki_req    req = { .common_name = "a CA", .ca = true, .days = 1 };

    buf_clear(&cert);
    buf_clear(&key);
    must_ok(pki_issue(&req, &cert, &key, NULL));
    hook = (struct hook){ .m = sim_machine_new(sim, "hook"), .keys = hook.keys };
    sim_do(hook.m, hook_open_in, NULL);
    o->authn.webhook.timeout_ms = o->authz_webhook.remote.timeout_ms = 3000;
    o->authn.webhook.ca_pem = o->authz_webhook.remote.ca_pem = o->authn.oidc.ca_pem = buf_str(&cert);
    r->opts = *o;
    rig_start(r, sim, 0, 1);
    rig_run(r, 2000);
    return r;
}

static void close_all(struct rig *r)
{
    sim_do(hook.m, hook_close_in, NULL);
    rig_close(r);
}

static void shown(struct rig *r, int line, const char *bearer, int status, const char *user)
{
    struct answer a;

    r->bearer = bearer;
    a = call(r, "POST", WHO, "{}");
    r->bearer = NULL;
    if (a.status != status)
        test_fail(__FILE__, line, "%d, not %d: %.*s", a.status, status, STR_ARG(a.body));
    else if (user != NULL)
        CHECK_AT(a, "status.userInfo.username", user);
    answer_free(&a);
}
#define SHOWN(r, bearer, status, user) shown((r), __LINE__, (bearer), (status), (user))

TEST(a_webhook_knows_tokens)
{
    struct api_opts o = { .authn.webhook.url = "https://hook:443/token" };
    struct rig     *r = open_with(&o);

    for (int i = 0; i < 3; i++)
        SHOWN(r, "Bearer good", 201, "alice");
    CHECK_INT(hook.tokens, 1);                   /* asked once */
    SHOWN(r, "Bearer bad", 401, NULL);
    SHOWN(r, "Bearer bad", 401, NULL);
    CHECK_INT(hook.tokens, 2);
    SHOWN(r, "Bearer other", 401, NULL);
    SHOWN(r, "Bearer nameless", 401, NULL);
    rig_run(r, 121 * 1000);
    SHOWN(r, "Bearer good", 201, "alice");       /* asked again */
    CHECK_INT(hook.tokens, 5);
    hook.garbage = true;
    SHOWN(r, "Bearer new", 401, NULL);
    hook.silent = true;
    SHOWN(r, "Bearer newer", 401, NULL);
    SHOWN(r, "Bearer good", 201, "alice");       /* what was said before still holds */
    close_all(r);
}

TEST(a_webhook_decides_what_is_allowed)
{
    struct api_opts o = { .authorization_mode = "RBAC,Webhook",
                          .authz_webhook.remote.url = "https://hook:443/access" };
    struct rig     *r = open_with(&o);
    struct answer   a;

    CALL(r, 200, "GET", NS "/pods", NULL);       /* a master is not asked about */
    CHECK_INT(hook.access, 0);
    r->user = "alice";
    CALL(r, 200, "GET", NS "/pods", NULL);
    CALL(r, 200, "GET", NS "/pods", NULL);
    CHECK_INT(hook.access, 1);
    a = call(r, "GET", NS "/secrets", NULL);
    CHECK_INT(a.status, 403);
    CHECK_AT(a, "message", "secrets is forbidden: User \"alice\" cannot list resource \"secrets\" in API group \"\" in the "
                           "namespace \"default\": not today");
    answer_free(&a);
    r->user = "mallory";
    CALL(r, 403, "GET", NS "/pods", NULL);
    hook.silent = true;
    r->user = "late";
    CALL(r, 403, "GET", NS "/pods", NULL);       /* nobody else allows it */
    r->user = "alice";
    CALL(r, 200, "GET", NS "/pods", NULL);
    close_all(r);
}

/* A silent webhook holds up only who depends on it; who goes away meanwhile leaves nothing behind. */
TEST(a_silent_webhook_is_its_own_trouble)
{
    struct api_opts o = { .authorization_mode = "RBAC,Webhook",
                          .authz_webhook.remote.url = "https://hook:443/access" };
    struct rig     *r = open_with(&o);
    struct talk    *t[10];

    hook.silent = true;
    r->user = "alice";
    for (int i = 0; i < 10; i++)
        t[i] = talk_open(r, "GET", NS "/pods", NULL);
    rig_run(r, 100);
    r->user = NULL;
    CALL(r, 200, "GET", NS "/pods", NULL);
    for (int i = 0; i < 10; i++) {
        CHECK(!t[i]->answered);
        if (i % 2 == 0)
            talk_close(t[i]);
    }
    rig_run(r, 11000);
    for (int i = 1; i < 10; i += 2) {
        CHECK_INT(t[i]->status, 403);
        talk_close(t[i]);
    }
    close_all(r);
}

static void id_token(struct key *k, const char *claims, char to[4096])
{
    struct arena a = ARENA_INIT;
    struct buf   b = BUF_INIT;

    must_ok(jwt_sign(k, parse(&a, claims), &b, NULL));
    snprintf(to, 4096, "Bearer %.*s", STR_ARG(buf_str(&b)));
    buf_release(&b);
    arena_release(&a);
}

TEST(an_issuer_of_tokens)
{
    static const struct { const char *claims; int status; const char *user; } rows[] = {
        { "{'iss':'https://hook:443','aud':'c','sub':'bob','exp':99999999999,'groups':['dev','ops']}", 201, "https://hook:443#bob" },
        { "{'iss':'https://hook:443','aud':['x','c'],'sub':'bob','exp':99999999999,'groups':'dev'}", 201, "https://hook:443#bob" },
        { "{'iss':'https://hook:443','aud':'d','sub':'bob','exp':99999999999}", 401, NULL },
        { "{'iss':'https://hook:443','sub':'bob','exp':99999999999}", 401, NULL },
        { "{'iss':'https://hook:443','aud':'c','sub':'bob','exp':1000}", 401, NULL },
        { "{'iss':'https://hook:443','aud':'c','sub':'bob'}", 401, NULL },
        { "{'iss':'https://hook:443','aud':'c','exp':99999999999}", 401, NULL },
        { "{'iss':'https://hook:443','aud':'c','sub':'bob','exp':99999999999,'groups':[1]}", 401, NULL },
        { "{'iss':'https://hook','aud':'c','sub':'bob','exp':99999999999}", 401, NULL },
    };
    struct api_opts o = { .authn.oidc = { .issuer_url = "https://hook:443", .client_id = "c", .groups_claim = "groups",
                                          .signing_algs = "ES256" } };
    struct buf      key = BUF_INIT, pub = BUF_INIT;
    struct key     *signer, *stranger;
    struct rig     *r;
    char            token[4096];

    must_ok(pki_new_key(&key, &pub, NULL));
    must_ok(key_read_private(buf_str(&key), &signer, NULL));
    must_ok(key_set_from_pem(buf_str(&pub), &hook.keys, NULL));
    r = open_with(&o);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        id_token(signer, rows[i].claims, token);
        SHOWN(r, token, rows[i].status, rows[i].user);
    }
    CHECK_INT(hook.key_sets, 1);
    buf_clear(&key);
    buf_clear(&pub);
    must_ok(pki_new_key(&key, &pub, NULL));
    must_ok(key_read_private(buf_str(&key), &stranger, NULL));
    id_token(stranger, rows[0].claims, token);
    SHOWN(r, token, 401, NULL);
    key_set_unref(hook.keys);                    /* the issuer has a new key */
    must_ok(key_set_from_pem(buf_str(&pub), &hook.keys, NULL));
    rig_run(r, 11000);
    SHOWN(r, token, 201, "https://hook:443#bob");
    CHECK(hook.key_sets >= 2);
    hook.silent = true;
    rig_run(r, 3700 * 1000);                     /* old keys are better than none */
    SHOWN(r, token, 201, "https://hook:443#bob");
    close_all(r);
    key_set_unref(hook.keys);
    hook.keys = NULL;
    key_free(signer);
    key_free(stranger);
    buf_release(&key);
    buf_release(&pub);
}
