/* api/admit/may.c: questions that a plugin has about the user's rights, asked one after the other. */
#include "api/admit/plugin.h"
#include "api/authz.h"

static void on_answered(struct authz_query *q);

static void on_cancel(struct admission *a)
{
    struct admit_question *q = a->wait;

    authz_cancel(&q->query);
}

/* The next attempt of this question, then the next question.  True: all are answered, or one refuses. */
static bool go_on(struct admission *a, struct admit_question *q)
{
    while (q != NULL) {
        if (q->at == ARRAY_LEN(q->any) || q->any[q->at].verb == NULL) {
            admit_refuse(a, "%.*s", STR_ARG(q->refusal));
            return true;
        }
        q->query = (struct authz_query){ .attr = q->any[q->at++], .arena = a->k->arena, .done = on_answered };
        q->a = a;
        a->wait = q;
        if (!authz_ask(a->call->api->authz, &q->query))
            return false;
        if (q->query.decision == AUTHZ_ALLOW)
            q = q->next;
    }
    return true;
}

static void on_answered(struct authz_query *query)
{
    struct admit_question *q = container_of(query, struct admit_question, query);
    struct admission      *a = q->a;

    if (go_on(a, query->decision == AUTHZ_ALLOW ? q->next : q))
        admit_resume(a);
}

bool admit_ask(struct admission *a, struct admit_question *first)
{
    if (go_on(a, first))
        return true;
    admit_suspend(a, on_cancel);
    return false;
}
