/* api/admit.h: admission: what may be written, and what a write gets that its author did not say.
 *
 * A plugin is a row of one table (api/admit/plugins.c): its original's name, whether it is on by default,
 * for which operations and resources it is asked, and up to four functions. They run in the table's order,
 * at one place of every write:
 *
 *   decode -> defaults -> MUTATE -> the kind's hooks -> validation -> VALIDATE -> encode -> commit
 *
 * Both phases are steps that may take many turns. A flow (create, update, delete, ...) keeps its state in a
 * struct draft in the call's arena, fills in an admission and hands over the function that goes on:
 *
 *   admit_begin(&d->admit, &d->kind, ADMIT_CREATE);  d->admit.obj = d->obj;
 *   admit_mutate(&d->admit, on_mutated);             // on_mutated(): now, or in a later turn
 *   ...
 *   admit_validate(&d->admit, on_admitted);
 *
 * A plugin that can decide at once has `mutate` or `validate`. One that has to wait (for a webhook, for its
 * turn at a quota) has mutate_later or validate_later: it returns true if it is done already (nothing
 * matched: costs nothing), else it has called admit_suspend(), and calls admit_resume() exactly once, from a
 * later turn.
 * If the call ends first (client gone, deadline) `cancel` is called instead, and nothing of the admission may
 * be touched after that. While it waits, trees stay valid (the arena and the stored object are held); the
 * live view does not: admit_resume() renews k->view, and the commit's compares catch what changed meanwhile
 * (the flow then starts over).
 *
 * A mutating plugin that waits and has changed obj sets `changed`: the flow then completes the object again
 * (defaults, status put back), and the mutating plugins that come before it run once more (`again` is set),
 * as the original reinvokes its own.
 *
 * Refusing: admit_refuse() for `pods "x" is forbidden: ...`, kind_refuse() for other codes,
 * kind_refuse_status() for a whole Status (a webhook's). The first refusal ends the phase. kind_warn() adds a
 * Warning header, admit_note() an annotation of the audit event. */
#ifndef API_ADMIT_H
#define API_ADMIT_H

#include "api/authn.h"
#include "api/kinds.h"

enum admit_op { ADMIT_CREATE = 1, ADMIT_UPDATE = 2, ADMIT_DELETE = 4, ADMIT_CONNECT = 8 };

/* What goes into the audit log beside the request: key "plugin.example.com/what". */
struct admit_note { struct str key, value; struct admit_note *next; };

struct admission {
    struct call *call;
    /* user, namespace, name, subresource, view, arena, dry run */
    struct kind_ctx *k;
    enum admit_op op;
    /* what obj and old are: the resource's kind as it is stored, or its subresource's (Scale, Binding) */
    const struct schema_kind *kind;
    struct json *obj;                            /* NULL: DELETE */
    const struct json *old;                      /* NULL: CREATE, CONNECT; of DELETE: see admit_old() */
    struct blob *stored;                         /* what old is read from; borrowed; NULL: none */
    bool generated;                              /* the name was made of generateName */
    bool changed;                                /* set by who changed obj in a later turn */
    bool again;                                  /* the mutating plugins run a second time */

    /* From admit_begin() on; the machinery's. */
    bool validating, suspended;
    uint64_t plugins;                            /* those that concern the resource; a bit per row */
    unsigned at;                                 /* the next row */
    void (*then)(struct admission *a);
    void (*decided)(struct admission *a);        /* admit_decide()'s */
    void (*cancel)(struct admission *a);
    struct blob *held;                           /* `stored`, while turns go by */
    struct qlink link;                           /* of the call's suspended ones */
    void *wait;                                  /* the waiting plugin's own */
};

/* ---- For the flows ------------------------------------------------------------------------------------- */

struct admit;
void admit_begin(struct admission *a, struct call *c, struct kind_ctx *k, enum admit_op op);
/* then(a) comes once, unless the call ends first. a and its kind_ctx live in the call's arena, or until
 * admit_release(). If a plugin refused, a->k->refused is set. */
void admit_mutate(struct admission *a, void (*then)(struct admission *a));
void admit_validate(struct admission *a, void (*then)(struct admission *a));
/* One after the other, where nothing lies between: deletions, connections, evictions. */
void admit_decide(struct admission *a, void (*then)(struct admission *a));
/* End its wait, let go what it holds. */
void admit_release(struct admission *a);
/* The call ends: the same for all of its admissions; and its turn at the quotas goes to the next. */
void admit_release_all(struct call *c);
void admit_turn_end(struct call *c);             /* api/admit/turn.c */

/* ---- For plugins --------------------------------------------------------------------------------------- */

/* cancel: called if the call ends before admit_resume(). */
void admit_suspend(struct admission *a, void (*cancel)(struct admission *a));
void admit_resume(struct admission *a);
/* Look at what is stored now, before admit_resume(). */
void admit_renew(struct admission *a);
/* `pods "x" is forbidden: ` and this. */
void admit_refuse(struct admission *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
void admit_note(struct admission *a, const char *key, struct str value);
/* The stored object; NULL: there is none or it cannot be read. */
const struct json *admit_old(struct admission *a);
/* group/plural of what is written, and "" or the subresource. */
bool admit_is(const struct admission *a, const char *group, const char *plural, const char *sub);

/* ---- The set of plugins of one head -------------------------------------------------------------------- */

struct admit_opts {
    const char *enable, *disable;                /* names separated by commas; NULL: none */
    struct str config;                           /* AdmissionConfiguration, YAML or JSON; empty: none */
};
/* E_INVALID: an unknown name, or a configuration that is wrong. */
int  admit_open(struct loop *loop, const struct admit_opts *o, struct admit **ret, struct errbuf *err);
void admit_free(struct admit *t);                /* NULL ok */

#endif
