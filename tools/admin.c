/* tools/admin.c: see tools/admin.h. */
#include <stdlib.h>
#include "net/real_loop.h"
#include "tools/admin.h"

#define ADMIN_CALL_MS  20000
#define ADMIN_WAIT_MS  10000                     /* how long a cluster without a leader is asked again */
#define ADMIN_AGAIN_MS 100

/* ---- Where to ------------------------------------------------------------------------------------- */

void admin_init(struct admin *a, const struct command *cmd)
{
    *a = (struct admin){ .cmd = cmd, .kubeconfig = getenv("KUBECONFIG") };
    arena_init(&a->arena);
}

static void admin_on_again(struct timer *t)
{
    loop_stop(container_of(t, struct admin, again)->loop);
}

int admin_open(struct admin *a, struct errbuf *err)
{
    struct tls_opts o = { 0 };
    struct str url[FLAG_MAX_STRINGS];
    int rc;

    if (a->kubeconfig != NULL
        && (rc = kubeconfig_load(&a->arena, a->kubeconfig, a->context, &a->k, err)) != 0)
        return rc;
    if (a->k.server.n == 0 && a->servers.n == 0)
        return err_set(err, E_INVALID, "needs --kubeconfig (or KUBECONFIG) of an administrator");
    o.ca_pem = a->k.insecure ? STR_NONE : a->k.ca_pem;
    o.cert_pem = a->k.cert_pem;
    o.key_pem = a->k.key_pem;
    if ((rc = tls_ctx_new(&o, &a->tls, err)) != 0)
        return err_wrap(err, rc, "%s", a->kubeconfig != NULL ? a->kubeconfig : "TLS");
    a->headers[a->n_headers++] = (struct http_header){ STR("Content-Type"), STR("application/json") };
    if (a->k.token.n > 0)
        a->headers[a->n_headers++] = (struct http_header){ STR("Authorization"),
            arena_fmt(&a->arena, "Bearer %.*s", STR_ARG(a->k.token)) };
    url[0] = a->k.server;
    for (unsigned i = 0; i < a->servers.n; i++)
        url[i] = str_of(a->servers.v[i]);
    a->loop = loop_new_real();
    timer_init(&a->again, a->loop, admin_on_again);
    return admin_connect(a, url, MAX_OF(a->servers.n, 1u), &a->http, err);
}

void admin_close(struct admin *a)
{
    if (a->http != NULL)
        http_client_free(a->http);
    tls_ctx_free(a->tls);
    arena_release(&a->arena);
}

int admin_connect(struct admin *a, const struct str *url, size_t n, struct http_client **ret,
                  struct errbuf *err)
{
    const char *addr[FLAG_MAX_STRINGS];
    struct http_client_opts o = { .addrs = addr, .n_addrs = n };
    bool plain = false;
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = kubeconfig_address(&a->arena, url[i], &plain, &addr[i], err);
    if (rc != 0)
        return rc;
    o.tls = plain ? NULL : a->tls;
    o.tls_name = a->k.tls_name.n > 0 ? arena_cstr(&a->arena, a->k.tls_name) : NULL;
    return http_client_new(a->loop, &o, ret, err);
}

/* ---- Requests ------------------------------------------------------------------------------------- */

static void admin_on_done(void *arg, struct http_call *c, int err, const char *reason, int status,
                          struct str body)
{
    struct admin *a = arg;

    a->status = err == 0 ? status : 0;
    a->body = arena_str(&a->arena, body);
    a->reason = arena_str(&a->arena, str_of(reason != NULL ? reason : err_text(err)));
    loop_stop(a->loop);
}

static void admin_try(struct admin *a, struct http_client *http, const char *method, struct str path,
                      struct str body)
{
    struct http_call_opts o = { .method = method, .target = path, .headers = a->headers,
                                .n_headers = a->n_headers, .timeout_ms = ADMIN_CALL_MS,
                                .on_done = admin_on_done, .arg = a };
    struct errbuf err;

    o.body = body.n > 0 ? blob_copy(body) : NULL;
    if (http_call(http, &o, NULL, &err) == 0) {
        loop_run(a->loop);
    } else {
        a->status = 0;
        a->reason = arena_str(&a->arena, str_of(err.s));
    }
    blob_unref(o.body);
}

void admin_call(struct admin *a, const char *method, struct str path, struct str body)
{
    uint64_t until = loop_now_ms(a->loop) + ADMIN_WAIT_MS;

    admin_try(a, a->http, method, path, body);
    while (a->status == 503 && loop_now_ms(a->loop) < until) {
        timer_start(&a->again, ADMIN_AGAIN_MS);
        loop_run(a->loop);
        admin_try(a, a->http, method, path, body);
    }
}

/* ---- Answers -------------------------------------------------------------------------------------- */

struct json *admin_answer(struct admin *a)
{
    struct json_error bad;
    struct json *j = NULL;

    return json_parse(&a->arena, a->body, &j, &bad) == 0 ? j : NULL;
}

int admin_failed(struct admin *a)
{
    struct str message = json_str(json_getz(admin_answer(a), "message"));

    if (a->status == 0)
        return fail(a->cmd, "no head answers: %.*s", STR_ARG(a->reason));
    if (message.n == 0)
        return fail(a->cmd, "the head answers %d: %.*s", a->status, STR_ARG(a->body));
    return fail(a->cmd, "%.*s", STR_ARG(message));
}

struct json *admin_members(struct admin *a)
{
    struct http_client *http;
    struct json *j, *better;
    struct str url = STR_NONE;

    admin_call(a, "GET", STR(ADMIN_MEMBERS_PATH), STR_NONE);
    j = a->status == 200 ? admin_answer(a) : NULL;
    if (j == NULL || json_path_i64(j, "self", 0) == json_path_i64(j, "leader", 0))
        return j;
    json_each(it, json_getz(j, "members"))
        if (json_true(json_getz(it, "leader")))
            url = json_str(json_getz(it, "apiURL"));
    if (url.n == 0 || admin_connect(a, &url, 1, &http, NULL) != 0)
        return j;
    admin_try(a, http, "GET", STR(ADMIN_MEMBERS_PATH), STR_NONE);
    better = a->status == 200 ? admin_answer(a) : NULL;
    http_client_free(http);
    return better != NULL ? better : j;
}
