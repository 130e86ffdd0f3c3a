/* api/parts.c: see api/parts.h. */
#include "api/admit.h"
#include "api/audit/audit.h"
#include "api/authz_node.h"
#include "api/call.h"
#include "api/mirror.h"
#include "api/parts.h"
#include "api/policy/policy.h"
#include "api/registry.h"
#include "api/rbac/rbac.h"
#include "api/rbac/reconcile.h"

static int mirror_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    (void)err;
    a->mirror = mirror_new(o->store);
    return 0;
}

static void mirror_close(struct api *a)
{
    mirror_free(a->mirror);
    a->mirror = NULL;
}

static int authn_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    struct authn_opts ao = o->authn;

    ao.store = o->store;
    ao.loop = o->loop;
    ao.issuer = a->issuer;
    ao.pub_pem = o->service_account_pub_pem;
    ao.token_lines = o->token_lines;
    ao.client_ca_pem = o->ca_pem;
    return authn_new(&ao, &a->authn, err);
}

static void authn_close(struct api *a)
{
    authn_free(a->authn);
    a->authn = NULL;
}

static int rbac_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    (void)o;
    (void)err;
    a->rbac = rbac_new(a->mirror);
    return 0;
}

static void rbac_close(struct api *a)
{
    rbac_reconcile_stop(a);
    rbac_free(a->rbac);
    a->rbac = NULL;
}

static int open_webhook(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    if (o->authz_webhook.remote.url == NULL)
        return err_set(err, E_INVALID, "Webhook: needs the configuration of a server to ask");
    return authz_webhook_new(o->loop, &o->authz_webhook, &a->authz_webhook, err);
}

/* One of --authorization-mode. */
static int add_mode(struct api *a, const struct api_opts *o, struct str mode, struct errbuf *err)
{
    int rc = 0;

    if (str_is(mode, "Node") && a->authz_node == NULL) {
        a->authz_node = authz_node_new(a->mirror, o->store);
        authz_add(a->authz, &(struct authorizer){ "Node", authz_node_ask, NULL, a->authz_node });
    } else if (str_is(mode, "RBAC")) {
        authz_add(a->authz, &(struct authorizer){ "RBAC", rbac_ask, rbac_cancel, a->rbac });
    } else if (str_is(mode, "Webhook") && a->authz_webhook == NULL) {
        rc = open_webhook(a, o, err);
        if (rc == 0)
            authz_add(a->authz, &(struct authorizer){ "Webhook", authz_webhook_ask, authz_webhook_cancel,
                                                      a->authz_webhook });
    } else if (str_is(mode, "AlwaysAllow")) {
        authz_add(a->authz, &(struct authorizer){ .name = "AlwaysAllow", .ask = authz_always_allow });
    } else if (str_is(mode, "AlwaysDeny")) {
        authz_add(a->authz, &(struct authorizer){ .name = "AlwaysDeny", .ask = authz_always_deny });
    } else {
        rc = err_set(err, E_INVALID, "authorization-mode %.*s: must be of Node, RBAC, Webhook, AlwaysAllow, "
                                     "AlwaysDeny, each once", STR_ARG(mode));
    }
    return rc;
}

static int authz_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    struct str rest = str_of(o->authorization_mode != NULL ? o->authorization_mode : "Node,RBAC"), mode;
    unsigned   n = 0;
    int        rc = 0;

    a->authz = authz_new();
    while (rc == 0 && str_split(&rest, ',', &mode))
        rc = ++n < AUTHZ_CHAIN_MAX ? add_mode(a, o, str_trim(mode), err)
                                   : err_set(err, E_INVALID, "authorization-mode: too many");
    return rc;
}

static void authz_close(struct api *a)
{
    authz_free(a->authz);
    authz_node_free(a->authz_node);
    authz_webhook_free(a->authz_webhook);
    a->authz_webhook = NULL;
    a->authz = NULL;
    a->authz_node = NULL;
}

static int admission_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    struct admit_opts ao = {
        .enable = o->enable_admission, .disable = o->disable_admission, .config = o->admission_config,
    };

    return admit_open(a->loop, &ao, &a->admit, err);
}

static void admission_close(struct api *a)
{
    admit_free(a->admit);
    a->admit = NULL;
}

static int policies_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    (void)o;
    (void)err;
    a->policies = policies_new(a->mirror);
    return 0;
}

static void policies_close(struct api *a)
{
    policies_free(a->policies);
    a->policies = NULL;
}

static int auditing_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    return o->audit != NULL ? audit_open(a, o->audit, &a->audit, err) : 0;
}

static void auditing_close(struct api *a)
{
    audit_close(a->audit);
    a->audit = NULL;
}

static const struct api_part parts[] = {
    { "audit", auditing_open, auditing_close },
    { "mirror", mirror_open, mirror_close },
    { "authentication", authn_open, authn_close },
    { "roles", rbac_open, rbac_close },
    { "authorization", authz_open, authz_close },
    { "admission", admission_open, admission_close },
    { "policies", policies_open, policies_close },
    { "custom resources", registry_open, registry_close },
};

int parts_open(struct api *a, const struct api_opts *o, struct errbuf *err)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int rc = parts[i].open(a, o, err);

        if (rc < 0)
            return err_wrap(err, rc, "%s", parts[i].name);
    }
    return 0;
}

void parts_close(struct api *a)
{
    for (size_t i = ARRAY_LEN(parts); i-- > 0;)
        parts[i].close(a);
}
