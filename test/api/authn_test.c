/* test/api/authn_test.c: who is believed, and who is not: signatures of every kind, forged and tampered tokens, tokens that
 * outlived what they were bound to, bootstrap tokens, the front proxy, nobody. */
#include "api/call.h"
#include "net/tls.h"
#include "test/api/api_rig.h"

/* Made for this test; opens nothing. */
static const char rsa_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCR8vGskBL5Myle\n"
    "8rAla9kxrKJHnkgcloAQQY7Jsjn87KCAkfOJDtPP05+l4KOYqlpQzSYDd4gbn/Z7\n"
    "4W3ACwE6SbEKk5gTYJy1obJ58Rv3adixW+i7+diBoSMx8LvB+KFsI8cG0Szfcl/L\n"
    "rF3uFotQ112xLqsqxwrVH/kkWzFt4Py97wxPG291m22N+XnOICevYNl0Oz7bi/m8\n"
    "QAH78nzakibP8qikszjSbqjPmo7pA3R5c/O8p66nMkeHAeuQqAZlWP8VqikEd6ik\n"
    "boOfkHUw2FLD6tuHcT7uMYOC8PDXmOIjSbrwYlwpp22+Su82ZBLPGKfrRlrRnQuF\n"
    "ULs6ZetTAgMBAAECggEAEqBaz5cjlMI+yWtXp6737SsHGvTMZzmd5nU3b+5bEDhy\n"
    "03XNCvTle2Sav2TH/DfhhuZnr5GVwVDM+Epw402EPpghDCSCCBcQaO3WBVIMK6tK\n"
    "iHgeX78nLoQOJdV/YOYGU/LM98XCYFIMf8XjxvsBlLOntXErTy5P55tJBKbOzCL1\n"
    "LrZS0ZhJ8WxrZh5aazM4NWamyxsrEJ9NaKku8FYQoKYjAPx7wThSzWe31s9fHVXw\n"
    "G7fDS/WWehZjkC4FioIZuqVjcapXjcN7spPqeffLQJQWeCQOcBCK6Ajo8an9vkxw\n"
    "LbaG5YNa23a/69uqGAM6L7IAfH1YHovDR0OAOlqE4QKBgQDN6ePSKmn6mtfOxr5I\n"
    "mFhNfQ/5KMFvwWxwq9wwIkYSLGguejGd7yXQnSRTfeNsN1gNuWHcGZK6eUsfwwtu\n"
    "e0iyKCvqTWa0iWsfajibywpfmbKV+DxLdlc5+Ia430aQ80PNF1Nqp/1B/+1STvzt\n"
    "ck1bMs2GA/fPxKlJVQgRSLUofwKBgQC1cxhHvEnF2bZfZ49oQXvXe+5QgkOg89pM\n"
    "88jWFrwuPVJh5WEoKZz0dZxyA0Miy3hN2K7VCz4D+47VSrWMXvalBQILYlj3HBK8\n"
    "N6bA1wZ5ufAFJPpj3bZkroqQCgyUxcfYYNhsErOwyZIXb+32Y9GZhp4iUSb61QFq\n"
    "MQ5H0kOzLQKBgEIgGC9Hu5zk2OToYfcCJWlM/jIval8vKFnOdvlmKEZxyEsUppZn\n"
    "VCd4L1A4ny4DX92YaNq7w6jqhrt+cU9be+7qg5/Ml2zmrGX8QI2XWI921ije/M3n\n"
    "BP/y1aDM4uZtmJpmIT2hEO1++IF0KDlAeaMN335oC87HAu4vxlV2meaVAoGACthH\n"
    "Mjppul6JzOf2pUeMrFNm6f7vJdaNTJ4hedJACw91Ng6soObjz6Sb5iCVyaWZmiWC\n"
    "RY93dGt7nPnrIemnGjPTbHTDVnmiEQfOeqYfZ/UaCGSuZnug5CGefH9tQxMTH7ai\n"
    "GMuBW+agSbBR67EJnQBzwR9SkhlbDUrDTL2feD0CgYAqwG82lnhySfFoB/xAnCue\n"
    "lKmK4UHSuUFFr1JAzhPN0Il2Pa0rkXxNzlpxVr7mk2hDoc/KiVw7H5U1KqEgOSDZ\n"
    "og+yPFX96I2IjQ/NiSNwMqHG2GphgydNMBu7RkfMvf1/uFqIyn5gKCB9fSQXioCE\n"
    "4V4J97vvJX5LHGFndHeqsA==\n"
    "-----END PRIVATE KEY-----\n";

