/* api/admit/certificates.c: CertificateApproval and CertificateSigning: who lets a request for a
 * certificate pass, or signs it, needs the right to do so for its signer; CertificateSubjectRestriction:
 * nobody becomes an administrator by such a request. */
#include "api/admit/plugin.h"
#include "api/kinds/kinds_impl.h"
#include "net/tls.h"

#define GROUP "certificates.k8s.io"
#define CLIENT_SIGNER "kubernetes.io/kube-apiserver-client"

/* The signer by name, or all of its domain. */
static bool ask_about_signer(struct admission *a, const char *verb, const char *refusal)
{
    struct arena          *arena = a->k->arena;
    struct admit_question *q = arena_new(arena, struct admit_question);
    struct str             signer = json_path_str(a->old, "spec.signerName");
    ptrdiff_t              slash = str_find(signer, '/');

    for (size_t i = 0; i < ARRAY_LEN(q->any); i++)
        q->any[i] = (struct authz_attr){
            .user = a->k->user, .verb = verb, .group = STR(GROUP), .version = STR("*"),
            .resource = STR("signers"), .is_resource = true,
        };
    q->any[0].name = signer;
    q->any[1].name = arena_fmt(arena, "%.*s/*", (int)MAX_OF(slash, (ptrdiff_t)0), signer.p);
    q->refusal = arena_fmt(arena, "%s requests with signerName \"%.*s\"", refusal, STR_ARG(signer));
    return admit_ask(a, q);
}

static bool approve(struct admission *a)
{
    return ask_about_signer(a, "approve", "user not permitted to approve");
}

static bool sign(struct admission *a)
{
    if (json_same(json_path(a->old, "status.certificate"), json_path(a->obj, "status.certificate")) &&
        json_same(json_path(a->old, "status.conditions"), json_path(a->obj, "status.conditions")))
        return true;
    return ask_about_signer(a, "sign", "user not permitted to sign");
}

static void check_subject(struct admission *a)
{
    struct str encoded = json_path_str(a->obj, "spec.request");
    struct buf pem = BUF_INIT;

    if (str_is(json_path_str(a->obj, "spec.signerName"), CLIENT_SIGNER) &&
        base64_decode(&pem, encoded, false) >= 0 && pki_request_organization(buf_str(&pem), GROUP_MASTERS))
        admit_refuse(a, "use of " CLIENT_SIGNER " signer with " GROUP_MASTERS " group is not allowed");
    buf_release(&pem);
}

#define REQUESTS "certificatesigningrequests"

const struct admit_plugin admit_certificate_approval = {
    .name = "CertificateApproval", .on = true,
    .match = { { GROUP, REQUESTS, "approval", ADMIT_UPDATE, .validate_later = approve } },
};
const struct admit_plugin admit_certificate_signing = {
    .name = "CertificateSigning", .on = true,
    .match = { { GROUP, REQUESTS, "status", ADMIT_UPDATE, .validate_later = sign } },
};
const struct admit_plugin admit_certificate_subject = {
    .name = "CertificateSubjectRestriction", .on = true,
    .match = { { GROUP, REQUESTS, NULL, ADMIT_CREATE, .validate = check_subject } },
};
