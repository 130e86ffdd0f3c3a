/* tools/cluster_pki.c: keys, certificates and kubeconfig of a cluster on this machine. */
#include <stdio.h>
#include <unistd.h>
#include "net/tls.h"
#include "tools/cluster.h"
#include "tools/flags.h"
#include "node/files.h"

#define CERT_DAYS 3650

struct pki {
    const struct cluster *c;
    struct buf ca_cert, ca_key;
};

static bool exists(const struct cluster *c, const char *name)
{
    struct cluster_text path;
    return access(cluster_path(c, &path, "/pki/%s", name), F_OK) == 0;
}

static int write_pair(const struct cluster *c, const char *name, const char *cert_end, const char *key_end,
                      struct buf *cert, struct buf *key, struct errbuf *err)
{
    struct cluster_text path;
    int rc = file_replace(cluster_path(c, &path, "/pki/%s.%s", name, key_end), buf_str(key), 0600, true, err);

    return rc == 0 ? file_replace(cluster_path(c, &path, "/pki/%s.%s", name, cert_end), buf_str(cert), 0644,
                                  true, err)
                   : rc;
}

static int open_ca(struct pki *p, struct errbuf *err)
{
    struct pki_req r = { .common_name = "coracle-ca", .ca = true, .days = CERT_DAYS };
    struct cluster_text path;
    int rc;

    if (exists(p->c, "ca.crt")) {
        rc = file_read(cluster_path(p->c, &path, "/pki/ca.crt"), TOOLS_FILE_MAX, &p->ca_cert, err);
        return rc == 0 ? file_read(cluster_path(p->c, &path, "/pki/ca.key"), TOOLS_FILE_MAX, &p->ca_key, err)
                       : rc;
    }
    rc = pki_issue(&r, &p->ca_cert, &p->ca_key, err);
    return rc == 0 ? write_pair(p->c, "ca", "crt", "key", &p->ca_cert, &p->ca_key, err) : rc;
}

static int issue(struct pki *p, const char *name, const char *cn, const char *org, const char *const *sans,
                 size_t n_sans, struct errbuf *err)
{
    struct buf cert = BUF_INIT, key = BUF_INIT;
    char file[64];
    struct pki_req r = { .common_name = cn,
                         .organizations = &org,
                         .n_organizations = org != NULL,
                         .sans = sans,
                         .n_sans = n_sans,
                         .server = n_sans > 0,
                         .client = true,
                         .days = CERT_DAYS,
                         .ca_cert_pem = buf_str(&p->ca_cert),
                         .ca_key_pem = buf_str(&p->ca_key) };
    int rc = 0;

    snprintf(file, sizeof file, "%s.crt", name);
    if (exists(p->c, file))
        return 0;
    rc = pki_issue(&r, &cert, &key, err);
    if (rc == 0)
        rc = write_pair(p->c, name, "crt", "key", &cert, &key, err);
    buf_release(&cert);
    buf_release(&key);
    return rc != 0 ? err_wrap(err, rc, "certificate %s", name) : 0;
}

static int issue_nodes(struct pki *p, struct errbuf *err)
{
    for (unsigned i = 1; i <= p->c->n_nodes; i++) {
        struct cluster_text ip;
        char name[32], cn[64];
        snprintf(name, sizeof name, "node-%u", i);
        snprintf(cn, sizeof cn, "system:node:%s", name);
        const char *sans[] = { name, cluster_node_ip(p->c, &ip, i) };
        int rc = issue(p, name, cn, "system:nodes", sans, 2, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int write_token_key(const struct cluster *c, struct errbuf *err)
{
    struct buf key = BUF_INIT, pub = BUF_INIT;
    int rc;

    if (exists(c, "sa.key"))
        return 0;
    rc = pki_new_key(&key, &pub, err);
    if (rc == 0)
        rc = write_pair(c, "sa", "pub", "key", &pub, &key, err);
    buf_release(&key);
    buf_release(&pub);
    return rc;
}

int cluster_write_pki(const struct cluster *c, struct errbuf *err)
{
    struct pki p = { .c = c, .ca_cert = BUF_INIT, .ca_key = BUF_INIT };
    struct cluster_text gateway;
    const char *sans[] = { "127.0.0.1",
                           "localhost",
                           cluster_gateway(c, &gateway),
                           "10.96.0.1",
                           "kubernetes",
                           "kubernetes.default",
                           "kubernetes.default.svc",
                           "kubernetes.default.svc.cluster.local" };
    int rc = open_ca(&p, err);

    if (rc == 0)
        rc = issue(&p, "head", "coracle-head", HEAD_ORGANIZATION, sans, ARRAY_LEN(sans), err);
    if (rc == 0)
        rc = issue(&p, "head-to-node", "kube-apiserver-kubelet-client", NULL, NULL, 0, err);
    if (rc == 0)
        rc = issue(&p, "admin", "kubernetes-admin", "system:masters", NULL, 0, err);
    if (rc == 0)
        rc = issue_nodes(&p, err);
    if (rc == 0)
        rc = write_token_key(c, err);
    buf_release(&p.ca_cert);
    buf_release(&p.ca_key);
    return rc;
}

/* ---- kubeconfig: one context per head; "coracle", the current one, is the first head ---------------- */

static int add_base64(struct buf *out, const struct cluster *c, const char *key, const char *file,
                      struct errbuf *err)
{
    struct cluster_text path;
    struct buf pem = BUF_INIT;
    int rc = file_read(cluster_path(c, &path, "/pki/%s", file), TOOLS_FILE_MAX, &pem, err);

    if (rc == 0) {
        buf_fmt(out, "    %s: ", key);
        base64_encode(out, buf_str(&pem), false);
        buf_char(out, '\n');
    }
    buf_release(&pem);
    return rc;
}

int cluster_write_kubeconfig(const struct cluster *c, struct errbuf *err)
{
    struct cluster_text path;
    struct buf b = BUF_INIT;
    int rc = 0;

    buf_z(&b, "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: coracle\nclusters:\n");
    for (unsigned i = 0; i < c->n_heads && rc == 0; i++) {
        buf_fmt(&b, "- name: head-%u\n  cluster:\n    server: https://127.0.0.1:%u\n", i + 1, c->api_port[i]);
        rc = add_base64(&b, c, "certificate-authority-data", "ca.crt", err);
    }
    buf_z(&b, "contexts:\n- name: coracle\n  context: {cluster: head-1, user: admin}\n");
    for (unsigned i = 0; i < c->n_heads; i++)
        buf_fmt(&b, "- name: head-%u\n  context: {cluster: head-%u, user: admin}\n", i + 1, i + 1);
    buf_z(&b, "users:\n- name: admin\n  user:\n");
    if (rc == 0)
        rc = add_base64(&b, c, "client-certificate-data", "admin.crt", err);
    if (rc == 0)
        rc = add_base64(&b, c, "client-key-data", "admin.key", err);
    if (rc == 0)
        rc = file_replace(cluster_path(c, &path, "/admin.kubeconfig"), buf_str(&b), 0600, true, err);
    buf_release(&b);
    return rc;
}