#define NS   "/api/v1/namespaces/default"
#define WHO  "/apis/authentication.k8s.io/v1/selfsubjectreviews"
#define SIDE "/api/v1/namespaces/kube-system/secrets"

struct keys { struct buf key, pub; struct key *signer; };

static void keys_make(struct keys *k, const char *pem)
{
    struct key *all[1];
    size_t      n = 0;

    *k = (struct keys){ BUF_INIT, BUF_INIT, NULL };
    if (pem == NULL) {
        must_ok(pki_new_key(&k->key, &k->pub, NULL));
    } else {
        buf_z(&k->key, pem);
        buf_z(&k->pub, pem);                     /* verifying needs only its public half */
    }
    must_ok(key_read_private(buf_str(&k->key), &k->signer, NULL));
    must_ok(key_read_all(buf_str(&k->pub), all, 1, &n, NULL));
    key_free(all[0]);
}

static void keys_release(struct keys *k)
{
    buf_release(&k->key);
    buf_release(&k->pub);
    key_free(k->signer);
}

static struct rig *open_with(const struct keys *k, struct api_opts *o)
{
    struct rig *r;

    o->service_account_key_pem = buf_str(&k->key);
    o->service_account_pub_pem = buf_str(&k->pub);
    r = rig_open_with(o);
    CALL(r, 201, "POST", NS "/serviceaccounts", "{'metadata':{'name':'robot'}}");
    return r;
}

static void account_token(struct rig *r, const char *body, char to[4096])
{
    struct answer a = call(r, "POST", NS "/serviceaccounts/robot/token", body);

    CHECK_INT(a.status, 201);
    snprintf(to, 4096, "Bearer %.*s", STR_ARG(json_path_str(a.obj, "status.token")));
    answer_free(&a);
}

/* 201: believed, and as this user (NULL: whoever). */
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
#define ROBOT "system:serviceaccount:default:robot"

