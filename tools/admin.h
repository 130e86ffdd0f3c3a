/* tools/admin.h: asking heads as an administrator: where to by a kubeconfig, one request at a time, to any
 * head that answers; the loop runs until it is done. */
#ifndef TOOLS_ADMIN_H
#define TOOLS_ADMIN_H

#include "api/json.h"
#include "net/http_client.h"
#include "tools/flags.h"
#include "tools/kubeconfig.h"

#define ADMIN_MEMBERS_PATH "/coracle/v1/members"

struct admin {
    const struct command *cmd;                   /* in whose name it fails */
    const char *kubeconfig, *context;
    struct flag_strings servers;
    struct arena arena;                          /* all that follows lives in it */
    struct loop *loop;
    struct tls_ctx *tls;
    struct kubeconfig k;
    struct http_client *http;
    struct http_header headers[2]; size_t n_headers;     /* that go with every request */
    struct timer again;
    /* The last answer; status 0: none, reason says why. */
    int status;
    struct str body, reason;
};

/* Rows of the command's table of flags. */
#define ADMIN_FLAGS(a) \
    { "kubeconfig", NULL, FLAG_STRING, &(a).kubeconfig, "FILE", \
      "how to reach a head, as an administrator" }, \
    { "context", NULL, FLAG_STRING, &(a).context, "NAME", \
      "the kubeconfig's context, if not its current one" }, \
    { "server", NULL, FLAG_STRINGS, &(a).servers, "URL", \
      "instead of the kubeconfig's; the next if one does not answer" },

/* cmd, and what the flags say; the kubeconfig of the environment. */
void admin_init(struct admin *a, const struct command *cmd);
/* Reads the kubeconfig, if one is named (else k is as its owner filled it in), and opens loop and TLS. */
int  admin_open(struct admin *a, struct errbuf *err);
void admin_close(struct admin *a);

/* A client of those heads, the next if one does not answer. */
int  admin_connect(struct admin *a, const struct str *url, size_t n, struct http_client **ret,
                   struct errbuf *err);
/* To the heads of flags or kubeconfig.  A cluster that elects a leader, or a head that is going, is asked
 * again: nothing was done yet. */
void admin_call(struct admin *a, const char *method, struct str path, struct str body);
struct json *admin_answer(struct admin *a);      /* NULL: no JSON */
int  admin_failed(struct admin *a);              /* says why there is no (good) answer; returns 1 */
/* The members as their leader knows them, if it answers, else as another does; NULL: failed. */
struct json *admin_members(struct admin *a);

#endif
