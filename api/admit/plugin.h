/* api/admit/plugin.h: what the files of this folder share: the form of a row, and what rows may use. */
#ifndef API_ADMIT_PLUGIN_H
#define API_ADMIT_PLUGIN_H

#include "api/admit.h"
#include "api/authz.h"
#include "api/call.h"

#define ADMIT_WRITES (ADMIT_CREATE | ADMIT_UPDATE)

/* What a plugin does about a resource.  plural NULL: every resource.  sub NULL: the object itself only; "*":
 * the object and all its subresources.  The first that fits and has a function for the phase is called. */
struct admit_match {
    const char *group, *plural, *sub;
    unsigned ops;                                /* ADMIT_*; 0: the end */
    void (*mutate)(struct admission *a);
    void (*validate)(struct admission *a);
    /* True: done. See api/admit.h. */
    bool (*mutate_later)(struct admission *a);
    bool (*validate_later)(struct admission *a);
};
#define ADMIT_MATCHES_MAX 16

struct admit_plugin {
    const char *name;
    bool on;                                     /* unless --disable-admission-plugins names it */
    struct admit_match match[ADMIT_MATCHES_MAX];
    /* What it keeps for the head's life. config: of the AdmissionConfiguration; NULL: it says nothing. */
    int  (*open)(struct admit *t, const struct json *config, void **ret_state, struct errbuf *err);
    void (*close)(void *state);
};

extern const struct admit_plugin admit_namespace_lifecycle, admit_limit_ranger, admit_service_account,
    admit_node_restriction, admit_taint_nodes, admit_always_pull, admit_pod_security, admit_pod_node_selector,
    admit_priority, admit_default_tolerations, admit_event_rate_limit, admit_default_storage_class,
    admit_claim_resize, admit_storage_protection, admit_owner_references, admit_runtime_class,
    admit_certificate_approval, admit_certificate_signing, admit_certificate_subject,
    admit_default_ingress_class, admit_external_ips, admit_policies, admit_resource_quota;

extern const struct admit_plugin *const admit_plugins[];
extern const unsigned admit_n_plugins;           /* <= 64 */

#define ADMIT_PLUGINS_MAX 64

/* One head's: which rows are on, and what they are told and remember. */
struct admit {
    struct loop *loop;
    uint64_t on;
    void *state[ADMIT_PLUGINS_MAX];              /* by row */
    struct arena arena;                          /* of what the configuration says */
};
/* The state of the row that is being asked. */
void *admit_state(const struct admission *a);

/* A walk over all objects of a resource (of a namespace), as they are in the view. There may be
 * ADMIT_LIST_MAX of them: with more the request is refused, since each of them costs every write time. */
#define ADMIT_LIST_MAX 2000
struct admit_list {
    struct admission *a;
    const char *plural;
    struct store_cursor cursor;
    struct str to;
    struct store_kv kv;
    unsigned n;
};
void admit_list_open(struct admit_list *l, struct admission *a, const char *group, const char *plural,
                     struct str ns);
bool admit_list_next(struct admit_list *l);
/* Does its member at this path read so?  raw: as JSON text. */
bool admit_list_says(const struct admit_list *l, const char *path, const char *raw);
struct json *admit_list_json(const struct admit_list *l);       /* NULL: it cannot be read */

/* The resource of a kind, built-in or custom, as an owner reference names it; NULL: none is served. */
const struct resource *admit_resource_of(struct admission *a, struct str api_version, struct str kind);

/* ---- may.c: may the user do this as well? ------------------------------------------------------------- */

/* Allowed if any of these is (a verb NULL ends them); else the request is refused with this text. */
struct admit_question {
    struct authz_attr any[2];
    struct str refusal;
    struct admit_question *next;                 /* asked after this one was answered well */
    /* the machinery's */
    struct authz_query query;
    struct admission *a;
    unsigned at;
};
/* For validate_later: true: answered, else the admission is suspended until it is. In the arena. */
bool admit_ask(struct admission *a, struct admit_question *first);

/* ---- turn.c: one write at a time may change a namespace's quotas on this head ------------------------- */

struct admit_turns;
struct admit_turns *admit_turns_new(struct loop *loop);
void admit_turns_free(struct admit_turns *t);
/* True: it is this call's turn, until the call ends.  False: granted(a) comes, or the call ends first; the
 * admission is suspended. */
bool admit_turn_take(struct admission *a, struct admit_turns *t, void (*granted)(struct admission *a));

#endif