/* Tokens of our own making: claims with single quotes, signed or not. */
static void forge(const struct keys *k, const char *claims, char to[4096])
{
    struct arena a = ARENA_INIT;
    struct buf   b = BUF_INIT;
    struct json *j;
    char        *z = arena_cstr(&a, str_of(claims));

    for (char *p = z; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    must_ok(json_parse(&a, str_of(z), &j, NULL));
    must_ok(jwt_sign(k->signer, j, &b, NULL));
    snprintf(to, 4096, "Bearer %.*s", STR_ARG(buf_str(&b)));
    buf_release(&b);
    arena_release(&a);
}

static void with_kind_of_key(const char *pem, const char *alg)
{
    struct api_opts o = { 0 };
    struct keys     k;
    struct rig     *r;
    char            token[4096];
    struct answer   a;

    keys_make(&k, pem);
    r = open_with(&k, &o);
    CHECK(strcmp(key_alg(k.signer), alg) == 0);
    account_token(r, "{}", token);
    for (int i = 0; i < 3; i++)
        SHOWN(r, token, 201, ROBOT);
    for (size_t i = strlen(token) - 80; i < strlen(token); i += 7) {
        char was = token[i];

        token[i] = was == 'A' ? 'B' : 'A';
        SHOWN(r, token, 401, NULL);
        token[i] = was;
    }
    SHOWN(r, token, 201, ROBOT);
    a = call(r, "GET", "/openid/v1/jwks", NULL);
    CHECK_INT(a.status, 200);
    CHECK_AT(a, "keys.0.alg", alg);
    answer_free(&a);
    a = call(r, "GET", "/.well-known/openid-configuration", NULL);
    CHECK_AT(a, "id_token_signing_alg_values_supported.0", alg);
    answer_free(&a);
    rig_close(r);
    keys_release(&k);
}

TEST(tokens_of_curves) { with_kind_of_key(NULL, "ES256"); }
TEST(tokens_of_rsa) { with_kind_of_key(rsa_key, "RS256"); }

/* What the header says of the algorithm changes nothing; a foreign key, issuer or audience is refused. */
TEST(forged_tokens)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}", "{\"alg\":\"RS256\"}", "{\"alg\":\"ES384\"}", "{\"alg\":\"\"}", "{}",
        "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "{\"alg\":[\"ES256\"]}", "[]", "null", "{\"alg\":\"es256\"}",
        "{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}",
    };
    static const char claims[] =
        "{'iss':'https://kubernetes.default.svc','aud':['https://kubernetes.default.svc'],'exp':99999999999,"
        "'sub':'" ROBOT "','kubernetes.io':{'namespace':'default','serviceaccount':{'name':'robot','uid':'x'}}}";
    struct api_opts o = { 0 };
    struct keys     k, other;
    struct rig     *r;
    char            token[4096], forged[4096];

    keys_make(&k, NULL);
    keys_make(&other, NULL);
    r = open_with(&k, &o);
    account_token(r, "{}", token);
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct buf b = BUF_INIT;
        char      *rest = strchr(token, '.');

        base64_encode(&b, str_of(headers[i]), true);
        snprintf(forged, sizeof forged, "Bearer %.*s%s", STR_ARG(buf_str(&b)), rest);
        SHOWN(r, forged, 401, NULL);
        *strrchr(forged, '.') = '\0';            /* no signature */
        strcat(forged, ".");
        SHOWN(r, forged, 401, NULL);
        buf_release(&b);
    }
    forge(&k, claims, forged);                   /* signed by us, for an account that there is not */
    SHOWN(r, forged, 401, NULL);
    forge(&other, claims, forged);
    SHOWN(r, forged, 401, NULL);
    forge(&k, "{'iss':'https://elsewhere','exp':99999999999}", forged);
    SHOWN(r, forged, 401, NULL);
    account_token(r, "{'spec':{'audiences':['vault']}}", forged);
    SHOWN(r, forged, 401, NULL);
    SHOWN(r, "Bearer a.b.c", 401, NULL);
    SHOWN(r, "Bearer ...", 401, NULL);
    SHOWN(r, "Bearer x", 401, NULL);
    SHOWN(r, "Basic YWRtaW46YWRtaW4=", 401, NULL);
    SHOWN(r, token, 201, ROBOT);
    rig_close(r);
    keys_release(&k);
    keys_release(&other);
}

TEST(a_token_ends_with_what_it_is_bound_to)
{
    struct api_opts o = { 0 };
    struct keys     k;
    struct rig     *r;
    char            to_secret[4096], to_node[4096], free_[4096];

    keys_make(&k, NULL);
    r = open_with(&k, &o);
    CALL(r, 201, "POST", NS "/secrets", "{'metadata':{'name':'tie'}}");
    CALL(r, 201, "POST", "/api/v1/nodes", "{'metadata':{'name':'n1'}}");
    account_token(r, "{'spec':{'boundObjectRef':{'kind':'Secret','apiVersion':'v1','name':'tie'}}}", to_secret);
    account_token(r, "{'spec':{'boundObjectRef':{'kind':'Node','apiVersion':'v1','name':'n1'}}}", to_node);
    account_token(r, "{}", free_);
    SHOWN(r, to_secret, 201, ROBOT);
    SHOWN(r, to_node, 201, ROBOT);
    CALL(r, 200, "DELETE", NS "/secrets/tie", NULL);
    SHOWN(r, to_secret, 401, NULL);
    CALL(r, 201, "POST", NS "/secrets", "{'metadata':{'name':'tie'}}");      /* another one of that name */
    SHOWN(r, to_secret, 401, NULL);
    CALL(r, 200, "DELETE", "/api/v1/nodes/n1", NULL);
    SHOWN(r, to_node, 401, NULL);
    SHOWN(r, free_, 201, ROBOT);
    CALL(r, 200, "DELETE", NS "/serviceaccounts/robot", NULL);
    SHOWN(r, free_, 401, NULL);
    rig_close(r);
    keys_release(&k);
}

