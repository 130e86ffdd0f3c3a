/* tools/head_auth.h: who a head believes and who may do what there: its flags, named as the original's. */
#ifndef TOOLS_HEAD_AUTH_H
#define TOOLS_HEAD_AUTH_H

#include "api/server.h"

struct head_auth_flags {
    bool anonymous, bootstrap;
    const char *audiences, *jwks_uri, *modes;
    const char *authz_config, *authz_failure, *token_config;
    uint64_t allowed_ttl_ms, refused_ttl_ms, token_ttl_ms;
    struct authn_oidc oidc;
    const char *oidc_ca;
    struct authn_proxy proxy;
    const char *proxy_ca;
};

#define HEAD_AUTH_DEFAULTS \
    { .anonymous = true, .bootstrap = true, \
      .proxy = { .user_headers = "X-Remote-User", .group_headers = "X-Remote-Group", \
                 .extra_prefixes = "X-Remote-Extra-", .uid_headers = "X-Remote-Uid" } }

/* Its rows in the table of the head's flags. */
#define HEAD_AUTH_FLAGS(f) \
    { "anonymous-auth", NULL, FLAG_BOOL, &(f).anonymous, NULL, \
      "who shows nothing is system:anonymous, for whom roles say what is allowed (default true)" }, \
    { "enable-bootstrap-token-auth", NULL, FLAG_BOOL, &(f).bootstrap, NULL, \
      "believe tokens of secrets of type bootstrap.kubernetes.io/token (default true)" }, \
    { "api-audiences", NULL, FLAG_STRING, &(f).audiences, "NAMES", \
      "for whom tokens must be, by commas (default: the issuer)" }, \
    { "service-account-jwks-uri", NULL, FLAG_STRING, &(f).jwks_uri, "URL", \
      "where others find the keys of service account tokens (default: here)" }, \
    { "authorization-mode", NULL, FLAG_STRING, &(f).modes, "MODES", \
      "asked in this order: Node, RBAC, Webhook, AlwaysAllow, AlwaysDeny (default Node,RBAC)" }, \
    { "authorization-webhook-config-file", NULL, FLAG_STRING, &(f).authz_config, "FILE", \
      "kubeconfig of the server that mode Webhook asks" }, \
    { "authorization-webhook-cache-authorized-ttl", NULL, FLAG_DURATION_MS, &(f).allowed_ttl_ms, "TIME", \
      "how long its yes holds (default 5m)" }, \
    { "authorization-webhook-cache-unauthorized-ttl", NULL, FLAG_DURATION_MS, &(f).refused_ttl_ms, "TIME", \
      "how long its no holds (default 30s)" }, \
    { "authorization-webhook-failure-policy", NULL, FLAG_STRING, &(f).authz_failure, "POLICY", \
      "when it does not answer: NoOpinion (the next mode is asked) or Deny (default NoOpinion)" }, \
    { "authentication-token-webhook-config-file", NULL, FLAG_STRING, &(f).token_config, "FILE", \
      "kubeconfig of a server that knows tokens" }, \
    { "authentication-token-webhook-cache-ttl", NULL, FLAG_DURATION_MS, &(f).token_ttl_ms, "TIME", \
      "how long its answers hold (default 2m)" }, \
    { "oidc-issuer-url", NULL, FLAG_STRING, &(f).oidc.issuer_url, "URL", "OpenID Connect issuer" }, \
    { "oidc-client-id", NULL, FLAG_STRING, &(f).oidc.client_id, "ID", "for whom its tokens must be" }, \
    { "oidc-ca-file", NULL, FLAG_STRING, &(f).oidc_ca, "FILE", \
      "who signs its certificate (default: whom this machine trusts)" }, \
    { "oidc-username-claim", NULL, FLAG_STRING, &(f).oidc.username_claim, "CLAIM", "(default sub)" }, \
    { "oidc-username-prefix", NULL, FLAG_STRING, &(f).oidc.username_prefix, "TEXT", \
      "before users' names; - for none (default the issuer and #, but none for email)" }, \
    { "oidc-groups-claim", NULL, FLAG_STRING, &(f).oidc.groups_claim, "CLAIM", "(default none)" }, \
    { "oidc-groups-prefix", NULL, FLAG_STRING, &(f).oidc.groups_prefix, "TEXT", "before groups' names" }, \
    { "oidc-required-claim", NULL, FLAG_STRING, &(f).oidc.required_claims, "KEY=VALUE", \
      "what its tokens must say; several separated by commas" }, \
    { "oidc-signing-algs", NULL, FLAG_STRING, &(f).oidc.signing_algs, "NAMES", \
      "of its signatures (default RS256)" }, \
    { "requestheader-client-ca-file", NULL, FLAG_STRING, &(f).proxy_ca, "FILE", \
      "CA of a front proxy that says in headers who it speaks for" }, \
    { "requestheader-allowed-names", NULL, FLAG_STRING, &(f).proxy.allowed_names, "NAMES", \
      "of its certificate (default any)" }, \
    { "requestheader-username-headers", NULL, FLAG_STRING, &(f).proxy.user_headers, "NAMES", \
      "(default X-Remote-User)" }, \
    { "requestheader-uid-headers", NULL, FLAG_STRING, &(f).proxy.uid_headers, "NAMES", \
      "(default X-Remote-Uid)" }, \
    { "requestheader-group-headers", NULL, FLAG_STRING, &(f).proxy.group_headers, "NAMES", \
      "(default X-Remote-Group)" }, \
    { "requestheader-extra-headers-prefix", NULL, FLAG_STRING, &(f).proxy.extra_prefixes, "NAMES", \
      "(default X-Remote-Extra-)" },

/* Fill in what the flags say; files are read into a. */
int head_auth_load(struct arena *a, const struct head_auth_flags *f, struct api_opts *o, struct errbuf *err);

#endif
