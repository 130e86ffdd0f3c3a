/* test/bench/auth_bench.c: what it costs to know who sends a request and what he may do: microseconds of CPU.
 *
 *     make build/test/bench/auth_bench && build/test/bench/auth_bench [--rows]
 *
 * One head in the simulated world with 10,000 bindings of 100 roles in 1,000 namespaces; the figures are of the
 * head's own functions, as requests call them.  --rows: as rows for run.sh. */
#include <time.h>
#include "api/call.h"
#include "net/tls.h"
#include "test/api/api_rig.h"

#define BINDINGS   10000
#define NAMESPACES 1000
#define ROLES      100
#define BATCHES    12
#define ROUNDS     2000

void test_fail(const char *file, int line, const char *fmt, ...)
{
    (void)fmt;
    fprintf(stderr, "%s:%d: what is to be measured does not work\n", file, line);
    abort();
}

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct rig *r;
static char        token[4096];
static struct key_set *keys;
static const struct str groups[] = {
    { "system:serviceaccounts", 22 }, { "system:serviceaccounts:n500", 27 }, { "system:authenticated", 20 },
};
static const struct exchange_user account = { { "system:serviceaccount:n500:robot", 32 }, { NULL, 0 }, groups, 3, NULL, 0 };

/* Written straight to the store: what is measured is the index. */
struct put { struct store_commit commit; };

static void on_put(struct store_commit *c, int err)
{
    must(err == 0);
    mem_free(container_of(c, struct put, commit));
}

static void put(struct arena *a, struct str key, struct str value)
{
    struct put      *p = mem_new(struct put);
    struct store_txn t;

    (void)a;
    p->commit.done = on_put;
    store_txn_init(&t);
    store_txn_put(&t, key, value, STORE_NO_REV, 0, 0);
    store_commit(r->store, &p->commit, &t);
    store_txn_release(&t);
}

static void fill_in(void *arg)
{
    struct arena a = ARENA_INIT;

    (void)arg;
    for (unsigned i = 0; i < ROLES; i++)
        put(&a, arena_fmt(&a, "/registry/clusterroles/r%u", i),
            arena_fmt(&a, "{\"metadata\":{\"name\":\"r%u\"},\"rules\":[{\"apiGroups\":[\"apps\"],\"resources\":"
                          "[\"deployments\",\"replicasets\"],\"verbs\":[\"get\",\"list\",\"watch\"]},{\"apiGroups\":[\"\"],"
                          "\"resources\":[\"pods\",\"pods/log\",\"configmaps\"],\"verbs\":[\"get\",\"list\",\"watch\"]}]}", i));
    for (unsigned i = 0; i < BINDINGS; i++)
        put(&a, arena_fmt(&a, "/registry/rolebindings/n%u/b%u", i % NAMESPACES, i),
            arena_fmt(&a, "{\"metadata\":{\"name\":\"b%u\",\"namespace\":\"n%u\"},\"roleRef\":{\"kind\":\"ClusterRole\","
                          "\"name\":\"r%u\"},\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"%s\","
                          "\"namespace\":\"n%u\"},{\"kind\":\"Group\",\"name\":\"team%u\"}]}",
                      i, i % NAMESPACES, i % ROLES, i < NAMESPACES ? "robot" : "other", i % NAMESPACES, i));
    arena_release(&a);
}

static void ask(struct arena *a, struct authz_query *q, const char *verb)
{
    *q = (struct authz_query){
        .arena = a,
        .attr = { .user = &account, .verb = verb, .version = STR("v1"), .resource = STR("pods"), .ns = STR("n500"),
                  .name = STR("web-1"), .is_resource = true },
    };
    must(authz_ask(r->api->authz, q));
}

static void step_allowed(struct arena *a)
{
    struct authz_query q;

    ask(a, &q, "get");
    must(q.decision == AUTHZ_ALLOW);
}

static void step_refused(struct arena *a)
{
    struct authz_query q;

    ask(a, &q, "delete");
    must(q.decision == AUTHZ_NONE);
}

static void step_token(struct arena *a)
{
    struct authn_query q = { .arena = a, .token = str_of(token) };

    must(authn_token(r->api->authn, &q) && q.err == 0);
}

static void step_verify(struct arena *a)
{
    struct jwt t;

    must(jwt_parse(a, str_of(token), &t, NULL) == 0 && key_set_verify(keys, &t));
}

static const struct { const char *name; void (*run)(struct arena *a); double target_us; } steps[] = {
    { "RBAC decision with 10,000 bindings: allowed", step_allowed, 2 },
    { "RBAC decision with 10,000 bindings: refused", step_refused, 2 },
    { "service account token, verified before", step_token, 1 },
    { "service account token, its signature (on the thread pool)", step_verify, 150 },
};

static double measure(void (*run)(struct arena *a))
{
    struct arena a = ARENA_INIT;
    double       best = 0;

    arena_init_sized(&a, 16384);
    for (unsigned batch = 0; batch < BATCHES; batch++) {
        double from = cpu_us(), took;

        for (unsigned i = 0; i < ROUNDS; i++) {
            run(&a);
            arena_reset(&a);
        }
        took = (cpu_us() - from) / ROUNDS;
        best = batch == 0 || took < best ? took : best;
    }
    arena_release(&a);
    return best;
}

static void measure_in(void *arg)
{
    bool rows = *(bool *)arg;

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        double us = measure(steps[i].run);

        if (rows)
            printf("| %s | ≤ %.0f µs | %.2f µs |\n", steps[i].name, steps[i].target_us, us);
        else
            printf("%-60s %8.3f us\n", steps[i].name, us);
    }
}

int main(int argc, char **argv)
{
    bool            rows = argc > 1 && strcmp(argv[1], "--rows") == 0;
    struct buf      key = BUF_INIT, pub = BUF_INIT;
    struct api_opts o = { 0 };
    struct answer   a;

    must_ok(pki_new_key(&key, &pub, NULL));
    must_ok(key_set_from_pem(buf_str(&pub), &keys, NULL));
    o.service_account_key_pem = buf_str(&key);
    o.service_account_pub_pem = buf_str(&pub);
    r = rig_open_with(&o);
    a = call(r, "POST", "/api/v1/namespaces/default/serviceaccounts", "{'metadata':{'name':'robot'}}");
    answer_free(&a);
    a = call(r, "POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", "{}");
    snprintf(token, sizeof token, "Bearer %.*s", STR_ARG(json_path_str(a.obj, "status.token")));
    answer_free(&a);
    r->bearer = token;
    CALL(r, 403, "GET", "/api/v1/pods", NULL);   /* verified once */
    memmove(token, token + 7, strlen(token) - 6);
    sim_do(r->m, fill_in, NULL);
    rig_run(r, 5000);
    sim_do(r->m, measure_in, &rows);
    rig_close(r);
    key_set_unref(keys);
    buf_release(&key);
    buf_release(&pub);
    return 0;
}
