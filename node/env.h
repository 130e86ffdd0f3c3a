/* node/env.h: a container's environment and command line as the pod's spec asks for them. */
#ifndef NODE_ENV_H
#define NODE_ENV_H

#include "api/json.h"
#include "node/source.h"

/* What the downward API may tell. */
struct downward {
    const struct json *pod;                      /* the Pod object */
    const char *pod_ip, *host_ip, *node_name;    /* "": not known yet */
    int64_t node_cpu_millis, node_memory, node_storage;      /* allocatable: what a limit defaults to */
};
/* fieldRef {fieldPath} and resourceFieldRef {containerName, resource, divisor}; container: the one that asks
 * (NULL in volumes). E_INVALID with the reason. Text in the arena. */
int downward_field(const struct downward *d, const struct json *field_ref, struct arena *a, struct str *ret,
                   struct errbuf *err);
int downward_resource(const struct downward *d, const struct json *ref, const struct json *container,
                      struct arena *a, struct str *ret, struct errbuf *err);

/* Everything that envFrom, env, command and args say, expanded ("$(NAME)", "$$").
 * E_AGAIN: a config map or secret is not known yet (its user will be told); E_INVALID:
 * CreateContainerConfigError. */
struct env_result {
    const char **env;
    size_t n_env;
    const char **command;
    size_t n_command;
    const char **args;
    size_t n_args;
};
int env_resolve(const struct downward *d, struct source_set *sources, const struct json *container,
                struct arena *a, struct env_result *ret, struct errbuf *err);
/* "$(NAME)" in a subPathExpr: every name has to be known, else E_INVALID. */
int env_expand_all(const struct env_result *env, struct str in, struct arena *a, struct str *ret,
                   struct errbuf *err);

#endif
