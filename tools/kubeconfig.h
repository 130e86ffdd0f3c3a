/* tools/kubeconfig.h: where a kubeconfig's context leads to and who it says we are. */
#ifndef TOOLS_KUBECONFIG_H
#define TOOLS_KUBECONFIG_H

#include "net/arena.h"
#include "net/err.h"

/* Everything lives in the arena it was loaded into. */
struct kubeconfig {
    struct str server;                           /* "https://127.0.0.1:6443" */
    struct str tls_name;                         /* tls-server-name, or empty */
    struct str ca_pem, cert_pem, key_pem, token; /* empty where there is none */
    struct str ns;                               /* the context's namespace, or empty */
    bool insecure;                               /* insecure-skip-tls-verify */
};
/* context NULL: the file's current one.  Files named in it are relative to its folder, as kubectl has it. */
int kubeconfig_load(struct arena *a, const char *path, const char *context, struct kubeconfig *ret,
                    struct errbuf *err);

/* HOST:PORT of "https://HOST:PORT/" or http://; a port is added where none is named. */
int kubeconfig_address(struct arena *a, struct str url, bool *ret_plain, const char **ret_addr,
                       struct errbuf *err);

#endif