TEST(tokens_kept_in_secrets)
{
    struct api_opts o = { 0 };
    struct keys     k;
    struct rig     *r;
    struct answer   a;
    struct buf      b = BUF_INIT;
    char            claims[800], token[4096], body[6000], uid[64];

    keys_make(&k, NULL);
    r = open_with(&k, &o);
    a = call(r, "GET", NS "/serviceaccounts/robot", NULL);
    snprintf(uid, sizeof uid, "%.*s", STR_ARG(json_path_str(a.obj, "metadata.uid")));
    answer_free(&a);
    snprintf(claims, sizeof claims,
             "{'iss':'kubernetes/serviceaccount','sub':'" ROBOT "','kubernetes.io/serviceaccount/namespace':'default',"
             "'kubernetes.io/serviceaccount/secret.name':'old','kubernetes.io/serviceaccount/service-account.name':'robot',"
             "'kubernetes.io/serviceaccount/service-account.uid':'%s'}", uid);
    forge(&k, claims, token);
    SHOWN(r, token, 401, NULL);                  /* no secret holds it */
    base64_encode(&b, str_of(token + 7), false);
    snprintf(body, sizeof body, "{'metadata':{'name':'old'},'data':{'token':'%.*s'}}", STR_ARG(buf_str(&b)));
    CALL(r, 201, "POST", NS "/secrets", body);
    SHOWN(r, token, 201, ROBOT);
    CALL(r, 200, "DELETE", NS "/secrets/old", NULL);
    SHOWN(r, token, 401, NULL);
    CALL(r, 201, "POST", NS "/secrets", "{'metadata':{'name':'old'},'data':{'token':'bm90aGluZw=='}}");
    SHOWN(r, token, 401, NULL);
    buf_release(&b);
    rig_close(r);
    keys_release(&k);
}

/* Of abcdef.0123456789abcdef. */
#define BOOT(more) "{'metadata':{'name':'bootstrap-token-abcdef'},'type':'bootstrap.kubernetes.io/token'," \
                   "'stringData':{'token-id':'abcdef','token-secret':'0123456789abcdef'" more "}}"

TEST(bootstrap_tokens)
{
    static const struct { const char *body; int status; } rows[] = {
        { BOOT(",'usage-bootstrap-authentication':'true'"), 201 },
        { BOOT(""), 401 },
        { BOOT(",'usage-bootstrap-authentication':'false'"), 401 },
        { BOOT(",'usage-bootstrap-authentication':'true','expiration':'2020-01-01T00:00:00Z'"), 401 },
        { BOOT(",'usage-bootstrap-authentication':'true','expiration':'2200-01-01T00:00:00Z'"), 201 },
        { BOOT(",'usage-bootstrap-authentication':'true','expiration':'soon'"), 401 },
        { BOOT(",'usage-bootstrap-authentication':'true','auth-extra-groups':'system:bootstrappers:a,system:bootstrappers:b'"), 201 },
        { BOOT(",'usage-bootstrap-authentication':'true','auth-extra-groups':'system:masters'"), 401 },
        { BOOT(",'usage-bootstrap-authentication':'true','auth-extra-groups':'system:bootstrappers:-'"), 401 },
    };
    struct rig *r = rig_open();

    SHOWN(r, "Bearer abcdef.0123456789abcdef", 401, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CALL(r, 201, "POST", SIDE, rows[i].body);
        SHOWN(r, "Bearer abcdef.0123456789abcdef", rows[i].status,
              rows[i].status == 201 ? "system:bootstrap:abcdef" : NULL);
        SHOWN(r, "Bearer abcdef.0123456789abcdee", 401, NULL);
        SHOWN(r, "Bearer ABCDEF.0123456789abcdef", 401, NULL);
        CALL(r, 200, "DELETE", SIDE "/bootstrap-token-abcdef", NULL);
    }
    rig_close(r);
}

