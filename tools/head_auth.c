/* tools/head_auth.c: see tools/head_auth.h. */
#include "node/files.h"
#include "tools/flags.h"
#include "tools/head_auth.h"
#include "tools/kubeconfig.h"

#define MACHINE_CA "/etc/ssl/certs/ca-certificates.crt"

static int read_text(struct arena *a, const char *path, struct str *ret, struct errbuf *err)
{
    struct buf b = BUF_INIT;
    int        rc = file_read(path, TOOLS_FILE_MAX, &b, err);

    if (rc == 0)
        *ret = arena_str(a, buf_str(&b));
    buf_release(&b);
    return rc;
}

/* A kubeconfig names the server, and who we are there. */
static int read_remote(struct arena *a, const char *path, struct remote_opts *ret, struct errbuf *err)
{
    struct kubeconfig k;
    int               rc = kubeconfig_load(a, path, NULL, &k, err);

    if (rc < 0)
        return rc;
    ret->url = arena_cstr(a, k.server);
    ret->ca_pem = k.ca_pem;
    ret->cert_pem = k.cert_pem;
    ret->key_pem = k.key_pem;
    ret->bearer = k.token;
    return 0;
}

static int load_webhooks(struct arena *a, const struct head_auth_flags *f, struct api_opts *o,
                         struct errbuf *err)
{
    int rc = 0;

    if (f->token_config != NULL)
        rc = read_remote(a, f->token_config, &o->authn.webhook, err);
    if (rc == 0 && f->authz_config != NULL)
        rc = read_remote(a, f->authz_config, &o->authz_webhook.remote, err);
    if (rc == 0 && f->authz_failure != NULL && strcmp(f->authz_failure, "NoOpinion") != 0 &&
        strcmp(f->authz_failure, "Deny") != 0)
        rc = err_set(err, E_INVALID, "--authorization-webhook-failure-policy %s: must be NoOpinion or Deny",
                     f->authz_failure);
    o->authn.webhook_ttl_ms = f->token_ttl_ms;
    o->authz_webhook.allowed_ttl_ms = f->allowed_ttl_ms;
    o->authz_webhook.refused_ttl_ms = f->refused_ttl_ms;
    o->authz_webhook.deny_on_failure = f->authz_failure != NULL && strcmp(f->authz_failure, "Deny") == 0;
    return rc;
}

int head_auth_load(struct arena *a, const struct head_auth_flags *f, struct api_opts *o, struct errbuf *err)
{
    int rc = load_webhooks(a, f, o, err);

    o->jwks_uri = f->jwks_uri;
    o->authorization_mode = f->modes;
    o->authn.audiences = f->audiences;
    o->authn.no_anonymous = !f->anonymous;
    o->authn.no_bootstrap = !f->bootstrap;
    o->authn.oidc = f->oidc;
    o->authn.proxy = f->proxy;
    if (rc == 0 && f->oidc.issuer_url != NULL)
        rc = read_text(a, f->oidc_ca != NULL ? f->oidc_ca : MACHINE_CA, &o->authn.oidc.ca_pem, err);
    if (rc == 0 && f->proxy_ca != NULL)
        rc = read_text(a, f->proxy_ca, &o->authn.proxy.ca_pem, err);
    return rc;
}
