/* test/tools/kubeconfig_test.c: what `up` writes reads back; relative files, contexts, and what is refused. */
#include <sys/stat.h>
#include <stdlib.h>
#include "test/test.h"
#include "tools/cluster.h"
#include "tools/kubeconfig.h"

static void put(const char *dir, const char *name, const char *text)
{
    char path[300];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "w");
    CHECK(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int load(struct arena *a, const char *dir, const char *context, struct kubeconfig *k, struct errbuf *err)
{
    return kubeconfig_load(a, arena_fmt(a, "%s/admin.kubeconfig", dir).p, context, k, err);
}

TEST(what_is_written_reads_back)
{
    const char *dir = test_dir();
    struct cluster c = { .name = "t", .n_heads = 2, .api_port = { 6443, 7443 } };
    struct arena a = ARENA_INIT;
    struct errbuf err = { "" };
    struct kubeconfig k;
    char pki[300];

    snprintf(c.data, sizeof c.data, "%s", dir);
    CHECK(cluster_write_kubeconfig(&c, &err) != 0);      /* there are no certificates */
    snprintf(pki, sizeof pki, "%s/pki", dir);
    CHECK_INT(mkdir(pki, 0700), 0);
    put(pki, "ca.crt", "the CA\n");
    put(pki, "admin.crt", "the certificate\n");
    put(pki, "admin.key", "the key\n");
    CHECK_INT(cluster_write_kubeconfig(&c, &err), 0);
    CHECK_INT(load(&a, dir, NULL, &k, &err), 0);
    CHECK_STR(k.server, "https://127.0.0.1:6443");
    CHECK_STR(k.ca_pem, "the CA\n");
    CHECK_STR(k.cert_pem, "the certificate\n");
    CHECK_STR(k.key_pem, "the key\n");
    CHECK(k.token.n == 0 && k.ns.n == 0 && !k.insecure);
    CHECK_INT(load(&a, dir, "head-2", &k, &err), 0);
    CHECK_STR(k.server, "https://127.0.0.1:7443");
    CHECK(load(&a, dir, "head-3", &k, &err) != 0);
    CHECK(strstr(err.s, "head-3") != NULL);
    arena_release(&a);
}

#define FILE_OF(cluster, user) "current-context: c\ncontexts:\n- {name: c, context: {cluster: k, user: u, namespace: ns1}}\n" \
                               "clusters:\n- {name: k, cluster: {server: 'https://h:1'" cluster "}}\n" \
                               "users:\n- {name: u, user: {" user "}}\n"

TEST(files_and_tokens)
{
    const char *dir = test_dir();
    struct arena a = ARENA_INIT;
    struct errbuf err = { "" };
    struct kubeconfig k;

    put(dir, "ca.pem", "CA");
    put(dir, "token", " secret\n");
    put(dir, "admin.kubeconfig", FILE_OF(", certificate-authority: ca.pem, tls-server-name: kubernetes", "tokenFile: token"));
    CHECK_INT(load(&a, dir, NULL, &k, &err), 0);
    CHECK_STR(k.ca_pem, "CA");
    CHECK_STR(k.tls_name, "kubernetes");
    CHECK_STR(k.token, "secret");
    CHECK_STR(k.ns, "ns1");
    put(dir, "admin.kubeconfig", FILE_OF(", insecure-skip-tls-verify: true", "token: t, tokenFile: nowhere"));
    CHECK_INT(load(&a, dir, NULL, &k, &err), 0);
    CHECK(k.insecure);
    CHECK_STR(k.token, "t");
    arena_release(&a);
}

TEST(what_is_refused)
{
    static const char *const bad[] = {
        "", "[]", "a: [", "current-context: c\n", FILE_OF(", certificate-authority-data: '*'", ""),
        FILE_OF(", certificate-authority: nowhere.pem", ""), FILE_OF("", "exec: {command: x}"),
        FILE_OF("", "client-key: /nowhere"), "current-context: c\ncontexts:\n- {name: c, context: {cluster: k}}\n",
    };
    const char *dir = test_dir();
    struct arena a = ARENA_INIT;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct kubeconfig k = { .server = STR("untouched") };
        struct errbuf err = { "" };
        put(dir, "admin.kubeconfig", bad[i]);
        CHECK(load(&a, dir, NULL, &k, &err) != 0);
        CHECK(err.s[0] != '\0');
        CHECK_STR(k.server, "untouched");
    }
    arena_release(&a);
}