TEST(modes)
{
    struct api_opts o = { .authn.no_anonymous = true, .authorization_mode = "AlwaysAllow" };
    struct rig     *r = rig_open_with(&o);

    r->user = "";
    CALL(r, 401, "GET", "/version", NULL);       /* nobody is nobody */
    r->user = "bob";
    CALL(r, 200, "GET", NS "/secrets", NULL);
    rig_close(r);
    o = (struct api_opts){ .authorization_mode = "RBAC,AlwaysDeny" };
    r = rig_open_with(&o);
    r->user = "bob";
    CALL(r, 403, "GET", NS "/secrets", NULL);
    CALL(r, 200, "GET", "/api", NULL);
    rig_close(r);
}

/* ---- The front proxy ----------------------------------------------------------------------------------- */

static const struct exchange_user *seen(struct authn *n, struct arena *a, const char *cn, const unsigned char *root,
                                        const char *user, const char *group)
{
    struct tls_peer    peer = { .common_name = (char *)(uintptr_t)cn };
    struct http_header h[3] = { { STR("x-remote-user"), str_of(user) }, { STR("X-Remote-Group"), str_of(group) },
                                { STR("X-Remote-Extra-Team"), STR("blue") } };
    struct exchange    x = { .arena = a, .headers = h, .n_headers = 3, .tls_peer = &peer };
    struct authn_query q;

    memcpy(peer.root, root, 32);
    CHECK(authn_exchange(n, &x, &q));
    return q.err == 0 ? q.user : NULL;
}

TEST(the_front_proxy_is_told_by_its_ca)
{
    struct rig       *r = rig_open();
    struct arena      a = ARENA_INIT;
    struct buf        cert[2] = { BUF_INIT, BUF_INIT }, key = BUF_INIT;
    unsigned char     root[2][32];
    size_t            n;
    struct authn     *authn;
    const struct exchange_user *u;

    for (int i = 0; i < 2; i++) {
        struct pki_req req = { .common_name = "a CA", .ca = true, .days = 1 };

        must_ok(pki_issue(&req, &cert[i], &key, NULL));
        must_ok(tls_cert_digests(buf_str(&cert[i]), &root[i], 1, &n, NULL));
    }
    struct authn_opts o = { .store = r->store, .loop = sim_machine_loop(r->m), .issuer = "i",
                            .client_ca_pem = buf_str(&cert[0]),
                            .proxy = { .ca_pem = buf_str(&cert[1]), .allowed_names = "front", .user_headers = "X-Remote-User",
                                       .group_headers = "X-Remote-Group", .extra_prefixes = "X-Remote-Extra-" } };
    must_ok(authn_new(&o, &authn, NULL));
    u = seen(authn, &a, "front", root[1], "bob", "team");
    CHECK(u != NULL && str_is(u->name, "bob") && authn_in_group(u, "team") && authn_in_group(u, GROUP_AUTHENTICATED));
    CHECK(u != NULL && u->n_extra == 1 && str_is(u->extra[0].key, "team") && str_is(u->extra[0].value, "blue"));
    u = seen(authn, &a, "back", root[1], "bob", "team");         /* a name that is not allowed */
    CHECK(u != NULL && str_is(u->name, USER_ANONYMOUS));
    u = seen(authn, &a, "front", root[0], "bob", "system:masters");      /* a client that calls itself front */
    CHECK(u != NULL && str_is(u->name, "front") && !authn_in_group(u, GROUP_MASTERS));
    u = seen(authn, &a, "front", root[1], "", "system:masters"); /* says nobody's name: its own counts for nothing */
    CHECK(u != NULL && str_is(u->name, USER_ANONYMOUS));
    authn_free(authn);
    arena_release(&a);
    buf_release(&cert[0]);
    buf_release(&cert[1]);
    buf_release(&key);
    rig_close(r);
}
